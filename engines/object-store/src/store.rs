//! [`EncryptedStore`]: its settings, its keys, and the associated data of objects.

use std::{fmt, sync::Arc};

use keyseal::{
    KeysetHandle, SealedStreamHeader, key::aes_gcm_hkdf_streaming::AesGcmHkdfStreamingParameters,
};
use object_store::{ObjectStore, path::Path};

use crate::{
    cache::HeaderCache,
    error::StoreErrorKind,
    kek::{CountedKek, Kek},
    settings::{Binding, ListSizes, Unsealed},
    stats::{Counters, Stats},
};

/// An [`ObjectStore`] whose objects are sealed streams in another store. Cheap to clone: clones share
/// the header cache and the counts.
///
/// It behaves like the wrapped store, with these differences:
/// * Sizes and ranges are those of the plaintext; e-tags, versions and times are those of the stored
///   object. Writing the same plaintext again gives another e-tag.
/// * Under [`Binding::Path`], copying and renaming read and re-encrypt the whole object. Tags are lost,
///   because stores cannot read them; attributes stay.
/// * `GetResultPayload::File` is never returned, and no plaintext is written to disk.
/// * It is no `MultipartStore` and no `Signer`: parts in any order cannot be cut into segments, and a
///   signed URL would give ciphertext.
///
/// Failures of the encryption are [`StoreError`]s.
///
/// # Security
/// See the [crate's documentation](crate) for the attackers in mind. A full read authenticates the
/// end of the object before its stream ends. A range read that stays before the end trusts the stored
/// size for where the end is; [`verify`](Self::verify) reads all.
///
/// # Example
/// See the [crate's documentation](crate).
#[derive(Clone)]
pub struct EncryptedStore {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) inner: Arc<dyn ObjectStore>,
    pub(crate) kek: Kek,
    pub(crate) context: Vec<u8>,
    pub(crate) binding: Binding,
    pub(crate) parameters: AesGcmHkdfStreamingParameters,
    pub(crate) header_size: usize,
    pub(crate) part_size: usize,
    pub(crate) list_sizes: ListSizes,
    pub(crate) unsealed: Unsealed,
    pub(crate) cache: HeaderCache,
    pub(crate) counters: Counters,
}

impl EncryptedStore {
    /// Returns what this store and its clones have done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.read()
    }

    pub(crate) fn kek(&self) -> CountedKek<'_> {
        CountedKek {
            kek: &self.shared.kek,
            counters: &self.shared.counters,
        }
    }

    /// Makes a keyset for one object, and its header.
    pub(crate) async fn new_header(
        &self,
    ) -> Result<(SealedStreamHeader, KeysetHandle), StoreErrorKind> {
        let size = self.shared.header_size;
        loop {
            let keyset = self.new_keyset()?;
            match SealedStreamHeader::wrap_sized_remote(&keyset, &self.kek(), size).await {
                Ok(header) => return Ok((header, keyset)),
                // A header cannot be filled up by one byte. Another keyset's id has another length.
                Err(error) => match StoreErrorKind::from_keyset(error) {
                    StoreErrorKind::HeaderTooSmall { need } if need == size + 1 => {}
                    kind => return Err(kind),
                },
            }
        }
    }

    fn new_keyset(&self) -> Result<KeysetHandle, StoreErrorKind> {
        let key = keyseal::Key::generate_with(&self.shared.parameters, keyseal::Variant::Raw)
            .map_err(|error| StoreErrorKind::Encrypt(Arc::new(error)))?;
        KeysetHandle::new(key).map_err(StoreErrorKind::from_keyset)
    }

    /// Returns the associated data of the stream at `location`: it binds the stream to its place.
    pub(crate) fn associated_data(&self, location: &Path) -> Vec<u8> {
        let mut associated_data = b"keyseal object 1".to_vec();
        let mut append = |part: &[u8]| {
            // The builder bounds the context, and stores bound paths to a kilobyte or so.
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            associated_data.extend(length.to_be_bytes());
            associated_data.extend(part);
        };
        append(&self.shared.context);
        if self.shared.binding == Binding::Path {
            append(location.as_ref().as_bytes());
        }
        associated_data
    }
}

impl fmt::Display for EncryptedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptedStore({})", self.shared.inner)
    }
}

impl fmt::Debug for EncryptedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedStore")
            .field("inner", &self.shared.inner)
            .field("binding", &self.shared.binding)
            .finish_non_exhaustive()
    }
}
