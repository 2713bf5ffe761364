//! Derivers: a derived key is the import of HKDF's output.

use std::sync::LazyLock;

use keyseal::{
    Hash, Key, KeyId, KeyTypes, KeysetDeriver, KeysetHandle, KeysetPrfSet, Provider, SecretBytes,
    Variant,
    key::{KeyKind, Template, hkdf_prf::HkdfPrfKey, prf_based_deriver::PrfBasedDeriverKey},
};

use super::{Input, keys};

static TEMPLATES: LazyLock<Vec<Template>> = LazyLock::new(|| {
    let types = KeyTypes::default();
    types
        .templates()
        .filter(|template| template.kind() != KeyKind::KeysetDeriver)
        .collect()
});

/// An input is a template, a hash, the salt of the HKDF, and the salt of the derived keyset.
pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let template = input.one_of(&TEMPLATES);
    let hash = *input.one_of(&[Hash::Sha256, Hash::Sha512]);
    let (hkdf_salt, salt) = (input.bytes(), input.rest());
    let prf_key = || {
        let bytes = SecretBytes::copy_from(&[7; 32], keys::ACCESS);
        HkdfPrfKey::new(bytes, hash, hkdf_salt).expect("within the limits")
    };
    let derived = template.key_template().clone();
    let variant = derived.variant();
    let Ok(deriver) = PrfBasedDeriverKey::new(prf_key(), derived) else {
        return;
    };
    let deriver = Key::new(deriver, variant).expect("the variant is that of the derived keys");
    let deriver = KeysetHandle::with_id(deriver, KeyId::new(42));
    let derive = |provider| {
        let deriver: KeysetDeriver = deriver.primitive_with(provider).expect("it is a deriver");
        deriver
            .derive_keyset(salt)
            .expect("every template has a size that HKDF can fill")
    };
    let prf = Key::new(prf_key(), Variant::Raw).expect("a PRF is raw");
    let prf: KeysetPrfSet = KeysetHandle::with_id(prf, KeyId::new(1))
        .primitive()
        .expect("a PRF");
    let bytes = prf
        .primary()
        .compute_prf(salt, template.properties().key_size);
    let bytes = SecretBytes::copy_from(&bytes.expect("so long it may be"), keys::ACCESS);
    let wanted = KeyTypes::default().import(template.key_template(), &bytes);
    let wanted = wanted.expect("the bytes are as many as the template asks for");
    for provider in Provider::ALL {
        let derived = derive(*provider);
        assert_eq!(derived.primary_id(), KeyId::new(42));
        let key = derived
            .primary()
            .key()
            .expect("the primary key is enabled")
            .clone();
        assert_eq!(key.template(), wanted.template());
        assert!(key.serialize(keys::ACCESS) == wanted.serialize(keys::ACCESS));
    }
}
