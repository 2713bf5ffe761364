//! Limits on the use of keys, also over crashes.

use std::{
    fs, io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use keyseal::{
    Aead, EncryptError, Error, ErrorKind, KeyId, KeysetAead, KeysetHandle,
    usage::{Forgetful, LimitedAead, Usage, UsageFile, UsageLimits, UsageStore},
};

fn aead() -> KeysetAead {
    KeysetHandle::generate("AES128_GCM")
        .unwrap()
        .primitive()
        .unwrap()
}

const fn usage(messages: u64, bytes: u64) -> Usage {
    Usage { messages, bytes }
}

const KEY: KeyId = KeyId::new(42);

#[test]
fn the_hard_limit_refuses_and_the_soft_limit_tells_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = told.clone();
    let limits = UsageLimits::new(usage(10, 100)).soft(usage(6, 100));
    let limited = LimitedAead::new(aead(), KEY, limits, Forgetful)
        .unwrap()
        .on_soft_limit(move |key_id, usage| hook.lock().unwrap().push((key_id, usage)));
    for message in 0..10 {
        let mut out = Vec::new();
        match message % 3 {
            0 => drop(limited.encrypt(b"text", b"").unwrap()),
            1 => limited.encrypt_into(b"text", b"", &mut out).unwrap(),
            _ => limited
                .encrypt_in_place(&mut b"text".to_vec(), b"")
                .unwrap(),
        }
    }
    assert_eq!(*told.lock().unwrap(), [(KEY, usage(7, 28))]);
    let refused = limited.encrypt(b"text", b"").unwrap_err();
    let (messages, bytes) = (10, 40);
    let exhausted = EncryptError::KeyExhausted {
        key_id: KEY,
        messages,
        bytes,
    };
    assert_eq!(refused, exhausted);

    let limited = LimitedAead::new(aead(), KEY, limits, Forgetful).unwrap();
    let last = limited.encrypt(&[0; 100], b"").unwrap();
    assert!(limited.encrypt(b"1", b"").is_err());
    assert!(limited.encrypt(b"", b"").is_ok());
    // Decryption has no limit.
    assert_eq!(limited.decrypt(&last, b"").unwrap(), [0; 100]);
}

#[test]
fn the_defaults_are_the_bounds_of_the_cipher() {
    let keyset = KeysetHandle::generate("AES256_GCM").unwrap();
    let expected = UsageLimits::new(usage(1 << 32, 1 << 52));
    assert_eq!(UsageLimits::of_keyset(&keyset), expected);
    let keyset = KeysetHandle::generate("XCHACHA20_POLY1305").unwrap();
    let expected = UsageLimits::new(usage(u64::MAX, 1 << 52));
    assert_eq!(UsageLimits::of_keyset(&keyset), expected);
}

#[test]
fn a_restart_goes_on_and_a_crash_counts_too_much_but_never_too_little() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage");
    let limits = UsageLimits::new(usage(1000, 1 << 20));
    let open = || {
        let store = UsageFile::open(&path).unwrap();
        let limited = LimitedAead::new(aead(), KEY, limits, store).unwrap();
        limited.step(usage(100, 1000))
    };
    let limited = open();
    for _ in 0..150 {
        limited.encrypt(b"text", b"").unwrap();
    }
    assert_eq!(limited.usage(), usage(150, 600));
    drop(limited);
    assert_eq!(open().usage(), usage(150, 600), "exact after a proper end");

    // A crash: only the file survives, as it is at that moment.
    let limited = open();
    for used in 151..400 {
        limited.encrypt(b"text", b"").unwrap();
        let copy = folder.path().join("after the crash");
        fs::copy(&path, &copy).unwrap();
        let store = UsageFile::open(&copy).unwrap();
        let counted = store.load(KEY).unwrap().messages;
        assert!((used..=used + 100).contains(&counted), "{used}: {counted}");
    }
}

/// Fails on demand, and counts.
#[derive(Default)]
struct Store {
    fails: AtomicBool,
    stored: AtomicUsize,
}

impl UsageStore for Store {
    fn load(&self, _: KeyId) -> io::Result<Usage> {
        match self.fails.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => Ok(Usage::default()),
        }
    }

    fn store(&self, _: KeyId, _: Usage) -> io::Result<()> {
        self.stored.fetch_add(1, Ordering::Relaxed);
        self.load(KEY).map(drop)
    }
}

#[test]
fn a_store_that_fails_stops_the_key() {
    let store = Arc::new(Store::default());
    let limits = UsageLimits::new(usage(100, 1 << 20));
    let limited = LimitedAead::new(aead(), KEY, limits, store.clone()).unwrap();
    let limited = limited.step(usage(10, 1000));
    limited.encrypt(b"text", b"").unwrap();
    store.fails.store(true, Ordering::Relaxed);
    for _ in 0..10 {
        limited.encrypt(b"text", b"").unwrap();
    }
    for _ in 0..2 {
        let error = limited.encrypt(b"text", b"").unwrap_err();
        assert!(matches!(
            &error,
            EncryptError::UsageNotStored { key_id: KEY, .. }
        ));
        assert!(error.is_retryable());
        assert_eq!(Error::from(error).kind(), ErrorKind::Io);
    }
    assert!(LimitedAead::new(aead(), KEY, limits, store.clone()).is_err());
    store.fails.store(false, Ordering::Relaxed);
    limited.encrypt(b"text", b"").unwrap();
}

#[test]
fn a_usage_file_is_for_one_process_and_a_damaged_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage");
    let store = UsageFile::open(&path).unwrap();
    let error = UsageFile::open(&path).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    let text = error.to_string();
    assert!(
        text.contains("usage.lock: another process uses it"),
        "{text}"
    );
    store.store(KEY, usage(7, 8)).unwrap();
    store.store(KeyId::new(43), usage(1, 2)).unwrap();
    drop(store);
    let good = fs::read_to_string(&path).unwrap();
    assert_eq!(good, "42 7 8\n43 1 2\n");
    // Cut anywhere but between lines, it is refused; a whole line less is an older file.
    for len in 1..good.len() {
        fs::write(&path, &good[..len]).unwrap();
        assert_eq!(UsageFile::open(&path).is_ok(), len == 7, "{len}");
    }
    for text in [
        "x 1 2\n",
        "1 2\n",
        "1 2 3 4\n",
        "1 -2 3\n",
        "1 2 3\n1 2 3\n",
        "4294967296 1 2\n",
        "\n",
    ] {
        fs::write(&path, text).unwrap();
        let error = UsageFile::open(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text:?}");
    }
}

#[test]
fn threads_count_together() {
    let limits = UsageLimits::new(usage(1000, 1 << 20));
    let limited = LimitedAead::new(aead(), KEY, limits, Forgetful).unwrap();
    let encrypted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let limited = limited.clone();
                for _ in 0..500 {
                    let done = limited.encrypt(b"text", b"").is_ok();
                    encrypted.fetch_add(usize::from(done), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(encrypted.into_inner(), 1000);
}
