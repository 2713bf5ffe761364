//! The meters of all processes, through files.

use std::{
    convert::Infallible,
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
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

/// The form of a meter's file.
impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.requests, self.bytes)
    }
}

impl FromStr for Reading {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        let malformed = || io::Error::other(format!("this is no meter's file: {text:?}"));
        let (requests, bytes) = text.split_once(' ').ok_or_else(malformed)?;
        Ok(Self {
            requests: requests.parse().map_err(|_| malformed())?,
            bytes: bytes.parse().map_err(|_| malformed())?,
        })
    }
}

/// Keeps a file up to date with a meter, as long as the process lives.
///
/// # Errors
/// [`io::Error`] if the file cannot be written. It does not return otherwise.
pub async fn write_meter(meter: Arc<Meter>, path: &Path) -> io::Result<Infallible> {
    let unfinished = path.with_extension("new");
    let mut written = None;
    loop {
        let reading = Reading {
            requests: meter.requests(),
            bytes: meter.bytes(),
        };
        if written != Some(reading) {
            fs::write(&unfinished, reading.to_string())?;
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
        let reading: Reading = fs::read_to_string(path)?.parse()?;
        sum.requests += reading.requests;
        sum.bytes += reading.bytes;
    }
    Ok(sum)
}
