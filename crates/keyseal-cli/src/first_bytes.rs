//! The information in the first bytes of a file, for someone without any key.

use keyseal::{
    Envelope, KeyId, KeyTypes, Variant,
    key::{KeyKind, OutputPrefix},
};

use crate::display::is_text;

/// The shortest ciphertext with a prefix, in bytes: an id, and a tag or synthetic nonce.
pub(crate) const SHORTEST: u64 = OutputPrefix::SIZE as u64 + 16;

/// The shortest payload of an envelope with a key of a stock template, in bytes.
const MIN_PAYLOAD: u64 = 28;
/// The shortest wrapped key, in bytes: a serialized AES-128-GCM key has 18, and no cipher of ours adds
/// less than 22.
const MIN_WRAPPED: usize = 40;
/// The types of the first box of MP4, MOV and HEIC files. Such a file starts with the length of the box in
/// four bytes, as an envelope does with that of its wrapped key.
const BOXES: [&[u8]; 6] = [b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"];

/// The visible structure of a ciphertext. It may be chance: a raw ciphertext starts with any bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstBytes {
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

impl FirstBytes {
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

/// Bytes of a file that show whether it may be a ciphertext.
pub(crate) const SAMPLE: usize = 256;
/// The sizes in bytes of the headers of streams, which are also their first bytes.
const STREAM_HEADERS: [u8; 2] = [24, 40];

/// Returns whether a file of `size` bytes that starts like this may be a ciphertext of a key that
/// is not at hand: with a key's prefix or a stream's header before bytes that look random.
pub(crate) fn may_be_ciphertext(start: &[u8], size: u64) -> bool {
    possible_prefix(start, size).is_some() || may_be_stream(start)
}

/// Returns whether a whole file is the start of a sealed stream, cut before its version.
pub(crate) fn is_start_of_sealed_stream(file: &[u8]) -> bool {
    // Fewer bytes would be too many texts.
    const FEWEST: usize = 5;
    const MAGIC: &[u8] = b"keyseal\x01";
    (FEWEST..MAGIC.len()).contains(&file.len()) && MAGIC.starts_with(file)
}

/// Returns the prefix of the key that a file of `size` bytes may be a ciphertext of.
pub(crate) fn possible_prefix(start: &[u8], size: u64) -> Option<&[u8]> {
    let (prefix, rest) = start.split_at_checked(OutputPrefix::SIZE)?;
    let is_prefix = FirstBytes::of(start, size).prefix.is_some() && size >= SHORTEST;
    let is_prefix = is_prefix && !starts_with_box(start);
    (is_prefix && looks_random(rest)).then_some(prefix)
}

/// Returns whether a file that starts like this may be a stream of some keyset.
pub(crate) fn may_be_stream(start: &[u8]) -> bool {
    match start {
        [header, rest @ ..] if STREAM_HEADERS.contains(header) => {
            start.len() >= usize::from(*header) + 16 && looks_random(rest)
        }
        _ => false,
    }
}

/// Returns whether bytes may be random. Media, fonts and programs that start like a prefix go on
/// with zeros, text and small numbers.
///
/// It takes fewer than one in a million random samples for something else. The limits are those of
/// 192 random bytes: 135 different values on average, and 5 times the most frequent one.
pub(crate) fn looks_random(bytes: &[u8]) -> bool {
    const LONGEST: usize = 192;
    const SHORTEST_TEXT: usize = 24;
    const MOST_FREQUENT: usize = 11;
    let (sample, _) = bytes.split_at(bytes.len().min(LONGEST));
    let mut counts = [0; 256];
    for byte in sample {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let different = counts.iter().filter(|count| **count > 0).count();
    let most = counts.iter().max().copied().unwrap_or_default();
    let is_text = sample.len() >= SHORTEST_TEXT && starts_as_text(sample);
    !is_text && 2 * different >= sample.len() && most <= MOST_FREQUENT
}

/// Returns whether bytes are the start of a text, which may end within a character.
fn starts_as_text(bytes: &[u8]) -> bool {
    match str::from_utf8(bytes) {
        Ok(_) => is_text(bytes),
        Err(error) if error.error_len().is_none() => is_text(bytes.split_at(error.valid_up_to()).0),
        Err(_) => false,
    }
}

/// Returns whether a file that starts like an envelope may be one: its wrapped key is text or looks
/// random, and so does its payload. Files that start with a length in four bytes go on with zeros.
pub(crate) fn may_be_envelope(envelope: &Envelope<'_>) -> bool {
    let wrapped = envelope.wrapped_key();
    (is_text(wrapped) || looks_random(wrapped)) && looks_random(envelope.payload())
}

fn starts_with_box(start: &[u8]) -> bool {
    let kind = start.get(Envelope::LENGTH_SIZE..Envelope::LENGTH_SIZE + 4);
    kind.is_some_and(|kind| BOXES.contains(&kind))
}

/// Takes the first bytes of a possible envelope of `size` bytes apart.
pub(crate) fn envelope(start: &[u8], size: u64) -> Option<Envelope<'_>> {
    let wrapped = FirstBytes::of(start, size).wrapped;
    let is_possible =
        wrapped.is_some_and(|wrapped| wrapped >= MIN_WRAPPED) && !starts_with_box(start);
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
        let tink = FirstBytes::of(&[1, 0, 0, 0, 42, 9, 9], 100);
        let prefix = tink.prefix.unwrap();
        assert_eq!((prefix.start, prefix.id), (Start::Tink, KeyId::new(42)));
        assert_eq!(tink.wrapped, None);

        let crunchy = FirstBytes::of(&[0, 0xff, 0, 0, 42], 100);
        assert_eq!(crunchy.prefix.unwrap().start, Start::CrunchyOrLegacy);
        assert_eq!(crunchy.wrapped, None);

        // 104 bytes of wrapped key, or a key whose id starts with two zero bytes.
        let either = FirstBytes::of(&[0, 0, 0, 104, 1], 4 + 104 + 28);
        assert_eq!(either.wrapped, Some(104));
        assert!(either.prefix.is_some());
        assert_eq!(
            FirstBytes::of(&[0, 0, 0, 104, 1], 4 + 104 + 27).wrapped,
            None
        );
        assert_eq!(FirstBytes::of(&[0, 0, 0, 0, 1], 1000).wrapped, None);
        assert_eq!(FirstBytes::of(&[0, 0, 0x10, 0x01, 1], 10_000).wrapped, None);

        let raw = FirstBytes::of(&[2, 0, 0, 0, 42], 100);
        assert_eq!(
            (raw.prefix, raw.wrapped, raw.prefix_size()),
            (None, None, 0)
        );
        assert_eq!(FirstBytes::of(&[1, 2, 3], 3).prefix, None);
    }

    #[test]
    fn ciphertexts_are_told_from_files_that_start_like_one() {
        let random = |seed: u32| {
            let mut state = seed.wrapping_mul(2_654_435_761) | 1;
            let next = move || {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state.to_be_bytes()[0]
            };
            std::iter::repeat_with(next)
        };
        for seed in 1..2000 {
            for (start, len) in [(0, 200), (1, 16), (1, 28), (1, 60), (24, 39), (40, 150)] {
                let file: Vec<u8> = std::iter::once(start)
                    .chain(random(seed).take(len + 4))
                    .collect();
                assert!(
                    may_be_ciphertext(&file, file.len() as u64),
                    "{seed} {file:?}"
                );
                // No key puts such a byte first.
                let other = [&[2], &file[1..]].concat();
                assert!(!may_be_ciphertext(&other, other.len() as u64));
            }
        }
        let mut mp4 = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41\0\0\0\x08free".to_vec();
        mp4.resize(400, 0);
        let text = "(The naïve sentence ends, and another follows it) ".repeat(9);
        let table: Vec<u8> = [0, 1]
            .into_iter()
            .chain((0..80).flat_map(|n| [0, n, 0, 0]))
            .collect();
        for file in [&mp4[..], text.as_bytes(), &table, &[1; 300], b"\x01short"] {
            for cut in [20, 50, 191, 192, 193, 194, 300] {
                let file = &file[..cut.min(file.len())];
                if file.len() > 40 {
                    assert!(!may_be_ciphertext(file, file.len() as u64), "{file:?}");
                }
            }
        }
        assert!(!may_be_ciphertext(b"\x01short", 6));
    }

    #[test]
    fn media_files_are_no_envelopes() {
        let random = || (0..4000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]);
        let of_box = |name: &[u8], len: u8| {
            let head = [&[0, 0, 0, len][..], name].concat();
            head.into_iter().chain(random()).collect::<Vec<u8>>()
        };
        for (name, len) in [
            (&b"ftyp"[..], 20),
            (b"ftyp", 32),
            (b"ftyp", 52),
            (b"moov", 200),
        ] {
            let file = of_box(name, len);
            let size = file.len() as u64;
            assert_eq!(envelope(&file, size), None, "{name:?}");
            assert!(!may_be_ciphertext(&file, size), "{name:?}");
        }
        // An icon that holds a PNG.
        let icon = b"\0\0\x01\0\x01\0\0\0\0\0\x01\0\x20\0\x88\x13\0\0\x16\0\0\0\
            \x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\x01\0\x08\x06\0\0\0";
        let icon: Vec<u8> = icon.iter().copied().chain(random()).collect();
        let of_wrapped = |len| envelope(&[&[0, 0, 0, len][..], &[1; 500]].concat(), 504).is_some();
        assert!(!of_wrapped(39) && of_wrapped(40));
        let may_be = |file: &[u8]| {
            envelope(file, file.len() as u64).is_some_and(|envelope| may_be_envelope(&envelope))
        };
        assert!(!may_be(&icon));
        // Wrapped keys of services are random bytes, or text.
        for wrapped in [
            random().take(113).collect(),
            b"vault:v1:bG9uZyBlbm91Z2ggdG8gYmUgYSBrZXk".to_vec(),
        ] {
            let length = u32::try_from(wrapped.len()).unwrap().to_be_bytes();
            let file: Vec<u8> = length.into_iter().chain(wrapped).chain(random()).collect();
            assert!(may_be(&file));
        }
    }

    #[test]
    fn the_start_of_a_sealed_stream_is_that_of_the_library() {
        let magic = b"keyseal\x01";
        assert!(keyseal::SealedStreamHeader::detect(magic));
        for len in 0..=magic.len() {
            let is_start = (5..8).contains(&len);
            assert_eq!(is_start_of_sealed_stream(&magic[..len]), is_start, "{len}");
        }
        assert!(!is_start_of_sealed_stream(b"keyset"));
    }

    #[test]
    fn overheads_name_every_key_type_of_a_cipher() {
        let all = overheads();
        assert!(all.is_sorted_by_key(|known| known.bytes));
        let gcm = all.iter().find(|known| known.bytes == 28).unwrap();
        assert!(gcm.type_urls.iter().any(|url| url.ends_with(".AesGcmKey")));
    }
}
