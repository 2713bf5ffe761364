//! A writer that compares, for files that may be done already.

use std::{
    fmt,
    io::{self, Read, Write},
};

use zeroize::Zeroizing;

/// Compares the bytes written with the content of a reader.
pub(crate) struct Comparison {
    reader: Box<dyn Read + Send>,
    /// The bytes of the reader to compare next.
    buffer: Zeroizing<Vec<u8>>,
    is_equal: bool,
}

impl Comparison {
    pub(crate) fn with(reader: Box<dyn Read + Send>) -> Self {
        Self {
            reader,
            buffer: Zeroizing::default(),
            is_equal: true,
        }
    }

    /// Returns whether the bytes written are the whole content of the reader.
    pub(crate) fn same(mut self) -> io::Result<bool> {
        Ok(self.is_equal && read_full(&mut self.reader, &mut [0])? == 0)
    }
}

impl Write for Comparison {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.is_equal {
            self.buffer.resize(buf.len(), 0);
            let read = read_full(&mut self.reader, &mut self.buffer)?;
            self.is_equal = self.buffer.get(..read) == Some(buf);
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Comparison").finish_non_exhaustive()
    }
}

/// Reads until `buf` is full or the reader ends.
fn read_full(reader: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_equal_up_to_its_end() {
        let is_equal = |parts: &[&[u8]]| {
            let mut comparison = Comparison::with(Box::new(&b"content"[..]));
            parts
                .iter()
                .for_each(|part| comparison.write_all(part).unwrap());
            comparison.same().unwrap()
        };
        assert!(is_equal(&[b"content"]));
        assert!(is_equal(&[b"", b"con", b"tent"]));
        for other in [&b"conten"[..], b"contents", b"cOntent", b""] {
            assert!(!is_equal(&[other]), "{other:?}");
        }
        assert!(!is_equal(&[b"Con", b"tent"]));
    }
}
