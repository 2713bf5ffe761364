//! Keys out of bytes that exist, as `keyset import` makes them.

use keyseal::{
    Hash, Key, KeyError, KeyTypes, SecretAccess, SecretBytes, Variant,
    key::aes_ctr_hmac::{AesCtrHmacKey, AesCtrHmacParameters},
};

fn bytes(len: usize) -> SecretBytes {
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
    SecretBytes::copy_from(&bytes, SecretAccess::insecure())
}

#[test]
fn every_template_takes_its_size_and_no_other() {
    let types = KeyTypes::default();
    let mut tried = 0;
    for template in types.templates() {
        let size = template.properties().key_size;
        let key = types.import(template.key_template(), &bytes(size)).unwrap();
        assert_eq!(key.template().as_ref(), Some(template.key_template()));
        for other in [0, size - 1, size + 1] {
            let refused = types.import(template.key_template(), &bytes(other));
            assert!(
                matches!(refused, Err(KeyError::Parameter { found, .. }) if found == other as u64),
                "{} {other}",
                template.name()
            );
        }
        tried += 1;
    }
    assert!(tried > 20);
}

#[test]
fn the_aes_key_comes_before_the_hmac_key() {
    let parameters = AesCtrHmacParameters::new(16).unwrap();
    let parameters = parameters.with_tag(Hash::Sha512, 64).unwrap();
    let parameters = parameters.with_hmac_key_size(20).unwrap();
    let template = Key::generate_with(&parameters, Variant::Raw)
        .unwrap()
        .template()
        .unwrap();
    let key = KeyTypes::default().import(&template, &bytes(36)).unwrap();
    let key: &AesCtrHmacKey = key.downcast_ref().unwrap();
    let access = SecretAccess::insecure();
    assert_eq!(key.aes_key().expose(access), (0..16).collect::<Vec<u8>>());
    assert_eq!(key.hmac_key().expose(access), (16..36).collect::<Vec<u8>>());
}

#[test]
fn a_type_that_is_not_accepted_is_not_imported() {
    let template = KeyTypes::default().template("AES128_GCM").unwrap();
    let refused = KeyTypes::new(&[]).import(template.key_template(), &bytes(16));
    assert!(matches!(refused, Err(KeyError::UnknownType { .. })));
}
