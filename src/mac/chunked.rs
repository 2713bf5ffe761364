//! MACs of messages that come in pieces.

use std::{fmt, io};

use crate::{
    error::VerifyError,
    key::{PrefixedMac, RunningPrefixedMac},
};

/// The tag of a message that comes in pieces, from
/// [`KeysetMac::create_computation`](crate::KeysetMac::create_computation).
///
/// How the message is cut does not matter. It is a writer, too, which never fails.
#[must_use = "nothing comes of it before compute_mac"]
pub struct MacComputation(RunningPrefixedMac);

impl MacComputation {
    pub(super) fn new(key: &PrefixedMac) -> Self {
        Self(key.start())
    }

    /// Takes the next piece of the message.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// Computes the tag of the message so far.
    #[must_use]
    pub fn compute_mac(self) -> Vec<u8> {
        self.0.finish()
    }
}

/// The check of a tag against a message that comes in pieces, from
/// [`KeysetMac::create_verification`](crate::KeysetMac::create_verification).
///
/// How the message is cut does not matter. It is a writer, too, which never fails.
///
/// # Security
/// Do not trust any part of the message before [`verify_mac`](Self::verify_mac) has succeeded.
#[must_use = "nothing is checked before verify_mac"]
pub struct MacVerification {
    tag: Vec<u8>,
    /// Of each key that may have made the tag.
    running: Vec<RunningPrefixedMac>,
}

impl MacVerification {
    pub(super) fn new<'k>(tag: &[u8], keys: impl Iterator<Item = &'k PrefixedMac>) -> Self {
        Self {
            tag: tag.to_vec(),
            running: keys.map(PrefixedMac::start).collect(),
        }
    }

    /// Takes the next piece of the message.
    pub fn update(&mut self, data: &[u8]) {
        for running in &mut self.running {
            running.update(data);
        }
    }

    /// Checks the tag against the message so far.
    ///
    /// # Errors
    /// [`VerifyError`] if it does not match.
    pub fn verify_mac(self) -> Result<(), VerifyError> {
        let Self { tag, running } = self;
        if running.into_iter().any(|running| running.verify(&tag)) {
            Ok(())
        } else {
            Err(VerifyError)
        }
    }
}

impl io::Write for MacComputation {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.update(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Write for MacVerification {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.update(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for MacComputation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MacComputation").finish_non_exhaustive()
    }
}

impl fmt::Debug for MacVerification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MacVerification").finish_non_exhaustive()
    }
}
