//! The demonstration, from making keys to searching for them.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use clap::Args;
use datafusion::{
    execution::runtime_env::RuntimeEnv,
    prelude::{SessionConfig, SessionContext},
};
use keyseal::KeysetHandle;
use keyseal_ballista::{
    Engine, EngineConfig, Role,
    local::{KeyManagerControl, Needle},
};

use super::{
    cluster::Cluster,
    keys::Keys,
    load::Load,
    measure::{Bench, answer},
    orders,
    output::say,
    queries::{QUERIES, Tables, Values},
    search::{self, Place},
    table,
};
use crate::error::BoxError;

#[derive(Args, Debug)]
pub(crate) struct StoryArgs {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    rows: u64,
    /// The URLs of the buckets, without the final slash
    #[arg(long)]
    lake: String,
    #[arg(long)]
    plain: String,
}

/// The name of the address in the report.
const ADDRESS: &str = "the address";

pub(crate) async fn tell(args: &StoryArgs) -> Result<ExitCode, BoxError> {
    let story = Story::prepare(args).await?;
    let mut cluster = Cluster::start(&args.folder)?;
    cluster.wait_until_ready(&story.engine).await?;
    say("cluster: a scheduler and two executors, each with two cores");
    let is_right = story.run(&cluster).await?;
    let plans = story.search_plans(&cluster).await?;
    cluster.stop().await;
    let is_clean = story.search(plans).await?;
    Ok(match is_right && is_clean {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

struct Story<'a> {
    args: &'a StoryArgs,
    keys: Keys,
    engine: Engine,
    /// Runs in this process.
    local: SessionContext,
    values: Values,
    control: KeyManagerControl,
}

impl<'a> Story<'a> {
    /// Makes keys and configuration, and writes the tables.
    async fn prepare(args: &'a StoryArgs) -> Result<Self, BoxError> {
        let started = Instant::now();
        let path = args.folder.join("keyseal-engine.toml");
        let keys = Keys::open(&args.lake)?;
        fs::write(&path, keys.config())?;
        let engine = Engine::new(&EngineConfig::read(&path)?, Role::Client)?;
        let values = Values {
            rows: args.rows,
            address: format!("ada.lovelace.{}@example.org", random()?),
        };
        let config = SessionConfig::new().with_target_partitions(2);
        let local = SessionContext::new_with_state(engine.state(config, None)?);
        let runtime = local.runtime_env();
        keys.make(&runtime).await?;
        orders::make(&local, args.rows, &values.address).await?;
        orders::write(&local, &args.lake).await?;
        let size = orders::copy(&runtime, &args.lake, &args.plain).await?;
        say(&format!(
            "{} orders with encrypted addresses: {} bytes of Parquet, written in {:.1} s",
            table::grouped(args.rows),
            table::grouped(size),
            started.elapsed().as_secs_f64()
        ));
        let environment: BTreeMap<_, _> = env::vars().collect();
        Ok(Self {
            args,
            keys,
            engine,
            local,
            values,
            control: KeyManagerControl::new(&environment)?,
        })
    }

    /// Runs the queries, before and after a rotation. Returns whether all results were right.
    async fn run(&self, cluster: &Cluster) -> Result<bool, BoxError> {
        let remote = self.session(cluster).await?;
        let before = self.measure(cluster, &remote, "as written", 2).await?;
        self.rotate(&remote).await?;
        self.add_orders().await?;
        // Another session: the tables have one more file.
        let remote = self.session(cluster).await?;
        let after = self
            .measure(cluster, &remote, "after the rotation", 1)
            .await?;
        Ok(before && after)
    }

    /// Opens a session of the cluster that knows the tables.
    async fn session(&self, cluster: &Cluster) -> Result<SessionContext, BoxError> {
        let ctx = cluster.session(&self.engine).await?;
        let lake = format!("sealed+{}", self.args.lake);
        orders::register(&ctx, Tables::Sealed.prefix(), &lake).await?;
        orders::register(&ctx, Tables::Plain.prefix(), &self.args.plain).await?;
        Ok(ctx)
    }

    async fn measure(
        &self,
        cluster: &Cluster,
        remote: &SessionContext,
        title: &str,
        runs: usize,
    ) -> Result<bool, BoxError> {
        let bench = Bench {
            cluster,
            control: &self.control,
            remote,
            local: &self.local,
            values: &self.values,
            runs,
        };
        table::head(title);
        let mut is_right = true;
        for query in &QUERIES {
            let row = bench.measure(query).await?;
            row.show();
            is_right &= row.is_right;
        }
        Ok(is_right)
    }

    /// Rotates the keys while queries run.
    async fn rotate(&self, remote: &SessionContext) -> Result<(), BoxError> {
        let mut queries = Vec::new();
        for query in QUERIES
            .iter()
            .filter(|query| query.name != "search by address")
        {
            let expected = query.sql(Tables::Cleartext, &self.values);
            let expected = answer(&self.local, &expected).await?;
            queries.push((query.sql(Tables::Sealed, &self.values), expected));
        }
        let each = queries.len() as u64;
        let load = Load::start(remote.clone(), queries);
        load.wait_for(1).await;
        self.control.take_calls().await?;
        self.keys.rotate(&self.local.runtime_env()).await?;
        let calls = self.control.take_calls().await?.len();
        load.wait_for(each).await;
        let done = load.stop().await?;
        say("");
        say(&format!(
            "rotated the KEK and the keysets with {calls} calls, while {done} queries ran: none failed"
        ));
        Ok(())
    }

    /// Adds orders under the new keys, which the cluster has not seen yet.
    async fn add_orders(&self) -> Result<(), BoxError> {
        let config = EngineConfig::read(&self.args.folder.join("keyseal-engine.toml"))?;
        let engine = Engine::new(&config, Role::Client)?;
        let writer = SessionContext::new_with_state(engine.state(SessionConfig::new(), None)?);
        let cleartext = self.local.table_provider("clear_orders").await?;
        writer.register_table("clear_orders", cleartext)?;
        let (rows, more) = (self.args.rows, (self.args.rows / 100).max(1));
        orders::add(&writer, &self.args.lake, rows + 1, rows + more).await?;
        orders::copy(&writer.runtime_env(), &self.args.lake, &self.args.plain).await?;
        say(&format!(
            "added {} orders under the new keys",
            table::grouped(more)
        ));
        Ok(())
    }

    async fn needles(&self, runtime: &RuntimeEnv) -> Result<Vec<Needle>, BoxError> {
        let mut needles = self.keys.needles(runtime).await?;
        // Compression may cut what follows.
        let local_part = self.values.address.split('@').next().unwrap_or_default();
        needles.push(Needle::new(ADDRESS, local_part.as_bytes()));
        for variable in ["SCW_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"] {
            if let Ok(secret) = env::var(variable) {
                needles.push(Needle::new(variable, secret.as_bytes()));
            }
        }
        Ok(needles)
    }

    async fn search_plans(&self, cluster: &Cluster) -> Result<Vec<Place>, BoxError> {
        let needles = self.needles(&self.local.runtime_env()).await?;
        search::plans(&self.session(cluster).await?, &self.values, &needles).await
    }

    /// Searches everything that processes wrote. Returns whether only shuffles had something.
    async fn search(&self, plans: Vec<Place>) -> Result<bool, BoxError> {
        let runtime = self.local.runtime_env();
        let needles = self.needles(&runtime).await?;
        say("");
        say(&format!(
            "searched for an e-mail address, {} keys and credentials, in 8 forms each:",
            needles.len() - 1
        ));
        let bucket = search::bucket(&runtime, &self.args.lake, &needles).await?;
        let folder = &self.args.folder;
        let mut is_bad = bucket.show(None);
        for place in plans {
            is_bad |= place.show(None);
        }
        is_bad |= in_files("configuration, logs", folder, &needles)?.show(None);
        is_bad |= in_folders("history of jobs", folder, &["history"], &needles)?.show(None);
        let executors = ["executor-1", "executor-2"];
        let shuffles = in_folders(
            "shuffle files of the executors",
            folder,
            &executors,
            &needles,
        )?;
        is_bad |= shuffles.show(Some(ADDRESS));
        if !shuffles.has(ADDRESS) {
            // They hold it. A search that does not see it there proves nothing elsewhere.
            say("the search FAILED: it did not find the address in the shuffle files");
            is_bad = true;
        }
        say(
            "Ballista writes decrypted columns to shuffle files: docs/engines.md says where to put them",
        );
        Ok(!is_bad)
    }
}

/// Looks in the files of a folder, but not in those of its folders.
fn in_files(name: &str, folder: &Path, needles: &[Needle]) -> Result<Place, BoxError> {
    let mut place = Place::new(name);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            place.look_in_file(&path, needles)?;
        }
    }
    Ok(place)
}

fn in_folders(
    name: &str,
    folder: &Path,
    folders: &[&str],
    needles: &[Needle],
) -> Result<Place, BoxError> {
    let mut place = Place::new(name);
    for inner in folders {
        place.look_in_folder(&folder.join(inner), needles)?;
    }
    Ok(place)
}

/// Returns 16 digits that no other run has.
fn random() -> Result<String, BoxError> {
    let mut digits = String::new();
    for _ in 0..2 {
        let id = KeysetHandle::generate("AES256_GCM")?.primary_id();
        digits += &format!("{:08x}", id.value());
    }
    Ok(digits)
}
