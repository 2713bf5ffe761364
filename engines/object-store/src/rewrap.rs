//! Re-wrapping: the same object under another key-encryption key. And `verify`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use keyseal::{KeysetHandle, RemoteAead, SealedStreamHeader};
use object_store::{
    Attributes, Error, GetOptions, GetRange, MultipartUpload as _, ObjectMeta, ObjectStore as _,
    ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload, Result,
    UpdateVersion, path::Path,
};

use crate::{error::StoreErrorKind, store::EncryptedStore};

/// How many objects [`EncryptedStore::rewrap_all`] re-wraps at once.
const AT_ONCE: usize = 16;

/// The largest object in bytes that is replaced in one conditional request. It is held in memory.
const MAX_CONDITIONAL_SIZE: u64 = 64 << 20;

/// The outcome of re-wrapping an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rewrapped {
    /// Its keyset is now wrapped under the new KEK.
    Done,
    /// It was already: it opens under the new KEK, and not under this store's.
    Already,
}

impl EncryptedStore {
    /// Wraps the keyset of an object under another KEK. Its stream is copied as it is, without
    /// decryption, because object stores cannot replace a part of an object. Attributes stay, and tags
    /// are lost.
    ///
    /// Afterwards the object opens in a store with the new KEK. If that is a keyset, which holds this
    /// store's keys too, it opens in both.
    ///
    /// A write by somebody else meanwhile wins: objects up to 64 MiB are replaced by a conditional put,
    /// where the wrapped store has it. For larger ones, and other stores, the e-tag is compared last
    /// thing before the object is replaced.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unwrap`] if the object opens under neither KEK;
    /// [`StoreErrorKind::HeaderTooSmall`] if its new keyset does not fit the old header;
    /// [`StoreErrorKind::Changed`] or [`Error::Precondition`] if the object was replaced meanwhile.
    pub async fn rewrap(&self, location: &Path, new_kek: &dyn RemoteAead) -> Result<Rewrapped> {
        let failed = |kind: StoreErrorKind| kind.of(location);
        let options = GetOptions::default();
        let (meta, attributes, mut start) =
            self.start(location, &options, self.start_size()).await?;
        if !SealedStreamHeader::detect(&start) {
            return Err(failed(StoreErrorKind::NotSealed));
        }
        let size = SealedStreamHeader::size_of(&start)
            .map_err(|error| failed(StoreErrorKind::Header(error)))?;
        if start.len() < size {
            (_, _, start) = self
                .start(location, &of_version(&meta), size as u64)
                .await?;
        }
        let (header, _) = SealedStreamHeader::parse(&start)
            .map_err(|error| failed(StoreErrorKind::Header(error)))?;
        let Some(keyset) = self.keyset_to_rewrap(location, &header, new_kek).await? else {
            return Ok(Rewrapped::Already);
        };
        let header = SealedStreamHeader::wrap_sized_remote(&keyset, new_kek, size)
            .await
            .map_err(|error| failed(StoreErrorKind::from_keyset(error)))?;
        self.replace_header(&meta, attributes, &header).await?;
        self.shared.cache.forget(location).await;
        Ok(Rewrapped::Done)
    }

    /// Re-wraps all objects below a prefix, 16 at once. Each result comes with its path, and an error
    /// does not end the stream. To resume, call it again: it skips finished objects.
    pub fn rewrap_all(
        &self,
        prefix: Option<&Path>,
        new_kek: Arc<dyn RemoteAead>,
    ) -> BoxStream<'static, (Path, Result<Rewrapped>)> {
        let store = self.clone();
        let listed_at = prefix.cloned().unwrap_or_default();
        self.shared
            .inner
            .list(prefix)
            .map(move |listed| {
                let (store, new_kek) = (store.clone(), Arc::clone(&new_kek));
                let listed_at = listed_at.clone();
                async move {
                    match listed {
                        Ok(meta) => {
                            let rewrapped = store.rewrap(&meta.location, &*new_kek).await;
                            (meta.location, rewrapped)
                        }
                        Err(error) => (listed_at, Err(error)),
                    }
                }
            })
            .buffer_unordered(AT_ONCE)
            .boxed()
    }

    /// Reads all of an object, and returns the size of its plaintext in bytes.
    ///
    /// # Errors
    /// [`StoreErrorKind::Decrypt`] if any of it was altered, or its end cut off.
    pub async fn verify(&self, location: &Path) -> Result<u64> {
        self.shared.cache.forget(location).await;
        let plaintext = self.get(location).await?.into_stream();
        plaintext
            .try_fold(0, async |size, bytes: Bytes| Ok(size + bytes.len() as u64))
            .await
    }

    /// Returns the keyset of a header, or `None` if only the new KEK opens it.
    async fn keyset_to_rewrap(
        &self,
        location: &Path,
        header: &SealedStreamHeader,
        new_kek: &dyn RemoteAead,
    ) -> Result<Option<KeysetHandle>> {
        let failure = match header.keyset_remote(&self.kek()).await {
            Ok(keyset) => return Ok(Some(keyset)),
            Err(error) => StoreErrorKind::from_keyset(error),
        };
        if matches!(failure, StoreErrorKind::Unwrap(_))
            && header.keyset_remote(new_kek).await.is_ok()
        {
            return Ok(None);
        }
        Err(failure.of(location))
    }

    /// Writes an object again with another header of the same size.
    async fn replace_header(
        &self,
        meta: &ObjectMeta,
        attributes: Attributes,
        header: &SealedStreamHeader,
    ) -> Result<()> {
        let header = Bytes::copy_from_slice(header.as_bytes());
        if meta.size <= MAX_CONDITIONAL_SIZE {
            self.put_replacement(meta, attributes, header).await
        } else {
            self.upload_replacement(meta, attributes, header).await
        }
    }

    async fn put_replacement(
        &self,
        meta: &ObjectMeta,
        attributes: Attributes,
        header: Bytes,
    ) -> Result<()> {
        let inner = &self.shared.inner;
        let stream = GetOptions {
            range: Some(GetRange::Offset(header.len() as u64)),
            ..of_version(meta)
        };
        let stream = inner.get_opts(&meta.location, stream).await?;
        self.check_unchanged(meta, &stream.meta)?;
        let payload = PutPayload::from_iter([header, stream.bytes().await?]);
        let put = |mode| PutOptions {
            mode,
            attributes: attributes.clone(),
            ..PutOptions::default()
        };
        let update = put(PutMode::Update(UpdateVersion {
            e_tag: meta.e_tag.clone(),
            version: meta.version.clone(),
        }));
        let (location, again) = (&meta.location, payload.clone());
        match inner.put_opts(location, payload, update).await {
            Err(Error::NotImplemented { .. } | Error::NotSupported { .. }) => {
                self.check_unchanged(meta, &inner.head(location).await?)?;
                inner
                    .put_opts(location, again, put(PutMode::Overwrite))
                    .await?;
            }
            result => drop(result?),
        }
        Ok(())
    }

    async fn upload_replacement(
        &self,
        meta: &ObjectMeta,
        attributes: Attributes,
        header: Bytes,
    ) -> Result<()> {
        let (inner, location) = (&self.shared.inner, &meta.location);
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        let mut upload = inner.put_multipart_opts(location, options).await?;
        let copied = async {
            let mut position = header.len() as u64;
            let mut part = vec![header];
            while position < meta.size {
                let space = self.shared.part_size - part.iter().map(Bytes::len).sum::<usize>();
                let end = meta.size.min(position + space as u64);
                let range = GetOptions {
                    range: Some(GetRange::Bounded(position..end)),
                    ..of_version(meta)
                };
                let answer = inner.get_opts(location, range).await?;
                self.check_unchanged(meta, &answer.meta)?;
                part.push(answer.bytes().await?);
                let payload = PutPayload::from_iter(std::mem::take(&mut part));
                upload.put_part(payload).await?;
                position = end;
            }
            self.check_unchanged(meta, &inner.head(location).await?)
        };
        match copied.await {
            Ok(()) => upload.complete().await.map(drop),
            Err(error) => {
                // The first error says more than what came of cleaning up.
                drop(upload.abort().await);
                Err(error)
            }
        }
    }

    fn check_unchanged(&self, meta: &ObjectMeta, now: &ObjectMeta) -> Result<()> {
        if meta.e_tag == now.e_tag && meta.size == now.size {
            Ok(())
        } else {
            Err(StoreErrorKind::Changed.of(&meta.location))
        }
    }
}

fn of_version(meta: &ObjectMeta) -> GetOptions {
    GetOptions {
        if_match: meta.e_tag.clone(),
        ..GetOptions::default()
    }
}
