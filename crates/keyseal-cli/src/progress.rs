//! A progress bar, for people who watch a terminal.

use std::{
    io::{self, IsTerminal as _, Read, Write},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{context::Context, terminal::show_bar};

/// Work that takes less time needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the bar moves.
const STEP: Duration = Duration::from_millis(200);

// The bar comes last: it takes the room that is left, and the numbers fit 40 columns.
const OF_FILES: &str = "{msg} {binary_bytes} {binary_bytes_per_sec} {eta} left {wide_bar}";
const OF_BYTES: &str = "{percent:>3}% {binary_bytes} {binary_bytes_per_sec} {eta} left {wide_bar}";
const OF_UNKNOWN: &str = "{binary_bytes} {binary_bytes_per_sec}";

/// The current run over files. Work on each file counts for it, and has no separate bar.
static FILES: Mutex<Weak<Meter>> = Mutex::new(Weak::new());

/// The counters.
#[derive(Debug, Default)]
struct Meter {
    bytes: AtomicU64,
    files: AtomicU64,
}

/// Counts bytes, and shows them on standard error after a second, if that is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    meter: Arc<Meter>,
    shown: Option<Shown>,
}

#[derive(Debug)]
struct Shown {
    /// Nothing is ever sent: dropping it ends the thread.
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Progress {
    /// Starts to count bytes, up to `total` if that is known.
    pub(crate) fn start(total: Option<u64>, context: &Context) -> Self {
        if let Some(meter) = files_under_way().upgrade() {
            return Self { meter, shown: None };
        }
        Self::show(Meter::default(), total, None, context)
    }

    /// Starts to count the files of a run, and their bytes.
    pub(crate) fn of_files(files: usize, bytes: u64, context: &Context) -> Self {
        let progress = Self::show(Meter::default(), Some(bytes), Some(files), context);
        *files_under_way() = Arc::downgrade(&progress.meter);
        progress
    }

    fn show(meter: Meter, total: Option<u64>, files: Option<usize>, context: &Context) -> Self {
        let meter = Arc::new(meter);
        let wanted = context.shows_progress() && io::stderr().is_terminal();
        if !wanted {
            return Self { meter, shown: None };
        }
        let (stop, stopped) = mpsc::channel();
        let counted = Arc::clone(&meter);
        let drawing = move || {
            draw(&counted, total, files, || {
                stopped.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout)
            });
        };
        // The work goes on without a bar if there is no thread for it.
        let thread = thread::Builder::new().spawn(drawing).ok();
        let shown = thread.map(|thread| Shown { stop, thread });
        Self { meter, shown }
    }

    /// Counts bytes as done.
    pub(crate) fn add(&self, bytes: usize) {
        self.meter.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a file as done.
    pub(crate) fn add_file(&self) {
        self.meter.files.fetch_add(1, Ordering::Relaxed);
    }

    /// Wraps a reader or writer, and counts its bytes.
    pub(crate) const fn counting<T>(&self, inner: T) -> Counting<'_, T> {
        Counting {
            inner,
            progress: self,
        }
    }
}

impl Drop for Progress {
    /// Removes the bar before anything else is printed.
    fn drop(&mut self) {
        if let Some(Shown { stop, thread }) = self.shown.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

fn files_under_way() -> std::sync::MutexGuard<'static, Weak<Meter>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Redraws the bar from time to time, as long as `goes_on` waits and returns true.
fn draw(meter: &Meter, total: Option<u64>, files: Option<usize>, goes_on: impl Fn() -> bool) {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
    bar.set_style(style(total, files));
    let start = Instant::now();
    let mut is_shown = false;
    while goes_on() {
        // A file that grows has more bytes than its size said.
        let bytes = meter.bytes.load(Ordering::Relaxed);
        bar.set_position(total.map_or(bytes, |total| bytes.min(total)));
        if let Some(files) = files {
            bar.set_message(format!(
                "{}/{files} files",
                meter.files.load(Ordering::Relaxed)
            ));
        }
        if !is_shown && start.elapsed() >= PATIENCE {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            show_bar(Some(bar.clone()));
            is_shown = true;
        }
        bar.tick();
    }
    if is_shown {
        show_bar(None);
    }
}

fn style(total: Option<u64>, files: Option<usize>) -> ProgressStyle {
    let template = match (total, files) {
        (_, Some(_)) => OF_FILES,
        (Some(_), None) => OF_BYTES,
        (None, None) => OF_UNKNOWN,
    };
    // The tests would find a malformed template.
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}

/// A reader or writer whose bytes count as done.
#[derive(Debug)]
pub(crate) struct Counting<'p, T> {
    inner: T,
    progress: &'p Progress,
}

impl<R: Read> Read for Counting<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buf)?;
        self.progress.add(len);
        Ok(len)
    }
}

impl<W: Write> Write for Counting<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(buf)?;
        self.progress.add(len);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_can_be_read() {
        for template in [OF_FILES, OF_BYTES, OF_UNKNOWN] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
