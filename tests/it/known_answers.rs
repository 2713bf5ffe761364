//! Bytes that other implementations publish, opened and written here.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyseal::{
    Aead, Hash, Key, KeyId, KeysetAead, KeysetError, KeysetHandle, Variant,
    key::aes_gcm::AesGcmKey,
    keyset::{Format, Status},
};

use crate::support::{ACCESS, Import, aeads, bytes_of, pattern, read, secret, write};

/// Ciphertexts of tink-cc, tink-go, C2SP and libsodium. Its README says which.
const AEAD: &str = include_str!("../vectors/published/aead.txt");

#[test]
fn published_aead_ciphertexts_open() {
    let mut counts = BTreeMap::new();
    for line in AEAD.lines().filter(|line| line.starts_with("type=")) {
        let vector = Vector::parse(line);
        let keyset = vector.keyset();
        *counts.entry(vector.text("type").to_owned()).or_insert(0) += 1;
        let (ciphertext, associated_data) =
            (vector.bytes("ciphertext"), vector.bytes("associated_data"));
        for aead in aeads(&keyset) {
            let opened = aead.decrypt(&ciphertext, &associated_data);
            let opened = opened.unwrap_or_else(|_| panic!("did not open: {line}"));
            if vector.0.contains_key("plaintext") {
                assert_eq!(opened, vector.bytes("plaintext"), "{line}");
            }
            let mut in_place = ciphertext.clone();
            aead.decrypt_in_place(&mut in_place, &associated_data)
                .unwrap();
            assert_eq!(in_place, opened, "{line}");

            let mut damaged = ciphertext.clone();
            *damaged.last_mut().unwrap() ^= 1;
            assert!(aead.decrypt(&damaged, &associated_data).is_err(), "{line}");
        }
    }
    let expected = [
        ("AES-CTR-HMAC", 7),
        ("AES-EAX", 6),
        ("AES-GCM", 7),
        ("AES-GCM-SIV", 7),
        ("ChaCha20-Poly1305", 29),
        ("X-AES-GCM", 8),
        ("XChaCha20-Poly1305", 53),
    ];
    let expected = expected.map(|(cipher, count)| (cipher.to_owned(), count));
    assert_eq!(counts, BTreeMap::from(expected));
}

/// A line of the file: names and values.
struct Vector<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Vector<'a> {
    fn parse(line: &'a str) -> Self {
        Self(
            line.split(' ')
                .map(|field| field.split_once('=').unwrap())
                .collect(),
        )
    }

    fn text(&self, name: &str) -> &'a str {
        self.0.get(name).copied().unwrap_or_default()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        bytes_of(self.text(name))
    }

    fn number(&self, name: &str) -> usize {
        self.0.get(name).map_or(0, |number| number.parse().unwrap())
    }

    fn keyset(&self) -> KeysetHandle {
        let variant = Variant::ALL
            .into_iter()
            .find(|variant| variant.name() == self.text("variant"))
            .unwrap();
        let import = Import {
            cipher: self.text("type"),
            key: &self.bytes("key"),
            hmac_key: &self.bytes("hmac_key"),
            hash: Hash::ALL
                .into_iter()
                .find(|hash| hash.to_string() == self.text("hash")),
            tag_size: self.number("tag_size"),
            iv_size: self.number("iv_size"),
            salt_size: self.number("salt_size"),
        };
        let id = KeyId::new(self.number("id").try_into().unwrap());
        KeysetHandle::with_id(import.key(variant).unwrap(), id)
    }
}

#[test]
fn a_keyset_is_serialized_byte_for_byte() {
    // The wire format's worked example: AES-128-GCM, 00 01 .. 0f, id 42, TINK.
    let bytes: Vec<u8> = (0..16).collect();
    let key = Key::new(AesGcmKey::new(secret(&bytes)).unwrap(), Variant::Tink).unwrap();
    let keyset = KeysetHandle::with_id(key, KeyId::new(42));
    let expected = [
        &bytes_of("082a12500a480a30")[..],
        b"type.googleapis.com/google.crypto.tink.AesGcmKey",
        &bytes_of("12121a10000102030405060708090a0b0c0d0e0f18011001182a2001"),
    ]
    .concat();
    assert_eq!(write(&keyset, Format::Binary), expected);
    let again = read(&expected, Format::Binary).unwrap();
    let key = again.entries().next().unwrap().key().unwrap();
    let typed: &AesGcmKey = key.downcast_ref().unwrap();
    assert_eq!(typed.key().expose(ACCESS), bytes);

    let json = String::from_utf8(write(&keyset, Format::Json)).unwrap();
    let json: String = json.split_whitespace().collect();
    let expected = concat!(
        r#"{"primaryKeyId":42,"key":[{"keyData":{"#,
        r#""typeUrl":"type.googleapis.com/google.crypto.tink.AesGcmKey","#,
        r#""value":"GhAAAQIDBAUGBwgJCgsMDQ4P","keyMaterialType":"SYMMETRIC"},"#,
        r#""status":"ENABLED","keyId":42,"outputPrefixType":"TINK"}]}"#,
    );
    assert_eq!(json, expected);
}

#[test]
fn aes_ctr_hmac_pads_the_counter_and_authenticates_the_iv() {
    let (key, hmac_key): (Vec<u8>, Vec<u8>) = ((0..16).collect(), (16..32).collect());
    let import = Import {
        cipher: "AES-CTR-HMAC",
        key: &key,
        hmac_key: &hmac_key,
        hash: Some(Hash::Sha1),
        tag_size: 10,
        iv_size: 12,
        ..Import::default()
    };
    let ciphertext = bytes_of(
        "010000002aa0a1a2a3a4a5a6a7a8a9aaab6f190d2fa40e3bb73d9650f590f7811a9580020c5b011db42c84a85b50",
    );
    let keyset = KeysetHandle::with_id(import.key(Variant::Tink).unwrap(), KeyId::new(42));
    for aead in aeads(&keyset) {
        assert_eq!(
            aead.decrypt(&ciphertext, b"ad").unwrap(),
            b"hello, this is tink"
        );
    }
    // The prefix is not authenticated: the same bytes with another are those of another variant.
    let crunchy = KeysetHandle::with_id(import.key(Variant::Crunchy).unwrap(), KeyId::new(42));
    let with_crunchy_prefix = [&[0], &ciphertext[1..]].concat();
    for aead in aeads(&crunchy) {
        assert!(aead.decrypt(&with_crunchy_prefix, b"ad").is_ok());
        assert!(aead.decrypt(&ciphertext, b"ad").is_err());
    }
}

#[test]
fn x_aes_gcm_pads_short_salts_with_zeros() {
    // With a salt of 8 bytes the message key is known; what AES-256-GCM writes under it, X-AES-GCM
    // opens.
    let key: Vec<u8> = (0..32).collect();
    let message_key = bytes_of("4c40c47b2d1af0cfefe203ad25f4bea7be40bc735a048183d92bafcd533d533e");
    let salt: Vec<u8> = (0x30..0x38).collect();
    let import = |cipher, key, salt_size| {
        let import = Import {
            cipher,
            key,
            salt_size,
            ..Import::default()
        };
        KeysetHandle::new(import.key(Variant::Raw).unwrap()).unwrap()
    };
    let inner = import("AES-GCM", &message_key, 0);
    let outer = import("X-AES-GCM", &key, 8);
    for (inner, outer) in aeads(&inner).iter().zip(aeads(&outer)) {
        let ciphertext = [salt.clone(), inner.encrypt(b"plaintext", b"ad").unwrap()].concat();
        assert_eq!(outer.decrypt(&ciphertext, b"ad").unwrap(), b"plaintext");
    }
}

/// `keyset/binary_io_test.go` of tink-go; the same in tink-cc, tink-java and the cross-language
/// tests.
#[test]
fn a_published_encrypted_binary_keyset_opens() {
    let kek = bytes_of(concat!(
        "08cd9bdff30312540a480a30747970652e676f6f676c65617069732e636f6d2f676f6f676c652e6372797074",
        "6f2e74696e6b2e41657347636d4b657912121a1082bbe6de4bf9a7655305615af46e594c1801100118cd9bdf",
        "f3032001",
    ));
    let file = bytes_of(concat!(
        "129101013e77cdcd28f57ffb418afa7f25d48a74efe720246e9aa538f33a702888bb7c48bce0e5a016a0c8e9",
        "085066d67c7c7fb40dceb176a3a10c7f7ab30c564dd8e2d918a2fc2d2e9a0245c537ff6d1fd756ff9d6de5cf",
        "4eb7f229de215e6e892f32fd703d0c9c3d2168813ad5bbc6ce108fcbfed0d9e3b14faae3e3789a891346d983",
        "b1ecca082f0546163351339aa142f574",
    ));
    let kek = read(kek, Format::Binary).unwrap();
    check_encrypted(&kek, &file, Format::Binary, b"associatedData", 0x8f2d_72de);
}

/// `TinkJsonProtoKeysetFormatTest.java` of tink-java: an EAX key over a JSON file.
#[test]
fn a_published_encrypted_json_keyset_opens() {
    let kek = bytes_of(concat!(
        "08b891f5a20412580a4c0a30747970652e676f6f676c65617069732e636f6d2f676f6f676c652e6372797074",
        "6f2e74696e6b2e4165734561784b65791216120208101a10e5d7d0cdd649e81e7952260689b2e19718011001",
        "18b891f5a2042001",
    ));
    let file = concat!(
        r#"{"encryptedKeyset":"AURdSLhZcFEgMBptDyi4/D8hL3h+Iz7ICgLrdeVRH26Fi3uSeewFoFA5cV5wfNueme3"#,
        "/BBR60yJ4hGpQp+/248ZIgfuWyfmAGZ4dmYnYC1qd/IWkZZfVr3aOsx4j4kFZHkkvA+XIZUh/INbdPsMUNJy9cmu6s8",
        "osdHzu0XzP2ltWUowbr0fLQJwy92eAvU6gv91k6Tc=\",",
        r#""keysetInfo":{"primaryKeyId":547623039,"keyInfo":[{"#,
        r#""typeUrl":"type.googleapis.com/google.crypto.tink.HmacKey","status":"ENABLED","#,
        r#""keyId":547623039,"outputPrefixType":"TINK"}]}}"#,
    );
    let kek = read(kek, Format::Binary).unwrap();
    let associated_data = bytes_of("abcdef330012");
    check_encrypted(
        &kek,
        file.as_bytes(),
        Format::Json,
        &associated_data,
        547623039,
    );

    // The same file holds the same key as the cleartext that the test publishes beside it.
    let aead: KeysetAead = kek.primitive().unwrap();
    let opened =
        KeysetHandle::read_encrypted(file.as_bytes(), Format::Json, &aead, &associated_data);
    let value = STANDARD
        .decode("EgQIAxAQGiBYhMkitTWFVefTIBg6kpvac+bwFOGSkENGmU+1EYgocg==")
        .unwrap();
    let opened = write(&opened.unwrap(), Format::Binary);
    assert!(opened.windows(value.len()).any(|window| window == value));
}

/// Checks a file of one HMAC key.
fn check_encrypted(kek: &KeysetHandle, file: &[u8], format: Format, ad: &[u8], id: u32) {
    for kek in aeads(kek) {
        let opened = KeysetHandle::read_encrypted(file, format, &kek, ad).unwrap();
        assert_eq!(opened.primary_id(), KeyId::new(id));
        let entries: Vec<_> = opened.entries().collect();
        assert_eq!(entries.len(), 1);
        let key = entries[0].key().unwrap();
        assert_eq!(
            key.type_url(),
            "type.googleapis.com/google.crypto.tink.HmacKey"
        );
        assert_eq!(
            (entries[0].status(), entries[0].variant()),
            (Status::Enabled, Variant::Tink)
        );

        let wrong = KeysetHandle::read_encrypted(file, format, &kek, b"").err();
        assert!(matches!(wrong, Some(KeysetError::Decrypt(_))));

        // The keyset written again opens again, and no two ciphertexts are equal.
        let again = opened.write_encrypted(format, &kek, ad).unwrap();
        assert_ne!(again, opened.write_encrypted(format, &kek, ad).unwrap());
        let again = KeysetHandle::read_encrypted(&again, format, &kek, ad).unwrap();
        assert_eq!(
            write(&again, Format::Binary),
            write(&opened, Format::Binary)
        );
    }
}

/// 13- to 15-byte IVs have no published vectors: what each writes, a 16-byte IV with zeros on its
/// right decrypts to the same, up to the tag.
#[test]
fn aes_ctr_hmac_ivs_of_every_size_count_as_padded_ones() {
    let (key, hmac_key) = (pattern(32), pattern(40));
    for iv_size in 12..16 {
        let import = |iv_size, tag_size| Import {
            cipher: "AES-CTR-HMAC",
            key: &key,
            hmac_key: &hmac_key,
            hash: Some(Hash::Sha512),
            tag_size,
            iv_size,
            ..Import::default()
        };
        let short = import(iv_size, 64).key(Variant::Raw).unwrap();
        let long = import(16, 64).key(Variant::Raw).unwrap();
        let short: KeysetAead = KeysetHandle::new(short).unwrap().primitive().unwrap();
        let long: KeysetAead = KeysetHandle::new(long).unwrap().primitive().unwrap();
        let plaintext = pattern(100);
        let ciphertext = short.encrypt(&plaintext, b"").unwrap();
        let (iv, rest) = ciphertext.split_at(iv_size);
        let (body, _) = rest.split_at(plaintext.len());
        let padded = [iv, &vec![0; 16 - iv_size], body].concat();
        let tag = hmac_sha512(&hmac_key, &[&padded[..], &[0; 8]].concat());
        let padded = [padded, tag].concat();
        assert_eq!(long.decrypt(&padded, b"").unwrap(), plaintext);
    }
}

fn hmac_sha512(key: &[u8], message: &[u8]) -> Vec<u8> {
    use hmac::{KeyInit as _, Mac as _};
    let mut hmac = hmac::Hmac::<sha2::Sha512>::new_from_slice(key).unwrap();
    hmac.update(message);
    hmac.finalize().into_bytes().to_vec()
}
