//! [`SealedRegistry`]: `sealed+s3://bucket` is `s3://bucket`, encrypted.

use std::{
    collections::HashMap,
    error::Error,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use datafusion::{
    common::exec_err,
    error::{DataFusionError, Result},
    execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry},
};
use keyseal_object_store::{EncryptedStore, EncryptedStoreBuilder};
use object_store::{ObjectStore, path::Path};
use url::{Position, Url};

use crate::routes::RoutedStore;

const SCHEME: &str = "sealed+";

/// Finds the stores of an engine: for `sealed+X://host` it encrypts the store of `X://host`, with the
/// settings that you give for it. All other URLs go to the registry below.
///
/// A URL without settings is an error, never the plain store. The folders of a bucket may have settings,
/// and so keys, of their own: the longest prefix counts.
///
/// # Example
/// ```
/// use std::sync::Arc;
///
/// use datafusion::execution::object_store::ObjectStoreRegistry;
/// use keyseal::{KeysetAead, KeysetHandle};
/// use keyseal_datafusion::SealedRegistry;
/// use object_store::memory::InMemory;
///
/// // In earnest: KeysetHandle::read_encrypted_remote with a key of your KMS.
/// let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
/// let registry = SealedRegistry::default()
///     .sealed("sealed+s3://lake", move |store| store.kek_keyset(kek.clone()).context("lake"))?;
/// // In earnest: an object_store::aws::AmazonS3.
/// registry.register_store(&"s3://lake".parse()?, Arc::new(InMemory::new()));
/// // Give it to RuntimeEnvBuilder::with_object_store_registry, and then:
/// // CREATE EXTERNAL TABLE … LOCATION 'sealed+s3://lake/orders/'
/// let sealed = registry.get_store(&"sealed+s3://lake".parse()?)?;
/// assert!(sealed.to_string().starts_with("EncryptedStore"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SealedRegistry {
    base: Arc<dyn ObjectStoreRegistry>,
    /// By scheme and host: each with the start of the paths that it is for.
    settings: HashMap<String, Vec<(Path, Settings)>>,
    /// By scheme and host. They keep the keys of open objects, so each is built once.
    open: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
}

type Settings = Box<dyn Fn(EncryptedStoreBuilder) -> EncryptedStoreBuilder + Send + Sync>;

impl SealedRegistry {
    /// Takes the registry that finds the plain stores.
    #[must_use]
    pub fn new(base: Arc<dyn ObjectStoreRegistry>) -> Self {
        Self {
            base,
            settings: HashMap::new(),
            open: Mutex::new(HashMap::new()),
        }
    }

    /// Sets how objects whose URLs start with `url` are encrypted, such as `sealed+s3://lake` or
    /// `sealed+s3://lake/orders`. Of several that fit the longest counts; a second one for the same URL
    /// replaces the first.
    ///
    /// # Errors
    /// [`DataFusionError::External`] if it is no URL, [`DataFusionError::Execution`] if its scheme
    /// does not start with `sealed+`.
    pub fn sealed(
        mut self,
        url: &str,
        settings: impl Fn(EncryptedStoreBuilder) -> EncryptedStoreBuilder + Send + Sync + 'static,
    ) -> Result<Self> {
        let url = Url::parse(url).map_err(external)?;
        if !url.scheme().starts_with(SCHEME) {
            return exec_err!("{url} does not start with {SCHEME}");
        }
        let path = Path::from_url_path(url.path()).map_err(external)?;
        let of_host = self.settings.entry(key(&url)).or_default();
        of_host.retain(|(known, _)| *known != path);
        of_host.push((path, Box::new(settings)));
        Ok(self)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Arc<dyn ObjectStore>>> {
        // The map is whole even if a thread panicked with it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Encrypts nothing yet, above DataFusion's own registry.
impl Default for SealedRegistry {
    fn default() -> Self {
        Self::new(Arc::new(DefaultObjectStoreRegistry::new()))
    }
}

impl ObjectStoreRegistry for SealedRegistry {
    /// Registers a store as it is. Under a `sealed+` URL it must encrypt by itself.
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        if url.scheme().starts_with(SCHEME) {
            return self.open().insert(key(url), store);
        }
        // A sealed store above the old one would go on using it.
        self.open().remove(&format!("{SCHEME}{}", key(url)));
        self.base.register_store(url, store)
    }

    fn deregister_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        if url.scheme().starts_with(SCHEME) {
            return match self.open().remove(&key(url)) {
                Some(store) => Ok(store),
                None => exec_err!("no store is open for {}", key(url)),
            };
        }
        self.open().remove(&format!("{SCHEME}{}", key(url)));
        self.base.deregister_store(url)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let Some(plain_scheme) = url.scheme().strip_prefix(SCHEME) else {
            return self.base.get_store(url);
        };
        let sealed = key(url);
        let mut open = self.open();
        if let Some(store) = open.get(&sealed) {
            return Ok(Arc::clone(store));
        }
        let Some(settings) = self.settings.get(&sealed) else {
            return exec_err!(
                "no key is configured for {sealed}: name it in SealedRegistry::sealed"
            );
        };
        let plain = format!("{plain_scheme}://{}", host(url));
        let plain = self
            .base
            .get_store(&Url::parse(&plain).map_err(external)?)?;
        let mut stores = Vec::new();
        for (path, settings) in settings {
            let store = settings(EncryptedStore::builder(Arc::clone(&plain))).build_untried()?;
            stores.push((path.clone(), Arc::new(store) as Arc<dyn ObjectStore>));
        }
        let store = match stores.as_slice() {
            [(path, store)] if path.is_root() => Arc::clone(store),
            _ => Arc::new(RoutedStore::new(sealed.clone(), stores)),
        };
        open.insert(sealed, Arc::clone(&store));
        Ok(store)
    }
}

/// The part of a URL that names a store, as DataFusion has it.
fn key(url: &Url) -> String {
    format!("{}://{}", url.scheme(), host(url))
}

fn host(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

fn external(error: impl Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl fmt::Debug for SealedRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls = self.settings.iter().flat_map(|(host, settings)| {
            let paths = settings.iter().map(|(path, _)| path.as_ref());
            paths.map(move |path| format!("{host}/{path}"))
        });
        let mut sealed: Vec<_> = urls.collect();
        sealed.sort_unstable();
        f.debug_struct("SealedRegistry")
            .field("base", &self.base)
            .field("sealed", &sealed)
            .finish_non_exhaustive()
    }
}
