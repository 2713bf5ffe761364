//! Restrictions of a keyset's use, and keysets that other processes rotate.

use std::{
    error::Error,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use datafusion::logical_expr::ColumnarValue;
use keyseal::{BoxFuture, Key, KeysetHandle, KmsError, KmsErrorKind, RemoteAead, kms::KmsClient};
use keyseal_datafusion::{KeyRing, KeyUse, WrappedKeysetSource};

use crate::{
    keys::{KEK, Service},
    support::{Functions, binary, bytes, generate, keyset, scalar},
};

/// A place of a wrapped keyset that the test changes. Reads are counted.
#[derive(Clone, Default)]
struct Kept {
    wrapped: Arc<Mutex<Option<Vec<u8>>>>,
    reads: Arc<AtomicU64>,
}

impl Kept {
    fn set(&self, wrapped: Vec<u8>) {
        *self.wrapped.lock().unwrap() = Some(wrapped);
    }
}

impl WrappedKeysetSource for Kept {
    fn read(&self) -> BoxFuture<'_, Result<Vec<u8>, Box<dyn Error + Send + Sync>>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let wrapped = self.wrapped.lock().unwrap().clone();
        Box::pin(async { wrapped.ok_or_else(|| "the bucket is gone".into()) })
    }
}

fn encrypt(functions: &Functions, name: &str) -> ColumnarValue {
    let arguments = vec![keyset(functions, name), scalar("ada"), scalar("")];
    functions.call("aead_encrypt", arguments).unwrap()
}

fn decrypt(functions: &Functions, name: &str, sealed: ColumnarValue) -> Result<Vec<u8>, String> {
    let arguments = vec![keyset(functions, name), sealed, scalar("")];
    let opened = functions.call("aead_decrypt_bytes", arguments);
    opened.map(bytes).map_err(|error| error.strip_backtrace())
}

#[test]
fn a_keyset_is_used_as_it_is_allowed() {
    let handle = generate("AES256_GCM");
    let ring = KeyRing::new()
        .keyset("both", handle.clone())
        .keyset("encrypt", handle.clone())
        .allow("encrypt", [KeyUse::Encrypt])
        .allow("decrypt", [KeyUse::Decrypt])
        .keyset("decrypt", handle.clone())
        .keyset("none", handle)
        .allow("none", []);
    let functions = Functions::new(ring);
    let sealed = encrypt(&functions, "encrypt");
    assert_eq!(
        decrypt(&functions, "decrypt", sealed.clone()).unwrap(),
        b"ada"
    );
    assert_eq!(decrypt(&functions, "both", sealed.clone()).unwrap(), b"ada");
    for name in ["encrypt", "none"] {
        let error = decrypt(&functions, name, sealed.clone()).unwrap_err();
        let expected = format!("keyset {name:?} may not be used to decrypt in this process");
        assert!(error.contains(&expected), "{error}");
        // NULL stands for a ciphertext that does not decrypt, not for this.
        let arguments = vec![keyset(&functions, name), sealed.clone(), scalar("")];
        let error = functions.error("SAFE.AEAD.DECRYPT_BYTES", arguments);
        assert!(error.contains(&expected), "{error}");
    }
    let arguments = vec![keyset(&functions, "decrypt"), scalar("ada"), scalar("")];
    let error = functions.error("aead_encrypt", arguments);
    let expected = "keyset \"decrypt\" may not be used to encrypt in this process";
    assert!(error.contains(expected), "{error}");
    // The number of its keys is no use of them.
    let length = vec![keyset(&functions, "none")];
    assert!(functions.call("KEYS.KEYSET_LENGTH", length).is_ok());
}

#[test]
fn a_keyset_that_another_process_rotated_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(folder.path());
    let mut handle = generate("AES256_GCM");
    let kept = Kept::default();
    kept.set(service.wrap(&handle));
    let ring = || service.ring().wrapped_keyset_from("pii", KEK, kept.clone());
    let reader = Functions::new(ring());
    let old = encrypt(&reader, "pii");
    assert_eq!(decrypt(&reader, "pii", old.clone()).unwrap(), b"ada");
    assert_eq!(kept.reads.load(Ordering::SeqCst), 1);

    handle.rotate(Key::generate("AES256_GCM").unwrap()).unwrap();
    kept.set(service.wrap(&handle));
    let writer = Functions::new(ring());
    let new = encrypt(&writer, "pii");
    for sealed in [new, old] {
        assert_eq!(decrypt(&reader, "pii", sealed).unwrap(), b"ada");
    }
    assert_eq!(kept.reads.load(Ordering::SeqCst), 3);
    assert_eq!(service.lookups.load(Ordering::SeqCst), 3);
}

#[test]
fn ciphertexts_that_do_not_decrypt_do_not_read_the_source_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(folder.path());
    let kept = Kept::default();
    let ring = service.ring().wrapped_keyset_from("pii", KEK, kept.clone());
    let functions = Functions::new(ring);
    let error = decrypt(&functions, "pii", binary([1])).unwrap_err();
    assert!(error.contains("the bucket is gone"), "{error}");
    let handle = generate("AES256_GCM");
    kept.set(service.wrap(&handle));
    let own = handle.primary_id().value().to_be_bytes();
    // Damaged ciphertexts of a key that is there: nothing newer would help.
    for _ in 0..1_000 {
        let sealed = [&[1][..], &own, &[0; 40]].concat();
        let error = decrypt(&functions, "pii", binary(sealed)).unwrap_err();
        assert!(error.contains("does not open under this keyset"), "{error}");
    }
    assert_eq!(kept.reads.load(Ordering::SeqCst), 2);
    // Ciphertexts of a key that nobody has.
    let started = Instant::now();
    for _ in 0..5 {
        let sealed = [&[1][..], &[!own[0], 0, 0, 0], &[0; 40]].concat();
        decrypt(&functions, "pii", binary(sealed)).unwrap_err();
    }
    assert_eq!(kept.reads.load(Ordering::SeqCst), 7);
    assert!(started.elapsed() >= Duration::from_millis(400));
    assert_eq!(service.lookups.load(Ordering::SeqCst), 1);
}

/// A service that refuses each call.
#[derive(Clone)]
struct Refusing {
    kind: KmsErrorKind,
    calls: Arc<AtomicU64>,
}

impl KmsClient for Refusing {
    fn remote_aead(&self, _uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        Some(Ok(Arc::new(self.clone())))
    }
}

impl RemoteAead for Refusing {
    fn encrypt<'a>(
        &'a self,
        _plaintext: &'a [u8],
        _associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async { Err(self.kind.into()) })
    }

    fn decrypt<'a>(
        &'a self,
        _ciphertext: &'a [u8],
        _associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Err(self.kind.into()) })
    }
}

#[test]
fn a_service_that_refuses_is_asked_once() {
    for (kind, calls) in [
        (KmsErrorKind::PermissionDenied, 1),
        (KmsErrorKind::Unavailable, 100),
    ] {
        let service = Refusing {
            kind,
            calls: Arc::default(),
        };
        let kms = keyseal::kms::KmsClients::new().with(service.clone());
        let ring = KeyRing::new().kms(kms).wrapped_keyset("pii", KEK, *b"w");
        let functions = Functions::new(ring);
        for _ in 0..100 {
            assert!(decrypt(&functions, "pii", binary([1])).is_err());
        }
        assert_eq!(service.calls.load(Ordering::SeqCst), calls, "{kind:?}");
    }
}

#[test]
fn a_keyset_file_in_json_costs_one_call() {
    let handle: KeysetHandle = generate("AES256_GCM");
    let kek: keyseal::KeysetAead = generate("AES256_GCM").primitive().unwrap();
    let file = handle.write_encrypted(keyseal::keyset::Format::Json, &kek, b"");
    let service = Refusing {
        kind: KmsErrorKind::DecryptionFailed,
        calls: Arc::default(),
    };
    let kms = keyseal::kms::KmsClients::new().with(service.clone());
    let ring = KeyRing::new()
        .kms(kms)
        .wrapped_keyset("pii", KEK, file.unwrap());
    assert!(decrypt(&Functions::new(ring), "pii", binary([1])).is_err());
    assert_eq!(service.calls.load(Ordering::SeqCst), 1);
}
