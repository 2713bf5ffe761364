//! Derivers that could not derive: refused when they are read, and when they are made.

use keyseal::{
    Hash, KeyError, KeyId, KeyTypes, KeysetDeriver, KeysetError, KeysetHandle, Variant,
    key::{
        KeyTemplate, hkdf_prf::HkdfPrfKey, hmac::HmacKey, prf_based_deriver::PrfBasedDeriverKey,
    },
    keyset::Format,
};

use crate::support::{
    FORMATS, FileKey, Message, bytes_of, file, label, pattern, prefix, read, secret, url, write,
};

/// The serialized key of a deriver, right or wrong.
struct Value {
    prf_type: String,
    prf: Message,
    derived: Message,
}

impl Value {
    fn good() -> Self {
        Self {
            prf_type: url("HkdfPrfKey"),
            prf: Message::new()
                .message(2, Message::new().number(1, 3))
                .bytes(3, [7; 32]),
            derived: Self::template("AesGcmKey", &[0x10, 0x10], prefix::TINK),
        }
    }

    fn template(type_name: &str, value: &[u8], prefix: u64) -> Message {
        let mut template = Message::new().bytes(1, url(type_name));
        if !value.is_empty() {
            template = template.bytes(2, value);
        }
        template.number(3, prefix)
    }

    fn deriving(type_name: &str, value: &[u8]) -> Self {
        Self {
            derived: Self::template(type_name, value, prefix::TINK),
            ..Self::good()
        }
    }

    fn with_prf(type_name: &str, prf: Message) -> Self {
        Self {
            prf_type: url(type_name),
            prf,
            ..Self::good()
        }
    }

    fn message(&self) -> Message {
        let prf = Message::new()
            .bytes(1, &self.prf_type)
            .bytes(2, &self.prf.0)
            .number(3, label::SYMMETRIC);
        let params = Message::new().message(1, self.derived.clone());
        Message::new().message(2, prf).message(3, params)
    }

    fn key(&self) -> FileKey {
        FileKey::new(5, "PrfBasedDeriverKey", self.message().0)
    }
}

/// Reads a keyset of one key in both formats.
fn load(key: &FileKey) -> Result<KeysetHandle, KeyError> {
    let [binary, json] =
        FORMATS.map(
            |format| match read(file(5, std::slice::from_ref(key), format), format) {
                Ok(keyset) => Ok(keyset),
                Err(KeysetError::Key { source, .. }) => Err(source),
                Err(error) => panic!("{error}"),
            },
        );
    assert_eq!(binary.as_ref().err(), json.as_ref().err());
    binary
}

#[test]
fn a_deriver_that_could_not_derive_is_not_loaded() {
    let good = load(&Value::good().key()).unwrap();
    let good: KeysetDeriver = good.primitive().unwrap();
    assert_eq!(good.derive_keyset(b"").unwrap().len(), 1);

    let hash = |hash| Message::new().message(2, Message::new().number(1, hash));
    for (refused, reason) in [
        (
            Value::with_prf("HmacPrfKey", hash(3).bytes(3, [7; 32])).key(),
            "keys cannot be derived with a key of type \
             `type.googleapis.com/google.crypto.tink.HmacPrfKey`, only with an HkdfPrfKey",
        ),
        (
            Value::with_prf("AesCmacPrfKey", Message::new().bytes(2, [7; 32])).key(),
            "keys cannot be derived with a key of type \
             `type.googleapis.com/google.crypto.tink.AesCmacPrfKey`, only with an HkdfPrfKey",
        ),
        (
            Value::with_prf("HkdfPrfKey", hash(3).bytes(3, [7; 31])).key(),
            "key size 31 is not allowed, only 32 to 4294967295 bytes",
        ),
        (
            Value::with_prf("HkdfPrfKey", hash(1).bytes(3, [7; 32])).key(),
            "hash type 1 is not allowed, only 3 (SHA256) or 4 (SHA512)",
        ),
        (
            Value::with_prf("HkdfPrfKey", hash(3).bytes(3, [7; 32]).number(1, 1)).key(),
            "key version 1 is not supported: only version 0 exists",
        ),
        (
            Value::with_prf("HkdfPrfKey", Message::new().raw([0xff])).key(),
            "the serialized key is malformed",
        ),
        (
            FileKey::new(
                5,
                "PrfBasedDeriverKey",
                Value::good().message().number(1, 1).0,
            ),
            "key version 1 is not supported: only version 0 exists",
        ),
        (
            Value::deriving("AesGcmKey", &[0x10, 24]).key(),
            "key size 24 is not allowed, only 16 or 32 bytes",
        ),
        (
            // Version 1 of the key format.
            Value::deriving("AesGcmKey", &[0x10, 0x10, 0x18, 0x01]).key(),
            "key version 1 is not supported: only version 0 exists",
        ),
        (
            Value::deriving("AesGcmKey", &[0xff]).key(),
            "the serialized key is malformed",
        ),
        (
            Value::deriving("AesEaxKey", &bytes_of("0a0208101010")).key(),
            "keys of type `type.googleapis.com/google.crypto.tink.AesEaxKey` cannot be derived",
        ),
        (
            Value::deriving("PrfBasedDeriverKey", &[]).key(),
            "keys of type `type.googleapis.com/google.crypto.tink.PrfBasedDeriverKey` cannot be \
             derived",
        ),
        (
            // A PRF key must be raw.
            Value::deriving("HmacPrfKey", &bytes_of("0a0208031020")).key(),
            "output prefix TINK is not allowed for this key type",
        ),
        (
            Value::good().key().prefix(prefix::RAW),
            "output prefix RAW differs from that of the derived keys, TINK",
        ),
        (
            Value::good().key().label(label::ASYMMETRIC_PUBLIC),
            "the key material type is ASYMMETRIC_PUBLIC, but must be SYMMETRIC for this key type",
        ),
    ] {
        let refused = load(&refused).unwrap_err();
        assert_eq!(refused.to_string(), reason);
    }
    for prefix in [0, 5, 6] {
        let value = Value {
            derived: Value::template("AesGcmKey", &[0x10, 0x10], prefix),
            ..Value::good()
        };
        let refused = load(&value.key()).unwrap_err();
        assert!(matches!(
            refused,
            KeyError::Parameter { name: "output prefix type", found, .. } if found == prefix
        ));
    }
    // An absent field is empty, and just as wrong.
    for value in [
        Message::new(),
        Message::new().message(2, Message::new()),
        Message::new().message(3, Message::new().message(1, Value::good().derived)),
    ] {
        assert!(load(&FileKey::new(5, "PrfBasedDeriverKey", value.0)).is_err());
    }
    let no_template = Value {
        derived: Message::new(),
        ..Value::good()
    };
    assert!(load(&no_template.key()).is_err());
    let no_type = Value {
        derived: Message::new()
            .bytes(2, [0x10, 0x10])
            .number(3, prefix::TINK),
        ..Value::good()
    };
    assert!(load(&no_type.key()).is_err());
}

#[test]
fn a_deriver_of_keys_that_are_not_known_is_kept_and_derives_nothing() {
    let value = Value::deriving("Ed25519PrivateKey", &[]);
    let keyset = load(&value.key()).unwrap();
    for format in FORMATS {
        let again = read(write(&keyset, format), format).unwrap();
        let expected = file(5, &[value.key()], Format::Binary);
        assert_eq!(write(&again, Format::Binary), expected);
    }
    let type_url = url("Ed25519PrivateKey");
    match keyset.primitive::<KeysetDeriver>() {
        Err(KeysetError::Key { id, source }) => {
            assert_eq!(id, KeyId::new(5));
            assert_eq!(source, KeyError::UnknownType { type_url });
        }
        other => panic!("{other:?}"),
    }
    // None is made, for that matter.
    let derived = KeyTemplate::new(url("Ed25519PrivateKey"), [], Variant::Tink);
    let made = PrfBasedDeriverKey::new(
        HkdfPrfKey::new(secret([7; 32]), Hash::Sha256, b"").unwrap(),
        derived,
    );
    assert!(matches!(made, Err(KeyError::UnknownType { .. })));
}

#[test]
fn a_format_for_a_deriver_that_could_not_derive_is_refused() {
    let prf = |type_name: &str, value: &str, prefix: u64| {
        Value::template(type_name, &bytes_of(value), prefix)
    };
    let good_prf = || prf("HkdfPrfKey", "0a0208031020", prefix::RAW);
    let good_derived = || Value::template("AesGcmKey", &[0x10, 0x10], prefix::TINK);
    let generate = |prf: Message, derived: Message, variant| {
        let format = Message::new()
            .message(1, prf)
            .message(2, Message::new().message(1, derived));
        let template = KeyTemplate::new(url("PrfBasedDeriverKey"), format.0, variant);
        KeyTypes::default().generate_from(&template)
    };
    let key = generate(good_prf(), good_derived(), Variant::Tink).unwrap();
    let again = key.template().unwrap();
    assert!(KeyTypes::default().generate_from(&again).is_ok());
    for (prf, derived, variant) in [
        (good_prf(), good_derived(), Variant::Raw),
        (
            prf("HmacPrfKey", "0a0208031020", prefix::RAW),
            good_derived(),
            Variant::Tink,
        ),
        (
            prf("HkdfPrfKey", "0a0208031020", prefix::TINK),
            good_derived(),
            Variant::Tink,
        ),
        (
            prf("HkdfPrfKey", "0a020803101f", prefix::RAW),
            good_derived(),
            Variant::Tink,
        ),
        (Message::new(), good_derived(), Variant::Tink),
        (good_prf(), Message::new(), Variant::Tink),
        (
            good_prf(),
            Value::template("ChaCha20Poly1305Key", &[], prefix::TINK),
            Variant::Tink,
        ),
        (
            good_prf(),
            Value::template("Ed25519PrivateKey", &[], prefix::TINK),
            Variant::Tink,
        ),
    ] {
        assert!(generate(prf, derived, variant).is_err());
    }
}

#[test]
fn a_template_that_asks_for_gigabytes_is_refused_at_once() {
    let hmac = Message::new().number(1, 3).number(2, 16);
    for (size, fits) in [(8160, true), (8161, false), (u32::MAX, false)] {
        let format = Message::new()
            .message(1, hmac.clone())
            .number(2, size.into());
        let loaded = load(&Value::deriving("HmacKey", &format.0).key());
        assert_eq!(loaded.is_ok(), fits, "{size}");
        if let Ok(keyset) = loaded {
            let deriver: KeysetDeriver = keyset.primitive().unwrap();
            let derived = deriver.derive_keyset(&pattern(1000)).unwrap();
            let entry = derived.entries().next().unwrap();
            let key = entry.key().unwrap().downcast_ref::<HmacKey>().unwrap();
            assert_eq!(key.parameters().key_size(), 8160);
        }
    }
}
