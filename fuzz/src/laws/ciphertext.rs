//! Ciphertexts of every AEAD type: the providers agree, and a changed ciphertext never opens.

use std::sync::LazyLock;

use keyseal::{Aead as _, KeysetAead, Provider, key::KeyKind};

use super::{Input, keys};

/// One AEAD for each provider, of each template.
static AEADS: LazyLock<Vec<Vec<KeysetAead>>> = LazyLock::new(|| {
    let with = |keyset: &keyseal::KeysetHandle, provider: &Provider| {
        keyset
            .primitive_with(*provider)
            .expect("it is an AEAD keyset")
    };
    let keysets = keys::keysets(KeyKind::Aead);
    let all = |keyset| Provider::ALL.iter().map(|one| with(keyset, one)).collect();
    keysets.iter().map(all).collect()
});

/// An input is a template, a provider, a plaintext, associated data, and changes of the ciphertext
/// and of the associated data. The rest is a forged ciphertext.
pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let aeads = input.one_of(&AEADS);
    let sealer = input.one_of(aeads);
    let (plaintext, associated_data) = (input.bytes(), input.bytes());
    let ciphertext = sealer
        .encrypt(plaintext, associated_data)
        .expect("it is short");
    for aead in aeads {
        let opened = aead.decrypt(&ciphertext, associated_data);
        assert_eq!(opened.as_deref(), Ok(plaintext));
        let mut buffer = ciphertext.clone();
        assert_eq!(aead.decrypt_in_place(&mut buffer, associated_data), Ok(()));
        assert_eq!(buffer, plaintext);
    }
    let damaged = input.damage(&ciphertext);
    if damaged != ciphertext {
        never_opens(aeads, &damaged, associated_data);
    }
    let other = input.damage(associated_data);
    if other != associated_data {
        never_opens(aeads, &ciphertext, &other);
    }
    never_opens(aeads, input.rest(), associated_data);
}

fn never_opens(aeads: &[KeysetAead], ciphertext: &[u8], associated_data: &[u8]) {
    for aead in aeads {
        assert!(aead.decrypt(ciphertext, associated_data).is_err());
        let mut buffer = ciphertext.to_vec();
        assert!(aead.decrypt_in_place(&mut buffer, associated_data).is_err());
        assert!(buffer.is_empty(), "unauthenticated plaintext came out");
        let mut out = b"before".to_vec();
        assert!(
            aead.decrypt_into(ciphertext, associated_data, &mut out)
                .is_err()
        );
        assert_eq!(out, b"before");
    }
}
