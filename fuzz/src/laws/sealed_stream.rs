//! Sealed streams: all readers of the header agree with its format, and a changed stream never opens
//! as another one.

use std::{io, sync::LazyLock};

use keyseal::{KeysetAead, SealedStreamHeader, sealed_stream};

use super::{Input, keys};

static KEK: LazyLock<KeysetAead> = LazyLock::new(keys::kek);

/// An input is a forged sealed stream, or a plaintext, associated data, and changes of the associated
/// data, of the stream and of the whole.
pub fn law(data: &[u8]) {
    if SealedStreamHeader::detect(data) {
        return header(data);
    }
    let mut input = Input::new(data);
    let (plaintext, associated_data) = (input.bytes(), input.bytes());
    let mut sealed = Vec::new();
    let len = sealed_stream::seal(&*KEK, plaintext, &mut sealed, associated_data);
    assert_eq!(len.ok(), Some(plaintext.len() as u64));
    let open = |sealed: &[u8], associated_data| {
        let mut plaintext = Vec::new();
        sealed_stream::open(&*KEK, sealed, &mut plaintext, associated_data).map(|_| plaintext)
    };
    assert_eq!(
        open(&sealed, associated_data).ok().as_deref(),
        Some(plaintext)
    );
    let other = input.damage(associated_data);
    if other != associated_data {
        assert!(open(&sealed, &other).is_err());
    }
    let (before, stream) = SealedStreamHeader::parse(&sealed).expect("it was just sealed");
    let damaged = input.damage(stream);
    if damaged != stream {
        let damaged = [before.as_bytes(), &damaged].concat();
        assert!(open(&damaged, associated_data).is_err());
    }
    // The header's message may have fields that no reader looks at, so a changed one may open.
    let damaged = input.damage(&sealed);
    if let Ok(opened) = open(&damaged, associated_data) {
        assert_eq!(opened, plaintext);
        let (after, same_stream) = SealedStreamHeader::parse(&damaged).expect("it opens");
        assert_eq!(same_stream, stream);
        let keys = |header: &SealedStreamHeader| header.keyset(&*KEK).expect("it opens");
        let bytes =
            |header| keys(header).write_cleartext(keyseal::keyset::Format::Binary, keys::ACCESS);
        assert!(
            bytes(&after) == bytes(&before),
            "the header opens as other keys"
        );
    }
    header(&damaged);
}

/// `magic(8) ‖ length(4, big-endian) ‖ encrypted keyset(1..=65,536) ‖ stream`
fn header(bytes: &[u8]) {
    let wanted = bytes.strip_prefix(b"keyseal\x01").and_then(|rest| {
        let (length, rest) = rest.split_first_chunk()?;
        let length = u32::from_be_bytes(*length) as usize;
        (1..=65_536).contains(&length).then_some((length, rest))
    });
    let size = SealedStreamHeader::size_of(bytes);
    assert_eq!(size.ok(), wanted.map(|(length, _)| 12 + length));
    let wanted = wanted.and_then(|(length, rest)| rest.split_at_checked(length));
    let parsed = SealedStreamHeader::parse(bytes);
    let found = parsed
        .as_ref()
        .map(|(header, stream)| (header.encrypted_keyset(), *stream));
    assert_eq!(found.ok(), wanted);

    let mut reader = io::Cursor::new(bytes);
    let read = SealedStreamHeader::read_from(&mut reader);
    assert_eq!(
        read.ok().as_ref(),
        parsed.as_ref().ok().map(|(header, _)| header)
    );
    if let Ok((header, stream)) = &parsed {
        assert_eq!(
            &bytes[reader.position() as usize..],
            *stream,
            "more was read than the header"
        );
        assert_eq!([header.as_bytes(), stream].concat(), bytes);
    }
}
