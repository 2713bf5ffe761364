//! How far the work is, for people who watch a terminal.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::context::Context;

/// Work that is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the line is written anew.
const STEP: Duration = Duration::from_millis(200);
/// Cells of the bar.
const WIDTH: u8 = 20;

/// Counts bytes, and shows them on standard error after a second, if that is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    done: Arc<AtomicU64>,
    shown: Option<Shown>,
}

#[derive(Debug)]
struct Shown {
    /// Nothing is ever sent: that it is dropped ends the thread.
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Progress {
    /// Starts to count, up to `total` where that is known.
    pub(crate) fn start(total: Option<u64>, context: &Context) -> Self {
        let done = Arc::new(AtomicU64::new(0));
        let wanted = context.shows_progress() && io::stderr().is_terminal();
        let shown = wanted.then(|| {
            let counted = Arc::clone(&done);
            let (stop, stopped) = mpsc::channel();
            let thread = thread::spawn(move || {
                let start = Instant::now();
                let mut wait = PATIENCE;
                let mut was_shown = false;
                while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                    let line = line(counted.load(Ordering::Relaxed), total, start.elapsed());
                    write(&format!("\r{line}\x1b[K"));
                    (wait, was_shown) = (STEP, true);
                }
                if was_shown {
                    write("\r\x1b[K");
                }
            });
            Shown { stop, thread }
        });
        Self { done, shown }
    }

    /// Counts bytes as done.
    pub(crate) fn add(&self, bytes: usize) {
        self.done.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    /// Takes the line away before anything else is said.
    fn drop(&mut self) {
        if let Some(Shown { stop, thread }) = self.shown.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

fn write(text: &str) {
    // A terminal that is gone does not stop the work.
    let mut stderr = io::stderr().lock();
    let _ = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}

/// Returns what is shown: a bar, bytes, rate, and the time that is left.
fn line(done: u64, total: Option<u64>, elapsed: Duration) -> String {
    let rate = u128::from(done) * 1000 / elapsed.as_millis().max(1);
    let rate = u64::try_from(rate).unwrap_or(u64::MAX);
    let rate_text = format!("{}/s", amount(rate));
    let Some(total) = total.filter(|total| *total > 0) else {
        return format!("{}  {rate_text}", amount(done));
    };
    let done = done.min(total);
    let filled = usize::try_from(u128::from(done) * u128::from(WIDTH) / u128::from(total));
    let filled = filled.unwrap_or_default();
    let bar = format!("{:<width$}", "=".repeat(filled), width = usize::from(WIDTH));
    let percent = u128::from(done) * 100 / u128::from(total);
    let left = match rate {
        0 => "?".to_owned(),
        rate => time(Duration::from_secs((total - done).div_ceil(rate))),
    };
    format!(
        "[{bar}] {percent:3}%  {} of {}  {rate_text}  {left} left",
        amount(done),
        amount(total)
    )
}

/// Returns an amount with a digit behind the point, so that it is seen to grow.
fn amount(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..0x400 => return format!("{bytes} B"),
        0x400..0x10_0000 => (1 << 10, "KiB"),
        0x10_0000..0x4000_0000 => (1 << 20, "MiB"),
        _ => (1 << 30, "GiB"),
    };
    let tenths = u128::from(bytes) * 10 / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

fn time(left: Duration) -> String {
    let seconds = left.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => format!("{}:{:02} h", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_bytes_rate_and_time_left() {
        let second = Duration::from_secs(1);
        let half = line(1 << 30, Some(2 << 30), 2 * second);
        assert_eq!(
            half,
            format!(
                "[==========          ]  50%  {} of {}  {}/s  2 s left",
                amount(1 << 30),
                amount(2 << 30),
                amount(1 << 29)
            )
        );
        assert!(line(0, Some(10), second).ends_with("? left"));
        assert!(line(20, Some(10), second).contains("100%"));
        assert!(line(7, None, second).starts_with(&amount(7)));
        assert_eq!(
            line(0, Some(0), Duration::ZERO),
            line(0, None, Duration::ZERO)
        );
        assert_eq!(amount(1023), "1023 B");
        assert_eq!(amount(1536), "1.5 KiB");
        assert_eq!(amount(524 << 20), "524.0 MiB");
        assert_eq!(amount(u64::MAX), "17179869183.9 GiB");
        assert_eq!(time(61 * second), "1:01 min");
        assert_eq!(time(3_660 * second), "1:01 h");
    }
}
