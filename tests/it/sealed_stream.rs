//! The header of a sealed stream: its bytes, its damage, its key-encryption keys.

use std::{
    error::Error as _,
    io::{self, Read, Write as _},
};

use keyseal::{
    DecryptError, Error, ErrorKind, Key, KeysetAead, KeysetError, KeysetHandle,
    KeysetStreamingAead, ParseError, SealedStreamHeader,
    key::{aes_gcm::AesGcmParameters, aes_gcm_hkdf_streaming::AesGcmHkdfStreamingParameters},
    kms::LocalAead,
    sealed_stream,
};

use crate::fake_kms::block_on;

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
    assert_eq!(read.primary_id(), keyset.primary_id());
    assert!(KeysetHandle::read_encrypted(&bytes[12..], format, &kek, b"").is_err());
}

#[test]
fn what_is_sealed_opens_under_its_key_and_associated_data_alone() {
    let (kek, other) = (kek(), kek());
    for size in [0, 1, 4096, 20_000] {
        let plaintext = vec![7; size];
        let file = seal(&kek, &plaintext, b"theirs");
        assert!(SealedStreamHeader::detect(&file));
        assert_eq!(open(&kek, &file, b"theirs"), Some(plaintext));
        assert_eq!(open(&kek, &file, b""), None);
        assert_eq!(open(&other, &file, b"theirs"), None);
        // Each file has its own key.
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
        assert_eq!(SealedStreamHeader::detect(&damaged), bit >= 64);
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
        // Either the length is wrong, or the bytes it promises are missing.
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
        header.keyset_remote(&remote).await.unwrap().primary_id(),
        keyset.primary_id()
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

#[test]
fn a_header_is_as_long_as_it_is_asked_to_be() {
    let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")
        .unwrap()
        .primitive()
        .unwrap();
    let keyset = KeysetHandle::generate(SealedStreamHeader::TEMPLATE).unwrap();
    let sized = |size| SealedStreamHeader::wrap_sized(&keyset, &kek, size);
    let least = SealedStreamHeader::wrap(&keyset, &kek)
        .unwrap()
        .as_bytes()
        .len();
    let largest = SealedStreamHeader::MAX_SIZE;
    let edges = [16_384, largest - least].map(|edge| edge - 8..edge + 8);
    for more in (0..300).chain(edges.into_iter().flatten()) {
        let size = least + more;
        // One byte is no field.
        if more == 1 || size > largest {
            let needed = if more == 1 { size + 1 } else { 0 };
            let error = sized(size).unwrap_err();
            let expected = matches!(error, KeysetError::HeaderSize { size: s, needed: n }
                if (s, n) == (size, needed));
            assert!(expected, "{error:?}");
            continue;
        }
        let header = sized(size).unwrap();
        let bytes = header.as_bytes();
        assert_eq!(bytes.len(), size);
        let (start, _) = bytes.split_at(SealedStreamHeader::START_SIZE);
        assert_eq!(SealedStreamHeader::size_of(start).unwrap(), size);
        let (read, rest) = SealedStreamHeader::parse(bytes).unwrap();
        assert!(rest.is_empty());
        let opened = read.keyset(&kek).unwrap();
        assert_eq!(opened.primary_id(), keyset.primary_id());
    }
    for size in [largest + 1, 16 << 20, usize::MAX] {
        assert!(matches!(
            sized(size).unwrap_err(),
            KeysetError::HeaderSize { .. }
        ));
    }
    for size in [0, 12, least - 1] {
        let error = sized(size).unwrap_err();
        assert!(matches!(error, KeysetError::HeaderSize { needed, .. } if needed == least));
    }
}

#[test]
fn a_header_is_made_for_any_parameters_of_streams_and_no_others() {
    let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")
        .unwrap()
        .primitive()
        .unwrap();
    let parameters = AesGcmHkdfStreamingParameters::new(32, 64 << 10).unwrap();
    let (header, aead) = SealedStreamHeader::generate_with(&parameters, &kek).unwrap();
    assert_eq!(*aead.layout(), parameters.layout());
    assert_eq!(header.open(&kek).unwrap().layout(), aead.layout());
    let remote = LocalAead::new(kek.clone());
    let made = block_on(SealedStreamHeader::generate_with_remote(
        &parameters,
        &remote,
    ));
    assert_eq!(*made.unwrap().1.layout(), parameters.layout());
    let keyset = header.keyset(&kek).unwrap();
    let sized = block_on(SealedStreamHeader::wrap_sized_remote(
        &keyset, &remote, 1024,
    ));
    assert_eq!(sized.unwrap().as_bytes().len(), 1024);
    let other = AesGcmParameters::new(32).unwrap();
    let refused = SealedStreamHeader::generate_with(&other, &kek).unwrap_err();
    assert!(matches!(refused, KeysetError::WrongPrimitive { .. }));
}

/// Plaintexts of no, less than one, one and several segments.
const SIZES: [usize; 5] = [0, 1, 65_537, 1 << 20, (2 << 20) + 77];

#[test]
fn seals_and_opens_in_one_call() {
    let kek = kek();
    for size in SIZES {
        let plaintext: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let mut sealed = Vec::new();
        let len = sealed_stream::seal(&kek, &plaintext[..], &mut sealed, b"theirs").unwrap();
        assert_eq!(len, size as u64);
        // The header's own functions read it, too.
        assert_eq!(open(&kek, &sealed, b"theirs").unwrap(), plaintext);

        let mut opened = Vec::new();
        let len = sealed_stream::open(&kek, &sealed[..], &mut opened, b"theirs").unwrap();
        assert_eq!(len, size as u64);
        assert_eq!(opened, plaintext);
    }
    let mut opened = Vec::new();
    let file = seal(&kek, b"of the header", b"");
    sealed_stream::open(&kek, &file[..], &mut opened, b"").unwrap();
    assert_eq!(opened, b"of the header");
}

/// Everything that can be wrong with a sealed stream, with the error that says so.
fn check_refusals(open: impl Fn(&KeysetAead, &[u8], &[u8]) -> Result<Vec<u8>, Error>) {
    let (kek, other) = (kek(), kek());
    let plaintext = vec![7; 20_000];
    let sealed = seal(&kek, &plaintext, b"theirs");
    let (header, _) = SealedStreamHeader::parse(&sealed).unwrap();
    let header_size = header.as_bytes().len();
    assert_eq!(open(&kek, &sealed, b"theirs").unwrap(), plaintext);

    let error = open(&other, &sealed, b"theirs").unwrap_err();
    assert!(matches!(error, Error::Keyset(KeysetError::Decrypt(_))));
    assert_eq!(error.kind(), ErrorKind::DecryptionFailed);
    let error = open(&kek, &sealed, b"ours").unwrap_err();
    assert!(matches!(error, Error::Decrypt(DecryptError::FAILED)));
    for end in [
        header_size,
        header_size + 30,
        sealed.len() - 4096,
        sealed.len() - 1,
    ] {
        let error = open(&kek, &sealed[..end], b"theirs").unwrap_err();
        assert!(matches!(error, Error::Decrypt(_)), "{end}: {error:?}");
    }
    for end in [0, 7, 11, 12, header_size - 1] {
        let error = open(&kek, &sealed[..end], b"theirs").unwrap_err();
        assert!(matches!(error, Error::Parse(_)), "{end}: {error:?}");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    let last = sealed.len() - 1;
    for at in [8, 20, header_size + 3, header_size + 5000, last] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(open(&kek, &changed, b"theirs").is_err(), "{at}");
    }
}

#[test]
fn says_why_a_sealed_stream_does_not_open() {
    check_refusals(|kek, sealed, associated_data| {
        let mut opened = Vec::new();
        sealed_stream::open(kek, sealed, &mut opened, associated_data)?;
        Ok(opened)
    });
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

#[test]
fn passes_on_the_errors_of_readers_and_writers() {
    let kek = kek();
    // A slice is full when its end is reached.
    let mut small = [0; 400];
    let error = sealed_stream::seal(&kek, &[7; 5000][..], &mut small[..], b"").unwrap_err();
    assert!(matches!(&error, Error::Io(error) if error.kind() == io::ErrorKind::WriteZero));
    assert_eq!(error.kind(), ErrorKind::Io);
    let error = sealed_stream::seal(&kek, Broken, Vec::new(), b"").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    let error = sealed_stream::open(&kek, Broken, Vec::new(), b"").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}

#[cfg(feature = "tokio")]
mod with_tokio {
    use super::*;

    #[test]
    fn seals_and_opens_in_one_call() {
        let kek = kek();
        let remote = LocalAead::new(kek.clone());
        for size in SIZES {
            let plaintext: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let mut sealed = Vec::new();
            let sealing = sealed_stream::seal_remote(&remote, &plaintext[..], &mut sealed, b"ad");
            assert_eq!(block_on(sealing).unwrap(), size as u64);
            assert_eq!(open(&kek, &sealed, b"ad").unwrap(), plaintext);

            let mut opened = Vec::new();
            let opening = sealed_stream::open_remote(&remote, &sealed[..], &mut opened, b"ad");
            assert_eq!(block_on(opening).unwrap(), size as u64);
            assert_eq!(opened, plaintext);
        }
    }

    #[test]
    fn says_why_a_sealed_stream_does_not_open() {
        check_refusals(|kek, sealed, associated_data| {
            let remote = LocalAead::new(kek.clone());
            let mut opened = Vec::new();
            block_on(sealed_stream::open_remote(
                &remote,
                sealed,
                &mut opened,
                associated_data,
            ))?;
            Ok(opened)
        });
    }
}
