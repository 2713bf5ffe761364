//! [`StoredObject`]: one version of an object, ready to be read.

use std::ops::Range;

use bytes::Bytes;
use keyseal::{
    SealedStreamHeader, StreamingAead as _,
    streaming::{SegmentOpener, StreamMap},
};
use object_store::{Attributes, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore as _};
use object_store::{Error, Result, path::Path};

use crate::{builder::Unsealed, error::StoreErrorKind, store::EncryptedStore};

/// One version of an object, and its key.
pub(crate) struct StoredObject {
    /// As the wrapped store says it: the size is the stored one.
    pub(crate) meta: ObjectMeta,
    pub(crate) attributes: Attributes,
    /// `None` if the object is not sealed, and the store passes such objects through.
    pub(crate) sealed: Option<Sealed>,
}

pub(crate) struct Sealed {
    /// The bytes before the stream.
    pub(crate) header_size: u64,
    pub(crate) opener: SegmentOpener,
}

impl Sealed {
    pub(crate) const fn map(&self) -> &StreamMap {
        self.opener.map()
    }

    /// Where in the object some bytes of the stream are.
    pub(crate) const fn stored(&self, stream: &Range<u64>) -> Range<u64> {
        stream.start + self.header_size..stream.end + self.header_size
    }
}

impl StoredObject {
    /// Returns whether an answer of the wrapped store is about this version.
    pub(crate) fn is_of(&self, meta: &ObjectMeta) -> bool {
        self.meta.size == meta.size && self.meta.e_tag == meta.e_tag
    }

    /// Returns the size of the plaintext.
    pub(crate) fn plaintext_size(&self) -> u64 {
        match &self.sealed {
            Some(sealed) => sealed.map().plaintext_size(),
            None => self.meta.size,
        }
    }
}

/// The longest header of a stream: that of AES-256 keys.
const STREAM_HEADER_SIZE: u64 = 40;

impl EncryptedStore {
    /// How many bytes at the start of an object of this store open it.
    pub(crate) fn start_size(&self) -> u64 {
        self.shared.header_size as u64 + STREAM_HEADER_SIZE
    }

    /// Reads the start of an object, and opens its keyset.
    pub(crate) async fn read_start(
        &self,
        location: &Path,
        options: &GetOptions,
    ) -> Result<StoredObject> {
        let (meta, attributes, start) = self.start(location, options, self.start_size()).await?;
        self.open(location, options, meta, attributes, start).await
    }

    /// Reads the first bytes of an object, `size` of them if it has as many.
    pub(crate) async fn start(
        &self,
        location: &Path,
        options: &GetOptions,
        size: u64,
    ) -> Result<(ObjectMeta, Attributes, Bytes)> {
        let ranged = GetOptions {
            range: Some(GetRange::Bounded(0..size)),
            head: false,
            ..options.clone()
        };
        match self.shared.inner.get_opts(location, ranged).await {
            Ok(result) => {
                let (meta, attributes) = (result.meta.clone(), result.attributes.clone());
                Ok((meta, attributes, result.bytes().await?))
            }
            // No range of an empty object is satisfiable.
            Err(error @ Error::Generic { .. }) => {
                let head = GetOptions {
                    range: None,
                    head: true,
                    ..options.clone()
                };
                match self.shared.inner.get_opts(location, head).await {
                    Ok(result) if result.meta.size == 0 => {
                        Ok((result.meta, result.attributes, Bytes::new()))
                    }
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the keyset of an object, of which `start` is the first bytes.
    pub(crate) async fn open(
        &self,
        location: &Path,
        options: &GetOptions,
        meta: ObjectMeta,
        attributes: Attributes,
        start: Bytes,
    ) -> Result<StoredObject> {
        if !SealedStreamHeader::detect(&start) {
            return match self.shared.unsealed {
                Unsealed::Refuse => Err(StoreErrorKind::NotSealed.of(location)),
                Unsealed::PassThrough(_) => Ok(StoredObject {
                    meta,
                    attributes,
                    sealed: None,
                }),
            };
        }
        let failed = |kind: StoreErrorKind| kind.of(location);
        let header_size = SealedStreamHeader::size_of(&start)
            .map_err(|error| failed(StoreErrorKind::Header(error)))?
            as u64;
        let start = self
            .at_least(
                location,
                options,
                &meta,
                start,
                header_size + STREAM_HEADER_SIZE,
            )
            .await?;
        let (header, _) = SealedStreamHeader::parse(&start)
            .map_err(|error| failed(StoreErrorKind::Header(error)))?;
        let unwrap = async {
            let aead = header.open_remote(&self.kek()).await;
            aead.map_err(StoreErrorKind::from_keyset)
        };
        let key = start.slice(..header.as_bytes().len());
        let aead = self
            .shared
            .cache
            .keyset(key, unwrap)
            .await
            .map_err(failed)?;
        let opener = aead.opener(&self.associated_data(location));
        // A keyset of several keys shows by its first segment which key the stream is of.
        let needed = header_size + opener.start_size() as u64;
        let start = self
            .at_least(location, options, &meta, start, needed)
            .await?;
        let stream = start.get(header.as_bytes().len()..).unwrap_or_default();
        let opener = opener
            .at(stream, meta.size.saturating_sub(header_size))
            .map_err(|_| failed(StoreErrorKind::Decrypt))?;
        Ok(StoredObject {
            meta,
            attributes,
            sealed: Some(Sealed {
                header_size,
                opener,
            }),
        })
    }

    /// Returns `start` if it is long enough or the whole object, otherwise reads more of the same
    /// version.
    async fn at_least(
        &self,
        location: &Path,
        options: &GetOptions,
        meta: &ObjectMeta,
        start: Bytes,
        size: u64,
    ) -> Result<Bytes> {
        if start.len() as u64 >= size.min(meta.size) {
            return Ok(start);
        }
        let (found, _, start) = self.start(location, options, size).await?;
        if found.e_tag != meta.e_tag || found.size != meta.size {
            return Err(StoreErrorKind::Changed.of(location));
        }
        Ok(start)
    }
}

/// Makes the answer to a `get`: the one place that builds this struct, which has more fields in
/// other versions of its crate.
pub(crate) fn get_result(
    meta: ObjectMeta,
    attributes: Attributes,
    range: Range<u64>,
    payload: object_store::GetResultPayload,
) -> GetResult {
    GetResult {
        payload,
        meta,
        range,
        attributes,
    }
}
