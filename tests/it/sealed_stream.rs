//! The header of a sealed stream: its bytes, its damage, its key-encryption keys.

use std::{
    error::Error as _,
    io::{self, Read, Write as _},
};

use keyseal::{
    Key, KeysetAead, KeysetError, KeysetHandle, KeysetStreamingAead, ParseError,
    SealedStreamHeader, kms::LocalAead,
};

const TEMPLATE: &str = "AES128_GCM_HKDF_4KB";

fn kek() -> KeysetAead {
    KeysetHandle::generate("AES256_GCM_RAW")
        .unwrap()
        .primitive()
        .unwrap()
}

fn seal(kek: &KeysetAead, plaintext: &[u8], associated_data: &[u8]) -> Vec<u8> {
    let (header, aead) = SealedStreamHeader::generate(TEMPLATE, kek).unwrap();
    let mut writer = aead
        .encrypting_writer(header.as_bytes().to_vec(), associated_data)
        .unwrap();
    writer.write_all(plaintext).unwrap();
    writer.finish().unwrap()
}

fn open(kek: &KeysetAead, file: &[u8], associated_data: &[u8]) -> Option<Vec<u8>> {
    let (header, stream) = SealedStreamHeader::parse(file).ok()?;
    let aead = header.open(kek).ok()?;
    let mut plaintext = Vec::new();
    let mut reader = aead.decrypting_reader(stream, associated_data);
    reader.read_to_end(&mut plaintext).ok()?;
    Some(plaintext)
}

#[test]
fn the_layout_is_that_of_the_document() {
    let kek = kek();
    let keyset = KeysetHandle::generate(SealedStreamHeader::TEMPLATE).unwrap();
    let header = SealedStreamHeader::wrap(&keyset, &kek).unwrap();
    let bytes = header.as_bytes();
    assert_eq!(bytes[..8], [0x6b, 0x65, 0x79, 0x73, 0x65, 0x61, 0x6c, 1]);
    let length = u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
    assert_eq!(header.encrypted_keyset(), &bytes[12..]);
    assert_eq!(length, bytes.len() - 12);
    // As the document says: two key ids of one to five bytes.
    assert!((167..=175).contains(&bytes.len()), "{}", bytes.len());

    // What any Tink reads, with the associated data of the format.
    let associated_data = b"keyseal sealed stream 1";
    let format = keyseal::keyset::Format::Binary;
    let read = KeysetHandle::read_encrypted(&bytes[12..], format, &kek, associated_data).unwrap();
    assert_eq!(read.primary(), keyset.primary());
    assert!(KeysetHandle::read_encrypted(&bytes[12..], format, &kek, b"").is_err());
}

#[test]
fn what_is_sealed_opens_under_its_key_and_associated_data_alone() {
    let (kek, other) = (kek(), kek());
    for size in [0, 1, 4096, 20_000] {
        let plaintext = vec![7; size];
        let file = seal(&kek, &plaintext, b"theirs");
        assert!(SealedStreamHeader::recognize(&file));
        assert_eq!(open(&kek, &file, b"theirs"), Some(plaintext));
        assert_eq!(open(&kek, &file, b""), None);
        assert_eq!(open(&other, &file, b"theirs"), None);
        // Each file has a key of its own.
        let again = seal(&kek, &[7; 100], b"theirs");
        let (header, _) = SealedStreamHeader::parse(&file).unwrap();
        let (_, stream) = SealedStreamHeader::parse(&again).unwrap();
        let mixed = [header.as_bytes(), stream].concat();
        assert_eq!(open(&kek, &mixed, b"theirs"), None);
    }
}

#[test]
fn a_header_that_is_cut_or_changed_anywhere_is_refused() {
    let kek = kek();
    let file = seal(&kek, b"plaintext", b"");
    let (header, _) = SealedStreamHeader::parse(&file).unwrap();
    let size = header.as_bytes().len();
    for end in 0..size {
        let error = SealedStreamHeader::parse(&file[..end]).unwrap_err();
        assert_eq!(error.offset(), end, "{error}");
        let error = SealedStreamHeader::read_from(&mut &file[..end]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.get_ref().unwrap().is::<ParseError>());
    }
    for end in size..file.len() {
        assert_eq!(open(&kek, &file[..end], b""), None);
    }
    for bit in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&kek, &damaged, b""), None, "bit {bit}");
        assert_eq!(SealedStreamHeader::recognize(&damaged), bit >= 64);
    }
    assert_eq!(open(&kek, &[&file[..], b"x"].concat(), b""), None);
}

#[test]
fn a_length_is_checked_before_memory_is_taken_for_it() {
    for (length, allowed) in [
        (0_u32, false),
        (1, true),
        (65_536, true),
        (65_537, false),
        (u32::MAX, false),
    ] {
        let start = [&b"keyseal\x01"[..], &length.to_be_bytes()].concat();
        let error = SealedStreamHeader::parse(&start).unwrap_err();
        // Either the length is wrong, or what it promises is missing.
        assert_eq!(error.offset(), if allowed { 12 } else { 8 });
        let whole = [start, vec![7; 65_537]].concat();
        let read = SealedStreamHeader::read_from(&mut &whole[..]);
        assert_eq!(read.is_ok(), allowed, "{length}");
        if let Ok(header) = read {
            assert_eq!(header.encrypted_keyset().len(), length as usize);
            assert!(header.open(&kek()).is_err());
        }
    }
}

#[test]
fn a_reader_of_a_byte_at_a_time_is_left_where_the_stream_begins() {
    /// Gives a byte at a time, and is interrupted before each.
    struct Trickle<'a>(&'a [u8], bool);
    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let end = buffer.len().min(1);
            self.0.read(&mut buffer[..end])
        }
    }
    let kek = kek();
    let file = seal(&kek, b"plaintext", b"");
    let mut reader = Trickle(&file, false);
    let header = SealedStreamHeader::read_from(&mut reader).unwrap();
    assert_eq!(file.len() - reader.0.len(), header.as_bytes().len());

    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let error = SealedStreamHeader::read_from(&mut Broken).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(error.source().is_none());
}

#[test]
fn a_header_moves_to_another_key_and_the_stream_stays() {
    let (old, new) = (kek(), kek());
    let file = seal(&old, &[7; 10_000], b"theirs");
    let (header, stream) = SealedStreamHeader::parse(&file).unwrap();
    let moved = header.rewrap(&old, &new).unwrap();
    let file = [moved.as_bytes(), stream].concat();
    assert_eq!(open(&new, &file, b"theirs"), Some(vec![7; 10_000]));
    assert_eq!(open(&old, &file, b"theirs"), None);
    assert!(matches!(
        header.rewrap(&new, &old),
        Err(KeysetError::Decrypt(_))
    ));
}

#[tokio::test]
async fn a_remote_key_does_what_a_local_one_does() {
    let local = kek();
    let remote = LocalAead::new(local.clone());
    let (header, _) = SealedStreamHeader::generate_remote(TEMPLATE, &remote)
        .await
        .unwrap();
    let keyset = header.keyset(&local).unwrap();
    assert_eq!(
        header.keyset_remote(&remote).await.unwrap().primary(),
        keyset.primary()
    );
    header.open_remote(&remote).await.unwrap();
    let other = LocalAead::new(kek());
    let moved = header.rewrap_remote(&remote, &other).await.unwrap();
    assert!(moved.open_remote(&remote).await.is_err());
    moved.open_remote(&other).await.unwrap();
}

#[test]
fn keysets_that_make_no_streams_or_are_too_large_are_refused() {
    let kek = kek();
    let aead = KeysetHandle::generate("AES256_GCM").unwrap();
    let refused = SealedStreamHeader::wrap(&aead, &kek);
    assert!(matches!(refused, Err(KeysetError::WrongPrimitive { .. })));
    assert!(SealedStreamHeader::generate("AES256_GCM", &kek).is_err());
    assert!(SealedStreamHeader::generate("NO_SUCH", &kek).is_err());

    let mut large = KeysetHandle::generate(TEMPLATE).unwrap();
    while large.len() < 700 {
        large.add(Key::generate(TEMPLATE).unwrap()).unwrap();
    }
    large.primitive::<KeysetStreamingAead>().unwrap();
    let refused = SealedStreamHeader::wrap(&large, &kek);
    assert!(matches!(refused, Err(KeysetError::Malformed(_))));
}
