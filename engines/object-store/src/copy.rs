//! Copies and renames. A stream is bound to its path, so its copy is another stream.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::{
    CopyMode, CopyOptions, GetOptions, GetResult, MultipartUpload as _, ObjectStore,
    ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload, RenameOptions,
    RenameTargetMode, Result, path::Path,
};

use crate::{error::StoreErrorKind, read::in_memory, settings::Binding, store::EncryptedStore};

impl EncryptedStore {
    pub(crate) async fn copy_object(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> Result<()> {
        if self.shared.binding == Binding::Context {
            self.shared.cache.forget(to).await;
            let result = self.shared.inner.copy_opts(from, to, options).await;
            self.shared.cache.forget(to).await;
            return result;
        }
        let source = self.get_opts(from, GetOptions::default()).await?;
        self.copy_from(source, to, options).await
    }

    pub(crate) async fn rename_object(
        &self,
        from: &Path,
        to: &Path,
        options: RenameOptions,
    ) -> Result<()> {
        if self.shared.binding == Binding::Context {
            let result = self.shared.inner.rename_opts(from, to, options).await;
            for location in [from, to] {
                self.shared.cache.forget(location).await;
            }
            return result;
        }
        let mode = match options.target_mode {
            RenameTargetMode::Overwrite => CopyMode::Overwrite,
            RenameTargetMode::Create => CopyMode::Create,
        };
        let source = self.get_opts(from, GetOptions::default()).await?;
        if from == to && mode == CopyMode::Overwrite {
            return Ok(());
        }
        let e_tag = source.meta.e_tag.clone();
        let options = CopyOptions {
            mode,
            extensions: options.extensions,
        };
        self.copy_from(source, to, options).await?;
        // Somebody may have written to the old path since: then that object stays.
        if self.shared.inner.head(from).await?.e_tag == e_tag {
            self.delete(from).await?;
        }
        Ok(())
    }

    /// Seals a plaintext for another path. It comes from one answer, so it is of one version.
    async fn copy_from(&self, source: GetResult, to: &Path, options: CopyOptions) -> Result<()> {
        let attributes = source.attributes.clone();
        if in_memory(source.meta.size) <= self.shared.part_size {
            let mode = match options.mode {
                CopyMode::Create => PutMode::Create,
                CopyMode::Overwrite => PutMode::Overwrite,
            };
            let put = PutOptions {
                mode,
                attributes,
                extensions: options.extensions,
                ..PutOptions::default()
            };
            let plaintext: Vec<Bytes> = source.into_stream().try_collect().await?;
            let plaintext = PutPayload::from_iter(plaintext);
            self.write(to, to, plaintext, put).await?;
            return Ok(());
        }
        let put = PutMultipartOptions {
            attributes,
            extensions: options.extensions.clone(),
            ..PutMultipartOptions::default()
        };
        match options.mode {
            CopyMode::Overwrite => self.upload_from(source, to, to, put).await,
            CopyMode::Create => self.create_from(source, to, put, options).await,
        }
    }

    /// An upload cannot be made conditional, but a copy on the server can: so the object is uploaded
    /// beside its place, sealed for its place, and then copied.
    async fn create_from(
        &self,
        source: GetResult,
        to: &Path,
        put: PutMultipartOptions,
        options: CopyOptions,
    ) -> Result<()> {
        let temporary = temporary_of(to)?;
        self.upload_from(source, to, &temporary, put).await?;
        self.shared.cache.forget(to).await;
        let copied = self.shared.inner.copy_opts(&temporary, to, options).await;
        self.shared.cache.forget(to).await;
        let deleted = self.shared.inner.delete(&temporary).await;
        copied.and(deleted)
    }

    async fn upload_from(
        &self,
        source: GetResult,
        to: &Path,
        stored_at: &Path,
        options: PutMultipartOptions,
    ) -> Result<()> {
        let mut upload = self.upload(to, stored_at, options).await?;
        let mut plaintext = source.into_stream();
        let copied = async {
            while let Some(bytes) = plaintext.try_next().await? {
                upload.put_part(bytes.into()).await?;
            }
            upload.complete().await
        };
        match copied.await {
            Ok(_) => Ok(()),
            Err(error) => {
                // The first error says more than what came of cleaning up.
                drop(upload.abort().await);
                Err(error)
            }
        }
    }
}

/// Returns the path `<to>.keyseal-tmp-<16 hex digits>`.
fn temporary_of(to: &Path) -> Result<Path> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| {
        StoreErrorKind::Encrypt(std::sync::Arc::new(std::io::Error::other(error))).of(to)
    })?;
    let number = u64::from_be_bytes(random);
    Ok(Path::parse(format!("{to}.keyseal-tmp-{number:016x}"))?)
}
