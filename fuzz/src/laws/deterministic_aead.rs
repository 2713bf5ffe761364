//! Deterministic AEADs: equal inputs give equal ciphertexts, and a changed one never opens.

use std::sync::LazyLock;

use keyseal::{DeterministicAead as _, KeyId, KeysetDeterministicAead};

use super::{Input, keys};

/// Under one key, under one without prefix, and under three.
static AEADS: LazyLock<[KeysetDeterministicAead; 3]> = LazyLock::new(|| {
    let mut three = keys::keyset("AES256_SIV", 7);
    for number in [8, 9] {
        let id = KeyId::new(number.into());
        three
            .add_with_id(keys::key("AES256_SIV_RAW", number), id)
            .expect("the id is new");
    }
    [
        keys::keyset("AES256_SIV", 7),
        keys::keyset("AES256_SIV_RAW", 8),
        three,
    ]
    .map(|keyset| keyset.primitive().expect("it is for deterministic AEADs"))
});

/// An input is a keyset, a plaintext, associated data, and changes of the ciphertext and of the
/// associated data.
pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let aead = input.one_of(&*AEADS);
    let (plaintext, associated_data) = (input.bytes(), input.bytes());
    let encrypt = |aead: &KeysetDeterministicAead| {
        aead.encrypt_deterministically(plaintext, associated_data)
            .expect("it is short")
    };
    let ciphertext = encrypt(aead);
    assert_eq!(encrypt(aead), ciphertext);
    let each = aead.encrypt_deterministically_with_each_key(plaintext, associated_data);
    let each = each.expect("it is short");
    assert_eq!(each.first(), Some(&ciphertext));
    for one in &each {
        let opened = aead.decrypt_deterministically(one, associated_data);
        assert_eq!(opened.as_deref(), Ok(plaintext));
    }
    // A key of the three is the key of the second keyset.
    let [_, second, three] = &*AEADS;
    let opened = three.decrypt_deterministically(&encrypt(second), associated_data);
    assert_eq!(opened.as_deref(), Ok(plaintext));

    // Without its prefix, a key of the three must not be tried.
    let damaged = input.damage(&ciphertext);
    if !each.contains(&damaged) {
        never_opens(aead, &damaged, associated_data);
    }
    let other = input.damage(associated_data);
    if other != associated_data {
        never_opens(aead, &ciphertext, &other);
    }
}

fn never_opens(aead: &KeysetDeterministicAead, ciphertext: &[u8], associated_data: &[u8]) {
    assert!(
        aead.decrypt_deterministically(ciphertext, associated_data)
            .is_err()
    );
    let mut buffer = ciphertext.to_vec();
    assert!(
        aead.decrypt_deterministically_in_place(&mut buffer, associated_data)
            .is_err()
    );
    assert!(buffer.is_empty());
}
