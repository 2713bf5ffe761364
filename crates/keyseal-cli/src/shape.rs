//! The information in the first bytes of a file, for someone without any key.

use keyseal::{
    Envelope, KeyId, KeyTypes, Variant,
    key::{KeyKind, OutputPrefix},
};

/// The shortest ciphertext with a prefix, in bytes: an id, and a tag or synthetic nonce.
pub(crate) const SHORTEST: u64 = OutputPrefix::SIZE as u64 + 16;

/// The shortest payload of an envelope with a key of a stock template, in bytes.
const MIN_PAYLOAD: u64 = 28;

/// The visible structure of a ciphertext. It may be chance: a raw ciphertext starts with any bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) prefix: Option<Prefix>,
    /// The length in bytes of a wrapped key, if this is an envelope.
    pub(crate) wrapped: Option<usize>,
    /// The first byte.
    pub(crate) first: Option<u8>,
    pub(crate) size: u64,
}

/// Five bytes that may name a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) start: Start,
    pub(crate) id: KeyId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// `01`
    Tink,
    /// `00`
    CrunchyOrLegacy,
}

impl Start {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tink => "TINK",
            Self::CrunchyOrLegacy => "CRUNCHY or LEGACY",
        }
    }

    pub(crate) const fn is_of(self, variant: Variant) -> bool {
        match self {
            Self::Tink => matches!(variant, Variant::Tink),
            Self::CrunchyOrLegacy => matches!(variant, Variant::Crunchy | Variant::Legacy),
        }
    }
}

impl Shape {
    /// Inspects the first bytes of a file that is `size` bytes long.
    pub(crate) fn of(start: &[u8], size: u64) -> Self {
        let prefix = match start {
            [0x01, a, b, c, d, ..] => Some((Start::Tink, [*a, *b, *c, *d])),
            [0x00, a, b, c, d, ..] => Some((Start::CrunchyOrLegacy, [*a, *b, *c, *d])),
            _ => None,
        };
        let head_size = Envelope::head_size(start).ok();
        let head_size = head_size.filter(|head_size| *head_size as u64 + MIN_PAYLOAD <= size);
        Self {
            prefix: prefix.map(|(start, id)| Prefix {
                start,
                id: KeyId::new(u32::from_be_bytes(id)),
            }),
            wrapped: head_size.map(|head_size| head_size - Envelope::LENGTH_SIZE),
            first: start.first().copied(),
            size,
        }
    }

    /// Returns the bytes that precede the cipher's output.
    pub(crate) const fn prefix_size(&self) -> u64 {
        match self.prefix {
            Some(_) => OutputPrefix::SIZE as u64,
            None => 0,
        }
    }
}

/// Takes the first bytes of a possible envelope of `size` bytes apart.
pub(crate) fn envelope(start: &[u8], size: u64) -> Option<Envelope<'_>> {
    let is_possible = Shape::of(start, size).wrapped.is_some();
    Envelope::parse_start(start, size)
        .ok()
        .filter(|_| is_possible)
}

/// Key types that add the same number of bytes to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overhead {
    /// Without an output prefix.
    pub(crate) bytes: u64,
    pub(crate) type_urls: Vec<&'static str>,
}

/// Returns the overheads of the stock templates, smallest first.
pub(crate) fn overheads() -> Vec<Overhead> {
    let mut overheads: Vec<Overhead> = Vec::new();
    let encrypts = |kind| matches!(kind, KeyKind::Aead | KeyKind::DeterministicAead);
    let types = KeyTypes::default();
    for key_type in types.iter().filter(|known| encrypts(known.kind())) {
        let type_url = key_type.type_url();
        for template in key_type.templates() {
            let bytes = template.properties().overhead as u64;
            match overheads.iter_mut().find(|known| known.bytes == bytes) {
                Some(known) if known.type_urls.contains(&type_url) => {}
                Some(known) => known.type_urls.push(type_url),
                None => overheads.push(Overhead {
                    bytes,
                    type_urls: vec![type_url],
                }),
            }
        }
    }
    overheads.sort_by_key(|known| known.bytes);
    overheads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_envelopes_are_told_apart_where_they_can_be() {
        let tink = Shape::of(&[1, 0, 0, 0, 42, 9, 9], 100);
        let prefix = tink.prefix.unwrap();
        assert_eq!((prefix.start, prefix.id), (Start::Tink, KeyId::new(42)));
        assert_eq!(tink.wrapped, None);

        let crunchy = Shape::of(&[0, 0xff, 0, 0, 42], 100);
        assert_eq!(crunchy.prefix.unwrap().start, Start::CrunchyOrLegacy);
        assert_eq!(crunchy.wrapped, None);

        // 104 bytes of wrapped key, or a key whose id starts with two zero bytes.
        let either = Shape::of(&[0, 0, 0, 104, 1], 4 + 104 + 28);
        assert_eq!(either.wrapped, Some(104));
        assert!(either.prefix.is_some());
        assert_eq!(Shape::of(&[0, 0, 0, 104, 1], 4 + 104 + 27).wrapped, None);
        assert_eq!(Shape::of(&[0, 0, 0, 0, 1], 1000).wrapped, None);
        assert_eq!(Shape::of(&[0, 0, 0x10, 0x01, 1], 10_000).wrapped, None);

        let raw = Shape::of(&[2, 0, 0, 0, 42], 100);
        assert_eq!(
            (raw.prefix, raw.wrapped, raw.prefix_size()),
            (None, None, 0)
        );
        assert_eq!(Shape::of(&[1, 2, 3], 3).prefix, None);
    }

    #[test]
    fn overheads_name_every_key_type_of_a_cipher() {
        let all = overheads();
        assert!(all.is_sorted_by_key(|known| known.bytes));
        let gcm = all.iter().find(|known| known.bytes == 28).unwrap();
        assert!(gcm.type_urls.iter().any(|url| url.ends_with(".AesGcmKey")));
    }
}
