//! What holds for every input. `tests/it/fuzz_smoke.rs` runs the same with random ones.

use keyseal::{
    Aead as _, Envelope, KeysetAead, KeysetHandle, SecretAccess,
    keyset::{self, Format, KeysetFile},
    rewrap::Wrapped,
};

/// A keyset that is read is written, and read again, as the same.
pub(crate) fn keyset_survives(bytes: &[u8], format: Format) {
    let access = SecretAccess::insecure();
    let _ = KeysetFile::detect(bytes);
    let _ = keyset::lint(bytes);
    let _ = KeysetHandle::read_no_secret(bytes, format);
    let Ok(read) = KeysetHandle::read_cleartext(bytes, format, access) else {
        return;
    };
    for format in [Format::Binary, Format::Json] {
        let written = read.write_cleartext(format, access);
        let again = KeysetHandle::read_cleartext(written.expose(access), format, access)
            .expect("what was read can be written and read again");
        assert_eq!(again.info(), read.info());
        assert!(again.write_cleartext(format, access) == written);
    }
    let _ = read.primitive::<KeysetAead>();
}

/// Nobody makes an encrypted keyset without the key.
pub(crate) fn encrypted_keyset_is_refused(bytes: &[u8], kek: &KeysetAead) {
    for format in [Format::Binary, Format::Json] {
        assert!(KeysetHandle::read_encrypted(bytes, format, kek, b"").is_err());
    }
}

/// Nobody makes a ciphertext without the key.
pub(crate) fn ciphertext_is_refused(bytes: &[u8], aead: &KeysetAead) {
    assert!(aead.decrypt(bytes, b"").is_err());
    let mut buffer = bytes.to_vec();
    assert!(aead.decrypt_in_place(&mut buffer, b"").is_err());
    assert!(buffer.is_empty());
}

/// An envelope that is taken apart can be put together again, and its start is enough for its head.
pub(crate) fn envelope_is_whole(bytes: &[u8]) {
    let wrapped = Wrapped::detect(bytes, bytes.len() as u64);
    assert!(wrapped.is_none_or(|wrapped| wrapped.head_size() <= bytes.len()));
    let Ok(envelope) = Envelope::parse(bytes) else {
        return;
    };
    assert_eq!([envelope.head(), envelope.payload()].concat(), bytes);
    let again = envelope.with_wrapped_key(envelope.wrapped_key());
    assert_eq!(again.expect("it had this size"), bytes);
    let (head, _) = bytes.split_at(envelope.head().len());
    let start = Envelope::parse_start(head, bytes.len() as u64);
    assert_eq!(start.map(|start| start.head()), Ok(head));
    assert!(envelope.payload().len() >= Envelope::MIN_PAYLOAD_SIZE);
}
