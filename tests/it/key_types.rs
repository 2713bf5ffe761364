//! Every key type of the table, by the same tests: a new one is covered as soon as it is listed.

use std::{collections::BTreeSet, fs, path::PathBuf};

use keyseal::{
    Aead, Hash, Key, KeyError, KeyTypes, KeysetAead, KeysetError, KeysetHandle, Provider, Variant,
    key::{
        KEY_TYPES, KeyTemplate, Template, aes_ctr_hmac::AesCtrHmacParameters,
        aes_eax::AesEaxParameters, aes_siv::AesSivKeyType, x_aes_gcm::XAesGcmParameters,
    },
    keyset::KeysetReader,
    templates,
};
use proptest::{collection::vec, prelude::any, sample::select, test_runner::TestRunner};

use crate::support::{ACCESS, FORMATS, LENGTHS, aeads, bytes_of, pattern, read, url, write};

/// The stock AEAD templates of every Tink: name, type, and the serialized key format in hex.
const AEAD_TEMPLATES: &[(&str, &str, &str)] = &[
    ("AES128_GCM", "AesGcmKey", "1010"),
    ("AES128_GCM_RAW", "AesGcmKey", "1010"),
    ("AES256_GCM", "AesGcmKey", "1020"),
    ("AES256_GCM_RAW", "AesGcmKey", "1020"),
    ("AES128_EAX", "AesEaxKey", "0a0208101010"),
    ("AES128_EAX_RAW", "AesEaxKey", "0a0208101010"),
    ("AES256_EAX", "AesEaxKey", "0a0208101020"),
    ("AES256_EAX_RAW", "AesEaxKey", "0a0208101020"),
    ("AES128_GCM_SIV", "AesGcmSivKey", "1010"),
    ("AES128_GCM_SIV_RAW", "AesGcmSivKey", "1010"),
    ("AES256_GCM_SIV", "AesGcmSivKey", "1020"),
    ("AES256_GCM_SIV_RAW", "AesGcmSivKey", "1020"),
    (
        "AES128_CTR_HMAC_SHA256",
        "AesCtrHmacAeadKey",
        "0a060a020810101012080a04080310101020",
    ),
    (
        "AES128_CTR_HMAC_SHA256_RAW",
        "AesCtrHmacAeadKey",
        "0a060a020810101012080a04080310101020",
    ),
    (
        "AES256_CTR_HMAC_SHA256",
        "AesCtrHmacAeadKey",
        "0a060a020810102012080a04080310201020",
    ),
    (
        "AES256_CTR_HMAC_SHA256_RAW",
        "AesCtrHmacAeadKey",
        "0a060a020810102012080a04080310201020",
    ),
    ("CHACHA20_POLY1305", "ChaCha20Poly1305Key", ""),
    ("CHACHA20_POLY1305_RAW", "ChaCha20Poly1305Key", ""),
    ("XCHACHA20_POLY1305", "XChaCha20Poly1305Key", ""),
    ("XCHACHA20_POLY1305_RAW", "XChaCha20Poly1305Key", ""),
    ("XAES_256_GCM_192_BIT_NONCE", "XAesGcmKey", "1a02080c"),
    (
        "XAES_256_GCM_192_BIT_NONCE_NO_PREFIX",
        "XAesGcmKey",
        "1a02080c",
    ),
    (
        "XAES_256_GCM_160_BIT_NONCE_NO_PREFIX",
        "XAesGcmKey",
        "1a020808",
    ),
    ("X_AES_GCM_8_BYTE_SALT_NO_PREFIX", "XAesGcmKey", "1a020808"),
];

/// Key types that not every output prefix type goes with, and those that do not.
const REFUSED_VARIANTS: &[(&str, &[Variant])] =
    &[("XAesGcmKey", &[Variant::Crunchy, Variant::Legacy])];

#[test]
fn type_urls_and_template_names_are_unique() {
    let mut urls = BTreeSet::new();
    let mut names = BTreeSet::new();
    for key_type in KEY_TYPES {
        assert!(urls.insert(key_type.type_url()), "{}", key_type.type_url());
        let name = key_type.type_url().strip_prefix(&url("")).unwrap();
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
        // A template without the URI of a service's key would be of no use.
        assert_eq!(
            key_type.templates().is_empty(),
            name.starts_with("Kms"),
            "{name}"
        );
        for template in key_type.templates() {
            assert_eq!(template.key_template().type_url(), key_type.type_url());
            assert!(names.insert(template.name()), "{}", template.name());
            let found = KeyTypes::default().template(template.name()).unwrap();
            assert_eq!(found, template);
        }
    }
    let constants: BTreeSet<_> = templates::ALL.iter().copied().collect();
    assert_eq!(constants.len(), templates::ALL.len());
    assert_eq!(constants, names);
}

#[test]
fn an_unknown_template_name_is_answered_with_a_similar_one() {
    for (name, wanted) in [
        ("aes128_gcm", Some("AES128_GCM")),
        ("AES_256_GCM", Some("AES256_GCM")),
        ("aes-256-siv", Some("AES256_SIV")),
        ("XCHACHA20POLY1305", Some("XCHACHA20_POLY1305")),
        ("AES256_GMC", Some("AES256_GCM")),
        ("HMAC_SHA256_128BIT", Some("HMAC_SHA256_128BITTAG")),
        ("RSA", None),
        ("", None),
        (
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
            None,
        ),
    ] {
        let error = KeyTypes::default().template(name).unwrap_err();
        let text = error.to_string();
        let KeyError::UnknownTemplate {
            name: asked,
            suggestion,
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!(asked, name);
        assert_eq!(suggestion, wanted, "{name}");
        assert_eq!(text.contains("did you mean"), wanted.is_some(), "{text}");
        assert!(text.contains(wanted.unwrap_or_default()), "{text}");
    }
    // Only a name that the program accepts is suggested.
    let siv = KeyTypes::new(&[&AesSivKeyType]).template("AES256_GCM");
    let Err(KeyError::UnknownTemplate { suggestion, .. }) = siv else {
        panic!("{siv:?}");
    };
    assert_ne!(suggestion, Some("AES256_GCM"));
}

#[test]
fn templates_have_the_bytes_of_the_other_tinks() {
    for (name, type_name, value) in AEAD_TEMPLATES {
        let template = KeyTypes::default().template(name).unwrap();
        let raw = name.ends_with("_RAW") || name.ends_with("_NO_PREFIX");
        let variant = if raw { Variant::Raw } else { Variant::Tink };
        let expected = KeyTemplate::new(url(type_name), bytes_of(value), variant);
        assert_eq!(*template.key_template(), expected, "{name}");
        // A key says which template it came from.
        let key = Key::generate(name).unwrap();
        assert_eq!(key.template(), Some(expected), "{name}");
        assert_eq!(
            key.properties().as_ref(),
            Some(template.properties()),
            "{name}"
        );
    }
    // No other names for the types of the list.
    let listed: BTreeSet<&str> = AEAD_TEMPLATES.iter().map(|(name, ..)| *name).collect();
    for (_, type_name, _) in AEAD_TEMPLATES {
        let key_type = KeyTypes::default().find(&url(type_name)).unwrap();
        for template in key_type.templates() {
            assert!(listed.contains(template.name()), "{}", template.name());
        }
    }
}

#[test]
fn every_type_has_a_file_and_every_file_is_in_the_table() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/key/types");
    let mut in_files = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let urls: Vec<&str> = source
            .lines()
            .filter(|line| {
                line.trim_start()
                    .starts_with("const TYPE_URL: &'static str =")
            })
            .map(|line| {
                line.split('"')
                    .nth(1)
                    .unwrap_or_else(|| panic!("{path:?}: {line}"))
            })
            .collect();
        assert!(urls.len() <= 1, "{path:?} has more than one key type");
        in_files.extend(urls.into_iter().map(str::to_owned));
    }
    let in_table: BTreeSet<String> = KEY_TYPES
        .iter()
        .map(|key_type| key_type.type_url().to_owned())
        .collect();
    assert_eq!(in_files, in_table);
}

#[test]
fn output_prefix_types_that_do_not_go_with_a_type_are_refused() {
    for (type_name, refused) in REFUSED_VARIANTS {
        let key_type = KeyTypes::default().find(&url(type_name)).unwrap();
        for variant in Variant::ALL {
            let template = key_type.templates().remove(0);
            let template = template.key_template().clone().with_variant(variant);
            let made = KeyTypes::default().generate_from(&template);
            if refused.contains(&variant) {
                assert_eq!(made.err(), Some(KeyError::Variant { variant }));
            } else {
                assert_eq!(made.unwrap().variant(), variant);
            }
        }
    }
    // All others go with all.
    for (template, keyset) in aead_keysets() {
        let type_name = template.key_template().type_url();
        if REFUSED_VARIANTS
            .iter()
            .all(|(name, _)| url(name) != type_name)
        {
            let variants = variants_of(&keyset);
            assert_eq!(variants.len(), Variant::ALL.len(), "{}", template.name());
        }
    }
}

#[test]
fn every_template_round_trips_with_every_prefix_and_provider() {
    for (template, variant, keyset) in aead_variants() {
        let name = format!("{} {variant}", template.name());
        let prefix = variant.prefix(keyset.primary_id());
        for (sealer, opener) in pairs(&keyset) {
            for (len, associated_data) in LENGTHS.iter().zip([&b""[..], b"ad"].iter().cycle()) {
                let plaintext = pattern(*len);
                let ciphertext = sealer.encrypt(&plaintext, associated_data).unwrap();
                let overhead = prefix.as_bytes().len() + template.properties().overhead;
                assert_eq!(ciphertext.len(), len + overhead, "{name}");
                assert!(ciphertext.starts_with(prefix.as_bytes()), "{name}");
                let opened = opener.decrypt(&ciphertext, associated_data);
                assert_eq!(opened.as_ref(), Ok(&plaintext), "{name}");
                let again = sealer.encrypt(&plaintext, associated_data).unwrap();
                assert_ne!(ciphertext, again, "{name}: a nonce came twice");
            }
        }
    }
}

#[test]
fn all_ways_to_encrypt_and_decrypt_agree() {
    for (template, variant, keyset) in aead_variants() {
        let name = format!("{} {variant}", template.name());
        // Alone, and as the last of several keys that may open the ciphertext.
        let key = keyset.entries().next().unwrap().key().unwrap().clone();
        let mut padded = KeysetHandle::generate("AES128_GCM_RAW").unwrap();
        padded
            .add(Key::generate("AES256_EAX_RAW").unwrap())
            .unwrap();
        padded.rotate(key).unwrap();
        for keyset in [&keyset, &padded] {
            for (sealer, opener) in pairs(keyset) {
                for len in [0, 16, 1000] {
                    check_ways(&sealer, &opener, &pattern(len), &name);
                }
            }
        }
    }
}

fn check_ways(sealer: &KeysetAead, opener: &KeysetAead, plaintext: &[u8], name: &str) {
    let mut appended = b"before".to_vec();
    sealer
        .encrypt_into(plaintext, b"ad", &mut appended)
        .unwrap();
    let mut tight = plaintext.to_vec();
    sealer.encrypt_in_place(&mut tight, b"ad").unwrap();
    let mut roomy = Vec::with_capacity(plaintext.len() + 100);
    roomy.extend_from_slice(plaintext);
    let place = roomy.as_ptr();
    sealer.encrypt_in_place(&mut roomy, b"ad").unwrap();
    assert_eq!(
        roomy.as_ptr(),
        place,
        "{name}: a large enough buffer was left"
    );

    assert!(appended.starts_with(b"before"), "{name}");
    for ciphertext in [&appended[6..], &tight, &roomy] {
        assert_eq!(
            opener.decrypt(ciphertext, b"ad").as_deref(),
            Ok(plaintext),
            "{name}"
        );
        let mut out = b"before".to_vec();
        opener.decrypt_into(ciphertext, b"ad", &mut out).unwrap();
        assert_eq!(out, [b"before", plaintext].concat(), "{name}");
        let mut buffer = ciphertext.to_vec();
        opener.decrypt_in_place(&mut buffer, b"ad").unwrap();
        assert_eq!(buffer, plaintext, "{name}");
    }
}

#[test]
fn a_ciphertext_is_refused_when_it_is_cut_anywhere() {
    for (template, variant, keyset) in aead_variants() {
        for (sealer, opener) in pairs(&keyset) {
            for plaintext in [&b""[..], b"seventeen bytes.."] {
                let ciphertext = sealer.encrypt(plaintext, b"ad").unwrap();
                for len in 0..ciphertext.len() {
                    let (start, end) = ciphertext.split_at(len);
                    assert_refused(&opener, start, b"ad", template.name());
                    if !start.is_empty() {
                        assert_refused(&opener, end, b"ad", template.name());
                    }
                }
                for more in [&[0][..], &[0; 16]] {
                    let longer = [&ciphertext[..], more].concat();
                    assert_refused(&opener, &longer, b"ad", template.name());
                    let longer = [more, &ciphertext[..]].concat();
                    assert_refused(&opener, &longer, b"ad", template.name());
                }
                assert!(opener.decrypt(&ciphertext, b"ad").is_ok(), "{variant}");
            }
        }
    }
}

#[test]
fn a_ciphertext_is_refused_when_any_bit_is_flipped() {
    for (template, variant, keyset) in aead_variants() {
        for (sealer, opener) in pairs(&keyset) {
            let ciphertext = sealer.encrypt(b"seventeen bytes..", b"ad").unwrap();
            for bit in 0..ciphertext.len() * 8 {
                let mut damaged = ciphertext.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let refused = opener.decrypt(&damaged, b"ad").is_err();
                assert!(refused, "{} {variant}: bit {bit}", template.name());
                // The other ways are slower; one bit of each byte is enough for them.
                if bit % 8 == 0 {
                    assert_refused(&opener, &damaged, b"ad", template.name());
                }
            }
        }
    }
}

#[test]
fn a_ciphertext_is_refused_with_other_associated_data_or_another_key() {
    for (template, variant, keyset) in aead_variants() {
        // The same id, so that the prefix matches.
        let other_key = KeyTypes::default()
            .generate_from(&template.key_template().clone().with_variant(variant))
            .unwrap();
        let other = KeysetHandle::with_id(other_key, keyset.primary_id());
        for ((sealer, opener), (_, other)) in pairs(&keyset).into_iter().zip(pairs(&other)) {
            for associated_data in [&b""[..], b"ad"] {
                let ciphertext = sealer.encrypt(b"plaintext", associated_data).unwrap();
                for wrong in [&b""[..], b"ad", b"Ad", b"a", b"ad\0", b"\0"] {
                    if wrong != associated_data {
                        assert_refused(&opener, &ciphertext, wrong, template.name());
                    }
                }
                assert_refused(&other, &ciphertext, associated_data, template.name());
            }
        }
    }
}

/// Checks that no way to decrypt opens `ciphertext`, and that each leaves the promised state.
fn assert_refused(aead: &KeysetAead, ciphertext: &[u8], associated_data: &[u8], name: &str) {
    assert!(aead.decrypt(ciphertext, associated_data).is_err(), "{name}");
    let mut out = b"before".to_vec();
    let into = aead.decrypt_into(ciphertext, associated_data, &mut out);
    assert!(into.is_err(), "{name}");
    assert_eq!(out, b"before", "{name}");
    let mut buffer = ciphertext.to_vec();
    let in_place = aead.decrypt_in_place(&mut buffer, associated_data);
    assert!(in_place.is_err(), "{name}");
    assert!(buffer.is_empty(), "{name}");
}

#[test]
fn every_legal_parameter_round_trips_and_the_next_one_is_refused() {
    let mut keys = Vec::new();
    for iv_size in 0..=20 {
        for key_size in [0, 15, 16, 17, 24, 31, 32, 33] {
            let legal = matches!(key_size, 16 | 32);
            let eax = AesEaxParameters::new(key_size, iv_size);
            assert_eq!(eax.is_ok(), legal && matches!(iv_size, 12 | 16));
            keys.extend(eax.map(|eax| Key::generate_with(&eax, Variant::Tink)));
            let ctr = AesCtrHmacParameters::new(key_size);
            assert_eq!(ctr.is_ok(), legal);
            let ctr = ctr.and_then(|ctr| ctr.with_iv_size(iv_size));
            assert_eq!(ctr.is_ok(), legal && (12..=16).contains(&iv_size));
            keys.extend(ctr.map(|ctr| Key::generate_with(&ctr, Variant::Tink)));
        }
        let salt = XAesGcmParameters::new(iv_size);
        assert_eq!(salt.is_ok(), (8..=12).contains(&iv_size));
        keys.extend(salt.map(|salt| Key::generate_with(&salt, Variant::Tink)));
    }
    let ctr = AesCtrHmacParameters::new(32).unwrap();
    for hash in Hash::ALL {
        for tag_size in 0..=65 {
            let tagged = ctr.with_tag(hash, tag_size);
            assert_eq!(
                tagged.is_ok(),
                (10..=hash.digest_size()).contains(&tag_size)
            );
            keys.extend(tagged.map(|ctr| Key::generate_with(&ctr, Variant::Tink)));
        }
    }
    // Around the block sizes of the hashes, and one far longer, as other Tinks take.
    for hmac_key_size in [0, 15, 16, 63, 64, 65, 127, 128, 129, 1_020_304] {
        let sized = ctr.with_hmac_key_size(hmac_key_size);
        assert_eq!(sized.is_ok(), hmac_key_size >= 16);
        keys.extend(sized.map(|ctr| Key::generate_with(&ctr, Variant::Tink)));
    }
    assert_eq!(keys.len(), 4 + 10 + 5 + (11 + 19 + 23 + 39 + 55) + 8);

    for key in keys {
        let keyset = KeysetHandle::new(key.unwrap()).unwrap();
        for format in FORMATS {
            let read = read(write(&keyset, format), format).unwrap();
            for (sealer, opener) in pairs(&keyset).into_iter().zip(pairs(&read)).map(cross) {
                let ciphertext = sealer.encrypt(b"plaintext", b"ad").unwrap();
                let overhead = keyset.entries().next().unwrap().key().unwrap().properties();
                assert_eq!(ciphertext.len(), 9 + 5 + overhead.unwrap().overhead);
                assert_eq!(opener.decrypt(&ciphertext, b"ad").unwrap(), b"plaintext");
            }
        }
    }

    fn cross<A, B, C, D>(((sealer, _), (_, opener)): ((A, B), (C, D))) -> (A, D) {
        (sealer, opener)
    }
}

#[test]
fn a_key_of_an_unknown_type_is_kept_as_it_is() {
    let knows_none = KeysetReader::new().key_types(KeyTypes::new(&[]));
    for template in KeyTypes::default().templates() {
        let mut keyset = KeysetHandle::generate(template.name()).unwrap();
        keyset.add(Key::generate(template.name()).unwrap()).unwrap();
        let second = keyset.entries().nth(1).unwrap().id();
        keyset.disable(second).unwrap();
        for format in FORMATS {
            let file = write(&keyset, format);
            let opaque = knows_none.cleartext(&file, format, ACCESS).unwrap();
            assert_eq!(write(&opaque, format), file, "{}", template.name());
            let entry = opaque.entries().next().unwrap();
            let key = entry.key().unwrap();
            assert_eq!(key.type_url(), template.key_template().type_url());
            assert_eq!((key.template(), key.properties()), (None, None));
            for &provider in Provider::ALL {
                let made = opaque.primitive_with::<KeysetAead>(provider);
                assert!(matches!(made, Err(KeysetError::WrongPrimitive { .. })));
            }
            // A reader that knows the type reads it again.
            let again = read(&file, format).unwrap();
            assert_eq!(again.info(), keyset.info());
        }
    }
}

#[test]
fn providers_agree_on_random_inputs() {
    let keysets: Vec<KeysetHandle> = aead_keysets().map(|(_, keyset)| keyset).collect();
    let aeads: Vec<Vec<KeysetAead>> = keysets.iter().map(aeads).collect();
    let inputs = (
        select((0..aeads.len()).collect::<Vec<_>>()),
        vec(any::<u8>(), 0..700),
        vec(any::<u8>(), 0..100),
        any::<(u16, u8)>(),
    );
    let law = |(which, plaintext, associated_data, (at, change)): (usize, Vec<u8>, Vec<u8>, _)| {
        for sealer in &aeads[which] {
            let ciphertext = sealer.encrypt(&plaintext, &associated_data).unwrap();
            let mut changed = ciphertext.clone();
            let at = usize::from(at) % changed.len();
            changed[at] ^= change;
            for opener in &aeads[which] {
                let opened = opener.decrypt(&ciphertext, &associated_data);
                assert_eq!(opened.as_ref(), Ok(&plaintext));
                let opened = opener.decrypt(&changed, &associated_data);
                assert_eq!(opened.is_ok(), change == 0);
            }
        }
        Ok(())
    };
    TestRunner::default().run(&inputs, law).unwrap();
}

/// Every stock template of an AEAD, with a keyset of one key of it.
fn aead_keysets() -> impl Iterator<Item = (Template, KeysetHandle)> {
    KeyTypes::default().templates().filter_map(|template| {
        let keyset = KeysetHandle::generate(template.name()).unwrap();
        match keyset.primitive::<KeysetAead>() {
            Ok(_) => {}
            Err(KeysetError::WrongPrimitive { .. }) => return None,
            Err(error) => panic!("{}: {error}", template.name()),
        }
        Some((template, keyset))
    })
}

/// Each of these parameters once, with every output prefix type that goes with it.
fn aead_variants() -> impl Iterator<Item = (Template, Variant, KeysetHandle)> {
    let mut all: Vec<_> = aead_keysets().collect();
    assert!(all.len() >= AEAD_TEMPLATES.len(), "templates are missing");
    let mut seen = BTreeSet::new();
    all.retain(|(template, _)| {
        let template = template.key_template();
        seen.insert((template.type_url().to_owned(), template.value().to_owned()))
    });
    all.into_iter().flat_map(|(template, keyset)| {
        variants_of(&keyset)
            .into_iter()
            .map(move |(variant, keyset)| (template.clone(), variant, keyset))
    })
}

/// A keyset of one key like that of `keyset`, for each output prefix type that goes with it.
fn variants_of(keyset: &KeysetHandle) -> Vec<(Variant, KeysetHandle)> {
    let template = keyset.entries().next().unwrap().key().unwrap().template();
    let made = Variant::ALL.map(|variant| {
        let template = template.clone().unwrap().with_variant(variant);
        match KeyTypes::default().generate_from(&template) {
            Ok(key) => Some((variant, KeysetHandle::new(key).unwrap())),
            Err(KeyError::Variant { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    });
    made.into_iter().flatten().collect()
}

/// Every provider with every provider.
fn pairs(keyset: &KeysetHandle) -> Vec<(KeysetAead, KeysetAead)> {
    let aeads = aeads(keyset);
    let pair = |sealer: &KeysetAead| -> Vec<_> {
        let openers = aeads.iter().cloned();
        openers.map(|opener| (sealer.clone(), opener)).collect()
    };
    aeads.iter().flat_map(pair).collect()
}
