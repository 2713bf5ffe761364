//! Times encrypted tables, lists and columns beside plain ones, and counts what the tables read:
//!
//! ```sh
//! cargo bench --manifest-path engines/datafusion/Cargo.toml
//! ```
//!
//! The table is `lineitem` of TPC-H. Its Parquet files are the same, byte for byte, in both stores,
//! which are folders in memory where the system has `/dev/shm`. The two sides take turns. A ratio is
//! the median of the ratios within the rounds.
#![allow(clippy::print_stdout, reason = "it prints its results")]

use std::{
    error::Error,
    fmt, fs,
    future::Future,
    hint::black_box,
    path::Path as FsPath,
    sync::Arc,
    time::{Duration, Instant},
};

use datafusion::{
    arrow::array::RecordBatch,
    dataframe::DataFrameWriteOptions,
    execution::runtime_env::RuntimeEnvBuilder,
    prelude::{DataFrame, SessionConfig, SessionContext},
};
use futures_util::TryStreamExt as _;
use keyseal::{Aead as _, KeysetAead, KeysetHandle};
use keyseal_datafusion::{KeyRing, SealedRegistry};
use keyseal_object_store::EncryptedStore;
use object_store::{
    ObjectStore, ObjectStoreExt as _, local::LocalFileSystem, memory::InMemory, path::Path,
};
use tpchgen::generators::LineItemGenerator;
use tpchgen_arrow::LineItemArrow;

use self::meter::{Meter, MeteredStore};

/// Counts the requests and bytes that a remote store would serve.
#[allow(unreachable_pub, reason = "the cluster's own, and public there")]
#[path = "../../ballista/src/meter.rs"]
mod meter;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The scale factor of TPC-H. At 1, `lineitem` has about 6,000,000 rows.
const SCALE: f64 = 0.3;
const FILES: i32 = 4;
const ROUNDS: usize = 9;
const CODECS: [&str; 2] = ["snappy", "uncompressed"];
const OBJECTS: usize = 10_000;
const LARGE: usize = 1 << 30;
const ROWS: usize = 1_000_000;

/// Queries over a table: Q1 and Q6 of TPC-H, Q6 for the orders of one row group, and others.
const QUERIES: [(&str, &str); 6] = [
    (
        "Q1",
        "SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice),
                sum(l_extendedprice * (1 - l_discount)),
                sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)), avg(l_quantity),
                avg(l_extendedprice), avg(l_discount), count(*)
         FROM {} WHERE l_shipdate <= DATE '1998-09-02' GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    (
        "Q6",
        "SELECT sum(l_extendedprice * l_discount) FROM {}
         WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01'
           AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
    ),
    (
        "Q6, pruned by row group",
        "SELECT sum(l_extendedprice * l_discount) FROM {}
         WHERE l_orderkey BETWEEN 700000 AND 720000
           AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
    ),
    ("one column", "SELECT sum(l_tax) FROM {}"),
    (
        "one row, all columns",
        "SELECT * FROM {} WHERE l_orderkey = 700001 AND l_linenumber = 1",
    ),
    ("every byte", "SELECT * FROM {}"),
];

#[tokio::main(worker_threads = 2)]
async fn main() -> Outcome<()> {
    let memory = FsPath::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory)?,
        false => tempfile::tempdir()?,
    };
    let lake = Lake::new(folder.path())?;
    println!("{FILES} Parquet files of TPC-H, scale {SCALE}; medians of {ROUNDS} rounds\n");
    println!(
        "| what | codec | plain | encrypted | time | requests | bytes | more bytes a request |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for codec in CODECS {
        lake.fill(codec).await?;
        for (name, query) in QUERIES {
            lake.query(name, query, codec).await?;
        }
        lake.write(codec).await?;
    }
    println!("\n| what | plain | encrypted | ratio |\n|---|---|---|---|");
    list(folder.path()).await?;
    columns().await?;
    get().await
}

/// Two folders, one of which an [`EncryptedStore`] encrypts.
struct Lake {
    plain: Arc<LocalFileSystem>,
    sealed: EncryptedStore,
    /// Its tables are those of `counting`.
    timed: SessionContext,
    counting: SessionContext,
    /// The reads from each of the two.
    meters: (Arc<Meter>, Arc<Meter>),
}

impl Lake {
    fn new(folder: &FsPath) -> Outcome<Self> {
        let in_folder = |name: &str| -> Outcome<_> {
            let folder = folder.join(name);
            fs::create_dir(&folder)?;
            Ok(Arc::new(LocalFileSystem::new_with_prefix(folder)?))
        };
        let (plain, lake) = (in_folder("plain")?, in_folder("lake")?);
        let kek = kek()?;
        let meters: (Arc<Meter>, Arc<Meter>) = Default::default();
        let counting = context(
            &kek,
            Arc::new(MeteredStore::new(plain.clone(), Arc::clone(&meters.0))),
            Arc::new(MeteredStore::new(lake.clone(), Arc::clone(&meters.1))),
        )?;
        Ok(Self {
            timed: context(&kek, plain.clone(), lake.clone())?,
            sealed: encrypted(lake, kek)?,
            plain,
            counting,
            meters,
        })
    }

    /// Makes the tables of a codec: `plain_CODEC`, and `lake_CODEC` of the same files.
    async fn fill(&self, codec: &str) -> Outcome<()> {
        for part in 1..=FILES {
            let rows = LineItemGenerator::new(SCALE, part, FILES);
            let rows: Vec<RecordBatch> = LineItemArrow::new(rows).collect::<Result<_, _>>()?;
            let name = format!("{codec}/{part}.parquet");
            let url = format!("mem://plain/{name}");
            let options = DataFrameWriteOptions::new().with_single_file_output(true);
            let mut parquet = self.timed.copied_table_options().parquet;
            parquet.global.compression = Some(codec.to_owned());
            let rows = self.timed.read_batches(rows)?;
            rows.write_parquet(&url, options, Some(parquet)).await?;
            let path = Path::from(name);
            let file = self.plain.get(&path).await?.bytes().await?;
            self.sealed.put(&path, file.into()).await?;
        }
        for ctx in [&self.timed, &self.counting] {
            for (side, url) in [("plain", "mem://plain"), ("lake", "sealed+mem://lake")] {
                let sql = format!(
                    "CREATE EXTERNAL TABLE {side}_{codec} STORED AS PARQUET LOCATION '{url}/{codec}/'"
                );
                ctx.sql(&sql).await?;
            }
        }
        Ok(())
    }

    async fn query(&self, name: &str, query: &str, codec: &str) -> Outcome<()> {
        let on = |side: &str| query.replace("{}", &format!("{side}_{codec}"));
        let (plain, lake) = (on("plain"), on("lake"));
        let (of_plain, of_lake) = &self.meters;
        let (plain_rows, plain_requests, plain_bytes) = self.read(&plain, of_plain).await?;
        let (rows, requests, bytes) = self.read(&lake, of_lake).await?;
        if rows != plain_rows {
            return Err(format!("{name}: {plain_rows} rows, and {rows} encrypted").into());
        }
        let run = |sql: &str| {
            let (ctx, sql) = (self.timed.clone(), sql.to_owned());
            async move { drain(ctx.sql(&sql).await?).await }
        };
        let times = paired(|| run(&plain), || run(&lake)).await?;
        println!(
            "| {name} | {codec} | {times} | {:.2} | {:.2} | {:.1} KiB |",
            requests as f64 / plain_requests as f64,
            bytes as f64 / plain_bytes as f64,
            (bytes as f64 - plain_bytes as f64) / 1024.0 / requests as f64,
        );
        Ok(())
    }

    /// Returns how many rows there are, and the requests and bytes that it took to read them once
    /// the headers are in the cache.
    async fn read(&self, sql: &str, meter: &Meter) -> Outcome<(usize, u64, u64)> {
        drain(self.counting.sql(sql).await?).await?;
        let (requests, bytes) = (meter.requests(), meter.bytes());
        let rows = drain(self.counting.sql(sql).await?).await?;
        Ok((rows, meter.requests() - requests, meter.bytes() - bytes))
    }

    async fn write(&self, codec: &str) -> Outcome<()> {
        let copy = |url: &str| {
            let sql = format!(
                "COPY plain_{codec} TO '{url}/written.parquet' STORED AS PARQUET
                 OPTIONS ('format.compression' '{codec}')"
            );
            let ctx = self.timed.clone();
            async move { drain(ctx.sql(&sql).await?).await }
        };
        let times = paired(|| copy("mem://plain"), || copy("sealed+mem://lake")).await?;
        println!("| writing | {codec} | {times} | | | |");
        Ok(())
    }
}

fn context(
    kek: &KeysetAead,
    plain: Arc<dyn ObjectStore>,
    lake: Arc<dyn ObjectStore>,
) -> Outcome<SessionContext> {
    let kek = kek.clone();
    let sealed = SealedRegistry::default().sealed("sealed+mem://lake", move |store| {
        store.kek_keyset(kek.clone()).context("lake")
    })?;
    let runtime = RuntimeEnvBuilder::new().with_object_store_registry(Arc::new(sealed));
    let config = SessionConfig::new().with_target_partitions(2);
    let ctx = SessionContext::new_with_config_rt(config, runtime.build_arc()?);
    ctx.register_object_store(&"mem://plain".parse()?, plain);
    ctx.register_object_store(&"mem://lake".parse()?, lake);
    Ok(ctx)
}

fn kek() -> Outcome<KeysetAead> {
    Ok(KeysetHandle::generate("AES256_GCM")?.primitive()?)
}

fn encrypted(inner: Arc<dyn ObjectStore>, kek: KeysetAead) -> Outcome<EncryptedStore> {
    let builder = EncryptedStore::builder(inner).kek_keyset(kek);
    Ok(builder.context("lake").build_untried()?)
}

/// Reads all rows, and returns how many there are.
async fn drain(frame: DataFrame) -> Outcome<usize> {
    let rows = frame.execute_stream().await?;
    let count = |sum: usize, batch: RecordBatch| async move { Ok(sum + batch.num_rows()) };
    Ok(rows.try_fold(0, count).await?)
}

/// The medians of both sides in milliseconds, and of the ratios: three cells of a table.
struct Times {
    plain: f64,
    sealed: f64,
    ratio: f64,
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            plain,
            sealed,
            ratio,
        } = self;
        write!(f, "{plain:.1} ms | {sealed:.1} ms | {ratio:.2}")
    }
}

/// Times both sides in turn, each first in every other round.
async fn paired<A, B>(plain: impl Fn() -> A, sealed: impl Fn() -> B) -> Outcome<Times>
where
    A: Future<Output = Outcome<usize>>,
    B: Future<Output = Outcome<usize>>,
{
    let (mut plains, mut sealeds, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // The first one warms up.
    for round in 0..=ROUNDS {
        let (of_plain, of_sealed) = match round % 2 {
            0 => {
                let of_plain = time(plain()).await?;
                (of_plain, time(sealed()).await?)
            }
            _ => {
                let of_sealed = time(sealed()).await?;
                (time(plain()).await?, of_sealed)
            }
        };
        if round > 0 {
            plains.push(of_plain.as_secs_f64() * 1e3);
            sealeds.push(of_sealed.as_secs_f64() * 1e3);
            ratios.push(of_sealed.as_secs_f64() / of_plain.as_secs_f64());
        }
    }
    Ok(Times {
        plain: median(plains),
        sealed: median(sealeds),
        ratio: median(ratios),
    })
}

async fn time(work: impl Future<Output = Outcome<usize>>) -> Outcome<Duration> {
    let start = Instant::now();
    black_box(work.await?);
    Ok(start.elapsed())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Lists many objects.
async fn list(folder: &FsPath) -> Outcome<()> {
    let folder = folder.join("many");
    fs::create_dir(&folder)?;
    let inner: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(folder)?);
    let sealed: Arc<dyn ObjectStore> = Arc::new(encrypted(inner.clone(), kek()?)?);
    for number in 0..OBJECTS {
        sealed
            .put(&Path::from(format!("{number}")), "text".into())
            .await?;
    }
    let count = |store: &Arc<dyn ObjectStore>| {
        let store = Arc::clone(store);
        async move {
            let count = |sum: usize, _| async move { Ok(sum + 1) };
            Ok(store.list(None).try_fold(0, count).await?)
        }
    };
    let times = paired(|| count(&inner), || count(&sealed)).await?;
    println!("| a list of {OBJECTS} objects | {times} |");
    Ok(())
}

/// Reads a large object from a store in memory.
async fn get() -> Outcome<()> {
    let store = encrypted(Arc::new(InMemory::new()), kek()?)?;
    let path = Path::from("large");
    store.put(&path, vec![7; LARGE].into()).await?;
    let mut speeds = Vec::new();
    for _ in 0..ROUNDS {
        let read = async {
            let stream = store.get(&path).await?.into_stream();
            let count = |sum: usize, bytes: bytes::Bytes| async move { Ok(sum + bytes.len()) };
            Ok(stream.try_fold(0, count).await?)
        };
        speeds.push(LARGE as f64 / 1e9 / time(read).await?.as_secs_f64());
    }
    println!(
        "\nA task reads 1 GiB from memory at {:.2} GB/s.",
        median(speeds)
    );
    Ok(())
}

/// Encrypts a column of 40 bytes in SQL, and in a loop.
async fn columns() -> Outcome<()> {
    let keyset = KeysetHandle::generate("AES256_GCM")?;
    let aead: KeysetAead = keyset.primitive()?;
    let config = SessionConfig::new().with_target_partitions(1);
    let ctx = SessionContext::new_with_config(config);
    keyseal_datafusion::register(&ctx, &Arc::new(KeyRing::new().keyset("pii", keyset)));
    let sql = format!(
        "CREATE TABLE people AS SELECT lpad(CAST(value AS VARCHAR), 40, '*') AS name
         FROM generate_series(1, {ROWS}) t(value)"
    );
    ctx.sql(&sql).await?.collect().await?;
    let sql = "SELECT aead_encrypt(keyset('pii'), name, 'people.name') FROM people";
    let in_sql = || {
        let ctx = ctx.clone();
        async move { drain(ctx.sql(sql).await?).await }
    };
    let names: Vec<String> = (1..=ROWS).map(|value| format!("{value:*>40}")).collect();
    let in_loop = || {
        let (aead, names) = (aead.clone(), &names);
        async move {
            let mut all = Vec::with_capacity(names.len() * 80);
            for name in names {
                all.extend(aead.encrypt(name.as_bytes(), b"people.name")?);
            }
            Ok(all.len())
        }
    };
    let times = paired(in_loop, in_sql).await?;
    println!("| `encrypt` in a loop, then `AEAD.ENCRYPT`: {ROWS} rows of 40 bytes | {times} |");
    Ok(())
}
