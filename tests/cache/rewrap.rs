//! Re-wrapping: the calls it takes, and the bytes it leaves alone.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use keyseal::{
    BoxFuture, DecryptError, Decrypted, Envelope, Freshness, Key, KeysetError, KeysetHandle,
    KmsEnvelopeAead, KmsError, KmsErrorKind, RemoteAead, SealedStreamHeader,
    keyset::Format,
    kms::LocalKek,
    rewrap::{Rewrap, Wrapped},
};

/// A key-encryption key that counts its calls. Like Key Manager, it wraps again what an older
/// version wrapped.
#[derive(Clone)]
struct Kek {
    key: LocalKek,
    encryptions: Arc<AtomicUsize>,
    decryptions: Arc<AtomicUsize>,
    fails: Option<KmsErrorKind>,
}

impl Kek {
    fn new(keyset: &KeysetHandle) -> Self {
        Self {
            key: LocalKek::new(keyset).unwrap(),
            encryptions: Arc::default(),
            decryptions: Arc::default(),
            fails: None,
        }
    }

    /// The numbers of encryptions and decryptions since the last time.
    fn calls(&self) -> (usize, usize) {
        (
            self.encryptions.swap(0, Ordering::Relaxed),
            self.decryptions.swap(0, Ordering::Relaxed),
        )
    }
}

impl RemoteAead for Kek {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        self.encryptions.fetch_add(1, Ordering::Relaxed);
        self.key.encrypt(plaintext, associated_data)
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            let decrypted = self.decrypt_with_refresh(ciphertext, associated_data);
            Ok(decrypted.await?.into_plaintext())
        })
    }

    fn decrypt_with_refresh<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Decrypted, KmsError>> {
        self.decryptions.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            if let Some(kind) = self.fails {
                return Err(kind.into());
            }
            let decrypted = self.key.decrypt_with_refresh(ciphertext, associated_data);
            let decrypted = decrypted.await?;
            if decrypted.freshness() != Freshness::Older {
                return Ok(decrypted);
            }
            let newer = self.key.encrypt(decrypted.plaintext(), associated_data);
            let newer = newer.await?;
            Ok(decrypted.with_rewrapped(newer))
        })
    }
}

fn kek_keyset() -> KeysetHandle {
    KeysetHandle::generate("AES256_GCM").unwrap()
}

fn rotated(keyset: &KeysetHandle) -> KeysetHandle {
    let mut keyset = keyset.clone();
    keyset.rotate(Key::generate("AES256_GCM").unwrap()).unwrap();
    keyset
}

/// One of each, under `kek`.
async fn samples(kek: &Kek) -> Vec<Vec<u8>> {
    let envelopes = KmsEnvelopeAead::new(kek.clone(), "AES256_GCM").unwrap();
    let keyset = KeysetHandle::generate("AES128_GCM").unwrap();
    let template = SealedStreamHeader::TEMPLATE;
    let (header, _) = SealedStreamHeader::generate_remote(template, kek)
        .await
        .unwrap();
    let mut samples = vec![
        envelopes.encrypt(b"plaintext", b"data").await.unwrap(),
        [header.as_bytes(), b"the stream"].concat(),
    ];
    for format in [Format::Binary, Format::Json] {
        let written = keyset.write_encrypted_remote(format, kek, b"name").await;
        samples.push(written.unwrap());
    }
    kek.calls();
    samples
}

fn wrapped(bytes: &[u8]) -> Wrapped<'_> {
    Wrapped::detect(bytes, bytes.len() as u64).unwrap()
}

async fn assert_opens(bytes: &[u8], kek: &Kek) {
    match wrapped(bytes) {
        Wrapped::Envelope(_) => {
            let aead = KmsEnvelopeAead::new(kek.clone(), "AES256_GCM").unwrap();
            assert_eq!(aead.decrypt(bytes, b"data").await.unwrap(), b"plaintext");
        }
        Wrapped::SealedStream(header) => drop(header.open_remote(kek).await.unwrap()),
        Wrapped::Keyset(bytes) => {
            let format = Format::detect(bytes);
            let read = KeysetHandle::read_encrypted_remote(bytes, format, kek, b"name").await;
            assert_eq!(read.unwrap().len(), 1);
        }
        _ => panic!("another kind"),
    }
    kek.calls();
}

#[tokio::test]
async fn moves_the_head_to_another_kek_and_leaves_the_payload() {
    let (from, to) = (Kek::new(&kek_keyset()), Kek::new(&kek_keyset()));
    let rewrap = Rewrap::between(from.clone(), to.clone()).keyset_associated_data(b"name");
    for before in samples(&from).await {
        assert!(rewrap.is_due(&wrapped(&before)).await.unwrap());
        assert_eq!((from.calls(), to.calls()), ((0, 1), (0, 0)));

        let head = rewrap.head(&wrapped(&before)).await.unwrap().unwrap();
        assert_eq!((from.calls(), to.calls()), ((0, 1), (1, 0)));
        let payload = &before[wrapped(&before).head_size()..];
        let after = [&head[..], payload].concat();
        assert_opens(&after, &to).await;

        // A second run, to resume.
        assert_eq!(rewrap.head(&wrapped(&after)).await.unwrap(), None);
        assert!(!rewrap.is_due(&wrapped(&after)).await.unwrap());
        assert_eq!((from.calls().0, to.calls().0), (0, 0));
    }
}

#[tokio::test]
async fn takes_the_wrapping_that_the_service_sent_along() {
    let first = kek_keyset();
    for before in samples(&Kek::new(&first)).await {
        let newest = Kek::new(&rotated(&first));
        let rewrap = Rewrap::to_newest(newest.clone()).keyset_associated_data(b"name");
        let head = rewrap.head(&wrapped(&before)).await.unwrap().unwrap();
        assert_eq!(newest.calls(), (0, 1), "no encryption");
        let after = [&head[..], &before[wrapped(&before).head_size()..]].concat();
        assert_opens(&after, &newest).await;
        assert_eq!(rewrap.head(&wrapped(&after)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn refuses_a_key_of_neither_kek_and_reports_a_service_that_fails() {
    let other = Kek::new(&kek_keyset());
    let mut down = Kek::new(&kek_keyset());
    down.fails = Some(KmsErrorKind::Unavailable);
    for before in samples(&Kek::new(&kek_keyset())).await {
        for rewrap in [
            Rewrap::to_newest(other.clone()),
            Rewrap::between(other.clone(), Kek::new(&kek_keyset())),
        ] {
            let rewrap = rewrap.keyset_associated_data(b"name");
            let refused = rewrap.head(&wrapped(&before)).await;
            assert_eq!(refused, Err(KeysetError::Decrypt(DecryptError::FAILED)));
        }
        let failed = Rewrap::between(other.clone(), down.clone())
            .is_due(&wrapped(&before))
            .await;
        let kind = failed.unwrap_err().kms_error().map(KmsError::kind);
        assert_eq!(kind, Some(KmsErrorKind::Unavailable));
    }
}

#[tokio::test]
async fn a_decryption_returns_the_newer_envelope_with_the_same_payload() {
    let first = kek_keyset();
    let old = KmsEnvelopeAead::new(Kek::new(&first), "AES256_GCM").unwrap();
    let before = old.encrypt(b"plaintext", b"data").await.unwrap();
    let same = old.decrypt_with_refresh(&before, b"data").await.unwrap();
    assert_eq!(
        (same.freshness(), same.rewrapped()),
        (Freshness::Newest, None)
    );

    let newest = Kek::new(&rotated(&first));
    let aead = KmsEnvelopeAead::new(newest.clone(), "AES256_GCM").unwrap();
    let decrypted = aead.decrypt_with_refresh(&before, b"data").await.unwrap();
    assert_eq!(decrypted.plaintext(), b"plaintext");
    assert_eq!(newest.calls(), (0, 1));
    let after = decrypted.rewrapped().unwrap();
    let payload = |bytes| Envelope::parse(bytes).unwrap().payload();
    assert_eq!(payload(after), payload(&before));
    let again = aead.decrypt_with_refresh(after, b"data").await.unwrap();
    assert_eq!(again.plaintext(), b"plaintext");
    assert_eq!(again.freshness(), Freshness::Newest);
}

#[test]
fn an_envelope_is_parsed_at_every_length_or_refused() {
    let payload = [9; Envelope::MIN_PAYLOAD_SIZE];
    let whole = [&Envelope::head_of(&[7; 100]).unwrap()[..], &payload].concat();
    let envelope = Envelope::parse(&whole).unwrap();
    assert_eq!(envelope.wrapped_key(), [7; 100]);
    assert_eq!(envelope.payload(), payload);
    assert_eq!(envelope.with_wrapped_key(&[7; 100]).unwrap(), whole);
    for size in 0..whole.len() {
        assert!(Envelope::parse(&whole[..size]).is_err(), "{size}");
        // The head is enough when the rest is elsewhere.
        let start = Envelope::parse_start(&whole[..size], whole.len() as u64);
        assert_eq!(start.is_ok(), size >= 104, "{size}");
    }
    for length in [0_u32, 4097, u32::MAX] {
        let bytes = [&length.to_be_bytes()[..], &[0; 5000]].concat();
        assert!(Envelope::parse(&bytes).is_err(), "{length}");
    }
    assert!(Envelope::head_of(&[]).is_err());
    assert!(Envelope::head_of(&[0; 4096]).is_ok());
    assert!(Envelope::head_of(&[0; 4097]).is_err());
}
