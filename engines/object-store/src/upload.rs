//! Multipart uploads: plaintext in parts of any size, ciphertext in parts of one size.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::{FutureExt as _, future};
use object_store::{
    MultipartUpload, ObjectStore as _, PutMultipartOptions, PutPayload, PutResult, Result,
    UploadPart, path::Path,
};
use tokio::{runtime::Handle, sync::oneshot};

use crate::{
    error::StoreErrorKind,
    read::BATCH_SIZE,
    store::EncryptedStore,
    write::Cutter,
};

impl EncryptedStore {
    /// Starts to upload to `stored_at` an object that decrypts at `location`.
    pub(crate) async fn upload(
        &self,
        location: &Path,
        stored_at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Upload> {
        let cutter = self.cutter(location).await?;
        let inner = self
            .shared
            .inner
            .put_multipart_opts(stored_at, options)
            .await?;
        let work = Work {
            store: self.clone(),
            location: location.clone(),
            cutter,
            inner,
        };
        Ok(Upload {
            stored_at: stored_at.clone(),
            progress: Arc::new(Progress {
                queue: Mutex::default(),
                work: Mutex::new(Some(work)),
                open_parts: AtomicUsize::new(0),
            }),
        })
    }
}

/// An upload in progress.
///
/// Parts arrive in order and are sealed in order, but the caller may await them in any order, or on
/// other tasks. So each part is a job in a queue, and a blocking thread seals whichever job is first,
/// even if it was started for another one. The future of a part only waits.
pub(crate) struct Upload {
    stored_at: Path,
    progress: Arc<Progress>,
}

struct Progress {
    queue: Mutex<VecDeque<Job>>,
    /// `None` once the upload has ended. Locked while a job is sealed, and before the queue.
    work: Mutex<Option<Work>>,
    /// Parts whose futures are not done.
    open_parts: AtomicUsize,
}

struct Job {
    payload: PutPayload,
    /// Gets the uploads of the parts that became full.
    reply: oneshot::Sender<Result<Vec<UploadPart>>>,
}

struct Work {
    store: EncryptedStore,
    location: Path,
    cutter: Cutter,
    inner: Box<dyn MultipartUpload>,
}

impl Work {
    fn seal(&mut self, payload: &PutPayload) -> Result<Vec<UploadPart>> {
        let part_size = self.store.shared.part_size;
        let mut parts = Vec::new();
        for batch in payload.iter().flat_map(|bytes| bytes.chunks(BATCH_SIZE)) {
            self.cutter
                .push(batch)
                .map_err(|error| StoreErrorKind::from(error).of(&self.location))?;
            while let Some(part) = self.cutter.take(part_size) {
                self.store.count_written(0, part.len());
                parts.push(self.inner.put_part(part.into()));
            }
        }
        self.store.count_written(payload.content_length(), 0);
        Ok(parts)
    }
}

impl Progress {
    /// Seals the job that is first in the queue.
    fn seal_next(&self) {
        let mut work = lock(&self.work);
        let Some(job) = lock(&self.queue).pop_front() else {
            return;
        };
        let sealed = match &mut *work {
            Some(work) => work.seal(&job.payload),
            None => Err(ended()),
        };
        if sealed.is_err() {
            // Without its cutter the upload cannot be completed.
            *work = None;
        }
        // A caller that dropped the future of a part cannot complete the upload.
        drop(job.reply.send(sealed));
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let progress = Arc::clone(&self.progress);
        let is_small = payload.content_length() <= BATCH_SIZE;
        let is_idle = progress.open_parts.fetch_add(1, Ordering::AcqRel) == 0;
        let (reply, sealed) = oneshot::channel();
        lock(&progress.queue).push_back(Job { payload, reply });
        match Handle::try_current() {
            Ok(runtime) if !(is_small && is_idle) => {
                let progress = Arc::clone(&progress);
                drop(runtime.spawn_blocking(move || progress.seal_next()));
            }
            _ => progress.seal_next(),
        }
        async move {
            let parts = sealed.await.map_err(|_| ended())??;
            future::try_join_all(parts).await?;
            progress.open_parts.fetch_sub(1, Ordering::AcqRel);
            Ok(())
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        if self.progress.open_parts.load(Ordering::Acquire) > 0 {
            let reason = "complete was called before every part was uploaded";
            return Err(StoreErrorKind::Upload(reason).of(&self.stored_at));
        }
        let work = lock(&self.progress.work).take();
        let Work {
            store,
            location,
            mut cutter,
            mut inner,
        } = work.ok_or_else(ended)?;
        let part_size = store.shared.part_size;
        let mut parts = Vec::new();
        // The last segment may fill one part and start another.
        parts.extend(cutter.take(part_size));
        let mut rest = cutter
            .finish()
            .map_err(|error| StoreErrorKind::from(error).of(&location))?;
        let last = rest.split_off(rest.len().min(part_size));
        parts.push(rest);
        parts.extend((!last.is_empty()).then_some(last));
        for part in parts {
            store.count_written(0, part.len());
            inner.put_part(part.into()).await?;
        }
        store.shared.cache.forget(&self.stored_at).await;
        let result = inner.complete().await;
        store.shared.cache.forget(&self.stored_at).await;
        result
    }

    async fn abort(&mut self) -> Result<()> {
        let work = lock(&self.progress.work).take();
        work.ok_or_else(ended)?.inner.abort().await
    }
}

fn ended() -> object_store::Error {
    let reason = "the upload was completed or aborted, or a part of it failed";
    crate::error::StoreError::new(StoreErrorKind::Upload(reason)).into()
}

/// A panic while a job is sealed leaves no half-sealed segment behind: numbers are used up first.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedUpload")
            .field("location", &self.stored_at)
            .finish_non_exhaustive()
    }
}
