//! Reads: which bytes to fetch, and their decryption.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream, stream::BoxStream};
use keyseal::{
    SealedStreamHeader,
    streaming::{RangePlan, StreamMap},
};
use object_store::{
    Attributes, Error, GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta,
    ObjectStore as _, Result, path::Path,
};

use crate::{
    cache::Loaded,
    chunks::Chunks,
    error::StoreErrorKind,
    object::{Sealed, Start, StoredObject, get_result},
    store::EncryptedStore,
};

/// How much is decrypted before other tasks get a turn, in bytes: about 0.1 ms.
pub(crate) const BATCH_SIZE: usize = 256 << 10;

/// A range that starts before `NEAR_START` and ends before `NEAR_END` is fetched with the header, in
/// one request.
const NEAR_START: u64 = 64 << 10;
const NEAR_END: u64 = 1 << 20;

/// How often a read starts, if the object is replaced during it.
const ATTEMPTS: usize = 3;

/// The outcome of one attempt of a read.
enum Attempt<T> {
    Done(T),
    /// The object is not the one whose header we have.
    Changed,
}

impl EncryptedStore {
    pub(crate) async fn read(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if let Some(range) = &options.range {
            range
                .is_valid()
                .map_err(|error| StoreErrorKind::Range(error.to_string()).of(location))?;
        }
        for _ in 0..ATTEMPTS {
            match self.try_read(location, &options).await {
                Ok(Attempt::Done(result)) => return Ok(result),
                Ok(Attempt::Changed) => self.shared.cache.forget(location).await,
                Err(error) => {
                    if matches!(error, Error::NotFound { .. }) {
                        self.shared.cache.forget(location).await;
                    }
                    return Err(error);
                }
            }
        }
        Err(StoreErrorKind::Changed.of(location))
    }

    async fn try_read(&self, location: &Path, options: &GetOptions) -> Result<Attempt<GetResult>> {
        let cached = self.cached(location, options).await;
        if let (None, Some(range)) = (&cached, self.with_header(options)) {
            self.shared.counters.cache_misses.add(1);
            return self.read_with_header(location, options, range).await;
        }
        let Loaded { object, is_fresh } = match cached {
            Some(cached) => cached,
            None => self.load(location, options).await?,
        };
        if options.head && is_fresh {
            return Ok(Attempt::Done(head_result(&object, &object.meta)));
        }
        self.read_object(location, options, object).await
    }

    /// Returns what to fetch if header and plaintext are to come in one request: `None` inside it is
    /// the whole object.
    #[allow(
        clippy::option_option,
        reason = "no request, or one with or without a range"
    )]
    fn with_header(&self, options: &GetOptions) -> Option<Option<GetRange>> {
        match &options.range {
            _ if options.head => None,
            None => Some(None),
            Some(GetRange::Bounded(range)) if range.start < NEAR_START && range.end <= NEAR_END => {
                let layout = self.shared.parameters.layout();
                let header_size = self.shared.header_size as u64;
                let end = layout.ciphertext_size(range.end)?;
                let end = end.next_multiple_of(layout.segment_size() as u64) + header_size;
                Some(Some(GetRange::Bounded(0..end.max(self.start_size()))))
            }
            Some(_) => None,
        }
    }

    async fn read_with_header(
        &self,
        location: &Path,
        options: &GetOptions,
        range: Option<GetRange>,
    ) -> Result<Attempt<GetResult>> {
        let request = GetOptions {
            range,
            ..options.clone()
        };
        let answer = match self.shared.inner.get_opts(location, request).await {
            Ok(answer) => answer,
            // No range of an empty object is satisfiable: the header shows that it is empty.
            Err(Error::Generic { .. }) => {
                let Loaded { object, .. } = self.object(location, options).await?;
                return self.read_object(location, options, object).await;
            }
            Err(error) => return Err(error),
        };
        let (meta, attributes) = (answer.meta.clone(), answer.attributes.clone());
        let fetched = answer.range.end;
        let mut chunks = Chunks::new(answer.into_stream());
        let bytes = self.peek_start(&mut chunks).await?;
        let start = Start {
            meta: meta.clone(),
            attributes: attributes.clone(),
            bytes,
        };
        let object = self.object_from_start(location, options, start).await?;
        let Some(sealed) = &object.sealed else {
            drop(chunks);
            return self.read_object(location, options, object).await;
        };
        let plan = plan(sealed, options.range.as_ref(), location)?;
        let stored = sealed.stored(&plan.ciphertext());
        if stored.end > fetched {
            // Its segments are larger than those of this store. The first answer is dropped, so that
            // it does not keep a connection from the second.
            drop(chunks);
            return self.read_object(location, options, object).await;
        }
        chunks.take(in_memory(stored.start)).await?;
        Ok(Attempt::Done(self.decrypted(
            location, &object, meta, attributes, &plan, chunks,
        )))
    }

    /// Returns the first bytes, which stay in `chunks`: all that opening the object takes.
    async fn peek_start(&self, chunks: &mut Chunks) -> Result<Bytes> {
        let size = in_memory(self.start_size());
        let mut bytes = chunks.take(size).await?;
        chunks.put_back(bytes.clone());
        if let Ok(header) = SealedStreamHeader::size_of(&bytes)
            && header + size > bytes.len()
        {
            bytes = chunks.take(header + size).await?;
            chunks.put_back(bytes.clone());
        }
        Ok(bytes)
    }

    /// Reads from an object whose header is known.
    async fn read_object(
        &self,
        location: &Path,
        options: &GetOptions,
        object: Arc<StoredObject>,
    ) -> Result<Attempt<GetResult>> {
        let plan = match &object.sealed {
            Some(sealed) if !options.head => Some(plan(sealed, options.range.as_ref(), location)?),
            _ => None,
        };
        let range = match (&object.sealed, &plan) {
            (Some(sealed), Some(plan)) => {
                Some(GetRange::Bounded(sealed.stored(&plan.ciphertext())))
            }
            (Some(_), None) => None,
            (None, _) => options.range.clone(),
        };
        let request = GetOptions {
            range,
            ..options.clone()
        };
        let answer = match self.shared.inner.get_opts(location, request).await {
            Ok(answer) => answer,
            // The range may be past the end of the object that is there now.
            Err(error @ Error::Generic { .. }) => {
                return self.check_replaced(location, options, &object, error).await;
            }
            Err(error) => return Err(error),
        };
        if !object.is_of(&answer.meta) {
            return Ok(Attempt::Changed);
        }
        let (meta, attributes) = (answer.meta.clone(), answer.attributes.clone());
        let Some(plan) = plan else {
            if object.sealed.is_some() {
                return Ok(Attempt::Done(head_result(&object, &meta)));
            }
            let range = answer.range.clone();
            let payload = GetResultPayload::Stream(answer.into_stream());
            return Ok(Attempt::Done(get_result(meta, attributes, range, payload)));
        };
        let stored_size = plan.ciphertext().end - plan.ciphertext().start;
        let chunks = if in_memory(stored_size) <= BATCH_SIZE {
            // One read, where a file would come in small chunks.
            let bytes = answer.bytes().await;
            Chunks::new(stream::iter([bytes]).boxed())
        } else {
            Chunks::new(answer.into_stream())
        };
        Ok(Attempt::Done(self.decrypted(
            location, &object, meta, attributes, &plan, chunks,
        )))
    }

    /// Makes the answer to a read, whose ciphertext comes in `chunks`.
    fn decrypted(
        &self,
        location: &Path,
        object: &Arc<StoredObject>,
        meta: ObjectMeta,
        attributes: Attributes,
        plan: &RangePlan,
        chunks: Chunks,
    ) -> GetResult {
        let meta = ObjectMeta {
            size: object.plaintext_size(),
            ..meta
        };
        let plaintext = Decrypting {
            store: self.clone(),
            location: location.clone(),
            object: Arc::clone(object),
            chunks,
            segments: plan.segments(),
            range: plan.plaintext(),
        };
        let payload = GetResultPayload::Stream(plaintext.into_stream());
        get_result(meta, attributes, plan.plaintext(), payload)
    }

    pub(crate) async fn read_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>> {
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        for _ in 0..ATTEMPTS {
            let object = self.object(location, &GetOptions::default()).await?.object;
            match self.try_read_ranges(location, ranges, &object).await? {
                Attempt::Done(plaintexts) => return Ok(plaintexts),
                Attempt::Changed => {}
            }
        }
        Err(StoreErrorKind::Changed.of(location))
    }

    /// Finds out why a read failed: if the object is still the one whose header we had, with `error`,
    /// otherwise because it was replaced.
    async fn check_replaced<T>(
        &self,
        location: &Path,
        options: &GetOptions,
        object: &StoredObject,
        error: Error,
    ) -> Result<Attempt<T>> {
        self.shared.cache.forget(location).await;
        let now = self.object(location, options).await?.object;
        if now.is_of(&object.meta) {
            Err(error)
        } else {
            Ok(Attempt::Changed)
        }
    }

    async fn try_read_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
        object: &StoredObject,
    ) -> Result<Attempt<Vec<Bytes>>> {
        let Some(sealed) = &object.sealed else {
            let plaintexts = self.shared.inner.get_ranges(location, ranges).await?;
            return Ok(Attempt::Done(plaintexts));
        };
        let plans = ranges
            .iter()
            .map(|range| plan(sealed, Some(&GetRange::Bounded(range.clone())), location))
            .collect::<Result<Vec<_>>>()?;
        let runs = runs_of(&plans);
        let stored: Vec<_> = runs
            .iter()
            .map(|run| sealed.stored(&run_plan(sealed, run).ciphertext()))
            .collect();
        let fetched = match self.shared.inner.get_ranges(location, &stored).await {
            Ok(fetched) => fetched,
            Err(error @ Error::Generic { .. }) => {
                let options = GetOptions::default();
                return self.check_replaced(location, &options, object, error).await;
            }
            Err(error) => return Err(error),
        };
        let mut plaintexts = Vec::with_capacity(runs.len());
        for (run, ciphertext) in runs.iter().zip(&fetched) {
            match self.open_run(sealed, run, ciphertext).await {
                Some(plaintext) => plaintexts.push((run_plan(sealed, run).plaintext(), plaintext)),
                // There is no e-tag in this answer.
                None => {
                    let (options, error) = (GetOptions::default(), StoreErrorKind::Decrypt);
                    let error = error.of(location);
                    return self.check_replaced(location, &options, object, error).await;
                }
            }
        }
        let slices: Option<Vec<_>> = plans
            .iter()
            .map(|plan| slice(&plaintexts, &plan.plaintext()))
            .collect();
        let slices = slices.ok_or_else(|| StoreErrorKind::Decrypt.of(location))?;
        let delivered: usize = slices.iter().map(Bytes::len).sum();
        self.shared
            .counters
            .plaintext_bytes_read
            .add(delivered as u64);
        Ok(Attempt::Done(slices))
    }

    /// Decrypts segments that follow each other, straight into one buffer. `None` if one does not
    /// open.
    async fn open_run(
        &self,
        sealed: &Sealed,
        run: &Range<u64>,
        mut ciphertext: &[u8],
    ) -> Option<Bytes> {
        let whole = run_plan(sealed, run);
        if ciphertext.len() as u64 != whole.ciphertext().end - whole.ciphertext().start {
            return None;
        }
        let mut plaintext = vec![0; length(&whole.plaintext())];
        let mut out = plaintext.as_mut_slice();
        for batch in batches(sealed, run) {
            let plan = run_plan(sealed, &batch);
            let (sealed_part, rest) = ciphertext.split_at_checked(length(&plan.ciphertext()))?;
            let (part, after) = out.split_at_mut_checked(length(&plan.plaintext()))?;
            sealed.opener.open_range_to(&plan, sealed_part, part).ok()?;
            self.count_opened(&batch, sealed_part.len());
            (ciphertext, out) = (rest, after);
            if !ciphertext.is_empty() {
                tokio::task::yield_now().await;
            }
        }
        Some(plaintext.into())
    }

    fn count_opened(&self, segments: &Range<u64>, ciphertext_size: usize) {
        let counters = &self.shared.counters;
        counters.segments_opened.add(segments.end - segments.start);
        counters.ciphertext_bytes_read.add(ciphertext_size as u64);
    }
}

/// A read in progress.
struct Decrypting {
    store: EncryptedStore,
    location: Path,
    object: Arc<StoredObject>,
    chunks: Chunks,
    /// Those still to come.
    segments: Range<u64>,
    range: Range<u64>,
}

impl Decrypting {
    fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        stream::try_unfold(self, |mut this| async move {
            while !this.segments.is_empty() {
                let plaintext = this.next_batch().await?;
                // The segment of an empty range is opened too, and gives nothing.
                if !plaintext.is_empty() {
                    return Ok(Some((plaintext, this)));
                }
            }
            Ok(None)
        })
        .boxed()
    }

    async fn next_batch(&mut self) -> Result<Bytes> {
        let failed = || StoreErrorKind::Decrypt.of(&self.location);
        let sealed = self.object.sealed.as_ref().ok_or_else(failed)?;
        let batch = batches(sealed, &self.segments).next().ok_or_else(failed)?;
        let whole = run_plan(sealed, &batch);
        let ciphertext = self.chunks.take(length(&whole.ciphertext())).await?;
        if ciphertext.len() != length(&whole.ciphertext()) {
            return Err(failed());
        }
        let mut plaintext = vec![0; length(&whole.plaintext())];
        sealed
            .opener
            .open_range_to(&whole, &ciphertext, &mut plaintext)
            .map_err(|_| failed())?;
        self.store.count_opened(&batch, ciphertext.len());
        self.segments.start = batch.end;
        let (whole, wanted) = (whole.plaintext(), &self.range);
        let wanted = wanted.start.max(whole.start)..wanted.end.min(whole.end);
        let counter = &self.store.shared.counters.plaintext_bytes_read;
        counter.add(wanted.end.saturating_sub(wanted.start));
        slice(&[(whole, plaintext.into())], &wanted).ok_or_else(failed)
    }
}

/// Returns the answer to a request for metadata alone.
fn head_result(object: &StoredObject, meta: &ObjectMeta) -> GetResult {
    let size = object.plaintext_size();
    let meta = ObjectMeta {
        size,
        ..meta.clone()
    };
    let payload = GetResultPayload::Stream(stream::empty().boxed());
    get_result(meta, object.attributes.clone(), 0..size, payload)
}

/// Plans the read of a range, by the rules of [`GetRange`].
fn plan(sealed: &Sealed, range: Option<&GetRange>, location: &Path) -> Result<RangePlan> {
    let map = sealed.map();
    let wanted = match range {
        None => 0..to_the_end(map),
        Some(range) => {
            let wanted = range
                .as_range(map.plaintext_size())
                .map_err(|error| StoreErrorKind::Range(error.to_string()).of(location))?;
            match range {
                GetRange::Bounded(asked) if asked.end <= map.plaintext_size() => wanted,
                _ => wanted.start..to_the_end(map),
            }
        }
    };
    Ok(map.plan(wanted))
}

/// Returns the plan of whole segments.
fn run_plan(sealed: &Sealed, segments: &Range<u64>) -> RangePlan {
    let map = sealed.map();
    let start = map.plaintext(segments.start).start;
    let end = if segments.end == map.segments() {
        to_the_end(map)
    } else {
        map.plaintext(segments.end).start
    };
    map.plan(start..end)
}

/// A range that ends here takes the last segment in, even one without plaintext: it alone proves
/// where the end is.
const fn to_the_end(map: &StreamMap) -> u64 {
    map.plaintext_size() + 1
}

/// Unites segments that touch or overlap.
fn runs_of(plans: &[RangePlan]) -> Vec<Range<u64>> {
    let mut segments: Vec<_> = plans.iter().map(RangePlan::segments).collect();
    segments.sort_by_key(|segments| segments.start);
    let mut runs: Vec<Range<u64>> = Vec::new();
    for next in segments {
        match runs.last_mut() {
            Some(run) if next.start <= run.end => run.end = run.end.max(next.end),
            _ => runs.push(next),
        }
    }
    runs
}

/// Cuts segments into batches of [`BATCH_SIZE`], or of one segment if that is larger.
fn batches(sealed: &Sealed, segments: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let size = (BATCH_SIZE / sealed.map().layout().segment_size()).max(1) as u64;
    let (start, end) = (segments.start, segments.end);
    (0..(end - start).div_ceil(size))
        .map(move |batch| start + batch * size..(start + (batch + 1) * size).min(end))
}

/// Returns a part of plaintexts, each with its position, as a slice of the one that holds it.
fn slice(plaintexts: &[(Range<u64>, Bytes)], wanted: &Range<u64>) -> Option<Bytes> {
    if wanted.is_empty() {
        return Some(Bytes::new());
    }
    let after = plaintexts.partition_point(|(at, _)| at.start <= wanted.start);
    let (at, bytes) = plaintexts.get(after.checked_sub(1)?)?;
    let holds = wanted.end <= at.end;
    holds.then(|| bytes.slice(in_memory(wanted.start - at.start)..in_memory(wanted.end - at.start)))
}

fn length(range: &Range<u64>) -> usize {
    in_memory(range.end.saturating_sub(range.start))
}

/// Sizes of buffers: what does not fit in memory fails to allocate.
pub(crate) fn in_memory(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
