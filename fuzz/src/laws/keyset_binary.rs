//! Keysets in binary.

use keyseal::keyset::Format;

use super::keyset_file;

/// An input is a file.
pub fn law(data: &[u8]) {
    keyset_file::holds(data, Format::Binary);
}
