//! The error that any other becomes.

use std::{error::Error as _, io};

use keyseal::{
    Aead as _, DecryptError, EncryptError, Error, ErrorKind, Key, KeyError, KeysetAead,
    KeysetError, KeysetHandle, KmsError, KmsErrorKind, Mac as _, PrfError, SealedStreamHeader,
    VerifyError,
};

fn refused(kind: KmsErrorKind) -> KmsError {
    KmsError::new(kind).with_request_id("7f3a")
}

#[test]
fn prints_what_the_error_inside_prints_and_has_its_source() {
    let inside = KeysetHandle::generate("AES256").unwrap_err();
    let error = Error::from(inside.clone());
    assert_eq!(error.to_string(), inside.to_string());
    let source = error.source().map(ToString::to_string);
    assert_eq!(source, inside.source().map(ToString::to_string));
    assert!(source.is_some());
}

#[test]
fn the_kind_says_what_the_error_means() {
    let keyset = KeysetHandle::generate("AES256_GCM").unwrap();
    let id = keyset.primary_id();
    let aead: KeysetAead = keyset.primitive().unwrap();
    let wrong_kind = keyset.primitive::<keyseal::KeysetMac>().unwrap_err();
    let mac: keyseal::KeysetMac = KeysetHandle::generate("HMAC_SHA256_128BITTAG")
        .unwrap()
        .primitive()
        .unwrap();
    let errors: [(Error, ErrorKind); 15] = [
        (
            aead.decrypt(b"short", b"").unwrap_err().into(),
            ErrorKind::DecryptionFailed,
        ),
        (
            KeysetError::Decrypt(DecryptError::FAILED).into(),
            ErrorKind::DecryptionFailed,
        ),
        (
            refused(KmsErrorKind::DecryptionFailed).into(),
            ErrorKind::DecryptionFailed,
        ),
        (
            mac.verify_mac(&[0; 21], b"data").unwrap_err().into(),
            ErrorKind::VerificationFailed,
        ),
        (VerifyError.into(), ErrorKind::VerificationFailed),
        (EncryptError::TooLong.into(), ErrorKind::InvalidInput),
        (
            PrfError::TooLong {
                length: 17,
                limit: 16,
            }
            .into(),
            ErrorKind::InvalidInput,
        ),
        (
            SealedStreamHeader::parse(b"text").unwrap_err().into(),
            ErrorKind::InvalidInput,
        ),
        (EncryptError::Provider.into(), ErrorKind::Local),
        (wrong_kind.into(), ErrorKind::InvalidKeyset),
        (
            Key::generate("AES256").unwrap_err().into(),
            ErrorKind::InvalidKeyset,
        ),
        (
            KeysetError::UnknownId { id }.into(),
            ErrorKind::InvalidKeyset,
        ),
        (
            refused(KmsErrorKind::PermissionDenied).into(),
            ErrorKind::KmsRefused,
        ),
        (
            EncryptError::Kms(refused(KmsErrorKind::RateLimited)).into(),
            ErrorKind::KmsUnavailable,
        ),
        (
            io::Error::from(io::ErrorKind::BrokenPipe).into(),
            ErrorKind::Io,
        ),
    ];
    for (error, kind) in errors {
        assert_eq!(error.kind(), kind, "{error:?}");
        assert_eq!(error.is_retryable(), kind == ErrorKind::KmsUnavailable);
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn finds_the_error_of_a_service_wherever_it_is() {
    let unavailable = refused(KmsErrorKind::Unavailable);
    for error in [
        Error::from(unavailable.clone()),
        DecryptError::from(unavailable.clone()).into(),
        EncryptError::Kms(unavailable.clone()).into(),
        KeyError::Kms(unavailable.clone()).into(),
        KeysetError::Decrypt(DecryptError::from(unavailable.clone())).into(),
        KeysetError::Encrypt(EncryptError::Kms(unavailable.clone())).into(),
        KeysetError::Key {
            id: keyseal::KeyId::new(1),
            source: KeyError::Kms(unavailable.clone()),
        }
        .into(),
    ] {
        assert_eq!(error.kms_error(), Some(&unavailable), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::KmsUnavailable);
        assert!(error.is_retryable());
    }
    let created = Error::from(unavailable.not_repeatable());
    assert!(!created.is_retryable());
}

#[test]
fn takes_its_own_errors_out_of_io_errors() {
    let decrypt = Error::from(io::Error::from(DecryptError::FAILED));
    assert!(matches!(decrypt, Error::Decrypt(DecryptError::FAILED)));
    let encrypt = Error::from(io::Error::from(EncryptError::TooLong));
    assert!(matches!(encrypt, Error::Encrypt(EncryptError::TooLong)));
    let parse = SealedStreamHeader::read_from(&mut &b"text"[..]).unwrap_err();
    assert!(matches!(Error::from(parse), Error::Parse(_)));
    let again = Error::from(io::Error::other(Error::from(VerifyError)));
    assert!(matches!(again, Error::Verify(VerifyError)));
    let other = Error::from(io::Error::other("text"));
    assert!(matches!(&other, Error::Io(error) if error.kind() == io::ErrorKind::Other));
    assert_eq!(other.to_string(), "text");
}

#[test]
fn is_small_and_can_be_sent_to_other_threads() {
    fn require<T: Send + Sync + Clone + 'static>() {}
    require::<Error>();
    assert!(size_of::<Error>() <= 128, "{}", size_of::<Error>());
}

#[cfg(feature = "cache")]
#[test]
fn takes_the_errors_of_a_cache_and_of_a_reload() {
    use keyseal::{envelope::CachePolicyError, reload::ReloadError};

    let policy = CachePolicyError::MaxMessages { found: 0 };
    let error = Error::from(policy.clone());
    assert_eq!(error.kind(), ErrorKind::InvalidSetting);
    assert_eq!(error.to_string(), policy.to_string());

    let unavailable = refused(KmsErrorKind::Unavailable);
    let keyset = KeysetError::Decrypt(DecryptError::from(unavailable.clone()));
    assert!(Error::from(ReloadError::new(keyset)).is_retryable());
    assert!(Error::from(ReloadError::new(unavailable)).is_retryable());
    let missing = ReloadError::new(io::Error::from(io::ErrorKind::NotFound));
    assert_eq!(Error::from(missing).kind(), ErrorKind::Io);
}

#[cfg(feature = "cache")]
#[tokio::test]
async fn the_chain_of_a_failed_reload_names_the_file_and_the_reason() {
    use keyseal::{
        SecretAccess, error_chain,
        reload::{KeysetFileSource, Reloading},
    };

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.json");
    let load = || {
        let source = KeysetFileSource::cleartext(&path, SecretAccess::insecure());
        Reloading::<KeysetAead>::load(source)
    };
    let error = load().await.unwrap_err();
    for text in [
        error_chain(&error),
        error_chain(&Error::from(error.clone())),
    ] {
        assert!(
            text.starts_with("the keyset could not be loaded: cannot read "),
            "{text}"
        );
        assert!(text.contains("orders.json: "), "{text}");
    }
    std::fs::write(&path, "no keyset").unwrap();
    let text = error_chain(&load().await.unwrap_err());
    let reason = "the keyset could not be loaded: the keyset cannot be parsed: ";
    assert!(text.starts_with(reason), "{text}");
    assert!(text.contains(" at byte "), "{text}");
}

#[test]
fn a_full_store_of_usage_is_a_failed_file_and_worth_a_retry() {
    let id = keyseal::KeyId::new(7);
    let not_stored = EncryptError::UsageNotStored {
        key_id: id,
        reason: "no space".into(),
    };
    assert!(not_stored.is_retryable());
    let keyset = KeysetError::Encrypt(not_stored.clone());
    assert!(keyset.is_retryable());
    for error in [Error::from(not_stored), Error::from(keyset)] {
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.is_retryable());
    }
    let exhausted = EncryptError::KeyExhausted {
        key_id: id,
        messages: 1,
        bytes: 1,
    };
    assert!(!exhausted.is_retryable());
    assert_eq!(Error::from(exhausted).kind(), ErrorKind::InvalidKeyset);
}
