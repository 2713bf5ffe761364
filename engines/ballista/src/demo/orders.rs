//! Orders and customers, and how they are written.

use datafusion::{error::Result, execution::runtime_env::RuntimeEnv, prelude::SessionContext};
use futures_util::TryStreamExt as _;
use object_store::{ObjectMeta, ObjectStore as _, ObjectStoreExt as _, path::Path};
use url::Url;

/// The encrypted columns of orders.
const ENCRYPTED: &str = "SELECT id, status, cents, items, \
    AEAD.ENCRYPT(keyset('pii'), email, 'orders.email') AS email, \
    deterministic_encrypt(keyset('join'), email, 'customer') AS customer FROM clear_orders";
/// Small row groups: a million rows would be one, and nothing could be pruned.
const OPTIONS: &str = "STORED AS PARQUET OPTIONS ('format.max_row_group_size' '50000')";

/// Makes the cleartext tables. Every fiftieth customer of `rows` orders has the address.
pub(super) async fn make(ctx: &SessionContext, rows: u64, address: &str) -> Result<()> {
    let customers = (rows / 20).max(4);
    let email = format!(
        "CASE WHEN n % {customers} = 3 THEN '{address}' \
         ELSE concat('customer', CAST(n % {customers} AS VARCHAR), '@example.org') END"
    );
    let orders = select(1, rows, &email);
    run(ctx, &format!("CREATE TABLE clear_orders AS {orders}")).await?;
    let customers = format!(
        "CREATE TABLE clear_customers AS SELECT {email} AS customer, \
         CASE n % 5 WHEN 0 THEN 'DE' WHEN 1 THEN 'ES' WHEN 2 THEN 'FR' WHEN 3 THEN 'IT' ELSE 'PL' END \
         AS country FROM (SELECT value AS n FROM generate_series(0, {}))",
        customers - 1
    );
    run(ctx, &customers).await
}

fn select(first: u64, last: u64, email: &str) -> String {
    format!(
        "SELECT n AS id, CASE n % 4 WHEN 0 THEN 'new' WHEN 1 THEN 'paid' WHEN 2 THEN 'sent' \
         ELSE 'returned' END AS status, (n * 7919) % 100000 AS cents, n % 9 + 1 AS items, \
         {email} AS email, {email} AS customer \
         FROM (SELECT value AS n FROM generate_series({first}, {last}))"
    )
}

/// Writes both tables to the encrypted bucket.
pub(super) async fn write(ctx: &SessionContext, lake: &str) -> Result<()> {
    let orders = format!("COPY ({ENCRYPTED} ORDER BY id) TO 'sealed+{lake}/orders/' {OPTIONS}");
    run(ctx, &orders).await?;
    let customers = format!(
        "COPY (SELECT deterministic_encrypt(keyset('join'), customer, 'customer') AS customer, \
         country FROM clear_customers) TO 'sealed+{lake}/customers/' {OPTIONS}"
    );
    run(ctx, &customers).await
}

/// Adds orders, to the cleartext and to the encrypted table.
pub(super) async fn add(ctx: &SessionContext, lake: &str, first: u64, last: u64) -> Result<()> {
    let more = select(first, last, "'late@example.org'");
    run(ctx, &format!("INSERT INTO clear_orders {more}")).await?;
    let sql = format!(
        "COPY ({ENCRYPTED} WHERE id >= {first} ORDER BY id) \
         TO 'sealed+{lake}/orders/after-rotation.parquet' {OPTIONS}"
    );
    run(ctx, &sql).await
}

/// Copies the new Parquet files, byte for byte, to the bucket without encryption.
pub(super) async fn copy(runtime: &RuntimeEnv, lake: &str, plain: &str) -> Result<u64> {
    let (from, to) = (format!("sealed+{lake}/"), format!("{plain}/"));
    let (sealed_root, plain_root) = (parse(&from)?, parse(&to)?);
    let sealed = runtime.object_store_registry.get_store(&sealed_root)?;
    let plain = runtime.object_store_registry.get_store(&plain_root)?;
    let mut size = 0;
    for table in ["orders", "customers"] {
        let folder = path(&sealed_root, table)?;
        let objects: Vec<_> = sealed.list(Some(&folder)).try_collect().await?;
        let known: Vec<_> = plain
            .list(Some(&path(&plain_root, table)?))
            .try_collect()
            .await?;
        let is_new = |object: &ObjectMeta| {
            let name = object.location.filename();
            !known.iter().any(|known| known.location.filename() == name)
        };
        for object in objects.into_iter().filter(is_new) {
            let bytes = sealed.get(&object.location).await?.bytes().await?;
            size += bytes.len() as u64;
            let name = object.location.filename().unwrap_or_default();
            let target = path(&plain_root, table)?.join(name);
            plain.put(&target, bytes.into()).await?;
        }
    }
    Ok(size)
}

fn parse(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|error| datafusion::error::DataFusionError::External(error.into()))
}

fn path(root: &Url, table: &str) -> Result<Path> {
    let root = Path::from_url_path(root.path()).map_err(object_store::Error::from)?;
    Ok(root.join(table))
}

/// Names the files as tables.
pub(super) async fn register(ctx: &SessionContext, prefix: &str, url: &str) -> Result<()> {
    for table in ["orders", "customers"] {
        let sql = format!(
            "CREATE EXTERNAL TABLE {prefix}{table} STORED AS PARQUET LOCATION '{url}/{table}/'"
        );
        run(ctx, &sql).await?;
    }
    Ok(())
}

async fn run(ctx: &SessionContext, sql: &str) -> Result<()> {
    ctx.sql(sql).await?.collect().await.map(drop)
}
