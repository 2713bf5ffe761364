//! Key ids and output prefixes: how a ciphertext names its key.

use std::fmt;

/// The id of a key in its keyset: any 32-bit number, 0 included, unique in the keyset.
///
/// Prints in decimal, as Tinkey does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u32);

impl KeyId {
    /// Wraps a number.
    #[must_use]
    pub const fn new(id: u32) -> Self {
        Self(id)
    }

    /// Returns the number.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }
}

impl From<u32> for KeyId {
    fn from(id: u32) -> Self {
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a key writes in front of its output, so that decryption finds the key.
///
/// # Source
/// Tink's `OutputPrefixType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "Tink's list, complete")]
pub enum Variant {
    /// `00 ‖ id(4)`: as Tink's predecessors wrote.
    Crunchy,
    /// `00 ‖ id(4)`, and for a MAC a zero byte after the message: for very old keysets only.
    Legacy,
    /// Nothing: the output is what the cipher alone gives. Every raw key is tried on decryption.
    Raw,
    /// `01 ‖ id(4)`: the usual choice.
    Tink,
    /// Nothing, and an id all the same: of pre-hash signature keys. No symmetric key has it; a key
    /// of a type that is not known here keeps it.
    WithIdRequirement,
}

impl Variant {
    /// All that a symmetric key may have.
    pub const ALL: [Self; 4] = [Self::Crunchy, Self::Legacy, Self::Raw, Self::Tink];

    /// Returns the name in Tink's files, such as `TINK`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crunchy => "CRUNCHY",
            Self::Legacy => "LEGACY",
            Self::Raw => "RAW",
            Self::Tink => "TINK",
            Self::WithIdRequirement => "WITH_ID_REQUIREMENT",
        }
    }

    /// Returns the prefix that a key of this variant and id writes: 0 or 5 bytes.
    #[must_use]
    pub const fn prefix(self, id: KeyId) -> OutputPrefix {
        let start = match self {
            Self::Raw | Self::WithIdRequirement => return OutputPrefix(None),
            Self::Crunchy | Self::Legacy => 0x00,
            Self::Tink => 0x01,
        };
        let [a, b, c, d] = id.0.to_be_bytes();
        OutputPrefix(Some([start, a, b, c, d]))
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The bytes in front of a key's output: none, or five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputPrefix(Option<[u8; Self::SIZE]>);

impl OutputPrefix {
    /// The length in bytes of a prefix that is not empty.
    pub const SIZE: usize = 5;

    /// Bits of [`number`](Self::number): one for the kind of prefix, and those of the id.
    pub(crate) const NUMBER_BITS: u32 = 33;

    /// Returns what would be the prefix of a ciphertext, if that has one.
    pub(crate) fn read(ciphertext: &[u8]) -> Self {
        Self(ciphertext.first_chunk().copied())
    }

    /// Returns this prefix as a number of [`NUMBER_BITS`](Self::NUMBER_BITS) in the same order;
    /// none where it is empty or no key has it.
    #[inline]
    pub(crate) fn number(&self) -> Option<u64> {
        let [start @ (0 | 1), a, b, c, d] = self.0? else {
            return None;
        };
        Some((u64::from(start) << 32) | u64::from(u32::from_be_bytes([a, b, c, d])))
    }

    /// Returns what follows this prefix in `output`, if that starts with it.
    #[inline]
    pub(crate) fn strip<'o>(&self, output: &'o [u8]) -> Option<&'o [u8]> {
        // Arrays compare in a few instructions, slices through a call.
        match &self.0 {
            None => Some(output),
            Some(prefix) => match output.split_first_chunk() {
                Some((start, rest)) if start == prefix => Some(rest),
                _ => None,
            },
        }
    }

    /// Writes this prefix to the start of `output`, and returns the rest.
    #[inline]
    pub(crate) fn write<'o>(&self, output: &'o mut [u8]) -> &'o mut [u8] {
        match (&self.0, output) {
            (Some(prefix), [a, b, c, d, e, rest @ ..]) => {
                [*a, *b, *c, *d, *e] = *prefix;
                rest
            }
            (_, output) => output,
        }
    }

    /// Returns the bytes: none for a raw key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], <[u8; Self::SIZE]>::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_a_start_byte_and_the_id_big_endian() {
        let id = KeyId::new(0x0102_0304);
        assert_eq!(Variant::Tink.prefix(id).as_bytes(), [1, 1, 2, 3, 4]);
        assert_eq!(Variant::Crunchy.prefix(id).as_bytes(), [0, 1, 2, 3, 4]);
        assert_eq!(Variant::Legacy.prefix(id).as_bytes(), [0, 1, 2, 3, 4]);
        assert!(Variant::Raw.prefix(id).as_bytes().is_empty());
    }
}
