//! Key ids and output prefixes: how a ciphertext names its key.

use std::fmt;

/// The id of a key in its keyset: any 32-bit number including 0, unique in the keyset.
///
/// It prints in decimal, as in Tinkey.
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

/// The prefix of a key's output, by which decryption finds the key.
///
/// # Source
/// Tink's `OutputPrefixType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "Tink's list, complete")]
pub enum Variant {
    /// `00 ‖ id(4)`: the format of Tink's predecessors.
    Crunchy,
    /// `00 ‖ id(4)`, and a MAC appends a zero byte to the message: for very old keysets only.
    Legacy,
    /// No prefix: the output is that of the cipher. Decryption tries every raw key.
    Raw,
    /// `01 ‖ id(4)`: the usual choice.
    Tink,
    /// No prefix, although the key requires its id: for pre-hash signature keys. No symmetric key
    /// uses it, but a key whose type we do not know keeps it.
    WithIdRequirement,
}

impl Variant {
    /// All prefixes that a symmetric key may use.
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

/// The prefix of a key's output: zero or five bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputPrefix(Option<[u8; Self::SIZE]>);

impl OutputPrefix {
    /// The length in bytes of a prefix that is not empty.
    pub const SIZE: usize = 5;

    /// Bits of [`number`](Self::number): one for the kind of prefix, the others for the id.
    pub(crate) const NUMBER_BITS: u32 = 33;

    /// Returns the first bytes of a ciphertext as a prefix, if it has one.
    pub(crate) fn read(ciphertext: &[u8]) -> Self {
        Self(ciphertext.first_chunk().copied())
    }

    /// Returns this prefix as a number of [`NUMBER_BITS`](Self::NUMBER_BITS) in the same order, or
    /// `None` if it is empty or no key can have it.
    #[inline]
    pub(crate) fn number(&self) -> Option<u64> {
        let [start @ (0 | 1), a, b, c, d] = self.0? else {
            return None;
        };
        Some((u64::from(start) << 32) | u64::from(u32::from_be_bytes([a, b, c, d])))
    }

    /// Returns the rest of `output`, if it starts with this prefix.
    #[inline]
    pub(crate) fn strip<'o>(&self, output: &'o [u8]) -> Option<&'o [u8]> {
        // Comparing arrays takes a few instructions; comparing slices takes a call.
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

    /// Returns the bytes, which are empty for a raw key.
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
