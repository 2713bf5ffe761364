//! Key-encryption keys without a service: keyset files, and the other Tinks' test client.

use std::{fs, path::Path, sync::Arc};

use keyseal::{
    Aead, KeysetAead, KeysetHandle, KmsErrorKind, SecretAccess,
    keyset::Format,
    kms::{
        KmsClient, LocalAead,
        file::FileKmsClient,
        testkit::{FakeKmsClient, check_kms_client, check_remote_aead},
    },
};

const ACCESS: SecretAccess = SecretAccess::insecure();

fn write(folder: &Path, name: &str, template: &str, format: Format) -> KeysetHandle {
    let keyset = KeysetHandle::generate(template).unwrap();
    let file = keyset.write_cleartext(format, ACCESS);
    fs::write(folder.join(name), file.expose(ACCESS)).unwrap();
    keyset
}

#[tokio::test]
async fn a_local_aead_obeys_the_laws_of_a_remote_one() {
    for template in [
        "AES256_GCM",
        "XCHACHA20_POLY1305_RAW",
        "AES128_CTR_HMAC_SHA256",
    ] {
        let aead: KeysetAead = KeysetHandle::generate(template)
            .unwrap()
            .primitive()
            .unwrap();
        check_remote_aead(&LocalAead::new(aead)).await.unwrap();
    }
}

#[tokio::test]
async fn a_keyset_file_of_any_form_serves_as_key() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format) in [("kek.json", Format::Json), ("kek.bin", Format::Binary)] {
        let kek: KeysetAead = write(folder.path(), name, "AES256_GCM", format)
            .primitive()
            .unwrap();
        let absolute = format!("file-kms://{}", folder.path().join(name).display());
        let relative = format!("file-kms://{name}");
        let client = FileKmsClient::in_folder(folder.path(), ACCESS);
        for (client, uri) in [(&FileKmsClient::new(ACCESS), absolute), (&client, relative)] {
            let key = check_kms_client(client, &uri, &["file-kms://", "file-kms://none"]).unwrap();
            check_remote_aead(&key).await.unwrap();
            let ciphertext = key.encrypt(b"text", b"data").await.unwrap();
            assert_eq!(kek.decrypt(&ciphertext, b"data").unwrap(), b"text");
        }
    }
}

#[test]
fn what_is_no_cleartext_aead_keyset_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "mac.json", "HMAC_SHA256_128BITTAG", Format::Json);
    let kek: KeysetAead = write(path, "kek.json", "AES256_GCM", Format::Json)
        .primitive()
        .unwrap();
    let encrypted = KeysetHandle::generate("AES256_GCM").unwrap();
    let encrypted = encrypted.write_encrypted(Format::Json, &kek, b"").unwrap();
    fs::write(path.join("encrypted.json"), encrypted).unwrap();
    fs::write(path.join("empty"), b"").unwrap();
    fs::write(path.join("large"), vec![b' '; (16 << 20) + 1]).unwrap();
    fs::create_dir(path.join("folder")).unwrap();

    let client = FileKmsClient::in_folder(path, ACCESS);
    for (uri, kind) in [
        ("file-kms://", KmsErrorKind::InvalidUri),
        ("file-kms://missing.json", KmsErrorKind::NotFound),
        ("file-kms://mac.json", KmsErrorKind::Configuration),
        ("file-kms://encrypted.json", KmsErrorKind::Configuration),
        ("file-kms://empty", KmsErrorKind::Configuration),
        ("file-kms://large", KmsErrorKind::Configuration),
        ("file-kms://folder", KmsErrorKind::Configuration),
    ] {
        let error = client.remote_aead(uri).unwrap().err().unwrap();
        assert_eq!(error.kind(), kind, "{uri}: {error}");
        assert!(error.to_string().starts_with(uri), "{error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_may_come_through_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let keyset = KeysetHandle::generate("AES256_GCM").unwrap();
    let file = keyset.write_cleartext(Format::Json, ACCESS);
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    let writer = std::thread::spawn({
        let path = path.clone();
        move || fs::write(path, file.expose(ACCESS))
    });
    let client = FileKmsClient::in_folder(folder.path(), ACCESS);
    let key = client.remote_aead("file-kms://pipe").unwrap().unwrap();
    writer.join().unwrap().unwrap();
    let ciphertext = key.encrypt(b"text", b"").await.unwrap();
    let aead: KeysetAead = keyset.primitive().unwrap();
    assert_eq!(aead.decrypt(&ciphertext, b"").unwrap(), b"text");
}

#[tokio::test]
async fn the_fake_client_reads_uris_of_the_other_tinks() {
    // The URI of the test vectors of tink-go: aead/kms_envelope_aead_test.go.
    let uri = "fake-kms://CM2b3_MDElQKSAowdHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUuY3J5cHRvLnRpbmsuQWVzR\
               2NtS2V5EhIaEIK75t5L-adlUwVhWvRuWUwYARABGM2b3_MDIAE";
    let bad = [
        "fake-kms://",
        "fake-kms://x",
        "fake-kms://AAAA=",
        "fake-kms://CM2b3_MDElQKSAow",
    ];
    for uri in [uri.to_owned(), FakeKmsClient::new_key_uri().unwrap()] {
        let key = check_kms_client(&FakeKmsClient::new(), &uri, &bad).unwrap();
        check_remote_aead(&key).await.unwrap();
    }
    let keyset = KeysetHandle::generate("CHACHA20_POLY1305").unwrap();
    let uri = FakeKmsClient::key_uri(&keyset, ACCESS);
    let key = FakeKmsClient::new().remote_aead(&uri).unwrap().unwrap();
    let aead: KeysetAead = keyset.primitive().unwrap();
    let ciphertext = key.encrypt(b"text", b"data").await.unwrap();
    assert_eq!(aead.decrypt(&ciphertext, b"data").unwrap(), b"text");
}

#[test]
fn errors_of_the_fake_client_do_not_show_the_uri_which_is_a_key() {
    let uri = FakeKmsClient::new_key_uri().unwrap();
    let (scheme, encoded) = uri.split_at("fake-kms://".len());
    // Base64 that is not a keyset, and text that is not base64.
    for damaged in [
        format!("{scheme}AA{encoded}"),
        format!("{scheme}{encoded}!"),
    ] {
        let error = FakeKmsClient::new()
            .remote_aead(&damaged)
            .unwrap()
            .err()
            .unwrap();
        assert_eq!(error.kind(), KmsErrorKind::InvalidUri);
        let text = format!("{error} {error:?}");
        for part in encoded.as_bytes().chunks_exact(6) {
            assert!(!text.contains(std::str::from_utf8(part).unwrap()), "{text}");
        }
    }
}

#[test]
fn primitives_behind_pointers_are_primitives() {
    fn round_trip(aead: impl Aead) {
        let ciphertext = aead.encrypt(b"text", b"").unwrap();
        assert_eq!(aead.decrypt(&ciphertext, b"").unwrap(), b"text");
        let mut buffer = b"text".to_vec();
        aead.encrypt_in_place(&mut buffer, b"").unwrap();
        aead.decrypt_in_place(&mut buffer, b"").unwrap();
        assert_eq!(buffer, b"text");
    }
    let aead: KeysetAead = KeysetHandle::generate("AES256_GCM")
        .unwrap()
        .primitive()
        .unwrap();
    let boxed: Box<dyn Aead> = Box::new(aead.clone());
    let shared: Arc<dyn Aead> = Arc::new(aead.clone());
    round_trip(&aead);
    round_trip(boxed);
    round_trip(shared);
}
