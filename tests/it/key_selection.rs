//! Which keys of a keyset open a ciphertext.

use keyseal::{
    Aead as _, Key, KeyId, KeyTypes, KeysetAead, KeysetHandle, Variant,
    key::{aes_gcm::AesGcmKey, aes_gcm_siv::AesGcmSivKey},
};

use crate::support::{aeads, encrypt_until, secret};

fn key(byte: u8, variant: Variant) -> Key {
    Key::new(AesGcmKey::new(secret([byte; 16])).unwrap(), variant).unwrap()
}

fn one(key: Key, id: u32) -> KeysetHandle {
    KeysetHandle::with_id(key, KeyId::new(id))
}

fn primitive(keyset: &KeysetHandle) -> KeysetAead {
    keyset.primitive().unwrap()
}

fn opens(keyset: &KeysetHandle, ciphertext: &[u8]) -> bool {
    let opened = aeads(keyset).into_iter().map(|aead| {
        let opened = aead.decrypt(ciphertext, b"associated data");
        assert!(
            opened
                .as_ref()
                .map_or(true, |opened| opened == b"plaintext")
        );
        let mut buffer = ciphertext.to_vec();
        let in_place = aead.decrypt_in_place(&mut buffer, b"associated data");
        assert_eq!(in_place.is_ok(), opened.is_ok());
        assert_eq!(opened.as_deref().unwrap_or_default(), buffer);
        opened.is_ok()
    });
    let opened: Vec<bool> = opened.collect();
    assert!(opened.iter().all(|other| *other == opened[0]));
    opened[0]
}

fn sealed(keyset: &KeysetHandle) -> Vec<u8> {
    encrypt_until(&primitive(keyset), |_| true)
}

#[test]
fn the_primary_key_encrypts_and_its_prefix_stands_in_front() {
    let mut keyset = one(key(1, Variant::Tink), 1);
    keyset
        .add_with_id(key(2, Variant::Crunchy), KeyId::new(0x0203_0405))
        .unwrap();
    keyset
        .add_with_id(key(3, Variant::Legacy), KeyId::new(u32::MAX))
        .unwrap();
    keyset
        .add_with_id(key(4, Variant::Raw), KeyId::new(0))
        .unwrap();
    for (id, prefix) in [
        (1, &[1, 0, 0, 0, 1][..]),
        (0x0203_0405, &[0, 2, 3, 4, 5]),
        (u32::MAX, &[0, 255, 255, 255, 255]),
        (0, &[]),
    ] {
        keyset.promote(KeyId::new(id)).unwrap();
        let ciphertext = sealed(&keyset);
        assert!(ciphertext.starts_with(prefix));
        assert_eq!(ciphertext.len(), prefix.len() + 12 + 9 + 16);
        // All four open in the one keyset, whichever key is primary.
        assert!(opens(&keyset, &ciphertext));
    }
}

#[test]
fn a_raw_ciphertext_opens_though_it_starts_with_the_prefix_of_another_key() {
    let raw = one(key(1, Variant::Raw), 7);
    for (start, variant) in [
        (1, Variant::Tink),
        (0, Variant::Crunchy),
        (0, Variant::Legacy),
    ] {
        // A nonce is random: some of them start as a prefix does.
        let ciphertext = encrypt_until(&primitive(&raw), |ciphertext| ciphertext[0] == start);
        let id = KeyId::new(u32::from_be_bytes(ciphertext[1..5].try_into().unwrap()));
        assert_eq!(variant.prefix(id).as_bytes(), &ciphertext[..5]);

        let mut keyset = KeysetHandle::with_id(key(2, variant), id);
        assert!(!opens(&keyset, &ciphertext));
        keyset
            .add_with_id(key(3, Variant::Raw), KeyId::new(8))
            .unwrap();
        assert!(!opens(&keyset, &ciphertext));
        keyset
            .add_with_id(key(1, Variant::Raw), KeyId::new(7))
            .unwrap();
        assert!(opens(&keyset, &ciphertext));
        keyset.promote(KeyId::new(7)).unwrap();
        assert!(opens(&keyset, &ciphertext));
        // And the prefixed key's ciphertext still opens with that key, not with the raw one.
        keyset.promote(id).unwrap();
        let prefixed = sealed(&keyset);
        assert!(opens(&keyset, &prefixed) && !opens(&raw, &prefixed));
    }
}

#[test]
fn a_prefix_names_a_key_and_not_only_a_number() {
    let tink = one(key(1, Variant::Tink), 42);
    let ciphertext = sealed(&tink);
    assert!(opens(&tink, &ciphertext));
    // The same key under another id, as another variant, or without a prefix.
    assert!(!opens(&one(key(1, Variant::Tink), 43), &ciphertext));
    for variant in [Variant::Crunchy, Variant::Legacy, Variant::Raw] {
        assert!(!opens(&one(key(1, variant), 42), &ciphertext));
    }
    // CRUNCHY and LEGACY are one for a cipher, and so is RAW once the prefix is gone.
    let crunchy = sealed(&one(key(1, Variant::Crunchy), 42));
    assert!(opens(&one(key(1, Variant::Legacy), 42), &crunchy));
    assert!(opens(&one(key(1, Variant::Raw), 99), &ciphertext[5..]));
    assert!(opens(&one(key(1, Variant::Raw), 99), &crunchy[5..]));
}

#[test]
fn a_key_that_is_disabled_destroyed_or_deleted_opens_nothing() {
    for variant in Variant::ALL {
        let mut keyset = one(key(1, variant), 42);
        let ciphertext = sealed(&keyset);
        keyset
            .add_with_id(key(2, Variant::Tink), KeyId::new(7))
            .unwrap();
        keyset.promote(KeyId::new(7)).unwrap();
        assert!(opens(&keyset, &ciphertext));
        // A primitive reflects the keyset at the time it was made.
        let before = primitive(&keyset);
        keyset.disable(KeyId::new(42)).unwrap();
        assert!(!opens(&keyset, &ciphertext));
        assert!(before.decrypt(&ciphertext, b"associated data").is_ok());
        keyset.enable(KeyId::new(42)).unwrap();
        assert!(opens(&keyset, &ciphertext));
        let mut deleted = keyset.clone();
        keyset.destroy(KeyId::new(42)).unwrap();
        assert!(!opens(&keyset, &ciphertext));
        deleted.delete(KeyId::new(42)).unwrap();
        assert!(!opens(&deleted, &ciphertext));
    }
}

#[test]
fn keys_of_every_type_and_prefix_share_a_keyset() {
    let mut keyset = KeysetHandle::generate("AES128_GCM").unwrap();
    let mut ciphertexts = vec![sealed(&keyset)];
    for template in KeyTypes::default().templates() {
        let alone = KeysetHandle::generate(template.name()).unwrap();
        if alone.primitive::<KeysetAead>().is_ok() {
            keyset
                .rotate(Key::generate(template.name()).unwrap())
                .unwrap();
            ciphertexts.push(sealed(&keyset));
        }
    }
    assert!(ciphertexts.len() > 20);
    for ciphertext in &ciphertexts {
        assert!(opens(&keyset, ciphertext));
        let mut damaged = ciphertext.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(!opens(&keyset, &damaged));
    }
}

#[test]
fn a_raw_key_of_another_type_does_not_open_what_it_did_not_write() {
    // The same bytes, the same sizes, another cipher.
    let siv = Key::new(AesGcmSivKey::new(secret([1; 16])).unwrap(), Variant::Raw).unwrap();
    let mut keyset = one(siv, 1);
    let ciphertext = sealed(&one(key(1, Variant::Raw), 2));
    assert!(!opens(&keyset, &ciphertext));
    keyset
        .add_with_id(key(1, Variant::Raw), KeyId::new(2))
        .unwrap();
    assert!(opens(&keyset, &ciphertext));
}

#[test]
fn ciphertexts_shorter_than_a_prefix_or_a_nonce_are_refused() {
    let mut keyset = one(key(1, Variant::Tink), 0x0101_0101);
    keyset
        .add_with_id(key(2, Variant::Raw), KeyId::new(2))
        .unwrap();
    for len in 0..100 {
        for byte in [0, 1, 255] {
            assert!(!opens(&keyset, &vec![byte; len]), "{len} bytes of {byte}");
        }
    }
}
