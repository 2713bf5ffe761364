//! [`RoutedStore`]: the encrypted stores of one bucket, each for the paths that start with its prefix.

use std::{fmt, ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, Result, path::Path,
};

/// How many objects are deleted at once.
const DELETIONS: usize = 10;

/// Finds the store of each path: that of the longest prefix. A path without one is an error, never
/// plaintext.
#[derive(Clone, Debug)]
pub(crate) struct RoutedStore {
    routes: Arc<Routes>,
}

#[derive(Debug)]
struct Routes {
    /// Such as `sealed+s3://lake`.
    url: String,
    /// The longest prefix first.
    stores: Vec<(Path, Arc<dyn ObjectStore>)>,
}

impl RoutedStore {
    pub(crate) fn new(url: String, mut stores: Vec<(Path, Arc<dyn ObjectStore>)>) -> Self {
        stores.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.as_ref().len()));
        Self {
            routes: Arc::new(Routes { url, stores }),
        }
    }

    fn store(&self, path: &Path) -> Result<&Arc<dyn ObjectStore>> {
        self.routes.store(path)
    }

    /// Two paths of one store.
    fn store_of_both(&self, from: &Path, to: &Path) -> Result<&Arc<dyn ObjectStore>> {
        let (source, target) = (self.store(from)?, self.store(to)?);
        match Arc::ptr_eq(source, target) {
            true => Ok(source),
            false => Err(Error::NotImplemented {
                operation: format!("copying {from} to {to}, which has other keys,"),
                implementer: self.to_string(),
            }),
        }
    }
}

impl Routes {
    fn store(&self, path: &Path) -> Result<&Arc<dyn ObjectStore>> {
        let mut stores = self.stores.iter();
        let found = stores.find(|(prefix, _)| path.prefix_matches(prefix));
        found.map(|(_, store)| store).ok_or_else(|| Error::Generic {
            store: "SealedRegistry",
            source: format!("no key is configured for {}/{path}", self.url).into(),
        })
    }

    /// Returns whether a folder has a store, or is above or below the folder of one.
    fn is_near(&self, folder: &Path) -> bool {
        let mut stores = self.stores.iter();
        stores.any(|(prefix, _)| folder.prefix_matches(prefix) || prefix.prefix_matches(folder))
    }
}

impl fmt::Display for RoutedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptedStores({})", self.routes.url)
    }
}

#[async_trait]
impl ObjectStore for RoutedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let store = self.store(location)?;
        store.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let store = self.store(location)?;
        store.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.store(location)?.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.store(location)?.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let routes = Arc::clone(&self.routes);
        locations
            .map(move |location| {
                let routes = Arc::clone(&routes);
                async move {
                    let location = location?;
                    routes.store(&location)?.delete(&location).await?;
                    Ok(location)
                }
            })
            .buffered(DELETIONS)
            .boxed()
    }

    /// Lists the objects that have a store, each with the size that its store says.
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let folder = prefix.cloned().unwrap_or_default();
        let listings = self.routes.stores.iter().filter_map(|(prefix, store)| {
            let shared = match (
                folder.prefix_matches(prefix),
                prefix.prefix_matches(&folder),
            ) {
                (true, _) => &folder,
                (false, true) => prefix,
                (false, false) => return None,
            };
            let (routes, own) = (Arc::clone(&self.routes), Arc::clone(store));
            // A longer prefix below has another store.
            let is_own = move |meta: &ObjectMeta| {
                let store = routes.store(&meta.location);
                store.is_ok_and(|store| Arc::ptr_eq(store, &own))
            };
            let listing = store.list(Some(shared));
            Some(listing.try_filter(move |meta| std::future::ready(is_own(meta))))
        });
        let listings: Vec<_> = listings.collect();
        stream::iter(listings).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let folder = prefix.cloned().unwrap_or_default();
        // Above all folders with a store, any of them lists the names.
        let store = match (self.store(&folder), self.routes.stores.first()) {
            (Ok(store), _) | (Err(_), Some((_, store))) => store,
            (Err(error), None) => return Err(error),
        };
        let mut listed = store.list_with_delimiter(prefix).await?;
        listed
            .objects
            .retain(|meta| self.store(&meta.location).is_ok());
        let routes = &self.routes;
        listed
            .common_prefixes
            .retain(|folder| routes.is_near(folder));
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let store = self.store_of_both(from, to)?;
        store.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let store = self.store_of_both(from, to)?;
        store.rename_opts(from, to, options).await
    }
}
