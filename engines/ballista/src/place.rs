//! [`KeysetPlace`]: reads wrapped keysets where they are kept.

use std::{error::Error, io::ErrorKind, path::PathBuf};

use keyseal::{BoxFuture, KmsError, KmsErrorKind};
use keyseal_datafusion::WrappedKeysetSource;
use object_store::{ObjectStore, ObjectStoreExt as _, path::Path};

use crate::{config::KeysetLocation, plain};

/// An open place of a wrapped keyset.
pub(crate) struct KeysetPlace {
    name: String,
    place: Place,
}

enum Place {
    File(PathBuf),
    Object(Box<dyn ObjectStore>, Path),
}

impl KeysetPlace {
    pub(crate) fn open(location: &KeysetLocation) -> object_store::Result<Self> {
        let place = match location {
            KeysetLocation::File(path) => Place::File(path.clone()),
            KeysetLocation::Object(url) => {
                let path = Path::from_url_path(url.path())?;
                Place::Object(Box::new(plain::bucket(url)?), path)
            }
        };
        let name = location.to_string();
        Ok(Self { name, place })
    }

    /// Reads the place. An error says which it is, as if a key service had it.
    pub(crate) async fn read(&self) -> Result<Vec<u8>, KmsError> {
        let unread = |kind| KmsError::new(kind).with_context(format!("the keyset {}", self.name));
        match &self.place {
            Place::File(path) => std::fs::read(path).map_err(|error| {
                let kind = match error.kind() {
                    ErrorKind::NotFound => KmsErrorKind::NotFound,
                    ErrorKind::PermissionDenied => KmsErrorKind::PermissionDenied,
                    _ => KmsErrorKind::Unavailable,
                };
                unread(kind).with_source(error)
            }),
            Place::Object(store, path) => {
                let read = async { store.get(path).await?.bytes().await };
                let bytes = read.await.map_err(|error| {
                    let kind = match &error {
                        object_store::Error::NotFound { .. } => KmsErrorKind::NotFound,
                        object_store::Error::PermissionDenied { .. }
                        | object_store::Error::Unauthenticated { .. } => {
                            KmsErrorKind::PermissionDenied
                        }
                        _ => KmsErrorKind::Unavailable,
                    };
                    unread(kind).with_source(error)
                })?;
                Ok(bytes.into())
            }
        }
    }
}

impl WrappedKeysetSource for KeysetPlace {
    fn read(&self) -> BoxFuture<'_, Result<Vec<u8>, Box<dyn Error + Send + Sync>>> {
        Box::pin(async { Ok(self.read().await?) })
    }
}
