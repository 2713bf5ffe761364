//! [`PlainRegistry`]: the stores below the encryption, with the credentials of this process.

use std::sync::Arc;

use datafusion::{
    error::{DataFusionError, Result},
    execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry},
};
use object_store::{ObjectStore, aws::AmazonS3Builder, local::LocalFileSystem};
use url::Url;

use crate::meter::{Meter, MeteredStore};

/// Opens buckets when a query first names them. Credentials come from `AWS_*` in the environment,
/// never from the session's options, which travel to every process of a cluster.
#[derive(Debug)]
pub(crate) struct PlainRegistry {
    open: DefaultObjectStoreRegistry,
    meter: Arc<Meter>,
}

impl PlainRegistry {
    pub(crate) fn new(meter: Arc<Meter>) -> Result<Self> {
        let registry = Self {
            open: DefaultObjectStoreRegistry::new(),
            meter,
        };
        let files =
            Url::parse("file://").map_err(|error| DataFusionError::External(error.into()))?;
        registry
            .open
            .register_store(&files, registry.metered(Arc::new(LocalFileSystem::new())));
        Ok(registry)
    }

    fn metered(&self, store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        Arc::new(MeteredStore::new(store, Arc::clone(&self.meter)))
    }
}

/// Opens a bucket.
pub(crate) fn bucket(url: &Url) -> object_store::Result<impl ObjectStore + use<>> {
    AmazonS3Builder::from_env()
        .with_bucket_name(url.host_str().unwrap_or_default())
        .build()
}

impl ObjectStoreRegistry for PlainRegistry {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.open.register_store(url, store)
    }

    fn deregister_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        self.open.deregister_store(url)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        match self.open.get_store(url) {
            Err(_) if url.scheme() == "s3" => {
                let store = self.metered(Arc::new(bucket(url)?));
                self.open.register_store(url, Arc::clone(&store));
                Ok(store)
            }
            found => found,
        }
    }
}
