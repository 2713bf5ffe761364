//! The meters of all processes, through files.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::meter::Meter;

/// How often a process writes its meter.
const INTERVAL: Duration = Duration::from_millis(20);

/// The reads of processes since they started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading {
    /// Requests that read.
    pub requests: u64,
    /// Bytes that came.
    pub bytes: u64,
}

impl Reading {
    /// Returns the difference to an `earlier` reading.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

/// Keeps a file up to date with a meter, as long as the process lives.
pub async fn write_meter(meter: Arc<Meter>, path: &Path) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut written = None;
    loop {
        let reading = (meter.requests(), meter.bytes());
        if written != Some(reading) {
            fs::write(&unfinished, format!("{} {}", reading.0, reading.1))?;
            fs::rename(&unfinished, path)?;
            written = Some(reading);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Adds up the meters in files, once they have caught up.
///
/// # Errors
/// [`io::Error`] if a file is not there.
pub async fn read_meters(paths: &[PathBuf]) -> io::Result<Reading> {
    tokio::time::sleep(INTERVAL * 3).await;
    let mut sum = Reading::default();
    for path in paths {
        let text = fs::read_to_string(path)?;
        let mut numbers = text.split(' ').map(|number| number.parse().unwrap_or(0));
        sum.requests += numbers.next().unwrap_or(0);
        sum.bytes += numbers.next().unwrap_or(0);
    }
    Ok(sum)
}
