//! Envelopes: their bytes, the inputs refused, and the calls each key-encryption key gets.

use std::sync::{Arc, Mutex};

use keyseal::{
    Aead, BoxFuture, Key, KeyError, KeyId, KeyTypes, KeysetAead, KeysetError, KeysetHandle,
    KeysetRemoteAead, KmsEnvelopeAead, KmsError, KmsErrorKind, RemoteAead, SecretAccess, Variant,
    key::{
        KeyTemplate, aes_eax::AesEaxParameters, kms_aead::KmsAeadParameters,
        kms_envelope_aead::KmsEnvelopeAeadParameters,
    },
    keyset::Format,
    kms::{KmsClient, KmsClients, LocalAead},
};

use crate::fake_kms::block_on;

const DEK_TEMPLATES: [&str; 12] = [
    "AES128_GCM",
    "AES256_GCM_RAW",
    "AES128_GCM_SIV",
    "AES256_GCM_SIV",
    "AES128_CTR_HMAC_SHA256",
    "AES256_CTR_HMAC_SHA256",
    "AES128_EAX",
    "AES256_EAX",
    "CHACHA20_POLY1305",
    "CHACHA20_POLY1305_RAW",
    "XCHACHA20_POLY1305",
    "XCHACHA20_POLY1305_RAW",
];

/// A key-encryption key that records its calls. It wraps by writing its name, then every byte with
/// its bits inverted.
#[derive(Clone, Default)]
struct Kek {
    name: &'static str,
    calls: Arc<Mutex<Vec<Call>>>,
    fails: Option<KmsErrorKind>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Call {
    Encrypt(Vec<u8>, Vec<u8>),
    Decrypt(Vec<u8>, Vec<u8>),
}

impl Kek {
    fn named(name: &'static str) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }

    fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn turn(bytes: &[u8]) -> Vec<u8> {
        bytes.iter().map(|byte| !byte).collect()
    }

    fn note(&self, call: Call) -> Result<(), KmsError> {
        self.calls.lock().unwrap().push(call);
        self.fails.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

impl RemoteAead for Kek {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            self.note(Call::Encrypt(plaintext.into(), associated_data.into()))?;
            Ok([self.name.as_bytes(), &Self::turn(plaintext)].concat())
        })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            self.note(Call::Decrypt(ciphertext.into(), associated_data.into()))?;
            ciphertext
                .strip_prefix(self.name.as_bytes())
                .map(Self::turn)
                .ok_or_else(|| KmsErrorKind::DecryptionFailed.into())
        })
    }
}

impl KmsClient for Kek {
    fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        (key_uri.strip_prefix("test-kms://")? == self.name)
            .then(|| Ok(Arc::new(self.clone()) as Arc<dyn RemoteAead>))
    }
}

fn wrap(serialized_dek: &[u8], payload: &[u8]) -> Vec<u8> {
    let wrapped = Kek::turn(serialized_dek);
    let length = u32::try_from(wrapped.len()).unwrap();
    [&length.to_be_bytes()[..], &wrapped, payload].concat()
}

fn kind<T>(result: Result<T, KmsError>) -> Option<KmsErrorKind> {
    result.err().map(|error| error.kind())
}

fn template(name: &str) -> KeyTemplate {
    let template = KeyTypes::default().template(name).unwrap();
    template.key_template().clone()
}

fn envelope_key(uri: &str, variant: Variant) -> Key {
    let parameters = KmsEnvelopeAeadParameters::new(uri, template("AES128_GCM")).unwrap();
    Key::generate_with(&parameters, variant).unwrap()
}

#[tokio::test]
async fn a_message_gets_a_key_of_its_own_which_is_wrapped_as_its_message() {
    for name in DEK_TEMPLATES {
        let kek = Kek::default();
        let aead = KmsEnvelopeAead::new(kek.clone(), name).unwrap();
        let mut seen = Vec::new();
        for size in [0, 1, 100, 70_000] {
            let plaintext = vec![7; size];
            let ciphertext = aead.encrypt(&plaintext, b"theirs").await.unwrap();
            let [Call::Encrypt(dek, associated_data)] = &kek.calls()[..] else {
                panic!("one call");
            };
            // Tink's rule: the caller's associated data is for the payload alone.
            assert!(associated_data.is_empty());
            let start = [
                &u32::try_from(dek.len()).unwrap().to_be_bytes(),
                &Kek::turn(dek)[..],
            ];
            let payload = ciphertext.strip_prefix(&start.concat()[..]).unwrap();

            // A local key of the same message opens the payload: there is no prefix.
            let raw = KeysetHandle::with_id(key_of(name, dek), KeyId::new(1));
            let local: KeysetAead = raw.primitive().unwrap();
            assert_eq!(local.decrypt(payload, b"theirs").unwrap(), plaintext);

            assert_eq!(
                aead.decrypt(&ciphertext, b"theirs").await.unwrap(),
                plaintext
            );
            assert_eq!(kek.calls(), [Call::Decrypt(Kek::turn(dek), Vec::new())]);
            assert!(!seen.contains(dek), "a key was used twice");
            seen.push(dek.clone());
        }
    }
}

/// Serializes a field of bytes.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![tag];
    prost::encode_length_delimiter(bytes.len(), &mut field).unwrap();
    [field, bytes.to_vec()].concat()
}

/// Reads a serialized key of the type of a template, as a raw key.
fn key_of(name: &str, serialized: &[u8]) -> Key {
    let type_url = template(name).type_url().to_owned();
    let data = [
        field(0x0a, type_url.as_bytes()),
        field(0x12, serialized),
        vec![0x18, 1],
    ]
    .concat();
    let key = [field(0x0a, &data), vec![0x10, 1, 0x18, 1, 0x20, 3]].concat();
    let keyset = [vec![0x08, 1], field(0x12, &key)].concat();
    let access = SecretAccess::insecure();
    let handle = KeysetHandle::read_cleartext(&keyset, Format::Binary, access).unwrap();
    handle.entries().next().unwrap().key().unwrap().clone()
}

#[tokio::test]
async fn malformed_envelopes_are_refused_without_a_call() {
    let kek = Kek::default();
    let aead = KmsEnvelopeAead::new(kek.clone(), "AES128_GCM").unwrap();
    let good = aead.encrypt(b"", b"").await.unwrap();
    kek.calls();
    let with_length = |length: u32| [&length.to_be_bytes(), &good[4..]].concat();
    let longest = |length: usize| {
        let length_bytes = u32::try_from(length).unwrap().to_be_bytes();
        [&length_bytes[..], &vec![7; length], &[0; 28]].concat()
    };
    let little_endian = [&18_u32.to_le_bytes(), &good[4..]].concat();
    let mut refused: Vec<Vec<u8>> = vec![
        vec![0; 4],
        with_length(0),
        with_length(47),
        with_length(1 << 31),
        with_length(u32::MAX),
        little_endian,
        longest(4097),
    ];
    // Cut anywhere, the payload is shorter than that of an empty plaintext.
    refused.extend((0..good.len()).map(|end| good[..end].to_vec()));
    for ciphertext in refused {
        let error = aead.decrypt(&ciphertext, b"").await;
        assert_eq!(kind(error), Some(KmsErrorKind::DecryptionFailed));
        assert_eq!(kek.calls(), []);
    }
    // The longest wrapped key is sent, and does not open.
    let error = aead.decrypt(&longest(4096), b"").await;
    assert_eq!(kind(error), Some(KmsErrorKind::DecryptionFailed));
    assert_eq!(kek.calls().len(), 1);
}

#[tokio::test]
async fn a_changed_bit_anywhere_gives_one_and_the_same_error() {
    for name in DEK_TEMPLATES {
        let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")
            .unwrap()
            .primitive()
            .unwrap();
        let aead = KmsEnvelopeAead::new(LocalAead::new(kek), name).unwrap();
        let good = aead.encrypt(b"text", b"data").await.unwrap();
        for bit in 0..good.len() * 8 {
            let mut damaged = good.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let error = aead.decrypt(&damaged, b"data").await.err().unwrap();
            assert_eq!(error, KmsErrorKind::DecryptionFailed.into());
        }
        assert!(aead.decrypt(&good, b"other").await.is_err());
    }
}

#[tokio::test]
async fn only_the_type_of_the_template_counts_when_an_envelope_is_opened() {
    let aes128 = KmsEnvelopeAead::new(Kek::default(), "AES128_GCM").unwrap();
    let aes256 = KmsEnvelopeAead::new(Kek::default(), "AES256_GCM").unwrap();
    let chacha = KmsEnvelopeAead::new(Kek::default(), "CHACHA20_POLY1305").unwrap();
    let ciphertext = aes256.encrypt(b"text", b"data").await.unwrap();
    assert_eq!(aes128.decrypt(&ciphertext, b"data").await.unwrap(), b"text");
    assert!(chacha.decrypt(&ciphertext, b"data").await.is_err());

    let short_iv = AesEaxParameters::new(32, 12).unwrap();
    let short_iv = Key::generate_with(&short_iv, Variant::Raw)
        .unwrap()
        .template()
        .unwrap();
    let short_iv = KmsEnvelopeAead::with_template(Kek::default(), &short_iv).unwrap();
    let stock = KmsEnvelopeAead::new(Kek::default(), "AES128_EAX").unwrap();
    let ciphertext = short_iv.encrypt(b"text", b"data").await.unwrap();
    assert_eq!(stock.decrypt(&ciphertext, b"data").await.unwrap(), b"text");
}

#[tokio::test]
async fn what_is_wrapped_must_be_a_key_message() {
    let aead = KmsEnvelopeAead::new(Kek::default(), "AES128_GCM").unwrap();
    let sealed = aead.encrypt(b"text", b"").await.unwrap();
    let dek = Kek::turn(&sealed[4..22]);
    let payload = &sealed[22..];
    let opened = async |message: &[u8]| aead.decrypt(&wrap(message, payload), b"").await;
    assert_eq!(opened(&dek).await.unwrap(), b"text");
    // Version 0 written out, and a field that nobody knows.
    assert_eq!(
        opened(&[&[0x08, 0], &dek[..]].concat()).await.unwrap(),
        b"text"
    );
    assert_eq!(
        opened(&[&dek[..], &[0x78, 5]].concat()).await.unwrap(),
        b"text"
    );

    let url = b"type.googleapis.com/google.crypto.tink.AesGcmKey";
    let key_data = [&[0x0a, 48][..], url, &[0x12, 18], &dek, &[0x18, 1]].concat();
    let version_1 = [&[0x08, 1], &dek[..]].concat();
    let short = [&[0x1a, 15], &dek[3..]].concat();
    let raw = &dek[2..];
    for refused in [&key_data[..], &version_1, &short, raw] {
        assert_eq!(
            kind(opened(refused).await),
            Some(KmsErrorKind::DecryptionFailed)
        );
    }
}

#[tokio::test]
async fn a_wrapped_key_of_another_length_than_tink_allows_is_not_written() {
    struct Wraps(usize);
    impl RemoteAead for Wraps {
        fn encrypt<'a>(
            &'a self,
            _: &'a [u8],
            _: &'a [u8],
        ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
            Box::pin(async { Ok(vec![7; self.0]) })
        }
        fn decrypt<'a>(
            &'a self,
            _: &'a [u8],
            _: &'a [u8],
        ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
            Box::pin(async { Ok(Vec::new()) })
        }
    }
    for (length, expected) in [
        (0, Some(KmsErrorKind::InvalidReply)),
        (1, None),
        (4096, None),
        (4097, Some(KmsErrorKind::InvalidReply)),
    ] {
        let aead = KmsEnvelopeAead::new(Wraps(length), "AES256_GCM").unwrap();
        assert_eq!(kind(aead.encrypt(b"text", b"").await), expected, "{length}");
    }
    // An empty message is an AES key of no bytes.
    let aead = KmsEnvelopeAead::new(Wraps(1), "AES256_GCM").unwrap();
    let ciphertext = aead.encrypt(b"text", b"").await.unwrap();
    let error = aead.decrypt(&ciphertext, b"").await;
    assert_eq!(kind(error), Some(KmsErrorKind::DecryptionFailed));
}

#[test]
fn templates_outside_the_list_make_no_envelope() {
    for name in [
        "XAES_256_GCM_192_BIT_NONCE",
        "AES256_SIV",
        "HMAC_SHA256_128BITTAG",
    ] {
        let refused = KmsEnvelopeAead::new(Kek::default(), name).err().unwrap();
        assert!(matches!(refused, KeyError::DekType { .. }), "{refused}");
        assert!(KmsEnvelopeAeadParameters::new("", template(name)).is_err());
    }
    let nested = envelope_key("test-kms://", Variant::Raw)
        .template()
        .unwrap();
    let remote = Key::generate_with(&KmsAeadParameters::new("x"), Variant::Raw).unwrap();
    let unknown = KeyTemplate::new("type.googleapis.com/x.Y", [], Variant::Raw);
    let short = KeyTemplate::new(template("AES128_GCM").type_url(), [0x10, 15], Variant::Raw);
    for refused in [nested, remote.template().unwrap(), unknown, short] {
        assert!(KmsEnvelopeAead::with_template(Kek::default(), &refused).is_err());
        assert!(KmsEnvelopeAeadParameters::new("", refused).is_err());
    }
}

#[tokio::test]
async fn an_envelope_of_another_tink_opens() {
    // Made by tink-go: aead/kms_envelope_aead_test.go, with the key of its fake-kms:// URI.
    let kek = hex::decode(
        "08cd9bdff30312540a480a30747970652e676f6f676c65617069732e636f6d2f676f6f676c652e637279707\
         46f2e74696e6b2e41657347636d4b657912121a1082bbe6de4bf9a7655305615af46e594c1801100118cd9b\
         dff3032001",
    )
    .unwrap();
    let ciphertext = hex::decode(
        "00000043013e77cdcd3ac4f38c7312f97a9b8c6e2b7b481ce3540006d24abb658938b52d6474c5fa569212c\
         023e06229c0335f414244a32748778baed5e24a55b12b82920d1f06f17ef8a86eee808d2c9d2026fb45371c\
         f60696eb77790524642c5f067a529793c251b068f8",
    )
    .unwrap();
    let access = SecretAccess::insecure();
    let kek = KeysetHandle::read_cleartext(&kek, Format::Binary, access).unwrap();
    let kek: KeysetAead = kek.primitive().unwrap();
    let aead = KmsEnvelopeAead::new(LocalAead::new(kek), "AES256_GCM").unwrap();
    let plaintext = aead.decrypt(&ciphertext, b"associatedData").await.unwrap();
    assert_eq!(plaintext, b"plaintext");
}

#[tokio::test]
async fn keys_are_tried_in_order_and_no_service_is_asked_in_vain() {
    let (first, second, third) = (Kek::named("1"), Kek::named("2"), Kek::named("3"));
    let clients = KmsClients::new()
        .with(first.clone())
        .with(second.clone())
        .with(third.clone());
    let calls = || {
        (
            first.calls().len(),
            second.calls().len(),
            third.calls().len(),
        )
    };
    let local = Key::generate("AES128_GCM").unwrap();
    let mut keyset = KeysetHandle::new(local).unwrap();
    let local_aead = KeysetRemoteAead::new(&keyset, &clients).unwrap();
    let by_local = local_aead.encrypt(b"local", b"data").await.unwrap();

    let mut written = Vec::new();
    for (uri, variant) in [
        ("test-kms://1", Variant::Tink),
        ("test-kms://2", Variant::Raw),
        ("test-kms://3", Variant::Raw),
    ] {
        keyset.rotate(envelope_key(uri, variant)).unwrap();
        let aead = KeysetRemoteAead::new(&keyset, &clients).unwrap();
        written.push(aead.encrypt(uri.as_bytes(), b"data").await.unwrap());
    }
    assert_eq!(written[0][0], 1);
    assert_eq!(calls(), (1, 1, 1));
    let aead = KeysetRemoteAead::new(&keyset, &clients).unwrap();
    let open = async |ciphertext: &[u8]| aead.decrypt(ciphertext, b"data").await;

    // A prefix decides: nobody else is asked.
    assert_eq!(open(&by_local).await.unwrap(), b"local");
    assert_eq!(calls(), (0, 0, 0));
    assert_eq!(open(&written[0]).await.unwrap(), b"test-kms://1");
    assert_eq!(calls(), (1, 0, 0));
    // Without one, the raw keys in their order.
    assert_eq!(open(&written[1]).await.unwrap(), b"test-kms://2");
    assert_eq!(calls(), (0, 1, 0));
    assert_eq!(open(&written[2]).await.unwrap(), b"test-kms://3");
    assert_eq!(calls(), (0, 1, 1));
    // A ciphertext with the prefix that does not open may still be from a raw key, if the shape
    // fits.
    let mut damaged = written[0].clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(
        kind(open(&damaged).await),
        Some(KmsErrorKind::DecryptionFailed)
    );
    assert_eq!(calls(), (1, 0, 0));
    assert_eq!(
        kind(open(b"not one of ours").await),
        Some(KmsErrorKind::DecryptionFailed)
    );
    assert_eq!(calls(), (0, 0, 0));
}

#[tokio::test]
async fn a_service_that_does_not_answer_does_not_stop_the_others() {
    let mut down = Kek::named("1");
    down.fails = Some(KmsErrorKind::Unavailable);
    let up = Kek::named("2");
    let clients = KmsClients::new().with(down.clone()).with(up.clone());
    let mut keyset = KeysetHandle::new(envelope_key("test-kms://1", Variant::Raw)).unwrap();
    keyset
        .rotate(envelope_key("test-kms://2", Variant::Raw))
        .unwrap();
    let aead = KeysetRemoteAead::new(&keyset, &clients).unwrap();
    let ciphertext = aead.encrypt(b"text", b"data").await.unwrap();
    assert_eq!(aead.decrypt(&ciphertext, b"data").await.unwrap(), b"text");
    assert_eq!(down.calls().len(), 1);

    // Nobody opens it, and one could not be asked: it is not known whether it opens.
    let error = aead.decrypt(&ciphertext, b"other").await.err().unwrap();
    assert_eq!(error.kind(), KmsErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert!(keyseal::DecryptError::from(error).is_retryable());
}

#[tokio::test]
async fn plain_kms_keys_work_with_both_prefixes() {
    let kek = Kek::named("1");
    for (variant, prefix_size) in [(Variant::Raw, 0), (Variant::Tink, 5)] {
        let key = Key::generate_with(&KmsAeadParameters::new("test-kms://1"), variant).unwrap();
        let keyset = KeysetHandle::new(key).unwrap();
        let aead = KeysetRemoteAead::new(&keyset, &kek).unwrap();
        let ciphertext = aead.encrypt(b"text", b"data").await.unwrap();
        assert_eq!(kek.calls(), [Call::Encrypt(b"text".into(), b"data".into())]);
        let (_, output) = ciphertext.split_at(prefix_size);
        assert_eq!(output, [b"1", &Kek::turn(b"text")[..]].concat());
        assert_eq!(aead.decrypt(&ciphertext, b"data").await.unwrap(), b"text");
        assert_eq!(kek.calls(), [Call::Decrypt(output.into(), b"data".into())]);
    }
    for variant in [Variant::Crunchy, Variant::Legacy] {
        let refused = Key::generate_with(&KmsAeadParameters::new("test-kms://1"), variant);
        assert!(matches!(refused, Err(KeyError::Variant { .. })));
    }
}

#[test]
fn a_keyset_of_kms_keys_holds_no_secret_and_says_who_can_use_it() {
    let mut keyset = KeysetHandle::new(envelope_key("test-kms://1", Variant::Tink)).unwrap();
    keyset
        .add(Key::generate_with(&KmsAeadParameters::new("test-kms://2"), Variant::Raw).unwrap())
        .unwrap();
    for format in [Format::Json, Format::Binary] {
        let file = keyset.write_no_secret(format).unwrap();
        let read = KeysetHandle::read_no_secret(&file, format).unwrap();
        assert_eq!(read.write_no_secret(format).unwrap(), file);
    }

    let local = keyset.primitive::<KeysetAead>().err().unwrap();
    assert!(
        matches!(
            local,
            KeysetError::Key {
                source: KeyError::Remote,
                ..
            }
        ),
        "{local:?}"
    );
    let unserved = KeysetRemoteAead::new(&keyset, &Kek::named("1"))
        .err()
        .unwrap();
    let error = unserved.kms_error().unwrap();
    assert_eq!(error.kind(), KmsErrorKind::UnsupportedUri);
    assert!(!unserved.is_retryable());

    // A key that is not enabled need not be served.
    let second = keyset.entries().nth(1).unwrap().id();
    keyset.disable(second).unwrap();
    assert!(KeysetRemoteAead::new(&keyset, &Kek::named("1")).is_ok());
}

#[test]
fn an_unheeded_prefix_type_of_the_template_is_kept() {
    // KmsEnvelopeAeadKey { params { kek_uri: "u", dek_template { AesGcmKey, 1010, prefix } } }
    for prefix in [0_u8, 1, 3, 9] {
        let url = "type.googleapis.com/google.crypto.tink.";
        let dek_url = format!("{url}AesGcmKey");
        let mut template = [field(0x0a, dek_url.as_bytes()), field(0x12, &[0x10, 16])].concat();
        if prefix > 0 {
            template.extend([0x18, prefix]);
        }
        let params = [field(0x0a, b"u"), field(0x12, &template)].concat();
        let type_url = format!("{url}KmsEnvelopeAeadKey");
        let value = field(0x12, &field(0x12, &params));
        let data = [field(0x0a, type_url.as_bytes()), value, vec![0x18, 4]].concat();
        let key = [field(0x0a, &data), vec![0x10, 1, 0x18, 7, 0x20, 3]].concat();
        let keyset = [vec![0x08, 7], field(0x12, &key)].concat();
        let read = KeysetHandle::read_no_secret(&keyset, Format::Binary).unwrap();
        assert_eq!(
            read.write_no_secret(Format::Binary).unwrap(),
            keyset,
            "{prefix}"
        );
    }
}

#[tokio::test]
async fn keysets_of_any_size_are_encrypted_through_an_envelope() {
    /// Takes no more than Key Manager does.
    struct Limited(Kek);
    impl RemoteAead for Limited {
        fn encrypt<'a>(
            &'a self,
            plaintext: &'a [u8],
            associated_data: &'a [u8],
        ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
            if plaintext.len() > 65_535 {
                return Box::pin(async { Err(KmsErrorKind::InvalidInput.into()) });
            }
            self.0.encrypt(plaintext, associated_data)
        }
        fn decrypt<'a>(
            &'a self,
            ciphertext: &'a [u8],
            associated_data: &'a [u8],
        ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
            self.0.decrypt(ciphertext, associated_data)
        }
    }
    let mut keyset = KeysetHandle::generate("AES256_GCM").unwrap();
    while keyset.len() < 700 {
        keyset.add(Key::generate("AES256_GCM").unwrap()).unwrap();
    }
    let plain = Limited(Kek::default());
    let refused = keyset
        .write_encrypted_remote(Format::Json, &plain, b"data")
        .await;
    let error = refused.err().unwrap();
    assert!(
        matches!(error, KeysetError::TooLargeForKek { size: 65_536.., .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("KmsEnvelopeAead"), "{error}");

    let envelope = KmsEnvelopeAead::new(plain, "AES256_GCM").unwrap();
    for format in [Format::Json, Format::Binary] {
        let file = keyset
            .write_encrypted_remote(format, &envelope, b"data")
            .await
            .unwrap();
        let read = KeysetHandle::read_encrypted_remote(&file, format, &envelope, b"data").await;
        assert_eq!(read.unwrap().len(), 700);
        let other = KeysetHandle::read_encrypted_remote(&file, format, &envelope, b"").await;
        assert!(matches!(other, Err(KeysetError::Decrypt(error)) if error.kms_error().is_none()));
    }
}

/// Sizes around the one from which on a message goes to another thread.
const LONG: [usize; 4] = [256 << 10, (256 << 10) + 1, 1 << 20, (3 << 20) + 7];

#[tokio::test]
async fn a_long_message_is_the_same_with_a_runtime_and_without() {
    for template in ["AES256_GCM", "AES128_CTR_HMAC_SHA256"] {
        let aead = KmsEnvelopeAead::new(Kek::default(), template).unwrap();
        for size in LONG {
            let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
            for (plaintext, associated_data) in [(&bytes[..], &b"data"[..]), (b"text", &bytes)] {
                let there = aead.encrypt(plaintext, associated_data).await.unwrap();
                let here = block_on_without_runtime(&aead, plaintext, associated_data);
                assert_eq!(there.len(), here.len());
                for ciphertext in [&there, &here] {
                    let opened = aead.decrypt(ciphertext, associated_data).await;
                    assert!(opened.unwrap() == plaintext, "{template}, {size}");
                }
                let mut damaged = there.clone();
                *damaged.last_mut().unwrap() ^= 1;
                for (ciphertext, data) in [(&damaged, associated_data), (&there, b"other")] {
                    let error = aead.decrypt(ciphertext, data).await.unwrap_err();
                    assert_eq!(error.kind(), KmsErrorKind::DecryptionFailed);
                }
            }
        }
    }
}

fn block_on_without_runtime(aead: &KmsEnvelopeAead, plaintext: &[u8], data: &[u8]) -> Vec<u8> {
    std::thread::scope(|scope| {
        let there = || {
            let ciphertext = block_on(aead.encrypt(plaintext, data)).unwrap();
            assert!(block_on(aead.decrypt(&ciphertext, data)).unwrap() == plaintext);
            ciphertext
        };
        scope.spawn(there).join().unwrap()
    })
}

/// Processor time of this thread, which a busy machine does not change.
#[cfg(all(target_os = "linux", any(feature = "blocking", feature = "scaleway")))]
fn computed() -> std::time::Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = stat.split(' ').next().unwrap().parse().unwrap();
    std::time::Duration::from_nanos(nanoseconds)
}

#[cfg(all(target_os = "linux", any(feature = "blocking", feature = "scaleway")))]
#[tokio::test]
async fn no_poll_of_a_long_message_computes_for_long() {
    use std::{future::poll_fn, pin::pin, time::Duration};

    async fn longest_poll<T>(future: impl Future<Output = T>) -> (T, Duration) {
        let (mut future, mut longest) = (pin!(future), Duration::ZERO);
        let done = poll_fn(|context| {
            let before = computed();
            let poll = future.as_mut().poll(context);
            longest = longest.max(computed() - before);
            poll
        });
        (done.await, longest)
    }
    // The slowest cipher: in one piece it computes for a tenth of a second or more.
    let aead = KmsEnvelopeAead::new(Kek::default(), "AES256_EAX").unwrap();
    let plaintext = vec![7; 8 << 20];
    for _ in 0..2 {
        let (ciphertext, encrypting) = longest_poll(aead.encrypt(&plaintext, b"")).await;
        let ciphertext = ciphertext.unwrap();
        let (opened, decrypting) = longest_poll(aead.decrypt(&ciphertext, b"")).await;
        assert!(opened.unwrap() == plaintext);
        let longest = encrypting.max(decrypting);
        assert!(longest < Duration::from_millis(10), "{longest:?}");
    }
}

#[cfg(any(feature = "blocking", feature = "scaleway"))]
#[tokio::test]
async fn a_long_message_can_be_cancelled_wherever_it_waits() {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    let aead = KmsEnvelopeAead::new(Kek::default(), "AES256_GCM").unwrap();
    let plaintext = vec![7; 4 << 20];
    let ciphertext = aead.encrypt(&plaintext, b"").await.unwrap();
    for polls in 1..8 {
        let (mut encrypt, mut decrypt) = (
            pin!(aead.encrypt(&plaintext, b"")),
            pin!(aead.decrypt(&ciphertext, b"")),
        );
        for _ in 0..polls {
            let mut context = Context::from_waker(Waker::noop());
            if encrypt.as_mut().poll(&mut context).is_ready()
                || decrypt.as_mut().poll(&mut context).is_ready()
            {
                break;
            }
        }
    }
    assert!(aead.decrypt(&ciphertext, b"").await.unwrap() == plaintext);
}
