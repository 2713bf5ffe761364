//! Every key type of the table, by the same tests.
use keyseal::{
    Aead, Key, KeyTypes, KeysetAead, KeysetHandle, Provider, SecretAccess, keyset::Format,
};

#[test]
fn every_template_round_trips() {
    for template in KeyTypes::default().templates() {
        let keyset = KeysetHandle::generate(template.name()).unwrap();
        for &provider in Provider::ALL {
            let aead: KeysetAead = keyset.primitive_with(provider).unwrap();
            let ciphertext = aead.encrypt(b"plaintext", b"associated data").unwrap();
            assert_eq!(
                ciphertext.len(),
                9 + template.overhead(),
                "{}",
                template.name()
            );
            for &other in Provider::ALL {
                let aead: KeysetAead = keyset.primitive_with(other).unwrap();
                assert_eq!(
                    aead.decrypt(&ciphertext, b"associated data").unwrap(),
                    b"plaintext"
                );
                let mut buffer = ciphertext.clone();
                aead.decrypt_in_place(&mut buffer, b"associated data")
                    .unwrap();
                assert_eq!(buffer, b"plaintext");
                aead.encrypt_in_place(&mut buffer, b"x").unwrap();
                assert_eq!(aead.decrypt(&buffer, b"x").unwrap(), b"plaintext");
            }
        }
        let file = keyset.write_cleartext(Format::Binary, SecretAccess::insecure());
        let read = KeysetHandle::read_cleartext(
            file.expose(SecretAccess::insecure()),
            Format::Binary,
            SecretAccess::insecure(),
        )
        .unwrap();
        assert_eq!(read.primary(), keyset.primary());
        let _ = Key::generate(template.name()).unwrap();
    }
}
