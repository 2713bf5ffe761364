//! What holds for every key type, and for one that is added.

mod toy_key;

use super::*;
use crate::{
    cipher::Provider,
    error::{KeyError, KeysetError},
    keyset::{Format, KeysetHandle, KeysetReader, lint},
    primitive::Aead as _,
    secret::SecretAccess,
};
use toy_key::ToyKeyType;

/// The messages of the toy key, as the translation of a `.proto` file has them.
mod proto {
    use prost::encoding::WireType;

    use crate::wire::{Field, Fields};

    #[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
    pub(super) struct ToyKeyFormat {
        #[prost(uint32, tag = "1")]
        pub(super) key_size: u32,
    }

    #[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
    #[prost(skip_debug)]
    pub(super) struct ToyKey {
        #[prost(uint32, tag = "1")]
        pub(super) version: u32,
        #[prost(bytes = "bytes", tag = "2")]
        pub(super) key_value: bytes::Bytes,
    }

    impl Fields for ToyKeyFormat {
        const FIELDS: &'static [Field] = &[Field {
            number: 1,
            wire_type: WireType::Varint,
            nested: None,
            repeated: false,
        }];
    }

    impl Fields for ToyKey {
        const FIELDS: &'static [Field] = &[
            Field {
                number: 1,
                wire_type: WireType::Varint,
                nested: None,
                repeated: false,
            },
            Field {
                number: 2,
                wire_type: WireType::LengthDelimited,
                nested: None,
                repeated: false,
            },
        ];
    }
}

const WITH_TOY: KeyTypes<'static> = KeyTypes::new(&[&ToyKeyType, &aes_gcm::AesGcmKeyType]);

#[test]
fn an_added_key_type_encrypts_in_keysets_with_others() {
    let access = SecretAccess::insecure();
    let mut keyset = KeysetHandle::new(WITH_TOY.generate("TOY_256").unwrap()).unwrap();
    let before: crate::KeysetAead = keyset.primitive().unwrap();
    let old = before.encrypt(b"text", b"data").unwrap();
    keyset
        .rotate(WITH_TOY.generate("AES256_GCM").unwrap())
        .unwrap();
    keyset
        .rotate(WITH_TOY.generate("TOY_256_RAW").unwrap())
        .unwrap();
    let reader = KeysetReader::new().key_types(WITH_TOY);
    for format in [Format::Binary, Format::Json] {
        let file = keyset.write_cleartext(format, access);
        assert!(!lint(file.expose(access)).is_empty());
        let read = reader
            .cleartext(file.expose(access), format, access)
            .unwrap();
        for provider in Provider::ALL {
            let aead: crate::KeysetAead = read.primitive_with(*provider).unwrap();
            assert_eq!(aead.decrypt(&old, b"data").unwrap(), b"text");
            let new = aead.encrypt(b"text", b"data").unwrap();
            assert_eq!(new.len(), b"text".len() + 28);
        }
        assert_eq!(read.kind(), Some(KeyKind::Aead));
        // A program that does not list the type keeps its keys, and does not use them.
        let others = KeysetHandle::read_cleartext(file.expose(access), format, access).unwrap();
        assert_eq!(others.write_cleartext(format, access), file);
        let refused = others.primitive::<crate::KeysetAead>().unwrap_err();
        assert!(matches!(refused, KeysetError::WrongPrimitive { .. }));
    }
}

#[test]
fn an_added_key_type_is_imported_exported_chosen_and_derived() {
    let access = SecretAccess::insecure();
    let key = WITH_TOY.generate("TOY_128").unwrap();
    let (template, bytes) = (key.template().unwrap(), key.export(access).unwrap());
    assert_eq!(bytes.len(), 16);
    let imported = WITH_TOY.import(&template, &bytes).unwrap();
    let message = key.serialize(access);
    assert_eq!(imported.serialize(access), message);
    let read = WITH_TOY.import_serialized(key.type_url(), &message, Variant::Tink);
    assert_eq!(read.unwrap().export(access), Some(bytes));

    let key_type = WITH_TOY.find(key.type_url()).unwrap();
    let choice = ParameterChoice::new();
    let chosen = key_type.choose(32, &choice, Variant::Raw).unwrap();
    assert_eq!(
        chosen,
        *WITH_TOY.template("TOY_256_RAW").unwrap().key_template()
    );
    assert!(key_type.choose(24, &choice, Variant::Raw).is_err());

    let mut zeros = |bytes: &mut [u8]| {
        bytes.fill(0);
        Ok(())
    };
    let derived = key_type.derive(&chosen, 32, &mut zeros).unwrap();
    assert_eq!(derived.export(access).unwrap().bytes(), [0; 32]);
    assert!(key_type.derive(&chosen, 31, &mut zeros).is_err());
}

#[test]
fn the_primitive_of_every_key_is_of_its_kind() {
    for template in KeyTypes::default().templates().chain(WITH_TOY.templates()) {
        let key = KeyTypes::default().generate_from(template.key_template());
        let key = key.or_else(|_| WITH_TOY.generate_from(template.key_template()));
        let key = key.unwrap();
        for provider in Provider::ALL {
            for kind in KeyKind::ALL {
                let made = key.primitive(*kind, *provider, |primitive| {
                    Some(match primitive {
                        RawPrimitive::Aead(_) => KeyKind::Aead,
                        RawPrimitive::DeterministicAead(_) => KeyKind::DeterministicAead,
                        RawPrimitive::KeysetDeriver(_) => KeyKind::KeysetDeriver,
                        RawPrimitive::Mac(_) => KeyKind::Mac,
                        RawPrimitive::Prf(_) => KeyKind::Prf,
                        RawPrimitive::StreamingAead(_) => KeyKind::StreamingAead,
                    })
                });
                let made = made.transpose().unwrap();
                let wanted = (key.kind() == Some(*kind)).then_some(*kind);
                assert_eq!(made, wanted, "{}", template.name());
            }
        }
    }
}

#[test]
fn a_bare_key_of_every_template_is_imported_again() {
    let access = SecretAccess::insecure();
    for template in KeyTypes::default().templates() {
        let key = KeyTypes::default().generate(template.name()).unwrap();
        let bytes = key.export(access).unwrap();
        assert_eq!(
            bytes.len(),
            template.properties().key_size,
            "{}",
            template.name()
        );
        let same = KeyTypes::default().import(template.key_template(), &bytes);
        assert_eq!(same.unwrap().serialize(access), key.serialize(access));
    }
}

#[test]
fn a_key_that_a_service_holds_has_no_bare_form() {
    let parameters = kms_aead::KmsAeadParameters::new("kms://key");
    let key = Key::generate_with(&parameters, Variant::Raw).unwrap();
    assert!(key.export(SecretAccess::insecure()).is_none());
    let opaque = Key::opaque(String::new(), bytes::Bytes::new(), 0, Variant::Raw);
    assert!(opaque.export(SecretAccess::insecure()).is_none());
    let refused = opaque.primitive(KeyKind::Aead, Provider::FASTEST, Some);
    assert!(refused.is_none_or(|made: Result<_, KeyError>| made.is_err()));
}
