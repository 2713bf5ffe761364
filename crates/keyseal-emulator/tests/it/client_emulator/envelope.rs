//! Envelopes, keysets and data keys under a key of Key Manager.

use keyseal::{
    Aead, Key, KeyTypes, KeysetAead, KeysetError, KeysetHandle, KeysetRemoteAead, KmsEnvelopeAead,
    KmsErrorKind, RemoteAead, Variant,
    key::{kms_aead::KmsAeadParameters, kms_envelope_aead::KmsEnvelopeAeadParameters},
    keyset::Format,
    kms::{
        KmsClients,
        blocking::{BlockingAead, Worker},
        scaleway::CreateKey,
    },
};
use keyseal_emulator::{Emulator, Fault, FaultRule, Operation};

use super::{client_of, create, impatient, serve};

#[tokio::test]
async fn envelopes_open_after_the_key_was_rotated() {
    let emulator = Emulator::new().unwrap();
    let server = serve(&emulator);
    let client = client_of(&emulator, &server).build().unwrap();
    let kek = create(&client, CreateKey::aes_256_gcm()).await;
    let aead = KmsEnvelopeAead::new(kek.clone(), "AES256_GCM").unwrap();
    let mut written = Vec::new();
    for _ in 0..3 {
        written.push(aead.encrypt(&[7; 100_000], b"data").await.unwrap());
        kek.rotate().await.unwrap();
    }
    for ciphertext in written {
        assert_eq!(
            aead.decrypt(&ciphertext, b"data").await.unwrap(),
            [7; 100_000]
        );
    }
}

#[tokio::test]
async fn a_message_costs_one_call_and_the_plaintext_stays_here() {
    let emulator = Emulator::new().unwrap();
    let client = emulator.client().build().unwrap();
    let kek = create(&client, CreateKey::aes_256_gcm()).await;
    let aead = KmsEnvelopeAead::new(kek, "XCHACHA20_POLY1305").unwrap();
    let before = emulator.exchanges().len();
    let ciphertext = aead.encrypt(&[7; 1 << 20], b"data").await.unwrap();
    aead.decrypt(&ciphertext, b"data").await.unwrap();
    let calls: Vec<_> = emulator.exchanges().split_off(before);
    let operations: Vec<_> = calls.iter().map(|call| call.operation().unwrap()).collect();
    assert_eq!(operations, [Operation::Encrypt, Operation::Decrypt]);
}

#[tokio::test]
async fn a_keyset_moves_from_local_keys_to_services_and_back() {
    let emulator = Emulator::new().unwrap();
    let client = emulator.client().build().unwrap();
    let plain = create(&client, CreateKey::aes_256_gcm())
        .await
        .uri()
        .to_string();
    let wrapping = create(&client, CreateKey::aes_256_gcm())
        .await
        .uri()
        .to_string();
    let clients = KmsClients::new().with(client);
    let dek = KeyTypes::default()
        .template("AES128_GCM")
        .unwrap()
        .key_template()
        .clone();
    let remote = KmsAeadParameters::new(plain);
    let envelope = KmsEnvelopeAeadParameters::new(wrapping, dek).unwrap();

    let mut keyset = KeysetHandle::generate("AES256_GCM").unwrap();
    let mut written = Vec::new();
    for key in [
        Key::generate_with(&remote, Variant::Tink).unwrap(),
        Key::generate_with(&envelope, Variant::Tink).unwrap(),
        Key::generate_with(&envelope, Variant::Raw).unwrap(),
        Key::generate_with(&remote, Variant::Raw).unwrap(),
        Key::generate("CHACHA20_POLY1305").unwrap(),
    ] {
        let aead = KeysetRemoteAead::new(&keyset, &clients).unwrap();
        written.push(aead.encrypt(b"text", b"data").await.unwrap());
        keyset.rotate(key).unwrap();
    }
    let aead = KeysetRemoteAead::new(&keyset, &clients).unwrap();
    for ciphertext in &written {
        assert_eq!(aead.decrypt(ciphertext, b"data").await.unwrap(), b"text");
        let error = aead.decrypt(ciphertext, b"other").await.err().unwrap();
        assert_eq!(error.kind(), KmsErrorKind::DecryptionFailed);
    }
    // A ciphertext with a local key's prefix costs no call.
    let before = emulator.exchanges().len();
    aead.decrypt(&written[0], b"data").await.unwrap();
    assert_eq!(emulator.exchanges().len(), before);
}

#[tokio::test]
async fn keysets_are_kept_under_the_key() {
    let emulator = Emulator::new().unwrap();
    let client = emulator.client().build().unwrap();
    let kek = create(&client, CreateKey::aes_256_gcm()).await;
    let keyset = KeysetHandle::generate("AES256_GCM").unwrap();
    for format in [Format::Json, Format::Binary] {
        let file = keyset
            .write_encrypted_remote(format, &kek, b"orders")
            .await
            .unwrap();
        kek.rotate().await.unwrap();
        let read = KeysetHandle::read_encrypted_remote(&file, format, &kek, b"orders").await;
        assert_eq!(read.unwrap().primary_id(), keyset.primary_id());
        let other = KeysetHandle::read_encrypted_remote(&file, format, &kek, b"bills").await;
        let error = other.err().unwrap();
        assert!(matches!(&error, KeysetError::Decrypt(cause) if cause.kms_error().is_none()));
    }

    let mut large = keyset;
    while large.len() < 700 {
        large.add(Key::generate("AES256_GCM").unwrap()).unwrap();
    }
    let refused = large
        .write_encrypted_remote(Format::Binary, &kek, b"")
        .await;
    assert!(matches!(refused, Err(KeysetError::TooLargeForKek { .. })));
    let envelope = KmsEnvelopeAead::new(kek, "AES256_GCM").unwrap();
    let file = large
        .write_encrypted_remote(Format::Binary, &envelope, b"")
        .await
        .unwrap();
    let read = KeysetHandle::read_encrypted_remote(&file, Format::Binary, &envelope, b"").await;
    assert_eq!(read.unwrap().len(), 700);
}

#[test]
fn the_same_line_encrypts_with_a_local_key_and_with_a_remote_one() {
    fn seal(aead: &dyn Aead) -> Vec<u8> {
        aead.encrypt(b"text", b"data").unwrap()
    }
    let emulator = Emulator::new().unwrap();
    let server = serve(&emulator);
    let worker = Worker::new().unwrap();
    let client = client_of(&emulator, &server).build().unwrap();
    let kek = worker.run(create(&client, CreateKey::aes_256_gcm()));
    let local: KeysetAead = KeysetHandle::generate("AES256_GCM")
        .unwrap()
        .primitive()
        .unwrap();
    let remote = BlockingAead::new(&worker, kek.clone());
    let envelope = BlockingAead::new(&worker, KmsEnvelopeAead::new(kek, "AES256_GCM").unwrap());
    for aead in [&local as &dyn Aead, &remote, &envelope] {
        let ciphertext = seal(aead);
        assert_eq!(aead.decrypt(&ciphertext, b"data").unwrap(), b"text");
        let error = aead.decrypt(&ciphertext, b"other").unwrap_err();
        assert_eq!(error, keyseal::DecryptError::FAILED);
        let mut buffer = b"text".to_vec();
        aead.encrypt_in_place(&mut buffer, b"").unwrap();
        aead.decrypt_in_place(&mut buffer, b"").unwrap();
        assert_eq!(buffer, b"text");
    }

    // A failure of the service is not a failure of the ciphertext.
    let ciphertext = seal(&envelope);
    emulator.inject(FaultRule::new(Fault::RateLimited));
    let unanswered = envelope.decrypt(&ciphertext, b"data").unwrap_err();
    assert_eq!(
        unanswered.kms_error().unwrap().kind(),
        KmsErrorKind::RateLimited
    );
    assert!(unanswered.is_retryable());
    let refused = envelope.encrypt(b"", b"").unwrap_err();
    assert!(refused.is_retryable(), "{refused}");
}

#[tokio::test]
async fn a_wrapped_key_that_is_corrupted_on_its_way_does_not_open() {
    let emulator = Emulator::new().unwrap();
    let client = emulator.client().retry_policy(impatient()).build().unwrap();
    let kek = create(&client, CreateKey::aes_256_gcm()).await;
    let aead = KmsEnvelopeAead::new(kek.clone(), "AES256_GCM").unwrap();
    emulator.inject(
        FaultRule::new(Fault::CorruptedCiphertext)
            .on(Operation::Encrypt)
            .times(1),
    );
    let ciphertext = aead.encrypt(b"text", b"").await.unwrap();
    let error = aead.decrypt(&ciphertext, b"").await.err().unwrap();
    assert_eq!(error.to_string(), "decryption failed");

    let rule = FaultRule::new(Fault::CorruptedCiphertext).on(Operation::GenerateDataKey);
    emulator.inject(rule.times(1));
    let data_key = kek.generate_data_key().await.unwrap();
    assert!(
        kek.open_data_key(data_key.wrapped().ciphertext())
            .await
            .is_err()
    );
}
