//! [`Call`]: a function's work on one batch.

use std::{sync::Arc, time::Instant};

use datafusion::error::{DataFusionError, Result};

use crate::{column::Column, key_use::KeyUse, output::Output, parsed::ParsedKeyset, ring::KeyRing};

pub(crate) struct Call<'a> {
    pub(crate) function: &'static str,
    pub(crate) ring: &'a KeyRing,
    pub(crate) columns: Vec<Column<'a>>,
    pub(crate) rows: usize,
}

impl<'a> Call<'a> {
    /// Writes each row of the result from the `N` arguments of the row, or NULL if one of them is.
    /// `room` is the number of bytes to expect.
    pub(crate) fn map<const N: usize>(
        &self,
        room: usize,
        mut write: impl FnMut([&'a [u8]; N], &mut Vec<u8>) -> Result<Option<()>, String>,
    ) -> Result<Output> {
        let mut output = Output::with_capacity(self.rows, room);
        for row in 0..self.rows {
            let written = match self.row(row) {
                Some(arguments) => output.push(|out| write(arguments, out)),
                None => output.push(|_| Ok(None)),
            };
            written.map_err(|error| self.error(row, &error))?;
        }
        Ok(output)
    }

    pub(crate) fn error(&self, row: usize, error: &str) -> DataFusionError {
        let (function, row) = (self.function, row + 1);
        DataFusionError::Execution(format!("{function}: {error} (row {row} of the batch)"))
    }

    pub(crate) fn row<const N: usize>(&self, row: usize) -> Option<[&'a [u8]; N]> {
        let mut arguments = [&[][..]; N];
        for (argument, column) in arguments.iter_mut().zip(&self.columns) {
            *argument = column.get(row)?;
        }
        Some(arguments)
    }

    /// Returns the bytes that the rows of an argument have in all.
    pub(crate) fn size(&self, argument: usize) -> usize {
        let column = self.columns.get(argument);
        column.map_or(0, |column| {
            let sizes = (0..self.rows).map(|row| column.get(row).map_or(0, <[u8]>::len));
            sizes.sum()
        })
    }
}

/// Reads an argument that is a key URI or a key type.
pub(crate) fn utf8(text: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(text).map_err(|_| "a key URI or key type is not UTF-8".to_owned())
}

/// The keyset of the last row, which the next one mostly has too.
pub(crate) struct LastKeyset<'a> {
    ring: &'a KeyRing,
    wanted: Option<KeyUse>,
    started: Instant,
    last: Option<(&'a [u8], Arc<ParsedKeyset>)>,
}

impl<'a> LastKeyset<'a> {
    /// Takes the use of the keysets, or `None` to describe them.
    pub(crate) fn new(ring: &'a KeyRing, wanted: Option<KeyUse>) -> Self {
        Self {
            ring,
            wanted,
            started: Instant::now(),
            last: None,
        }
    }

    pub(crate) fn get(&mut self, argument: &'a [u8]) -> Result<&ParsedKeyset, String> {
        // A scalar is one slice for all rows: its bytes are not compared.
        let is_last = |last: &[u8]| std::ptr::eq(last, argument) || last == argument;
        let last = match self.last.take() {
            Some((last, parsed)) if is_last(last) => (last, parsed),
            _ => (argument, self.ring.resolve(argument, self.wanted)?),
        };
        Ok(&self.last.insert(last).1)
    }

    /// Returns a newer keyset than that of the last row, if the ciphertext names a key that it lacks,
    /// and its source has another.
    pub(crate) fn newer(&mut self, ciphertext: &[u8]) -> Result<Option<&ParsedKeyset>, String> {
        let Some((argument, current)) = &mut self.last else {
            return Ok(None);
        };
        if !current.lacks_key_of(ciphertext) {
            return Ok(None);
        }
        let newer = self.ring.newer(argument, current, self.started)?;
        Ok(newer.map(|newer| {
            *current = newer;
            &**current
        }))
    }
}
