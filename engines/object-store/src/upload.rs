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
use bytes::Bytes;
use futures_util::{FutureExt as _, future};
use object_store::{
    MultipartUpload, ObjectStore as _, PutMultipartOptions, PutPayload, PutResult, Result,
    UploadPart, path::Path,
};
use tokio::{runtime::Handle, sync::oneshot};

use crate::{error::StoreErrorKind, read::BATCH_SIZE, store::EncryptedStore, write::Cutter};

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
/// other tasks. So each part is a job in a queue, a blocking thread seals the jobs in it, and the
/// future of a part only waits.
pub(crate) struct Upload {
    stored_at: Path,
    progress: Arc<Progress>,
}

struct Progress {
    queue: Mutex<Queue>,
    /// `None` once the upload has ended. Locked while a job is sealed, and before the queue.
    work: Mutex<Option<Work>>,
    /// Parts whose futures are not done.
    open_parts: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Whether a thread takes jobs, or will.
    is_served: bool,
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
    fn seal(&mut self, payload: PutPayload) -> Result<Vec<UploadPart>> {
        let part_size = self.store.shared.part_size;
        self.store.count_written(payload.content_length(), 0);
        let mut parts = Vec::new();
        for bytes in payload {
            for batch in bytes.chunks(BATCH_SIZE) {
                self.cutter
                    .push(batch)
                    .map_err(|error| StoreErrorKind::from(error).of(&self.location))?;
                while let Some(part) = self.cutter.take(part_size) {
                    self.store.count_written(0, part.len());
                    parts.push(self.inner.put_part(part.into()));
                }
            }
        }
        Ok(parts)
    }
}

impl Progress {
    /// Adds a job, and returns how many wait, and whether a thread serves them.
    fn enqueue(&self, job: Job) -> (usize, bool) {
        let mut queue = lock(&self.queue);
        queue.jobs.push_back(job);
        (
            queue.jobs.len(),
            std::mem::replace(&mut queue.is_served, true),
        )
    }

    /// Seals the jobs in the queue, first to last.
    fn serve(&self) {
        while self.serve_first() {}
    }

    /// Seals the first job in the queue, and returns whether there was one.
    fn serve_first(&self) -> bool {
        // The lock is taken before the job, so jobs are sealed in order, no matter which thread takes them.
        let mut work = lock(&self.work);
        let job = {
            let mut queue = lock(&self.queue);
            let job = queue.jobs.pop_front();
            queue.is_served = job.is_some();
            job
        };
        let Some(job) = job else {
            return false;
        };
        let sealed = match &mut *work {
            Some(work) => work.seal(job.payload),
            None => Err(ended()),
        };
        if sealed.is_err() {
            // Without its cutter the upload cannot be completed.
            *work = None;
        }
        // A caller that dropped the future of a part cannot complete the upload.
        drop(job.reply.send(sealed));
        true
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let progress = Arc::clone(&self.progress);
        let is_small = payload.content_length() <= BATCH_SIZE;
        progress.open_parts.fetch_add(1, Ordering::AcqRel);
        let (reply, sealed) = oneshot::channel();
        let (waiting, is_served) = progress.enqueue(Job { payload, reply });
        match Handle::try_current() {
            // A caller that is faster than the thread helps it: otherwise plaintexts pile up.
            _ if is_served && waiting > 1 => drop(progress.serve_first()),
            _ if is_served => {}
            Ok(runtime) if !is_small => {
                let progress = Arc::clone(&progress);
                drop(runtime.spawn_blocking(move || progress.serve()));
            }
            _ => progress.serve(),
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
            cutter,
            mut inner,
        } = work.ok_or_else(ended)?;
        let part_size = store.shared.part_size;
        let mut rest = cutter
            .finish()
            .map(Bytes::from)
            .map_err(|error| StoreErrorKind::from(error).of(&location))?;
        // The last segment may fill one part and start another.
        while !rest.is_empty() {
            let part = rest.split_to(rest.len().min(part_size));
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
