//! Facts about a file that are the same under a keyset and under a key-encryption key.

use std::io;

use keyseal::streaming::StreamLayout;

use super::report::Report;
use crate::{cmd::inspect::FileKind, display::count, error::Failure, input::FileArg};

/// Compares the size of a stream with those that are possible.
pub(super) fn compare_size(layouts: &[&StreamLayout], size: u64, report: &mut Report) {
    let fitting: Vec<_> = layouts
        .iter()
        .filter_map(|layout| Some((layout, layout.map(size)?)))
        .collect();
    if fitting.is_empty() {
        report.problem(
            "stream_cut",
            "no complete stream has the input's size: it was cut short or extended",
        );
    }
    for (layout, map) in fitting {
        report.fact(format!(
            "with segments of {} bytes it has {}, and {} bytes of plaintext",
            layout.segment_size(),
            count(
                usize::try_from(map.segments()).unwrap_or(usize::MAX),
                "segment"
            ),
            map.plaintext_size()
        ));
    }
}

/// Reports an input that no key has encrypted, whichever it is.
pub(super) fn not_ciphertext(kind: &FileKind, report: &mut Report) {
    match kind {
        FileKind::Text => report.problem("input_is_text", "the input is text, not a ciphertext"),
        FileKind::Empty => report.problem("input_empty", "the input is empty"),
        FileKind::Keyset { .. } | FileKind::Damaged(_) => {
            report.problem("input_is_keyset", "the input is a keyset, not a ciphertext");
        }
        FileKind::SealedStream { .. } | FileKind::StartOfSealedStream | FileKind::Bytes(_) => {}
    }
}

/// Decrypts a stream to nowhere, and returns whether all of it is authentic.
pub(super) fn read_all(mut stream: impl io::Read, input: &FileArg) -> Result<bool, Failure> {
    match io::copy(&mut stream, &mut io::sink()) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(false),
        Err(error) => Err(Failure::io(format!("cannot read {}", input.name()), &error)),
    }
}
