//! Stores and keys for the tests, among them ones that count.

use std::{
    fmt,
    io::Read as _,
    net::TcpListener,
    ops::Range,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use keyseal::{BoxFuture, KeysetAead, KeysetHandle, KmsError, RemoteAead, kms::LocalAead};
use keyseal_object_store::{EncryptedStore, EncryptedStoreBuilder, StoreError, StoreErrorKind};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
    aws::AmazonS3Builder, memory::InMemory, path::Path,
};

pub(crate) fn kek() -> KeysetAead {
    let keyset = KeysetHandle::generate("AES256_GCM").unwrap();
    keyset.primitive().unwrap()
}

/// A builder with a KEK and a context.
pub(crate) fn builder(inner: Arc<dyn ObjectStore>) -> EncryptedStoreBuilder {
    EncryptedStore::builder(inner)
        .kek_keyset(kek())
        .context("test")
}

pub(crate) fn kind_of(error: &Error) -> &StoreErrorKind {
    let found = StoreError::find(error).unwrap_or_else(|| panic!("not ours: {error:?}"));
    found.kind()
}

/// Bytes that differ from one place to the next.
pub(crate) fn bytes(size: usize) -> Vec<u8> {
    (0..size as u64)
        .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect()
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) put: AtomicU64,
    pub(crate) multipart: AtomicU64,
    pub(crate) get: AtomicU64,
    pub(crate) head: AtomicU64,
    pub(crate) get_ranges: AtomicU64,
    pub(crate) delete: AtomicU64,
    pub(crate) list: AtomicU64,
    pub(crate) copy: AtomicU64,
    /// Bytes of all the ranges that were fetched.
    pub(crate) bytes: AtomicU64,
}

impl Counts {
    /// Returns the requests since the last call, as text, without those that are zero.
    pub(crate) fn take(&self) -> String {
        let counts = [
            ("put", &self.put),
            ("multipart", &self.multipart),
            ("get", &self.get),
            ("head", &self.head),
            ("get_ranges", &self.get_ranges),
            ("delete", &self.delete),
            ("list", &self.list),
            ("copy", &self.copy),
        ];
        let counts = counts.map(|(name, count)| (name, count.swap(0, Ordering::SeqCst)));
        self.bytes.store(0, Ordering::SeqCst);
        let made = counts.iter().filter(|(_, count)| *count > 0);
        let made: Vec<_> = made
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        made.join(", ")
    }
}

/// Counts the requests to another store.
#[derive(Debug)]
pub(crate) struct CountingStore {
    inner: Arc<dyn ObjectStore>,
    pub(crate) counts: Arc<Counts>,
}

impl CountingStore {
    pub(crate) fn new(inner: impl ObjectStore) -> (Arc<Self>, Arc<Counts>) {
        let counts = Arc::new(Counts::default());
        let store = Self {
            inner: Arc::new(inner),
            counts: Arc::clone(&counts),
        };
        (Arc::new(store), counts)
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::SeqCst);
}

impl fmt::Display for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CountingStore({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for CountingStore {
    async fn put_opts(&self, to: &Path, payload: PutPayload, o: PutOptions) -> Result<PutResult> {
        count(&self.counts.put);
        self.inner.put_opts(to, payload, o).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        count(&self.counts.multipart);
        self.inner.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        count(if options.head {
            &self.counts.head
        } else {
            &self.counts.get
        });
        let is_head = options.head;
        let result = self.inner.get_opts(from, options).await?;
        if !is_head {
            let size = result.range.end - result.range.start;
            self.counts.bytes.fetch_add(size, Ordering::SeqCst);
        }
        Ok(result)
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        count(&self.counts.get_ranges);
        let sizes = ranges.iter().map(|range| range.end - range.start);
        self.counts.bytes.fetch_add(sizes.sum(), Ordering::SeqCst);
        self.inner.get_ranges(from, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        count(&self.counts.delete);
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        count(&self.counts.list);
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        count(&self.counts.list);
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        count(&self.counts.list);
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        count(&self.counts.copy);
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        count(&self.counts.copy);
        self.inner.rename_opts(from, to, options).await
    }
}

/// A key of a service: each call is counted and takes a moment, and may be refused.
pub(crate) struct FakeService {
    key: LocalAead<KeysetAead>,
    pub(crate) calls: AtomicU64,
    pub(crate) refusal: Option<KmsError>,
}

impl FakeService {
    pub(crate) fn new() -> Arc<Self> {
        Self::refusing(None)
    }

    pub(crate) fn refusing(refusal: Option<KmsError>) -> Arc<Self> {
        Arc::new(Self {
            key: LocalAead::new(kek()),
            calls: AtomicU64::new(0),
            refusal,
        })
    }

    pub(crate) fn take(&self) -> u64 {
        self.calls.swap(0, Ordering::SeqCst)
    }

    async fn call(&self) -> Result<(), KmsError> {
        count(&self.calls);
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.refusal.clone().map_or(Ok(()), Err)
    }
}

impl RemoteAead for FakeService {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            self.call().await?;
            self.key.encrypt(plaintext, associated_data).await
        })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            self.call().await?;
            self.key.decrypt(ciphertext, associated_data).await
        })
    }
}

/// An S3 server on loopback, which ends with this value.
pub(crate) struct S3Server {
    process: Child,
    endpoint: String,
}

impl S3Server {
    /// Starts moto: the program `moto_server`, or the one that `MOTO_SERVER` names.
    pub(crate) fn start() -> Self {
        let program = std::env::var("MOTO_SERVER").unwrap_or_else(|_| "moto_server".to_owned());
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let process = Command::new(&program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let server = Self {
            process,
            endpoint: format!("127.0.0.1:{port}"),
        };
        for _ in 0..600 {
            if std::net::TcpStream::connect(&server.endpoint).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{program} did not listen within a minute");
    }

    /// Makes a bucket.
    pub(crate) fn bucket(&self, name: &str) -> Arc<dyn ObjectStore> {
        use std::io::Write as _;
        let mut socket = std::net::TcpStream::connect(&self.endpoint).unwrap();
        let host = &self.endpoint;
        let request = format!(
            "PUT /{name} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let store = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_endpoint(format!("http://{host}"))
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_access_key_id("test")
            .with_secret_access_key("test")
            .build();
        Arc::new(store.unwrap())
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Wraps each upload to another store.
pub(crate) struct UploadsThrough<F> {
    inner: InMemory,
    wrap: F,
}

impl<F> UploadsThrough<F> {
    pub(crate) fn new(inner: InMemory, wrap: F) -> Self {
        Self { inner, wrap }
    }
}

impl<F> fmt::Debug for UploadsThrough<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadsThrough")
    }
}

impl<F> fmt::Display for UploadsThrough<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadsThrough")
    }
}

#[async_trait]
impl<F> ObjectStore for UploadsThrough<F>
where
    F: Fn(Box<dyn MultipartUpload>) -> Box<dyn MultipartUpload> + Send + Sync + 'static,
{
    async fn put_opts(&self, to: &Path, payload: PutPayload, o: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(to, payload, o).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok((self.wrap)(
            self.inner.put_multipart_opts(to, options).await?,
        ))
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(from, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
