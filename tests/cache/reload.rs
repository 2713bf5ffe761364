//! Keysets that a running program replaces.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use keyseal::{
    Aead, BoxFuture, Key, KeysetAead, KeysetHandle, SecretAccess,
    keyset::Format,
    reload::{KeysetFileSource, KeysetSource, ReloadError, Reloaded, Reloading},
};

use crate::support::{Kek, ManualTimer, settle};

fn access() -> SecretAccess {
    SecretAccess::insecure()
}

#[tokio::test]
async fn an_encrypted_keyset_is_read_again_when_its_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyset.json");
    let kek = Kek::new();
    let mut keyset = KeysetHandle::generate("AES256_GCM").unwrap();
    let write = async |keyset: &KeysetHandle| {
        let written = keyset
            .write_encrypted_remote(Format::Json, &kek, b"orders")
            .await;
        fs::write(&path, written.unwrap()).unwrap();
    };
    write(&keyset).await;
    let source = KeysetFileSource::encrypted(&path, kek.clone(), b"orders");
    let aead: Reloading<KeysetAead> = Reloading::load(source).await.unwrap();
    let old = aead.encrypt(b"text", b"").unwrap();
    assert_eq!(aead.reload().await.unwrap(), Reloaded::Unchanged);
    assert_eq!(kek.decryptions(), 1, "the same file costs no call");

    keyset.rotate(Key::generate("AES256_GCM").unwrap()).unwrap();
    write(&keyset).await;
    assert_eq!(aead.reload().await.unwrap(), Reloaded::Changed);
    let new = aead.encrypt(b"text", b"").unwrap();
    assert_ne!(old[..5], new[..5], "the new primary key encrypts");
    assert_eq!(aead.decrypt(&old, b"").unwrap(), b"text");
}

#[tokio::test]
async fn a_bad_keyset_keeps_the_old_one_and_says_so_until_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyset.json");
    let text = |template| {
        let keyset = KeysetHandle::generate(template).unwrap();
        keyset
            .write_cleartext(Format::Json, access())
            .expose(access())
            .to_vec()
    };
    let good = text("AES256_GCM");
    fs::write(&path, &good).unwrap();
    let source = KeysetFileSource::cleartext(&path, access());
    let aead: Reloading<KeysetAead> = Reloading::load(source).await.unwrap();
    let sealed = aead.encrypt(b"text", b"").unwrap();
    for bad in [
        b"".to_vec(),
        good[..good.len() / 2].to_vec(),
        text("HMAC_SHA256_128BITTAG"),
    ] {
        fs::write(&path, bad).unwrap();
        for _ in 0..2 {
            assert!(aead.reload().await.is_err());
            assert_eq!(aead.decrypt(&sealed, b"").unwrap(), b"text");
        }
    }
    fs::remove_file(&path).unwrap();
    assert!(aead.reload().await.is_err());
    fs::write(&path, text("AES128_GCM")).unwrap();
    assert_eq!(aead.reload().await.unwrap(), Reloaded::Changed);
    assert!(aead.decrypt(&sealed, b"").is_err());
}

/// Two keysets in turns.
struct Turns {
    keysets: [KeysetHandle; 2],
    turn: AtomicUsize,
}

impl KeysetSource for Turns {
    fn load(&self) -> BoxFuture<'_, Result<Option<KeysetHandle>, ReloadError>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { Ok(Some(self.keysets[turn % 2].clone())) })
    }
}

#[tokio::test]
async fn readers_see_one_keyset_or_the_other_as_a_whole() {
    let keysets = [(); 2].map(|()| KeysetHandle::generate("AES128_GCM").unwrap());
    let turn = AtomicUsize::new(0);
    let pair = |keyset: &KeysetHandle| {
        let aead: KeysetAead = keyset.primitive()?;
        Ok((keyset.primary_id(), aead))
    };
    let pairs = Reloading::load_with(Turns { keysets, turn }, pair)
        .await
        .unwrap();
    let ends = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (pairs, ends) = (pairs.clone(), ends.clone());
            std::thread::spawn(move || {
                while !ends.load(Ordering::Relaxed) {
                    let pair = pairs.current();
                    let sealed = pair.1.encrypt(b"text", b"").unwrap();
                    assert_eq!(sealed[1..5], pair.0.value().to_be_bytes());
                }
            })
        })
        .collect();
    for _ in 0..500 {
        assert_eq!(pairs.reload().await.unwrap(), Reloaded::Changed);
    }
    ends.store(true, Ordering::Relaxed);
    readers
        .into_iter()
        .for_each(|reader| reader.join().unwrap());
}

#[tokio::test]
async fn an_interval_reloads_again_and_again() {
    let timer = ManualTimer::shared();
    let keysets = [(); 2].map(|()| KeysetHandle::generate("AES128_GCM").unwrap());
    let turn = AtomicUsize::new(0);
    let aead: Reloading<KeysetAead> = Reloading::load(Turns { keysets, turn }).await.unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let task = tokio::spawn({
        let (aead, timer, told) = (aead.clone(), timer.clone(), told.clone());
        async move {
            let tell = |outcome: Result<Reloaded, ReloadError>| {
                assert_eq!(outcome.unwrap(), Reloaded::Changed);
                told.fetch_add(1, Ordering::Relaxed);
            };
            aead.reload_every(Duration::from_secs(60), &*timer, tell)
                .await;
        }
    });
    for told_before in 0..3 {
        settle().await;
        assert_eq!(told.load(Ordering::Relaxed), told_before);
        timer.advance(Duration::from_secs(60));
    }
    task.abort();
}
