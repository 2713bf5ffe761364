//! `sealed+…` tables: the rows and requests of the plain ones.

use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::{
    arrow::util::pretty::pretty_format_batches,
    execution::runtime_env::RuntimeEnvBuilder,
    prelude::{SessionConfig, SessionContext},
};
use futures_util::{TryStreamExt as _, stream::BoxStream};
use keyseal::{KeysetAead, KeysetHandle};
use keyseal_datafusion::SealedRegistry;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    memory::InMemory, path::Path,
};

use crate::support::{aead, error, run, value};

/// Counts the reading requests and the bytes that come back.
#[derive(Debug, Default)]
struct Counting {
    inner: InMemory,
    requests: AtomicU64,
    ranges: AtomicU64,
    bytes: AtomicU64,
}

impl Counting {
    fn count(&self, ranges: usize, bytes: u64) {
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.ranges.fetch_add(ranges as u64, Ordering::SeqCst);
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
    }

    fn take(&self) -> [u64; 3] {
        [&self.requests, &self.ranges, &self.bytes].map(|counter| counter.swap(0, Ordering::SeqCst))
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counting")
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, to: &Path, payload: PutPayload, o: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(to, payload, o).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        let result = self.inner.get_opts(from, options).await?;
        self.count(1, result.range.end - result.range.start);
        Ok(result)
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let bytes = ranges.iter().map(|range| range.end - range.start).sum();
        self.count(ranges.len(), bytes);
        self.inner.get_ranges(from, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count(0, 0);
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.count(0, 0);
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn sealed(url: &str) -> Arc<SealedRegistry> {
    let kek: KeysetAead = aead().primitive().unwrap();
    let settings = move |store: keyseal_object_store::EncryptedStoreBuilder| {
        store.kek_keyset(kek.clone()).context("lake")
    };
    Arc::new(SealedRegistry::default().sealed(url, settings).unwrap())
}

/// A context whose caches are empty.
fn fresh(registry: &Arc<SealedRegistry>) -> SessionContext {
    let runtime = RuntimeEnvBuilder::new()
        .with_object_store_registry(Arc::clone(registry) as _)
        .build_arc()
        .unwrap();
    SessionContext::new_with_config_rt(SessionConfig::new().with_target_partitions(2), runtime)
}

fn store(registry: &SealedRegistry, url: &str) -> Arc<dyn ObjectStore> {
    use datafusion::execution::object_store::ObjectStoreRegistry as _;
    registry.get_store(&url.parse().unwrap()).unwrap()
}

const COPY: &str =
    "COPY (SELECT value AS id, value % 7 AS n, 'name ' || CAST(value AS STRING) AS name
                    FROM generate_series(1, 20000) t(value))";
const OPTIONS: &str = "STORED AS PARQUET OPTIONS ('format.max_row_group_size' '1000',
                       'format.compression' 'uncompressed')";
const QUERIES: [&str; 6] = [
    "SELECT n, count(*), min(name), max(name), sum(id) FROM t GROUP BY n ORDER BY n",
    "SELECT name FROM t WHERE id BETWEEN 7400 AND 7500 ORDER BY id",
    "SELECT sum(n) FROM t",
    "SELECT * FROM t WHERE id = 12345",
    "SELECT count(*) FROM t",
    "SELECT count(*) FROM t WHERE id > 30000",
];

#[tokio::test]
async fn rows_are_those_of_the_plain_table_without_a_request_more() {
    let registry = sealed("sealed+mem://lake");
    let (plain, lake) = (Arc::new(Counting::default()), Arc::new(Counting::default()));
    let ctx = fresh(&registry);
    ctx.register_object_store(&"mem://plain".parse().unwrap(), Arc::clone(&plain) as _);
    ctx.register_object_store(&"mem://lake".parse().unwrap(), Arc::clone(&lake) as _);
    for name in ["a", "b"] {
        run(
            &ctx,
            &format!("{COPY} TO 'mem://plain/t/{name}.parquet' {OPTIONS}"),
        )
        .await;
    }
    // The same files, byte for byte.
    let sealed_store = store(&registry, "sealed+mem://lake");
    let files: Vec<_> = plain.inner.list(None).try_collect().await.unwrap();
    assert_eq!(files.len(), 2);
    for file in &files {
        let bytes = plain.inner.get(&file.location).await.unwrap().bytes().await;
        sealed_store
            .put(&file.location, bytes.unwrap().into())
            .await
            .unwrap();
    }

    for (run_number, sql) in (0..2).flat_map(|i| QUERIES.map(|sql| (i, sql))) {
        let mut answers = Vec::new();
        for (url, counts) in [("mem://plain", &plain), ("sealed+mem://lake", &lake)] {
            let ctx = fresh(&registry);
            counts.take();
            let table = format!("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{url}/t/'");
            run(&ctx, &table).await;
            let batches = ctx.sql(sql).await.unwrap().collect().await.unwrap();
            let rows = pretty_format_batches(&batches).unwrap().to_string();
            answers.push((rows, counts.take()));
        }
        let (rows, [requests, ranges, bytes]) = &answers[0];
        let (sealed_rows, [sealed_requests, _, sealed_bytes]) = &answers[1];
        assert_eq!(sealed_rows, rows, "{sql}");
        // Each file's header is read once, by the first query, at most.
        let headers = if run_number == 0 && sql == QUERIES[0] {
            2
        } else {
            0
        };
        assert!(
            *sealed_requests <= requests + headers,
            "{sql}: {sealed_requests} requests, {requests} plain"
        );
        // Each range starts and ends in a segment of 64 KiB.
        let limit = bytes + (ranges + headers) * 2 * 65_536;
        assert!(
            *sealed_bytes <= limit,
            "{sql}: {sealed_bytes} bytes, {bytes} plain"
        );
    }
}

#[tokio::test]
async fn pruning_reads_a_part_of_the_file() {
    let registry = sealed("sealed+mem://lake");
    let lake = Arc::new(Counting::default());
    let ctx = fresh(&registry);
    ctx.register_object_store(&"mem://lake".parse().unwrap(), Arc::clone(&lake) as _);
    let rows = COPY
        .replace("20000", "400000")
        .replace("'name '", "'a name that takes room '");
    let options = OPTIONS.replace("1000", "20000");
    run(
        &ctx,
        &format!("{rows} TO 'sealed+mem://lake/t/a.parquet' {options}"),
    )
    .await;
    let ctx = fresh(&registry);
    // Without a hint, the engine reads the last 512 KiB for the footer.
    run(
        &ctx,
        "SET datafusion.execution.parquet.metadata_size_hint = 65536",
    )
    .await;
    run(
        &ctx,
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'sealed+mem://lake/t/'",
    )
    .await;
    lake.take();
    let pruned = value(&ctx, "SELECT max(name) FROM t WHERE id = 150000").await;
    assert_eq!(pruned.to_string(), "a name that takes room 150000");
    let [_, _, few] = lake.take();
    run(&ctx, "SELECT count(*) FROM t WHERE name LIKE '%7%9'").await;
    let [_, _, all] = lake.take();
    assert!(few * 4 < all, "{few} of {all} bytes");
}

#[tokio::test]
async fn written_tables_are_read_again_and_stored_without_plaintext() {
    let folder = tempfile::tempdir().unwrap();
    let registry = sealed("sealed+file:///");
    let ctx = fresh(&registry);
    let url = format!("sealed+file://{}", folder.path().display());
    for format in ["PARQUET", "CSV", "JSON"] {
        let copy = "COPY (SELECT value AS id, 'canary ' || CAST(value AS STRING) AS name
                    FROM generate_series(1, 1000) t(value))";
        run(
            &ctx,
            &format!("{copy} TO '{url}/{format}/' STORED AS {format}"),
        )
        .await;
        run(
            &ctx,
            &format!(
                "CREATE EXTERNAL TABLE {format} STORED AS {format} LOCATION '{url}/{format}/'"
            ),
        )
        .await;
        let sql = format!("SELECT count(DISTINCT name) FROM {format} WHERE name LIKE 'canary %'");
        assert_eq!(value(&ctx, &sql).await.to_string(), "1000");
    }
    let mut stored = 0;
    for format in ["PARQUET", "CSV", "JSON"] {
        for file in std::fs::read_dir(folder.path().join(format)).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(bytes.starts_with(b"keyseal\x01"));
            assert!(!bytes.windows(6).any(|window| window == b"canary"));
            stored += 1;
        }
    }
    assert!(stored >= 3, "{stored}");
}

#[tokio::test]
async fn a_moved_file_does_not_open() {
    let registry = sealed("sealed+mem://lake");
    let lake = Arc::new(InMemory::new());
    let ctx = fresh(&registry);
    ctx.register_object_store(&"mem://lake".parse().unwrap(), Arc::clone(&lake) as _);
    run(
        &ctx,
        &format!("{COPY} TO 'sealed+mem://lake/t/a.parquet' {OPTIONS}"),
    )
    .await;
    let (from, to) = (Path::from("t/a.parquet"), Path::from("t/b.parquet"));
    lake.copy(&from, &to).await.unwrap();
    let text = error(
        &ctx,
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'sealed+mem://lake/t/'",
    )
    .await;
    assert!(text.contains("t/b.parquet: decryption failed"), "{text}");
}

#[tokio::test]
async fn a_sealed_url_never_means_the_plain_store() {
    let registry = sealed("sealed+mem://lake");
    let ctx = fresh(&registry);
    let text = error(
        &ctx,
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'sealed+file:///nowhere/'",
    )
    .await;
    assert!(
        text.contains("no key is configured for sealed+file://"),
        "{text}"
    );
    let text = SealedRegistry::default().sealed("s3://lake", |store| store);
    let text = text.unwrap_err().to_string();
    assert!(
        text.contains("s3://lake does not start with sealed+"),
        "{text}"
    );
    let text = format!("{registry:?}");
    assert!(text.contains("sealed+mem://lake"), "{text}");
}

#[tokio::test]
async fn a_replaced_plain_store_is_not_read_through_the_old_one() {
    let registry = sealed("sealed+mem://lake");
    let ctx = fresh(&registry);
    let url = "mem://lake".parse().unwrap();
    ctx.register_object_store(&url, Arc::new(InMemory::new()));
    let path = Path::from("x");
    store(&registry, "sealed+mem://lake")
        .put(&path, "old".into())
        .await
        .unwrap();
    ctx.register_object_store(&url, Arc::new(InMemory::new()));
    let found = store(&registry, "sealed+mem://lake").get(&path).await;
    assert!(matches!(found, Err(object_store::Error::NotFound { .. })));
}

#[tokio::test]
async fn plans_of_sealed_tables_have_no_key() {
    let keyset: KeysetHandle = aead();
    let kek: KeysetAead = keyset.primitive().unwrap();
    let registry = SealedRegistry::default()
        .sealed("sealed+mem://lake", move |store| {
            store.kek_keyset(kek.clone()).context("lake")
        })
        .unwrap();
    let registry = Arc::new(registry);
    let ctx = fresh(&registry);
    ctx.register_object_store(&"mem://lake".parse().unwrap(), Arc::new(InMemory::new()));
    run(
        &ctx,
        &format!("{COPY} TO 'sealed+mem://lake/t/a.parquet' {OPTIONS}"),
    )
    .await;
    run(
        &ctx,
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'sealed+mem://lake/t/'",
    )
    .await;
    let shown = crate::plans::shown(&ctx, "SELECT name FROM t WHERE id = 7").await;
    crate::plans::assert_keyless(&shown, &keyset);
    crate::plans::assert_keyless(&format!("{registry:?}"), &keyset);
}
