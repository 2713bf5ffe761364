//! The search: what can be read in everything that was written.

use std::{fs, path::Path};

use datafusion::{
    arrow::util::pretty::pretty_format_batches, execution::runtime_env::RuntimeEnv,
    prelude::SessionContext,
};
use datafusion_proto::bytes::logical_plan_to_bytes;
use futures_util::TryStreamExt as _;
use keyseal_ballista::local::Needle;
use object_store::{ObjectStore as _, ObjectStoreExt as _, path::Path as ObjectPath};
use url::Url;

use super::{
    queries::{QUERIES, Tables, Values},
    say,
    table::grouped,
};
use crate::run::BoxError;

/// Some texts of one kind, and what was found in them.
pub(super) struct Place {
    name: String,
    texts: usize,
    bytes: u64,
    found: Vec<(String, usize)>,
}

impl Place {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            texts: 0,
            bytes: 0,
            found: Vec::new(),
        }
    }

    pub(super) fn look_in(&mut self, text: &[u8], needles: &[Needle]) {
        self.texts += 1;
        self.bytes += text.len() as u64;
        for needle in needles.iter().filter(|needle| needle.is_in(text)) {
            match self
                .found
                .iter_mut()
                .find(|(name, _)| name == needle.name())
            {
                Some((_, texts)) => *texts += 1,
                None => self.found.push((needle.name().to_owned(), 1)),
            }
        }
    }

    /// Looks in all files of a folder, and of those in it.
    pub(super) fn look_in_folder(
        &mut self,
        folder: &Path,
        needles: &[Needle],
    ) -> Result<(), BoxError> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            match path.is_dir() {
                true => self.look_in_folder(&path, needles)?,
                false => self.look_in(&fs::read(path)?, needles),
            }
        }
        Ok(())
    }

    pub(super) fn has(&self, needle: &str) -> bool {
        self.found.iter().any(|(name, _)| name == needle)
    }

    /// Says what was found. Returns whether something was that must not be there.
    pub(super) fn show(&self, expected: Option<&str>) -> bool {
        let what = format!(
            "{} ({}, {} bytes)",
            self.name,
            self.texts,
            grouped(self.bytes)
        );
        let found: Vec<_> = self
            .found
            .iter()
            .map(|(name, texts)| format!("{name} in {texts}"))
            .collect();
        let is_bad = self
            .found
            .iter()
            .any(|(name, _)| Some(name.as_str()) != expected);
        let said = match (found.is_empty(), is_bad) {
            (true, _) => "nothing".to_owned(),
            (false, true) => format!("FOUND {}", found.join(", ")),
            (false, false) => format!("{}, as expected", found.join(", ")),
        };
        say(&format!("  {what:<48} {said}"));
        is_bad
    }
}

/// All stored bytes of the bucket, without decrypting.
pub(super) async fn bucket(
    runtime: &RuntimeEnv,
    lake: &str,
    needles: &[Needle],
) -> Result<Place, BoxError> {
    let root = Url::parse(&format!("{lake}/"))?;
    let store = runtime.object_store_registry.get_store(&root)?;
    let folder = ObjectPath::from_url_path(root.path())?;
    let mut place = Place::new("objects of the bucket");
    let objects: Vec<_> = store.list(Some(&folder)).try_collect().await?;
    for object in objects {
        let bytes = store.get(&object.location).await?.bytes().await?;
        place.look_in(&bytes, needles);
        place.look_in(object.location.as_ref().as_bytes(), needles);
    }
    Ok(place)
}

/// The plans as they travel, and all that EXPLAIN shows of them.
pub(super) async fn plans(
    ctx: &SessionContext,
    values: &Values,
    needles: &[Needle],
) -> Result<Vec<Place>, BoxError> {
    let mut plans = Place::new("plans, as they travel");
    let mut explained = Place::new("EXPLAIN VERBOSE");
    for query in &QUERIES {
        let sql = query.sql(Tables::Sealed, values);
        let plan = ctx.state().create_logical_plan(&sql).await?;
        let optimized = ctx.state().optimize(&plan)?;
        plans.look_in(&logical_plan_to_bytes(&optimized)?, needles);
        // EXPLAIN VERBOSE starts with the query as its author wrote it. This one has the address.
        if !sql.contains(&values.address) {
            let rows = ctx
                .sql(&format!("EXPLAIN VERBOSE {sql}"))
                .await?
                .collect()
                .await?;
            explained.look_in(
                pretty_format_batches(&rows)?.to_string().as_bytes(),
                needles,
            );
        }
    }
    Ok(vec![plans, explained])
}
