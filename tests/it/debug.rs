//! Nothing that prints shows a key: no `Debug`, no `Display`, no error.

use std::{collections::BTreeMap, error::Error, fmt::Debug, fs, path::PathBuf};

use keyseal::{
    Hash, Key, KeyTypes, KeysetAead, KeysetError, KeysetHandle, KeysetRemoteAead, Variant,
    key::{
        aes_ctr_hmac::AesCtrHmacKey,
        aes_eax::AesEaxKey,
        aes_gcm::AesGcmKey,
        aes_gcm_siv::AesGcmSivKey,
        chacha20_poly1305::ChaCha20Poly1305Key,
        kms_aead::{KmsAeadKey, KmsAeadParameters},
        kms_envelope_aead::{KmsEnvelopeAeadKey, KmsEnvelopeAeadParameters},
        x_aes_gcm::XAesGcmKey,
        xchacha20_poly1305::XChaCha20Poly1305Key,
    },
    keyset::{Format, KeysetFile, KeysetReader},
    kms::KmsClients,
};

use crate::{
    canary::{Canary, texts},
    support::{ACCESS, FORMATS, Import, read, secret, write},
};

/// Bytes of a secret in a row that no text may show.
const WINDOW: usize = 6;

/// All texts that show a part of a secret: hex, base64, a list of numbers, or the bytes themselves.
struct Shown {
    /// To be looked for in a text without white space.
    exact: Vec<String>,
    /// The same, in lower case.
    lower: Vec<String>,
    /// To be looked for in the text as it is.
    raw: Vec<String>,
}

impl Shown {
    fn of(secret: &[u8]) -> Self {
        let mut shown = Self {
            exact: Vec::new(),
            lower: Vec::new(),
            raw: Vec::new(),
        };
        for part in secret.windows(WINDOW) {
            let list =
                |number: fn(&u8) -> String| part.iter().map(number).collect::<Vec<_>>().join(",");
            shown.exact.push(list(u8::to_string));
            shown.lower.push(list(|byte| format!("{byte:x}")));
            shown.lower.push(list(|byte| format!("0x{byte:x}")));
            shown.lower.push(hex::encode(part));
            shown
                .lower
                .push(part.escape_ascii().to_string().to_lowercase());
            shown
                .raw
                .push(part.iter().map(|byte| char::from(*byte)).collect());
            shown.raw.extend(String::from_utf8(part.to_vec()).ok());
            let base64 = texts(part).into_iter().skip(2);
            let base64 = base64.map(|text| String::from_utf8(text).unwrap());
            shown.exact.extend(base64.filter(|text| text.len() >= 4));
        }
        shown
    }

    fn by(&self, text: &str) -> bool {
        let exact: String = text.split_whitespace().collect();
        let lower = exact.to_lowercase();
        self.exact.iter().any(|shown| exact.contains(shown))
            || self.lower.iter().any(|shown| lower.contains(shown))
            || self.raw.iter().any(|shown| text.contains(shown))
    }
}

#[test]
fn a_text_that_shows_a_key_is_found() {
    let key: Vec<u8> = (0xa0..0xb0).collect();
    let shown = Shown::of(&key);
    for text in [
        format!("{key:?}"),
        format!("{key:#?}"),
        format!("{key:x?}"),
        format!("{key:#x?}"),
        format!("{key:02X?}"),
        format!("key {} end", hex::encode(&key)),
        format!("key {} end", hex::encode_upper(&key)),
        key.escape_ascii().to_string(),
        key.iter().map(|byte| char::from(*byte)).collect(),
        "oKGio6SlpqeoqaqrrK2urw==".to_owned(),
        // The same after one and two other bytes.
        "AKChoqOkpaanqKmqq6ytrq8=".to_owned(),
        "AACgoaKjpKWmp6ipqqusra6v".to_owned(),
    ] {
        assert!(shown.by(&text), "{text}");
    }
    for text in ["", "SecretBytes(16 bytes)", "160, 162, 161", "a1a0a3a2"] {
        assert!(!shown.by(text), "{text}");
    }
}

fn assert_hidden(value: &impl Debug, shown: &Shown) {
    for text in [
        format!("{value:?}"),
        format!("{value:#?}"),
        format!("{value:x?}"),
    ] {
        assert!(!text.is_empty());
        assert!(!shown.by(&text), "{text}");
    }
}

#[test]
fn typed_keys_show_no_material() {
    let (key, hmac_key) = (vec![0xc1; 32], vec![0xc2; 40]);
    let all = Shown::of(&[&key[..], &hmac_key].concat());
    let secret_bytes = secret(&key);
    assert_hidden(&secret_bytes, &all);
    assert_eq!(format!("{secret_bytes:?}"), "SecretBytes(32 bytes)");
    for cipher in [
        "AES-GCM",
        "AES-GCM-SIV",
        "AES-EAX",
        "AES-CTR-HMAC",
        "ChaCha20-Poly1305",
        "XChaCha20-Poly1305",
        "X-AES-GCM",
    ] {
        let import = Import {
            cipher,
            key: &key,
            hmac_key: &hmac_key,
            hash: Some(Hash::Sha256),
            tag_size: 16,
            iv_size: 16,
            salt_size: 8,
        };
        let key = import.key(Variant::Raw).unwrap();
        assert_hidden(&key, &all);
        macro_rules! assert_typed_hidden {
            ($($typed:ty)+) => {
                0 $(+ usize::from(key.downcast_ref::<$typed>().is_some_and(|typed| {
                    assert_hidden(typed, &all);
                    assert_hidden(&typed.clone(), &all);
                    true
                })))+
            };
        }
        let seen = assert_typed_hidden!(
            AesCtrHmacKey AesEaxKey AesGcmKey AesGcmSivKey ChaCha20Poly1305Key XAesGcmKey
            XChaCha20Poly1305Key
        );
        assert_eq!(seen, 1, "{cipher}");
        // A key that is refused is not shown either.
        for len in [0, 1, 31, 33] {
            let wrong = Import {
                key: &vec![0xc1; len],
                ..import.clone()
            };
            assert_error_hides(&wrong.key(Variant::Raw).unwrap_err(), &all);
        }
    }
}

#[test]
fn keysets_and_what_is_made_of_them_show_no_material() {
    for template in KeyTypes::default().templates() {
        let canary = Canary::of(&template, 0x5eed);
        let keyset = read(&canary.file, Format::Binary).unwrap();
        let opaque = KeysetReader::new().key_types(KeyTypes::new(&[]));
        let opaque = opaque
            .cleartext(&canary.file, Format::Binary, ACCESS)
            .unwrap();
        let aead = keyset.primitive::<KeysetAead>();
        for secret in canary.secrets() {
            let secret = &Shown::of(secret);
            for keyset in [&keyset, &opaque] {
                assert_hidden(keyset, secret);
                assert_hidden(&keyset.info(), secret);
                for entry in keyset.entries() {
                    assert_hidden(&entry, secret);
                    assert_hidden(&entry.key(), secret);
                    assert_hidden(&entry.key().and_then(Key::template), secret);
                    assert_hidden(&entry.key().and_then(Key::properties), secret);
                }
                for format in FORMATS {
                    let file = keyset.write_cleartext(format, ACCESS);
                    assert_hidden(&file, secret);
                    assert_hidden(&KeysetFile::detect(file.expose(ACCESS)), secret);
                }
            }
            assert_hidden(&aead, secret);
        }
    }
}

/// The URI of a key may carry the key, as those of `fake-kms` do.
#[test]
fn nothing_shows_more_of_a_key_uri_than_its_scheme() {
    let dek = KeyTypes::default().template("AES256_GCM").unwrap();
    let dek = dek.key_template().clone();
    let secret: Vec<u8> = (0xa0..0xc0).collect();
    let shown = Shown::of(&secret);
    for (uri, scheme) in [
        (format!("fake-kms://{}", hex::encode(&secret)), "fake-kms"),
        (format!("{}://x", hex::encode(&secret)), "…"),
        (hex::encode(&secret), "…"),
    ] {
        let shown_uri = Shown::of(hex::encode(&secret).as_bytes());
        let direct = KmsAeadParameters::new(&uri);
        let envelope = KmsEnvelopeAeadParameters::new(&uri, dek.clone()).unwrap();
        assert!(format!("{direct:?}").contains(scheme));
        assert!(format!("{envelope:?}").contains(scheme));
        let keys = [
            Key::generate_with(&direct, Variant::Raw).unwrap(),
            Key::generate_with(&envelope, Variant::Raw).unwrap(),
        ];
        for shown in [&shown, &shown_uri] {
            assert_hidden(&direct, shown);
            assert_hidden(&envelope, shown);
            for key in &keys {
                assert_hidden(key, shown);
                assert_hidden(&key.template(), shown);
                assert_hidden(&key.downcast_ref::<KmsAeadKey>(), shown);
                assert_hidden(&key.downcast_ref::<KmsEnvelopeAeadKey>(), shown);
                let keyset = KeysetHandle::new(key.clone()).unwrap();
                assert_hidden(&keyset, shown);
                assert_hidden(&keyset.info(), shown);
                let unserved = KeysetRemoteAead::new(&keyset, &KmsClients::new());
                assert_error_hides(&unserved.unwrap_err(), shown);
            }
        }
    }
}

#[test]
fn errors_show_no_material() {
    for key_type in KeyTypes::default().iter() {
        // A key that a service holds has no secret here.
        let Some(template) = key_type.templates().into_iter().next() else {
            continue;
        };
        let canary = Canary::of(&template, 0xdead_beef);
        let json = write(&read(&canary.file, Format::Binary).unwrap(), Format::Json);
        let mut errors = BTreeMap::new();
        let mut count = 0;
        for (file, format) in [(&*canary.file, Format::Binary), (&json, Format::Json)] {
            let mut collect = |file: &[u8]| {
                for error in errors_of(file, format) {
                    count += 1;
                    // Errors that differ in an offset are one.
                    let mut text = format!("{error:?}");
                    text.retain(|c| !c.is_ascii_digit());
                    errors.entry(text).or_insert(error);
                }
            };
            // Every fault that one changed byte can make.
            for at in 0..file.len() {
                let mut damaged = file.clone();
                for byte in [0x0a, b'"', 0xff, file[at] ^ 1] {
                    damaged[at] = byte;
                    collect(&damaged);
                }
                collect(&file[..at]);
                collect(&file[at..]);
            }
        }
        assert!(
            count > 1000 && errors.len() > 10,
            "{count}, {}",
            errors.len()
        );
        for shown in canary.secrets().map(Shown::of) {
            for error in errors.values() {
                assert_error_hides(error, &shown);
            }
        }
    }
}

fn errors_of(file: &[u8], format: Format) -> impl Iterator<Item = KeysetError> {
    let keyset = read(file, format);
    let primitive = keyset
        .as_ref()
        .ok()
        .map(|keyset| keyset.primitive::<KeysetAead>());
    let errors = [
        primitive.and_then(Result::err),
        keyset.err(),
        KeysetHandle::read_no_secret(file, format).err(),
        KeysetFile::detect(file).err(),
    ];
    errors.into_iter().flatten()
}

/// Checks an error and all that caused it: no secret, one lower-case clause each.
fn assert_error_hides(error: &(impl Error + 'static), shown: &Shown) {
    assert_hidden(error, shown);
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        assert!(!shown.by(&text), "{text}");
        assert!(!text.is_empty() && !text.ends_with('.'), "{text}");
        // A type URL of a hostile file must not steer a terminal.
        assert!(!text.contains(char::is_control), "{text:?}");
        next = error.source();
        if let Some(source) = next {
            assert!(
                !text.contains(&source.to_string()),
                "{text} repeats its source"
            );
        }
    }
}

/// A derived `Debug` prints every field, so it must not meet bytes that may be a key's.
#[test]
fn no_debug_is_derived_over_bytes() {
    // What they hold is public: a salt, an output prefix, keys and keysets that are wrapped.
    const PUBLIC: [&str; 5] = [
        "HkdfPrfParameters",
        "ImportParameters",
        "OutputPrefix",
        "Wrapped",
        "WrappedDataKey",
    ];
    // The program shows none of its values with `Debug`, so its folder is left out.
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("crates/keyseal-emulator/src")];
    let mut derived = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            for (name, body) in derives_debug(&source) {
                derived += 1;
                let bytes = ["Vec<u8>", "[u8", "Bytes<", ": Bytes", "(Bytes", "Zeroizing"];
                let holds = bytes.iter().any(|bytes| body.contains(bytes));
                assert!(!holds || PUBLIC.contains(&name), "{path:?}: {name}");
            }
        }
    }
    assert!(derived > 30);
    let source = "#[derive(Debug)]\n// text\npub struct Loud {\n    key: [u8; 32],\n}\n";
    let found: Vec<_> = derives_debug(source).collect();
    assert_eq!(found, [("Loud", " {\n    key: [u8; 32],\n}")]);
}

/// The structs and enums of a file that derive `Debug`: name, and what follows it.
fn derives_debug(source: &str) -> impl Iterator<Item = (&str, &str)> {
    let derives = source.match_indices("#[derive(").filter(|(at, _)| {
        let line = source[*at..].lines().next().unwrap_or_default();
        line.contains("Debug")
    });
    derives.map(|(at, _)| {
        let item = &source[at..];
        let start = ["struct ", "enum "]
            .iter()
            .filter_map(|keyword| item.find(keyword).map(|at| at + keyword.len()))
            .min()
            .unwrap();
        let item = &item[start..];
        let name_end = item.find(|c: char| !c.is_alphanumeric()).unwrap();
        let (name, rest) = item.split_at(name_end);
        let end = match (rest.find(";\n"), rest.find("\n}")) {
            (Some(end), Some(brace)) if end < brace => end,
            (Some(end), None) => end,
            (_, Some(brace)) => brace + 2,
            (None, None) => rest.len(),
        };
        (name, &rest[..end])
    })
}
