//! Listings: the sizes of plaintexts.

use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use object_store::{Error, GetOptions, ObjectMeta, Result};

use crate::{settings::ListSizes, store::EncryptedStore};

/// How many headers a listing reads at once.
const HEADERS_AT_ONCE: usize = 16;

impl EncryptedStore {
    /// Replaces the stored sizes in a listing.
    pub(crate) fn with_sizes(
        &self,
        stored: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        match self.shared.list_sizes {
            ListSizes::Derived => stored.map_ok(move |meta| store.derived(meta)).boxed(),
            ListSizes::Exact => stored
                .map_ok(move |meta| {
                    let store = store.clone();
                    async move { store.exact(meta).await }
                })
                .try_buffered(HEADERS_AT_ONCE)
                .try_filter_map(async |listed| Ok(listed))
                .boxed(),
        }
    }

    /// Right for objects of a store with this segment size and header size. A size that no such object
    /// can have stays.
    fn derived(&self, mut meta: ObjectMeta) -> ObjectMeta {
        let layout = self.shared.parameters.layout();
        let stream = meta.size.checked_sub(self.shared.header_size as u64);
        if let Some(size) = stream.and_then(|stream| layout.plaintext_size(stream)) {
            meta.size = size;
        }
        meta
    }

    /// Reads the header. `None` if the object is gone by now.
    async fn exact(&self, mut meta: ObjectMeta) -> Result<Option<ObjectMeta>> {
        let options = GetOptions::default();
        let mut object = match self.object(&meta.location, &options).await {
            Ok(loaded) => loaded.object,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if !object.is_of(&meta) {
            self.shared.cache.forget(&meta.location).await;
            object = match self.object(&meta.location, &options).await {
                Ok(loaded) => loaded.object,
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        meta.size = object.plaintext_size();
        Ok(Some(meta))
    }
}
