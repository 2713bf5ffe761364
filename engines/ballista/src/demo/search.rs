//! The search for secrets in everything that processes wrote.

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
    output::say,
    queries::{QUERIES, Tables, Values},
    table::grouped,
};
use crate::error::BoxError;

/// Texts of one kind, with the needles found in them.
pub(super) struct Place {
    name: String,
    texts: usize,
    bytes: u64,
    found: Vec<Found>,
}

struct Found {
    needle: String,
    texts: usize,
    first: String,
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

    /// Looks in a text, such as a file, which the report names if it has a needle.
    pub(super) fn look_in(&mut self, name: &str, text: &[u8], needles: &[Needle]) {
        self.texts += 1;
        self.bytes += text.len() as u64;
        for needle in needles.iter().filter(|needle| needle.is_in(text)) {
            let known = |found: &&mut Found| found.needle == needle.name();
            match self.found.iter_mut().find(known) {
                Some(found) => found.texts += 1,
                None => self.found.push(Found {
                    needle: needle.name().to_owned(),
                    texts: 1,
                    first: name.to_owned(),
                }),
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
                false => self.look_in_file(&path, needles)?,
            }
        }
        Ok(())
    }

    pub(super) fn look_in_file(&mut self, path: &Path, needles: &[Needle]) -> Result<(), BoxError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.look_in(&name, &fs::read(path)?, needles);
        Ok(())
    }

    pub(super) fn has(&self, needle: &str) -> bool {
        self.found.iter().any(|found| found.needle == needle)
    }

    /// Prints the finds. Returns whether there is one that must not be there.
    pub(super) fn show(&self, expected: Option<&str>) -> bool {
        let what = format!(
            "{} ({}, {} bytes)",
            self.name,
            self.texts,
            grouped(self.bytes)
        );
        let is_expected = |found: &Found| expected == Some(found.needle.as_str());
        // A search of nothing would find nothing.
        let is_bad = self.texts == 0 || !self.found.iter().all(is_expected);
        let found = self.found.iter().map(|found| match is_bad {
            true => format!("{} in {}, first {}", found.needle, found.texts, found.first),
            false => format!("{} in {}", found.needle, found.texts),
        });
        let found: Vec<_> = found.collect();
        let said = match (found.is_empty(), is_bad) {
            (true, true) => "NOT SEARCHED: there is nothing here".to_owned(),
            (true, false) => "nothing".to_owned(),
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
        let name = object.location.as_ref();
        place.look_in(name, &bytes, needles);
        place.look_in(name, name.as_bytes(), needles);
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
        plans.look_in(query.name, &logical_plan_to_bytes(&optimized)?, needles);
        // EXPLAIN VERBOSE starts with the query as its author wrote it. This one has the address.
        if !sql.contains(&values.address) {
            let rows = ctx
                .sql(&format!("EXPLAIN VERBOSE {sql}"))
                .await?
                .collect()
                .await?;
            let text = pretty_format_batches(&rows)?.to_string();
            explained.look_in(query.name, text.as_bytes(), needles);
        }
    }
    Ok(vec![plans, explained])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_find_is_bad_unless_it_is_expected() {
        let needles = [
            Needle::new("the address", b"ada"),
            Needle::new("a key", b"0123"),
        ];
        assert!(Place::new("empty").show(None));
        let mut place = Place::new("logs");
        place.look_in("one.log", b"nothing", &needles);
        assert!(!place.show(None) && !place.has("the address"));
        place.look_in("two.log", b"it was ada", &needles);
        assert!(place.has("the address") && !place.has("a key"));
        assert!(place.show(None));
        assert!(!place.show(Some("the address")));
        place.look_in("three.log", b"30313233", &needles);
        assert!(place.show(Some("the address")));
    }
}
