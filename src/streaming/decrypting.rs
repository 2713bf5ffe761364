//! The common part of the readers: stream in, plaintext out, no I/O.

use std::io;

use super::{
    at::too_much,
    buffer::{BATCH, Queue},
};
use crate::{error::DecryptError, segment::Opener};

/// Opens segments as they come in.
#[derive(Debug)]
pub(super) struct Decrypting {
    opener: Opener,
    /// What of the stream is read and not opened.
    input: Queue,
    /// Decrypted plaintext that has not been taken yet.
    plaintext: Queue,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The end of the input was not met.
    Open,
    /// The end of the input was met, and the last segment is not opened.
    Ended,
    /// The last segment has opened: the plaintext is complete.
    Done,
    /// It did not decrypt, or the inner reader failed.
    Failed(io::ErrorKind),
}

/// What there is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Take plaintext. None means the end, and that it is authentic.
    Take,
    /// Read into the room.
    Read,
}

impl Decrypting {
    pub(super) fn new(opener: Opener) -> Self {
        Self {
            opener,
            input: Queue::default(),
            plaintext: Queue::default(),
            state: State::Open,
        }
    }

    /// Returns the decrypted plaintext that has not been taken yet.
    pub(super) fn plaintext(&self) -> &[u8] {
        self.plaintext.filled()
    }

    /// Takes plaintext.
    pub(super) fn consume(&mut self, len: usize) {
        self.plaintext.consume(len);
    }

    /// Decrypts as much as it can, unless there is plaintext to take.
    pub(super) fn advance(&mut self) -> io::Result<Next> {
        if !self.plaintext.is_empty() {
            return Ok(Next::Take);
        }
        match self.state {
            State::Done => return Ok(Next::Take),
            State::Failed(kind) => return Err(failed_before(kind)),
            State::Open | State::Ended => {}
        }
        match self.open() {
            Ok(()) => {}
            // What opened before is authentic. The error comes with the next call.
            Err(_) if !self.plaintext.is_empty() => return Ok(Next::Take),
            Err(error) => return Err(self.failed(error.into())),
        }
        match self.state {
            State::Open if self.plaintext.is_empty() => Ok(Next::Read),
            _ => Ok(Next::Take),
        }
    }

    /// Returns where to read to. It is never empty: reading nothing would look like the end.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let len = self.input.len();
        let all = self.opener.wants().max(BATCH);
        // By doubling: a large segment takes no more memory than there is of it.
        let needed = all.saturating_sub(len).min(len.max(BATCH));
        self.input.room(needed.max(1))
    }

    /// Takes `len` bytes of the room as read. Zero means the end of the input.
    pub(super) fn read(&mut self, len: usize) -> io::Result<()> {
        if len > self.input.room(0).len() {
            return Err(self.failed(too_much()));
        }
        if len == 0 {
            self.state = State::Ended;
        }
        self.input.fill(len);
        Ok(())
    }

    /// Notes an error. It stays, unless it is of the kind after which one tries again.
    pub(super) fn failed(&mut self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {}
            kind => self.state = State::Failed(kind),
        }
        error
    }

    fn open(&mut self) -> Result<(), DecryptError> {
        if matches!(self.state, State::Ended) || self.input.len() >= self.opener.wants() {
            // As much as all of the input could give.
            self.plaintext.room(self.input.len());
        }
        while let Some(opened) = self
            .opener
            .open_to(self.input.filled(), self.plaintext.room(0))?
        {
            self.input.consume(opened.consumed);
            self.plaintext.fill(opened.plaintext);
        }
        if matches!(self.state, State::Ended) {
            let last = self.input.filled();
            let len = self.opener.open_last_to(last, self.plaintext.room(0))?;
            self.input.consume(usize::MAX);
            self.plaintext.fill(len);
            self.state = State::Done;
        }
        Ok(())
    }
}

/// The error of a reader that has failed before, with an error of this kind.
pub(super) fn failed_before(kind: io::ErrorKind) -> io::Error {
    if kind == io::ErrorKind::InvalidData {
        DecryptError::FAILED.into()
    } else {
        io::Error::new(kind, "the reader has failed before")
    }
}
