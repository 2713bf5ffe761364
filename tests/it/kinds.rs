//! Each key type is for one primitive, and the page about key types says which.

use keyseal::{
    Key, KeyId, KeyTypes, KeysetAead, KeysetDeriver, KeysetDeterministicAead, KeysetError,
    KeysetHandle, KeysetMac, KeysetPrfSet, SecretAccess,
    key::{KEY_TYPES, KeyKind},
    keyset::{Format, KeysetReader, Primitive},
};

use crate::support::{FORMATS, read, url, write};

const PAGE: &str = include_str!("../../docs/key-types.md");

#[test]
fn a_key_is_for_one_primitive_and_no_other() {
    for template in KeyTypes::default().templates() {
        let keyset = KeysetHandle::generate(template.name()).unwrap();
        for format in FORMATS {
            let keyset = read(write(&keyset, format), format).unwrap();
            let kind = template.kind();
            let made = [
                is_made::<KeysetAead>(&keyset, kind, KeyKind::Aead),
                is_made::<KeysetDeterministicAead>(&keyset, kind, KeyKind::DeterministicAead),
                is_made::<KeysetDeriver>(&keyset, kind, KeyKind::KeysetDeriver),
                is_made::<KeysetMac>(&keyset, kind, KeyKind::Mac),
                is_made::<KeysetPrfSet>(&keyset, kind, KeyKind::Prf),
            ];
            let made = made.into_iter().filter(|made| *made).count();
            let of_these = usize::from(kind != KeyKind::StreamingAead);
            assert_eq!(made, of_these, "{}", template.name());
        }
    }
}

/// Makes a primitive that takes `wanted` keys out of a keyset of `kind` keys.
fn is_made<P: Primitive>(keyset: &KeysetHandle, kind: KeyKind, wanted: KeyKind) -> bool {
    match keyset.primitive::<P>() {
        Ok(_) => true,
        Err(error) => {
            let entry = keyset.entries().next().unwrap();
            let type_url = entry.key().unwrap().type_url().to_owned();
            let text = format!(
                "key {} is {} key of type `{type_url}`, not {} key",
                entry.id(),
                kind.with_article(),
                wanted.with_article()
            );
            assert_eq!(error.to_string(), text);
            let expected = KeysetError::WrongPrimitive {
                id: entry.id(),
                type_url,
                found: Some(kind),
                wanted,
            };
            assert_eq!(error, expected);
            false
        }
    }
}

#[test]
fn a_keyset_takes_keys_of_its_own_kind_only() {
    let templates: Vec<_> = KeyTypes::default().templates().collect();
    let of_kind = |kind: KeyKind| templates.iter().filter(move |one| one.kind() == kind);
    for (own, template) in KeyKind::ALL
        .iter()
        .flat_map(|kind| of_kind(*kind).map(move |template| (*kind, template)))
    {
        let mut keyset = KeysetHandle::generate(template.name()).unwrap();
        assert_eq!(keyset.kind(), Some(own));
        for other in KeyKind::ALL {
            let name = of_kind(*other).next().unwrap().name();
            let key = Key::generate(name).unwrap();
            if *other == own {
                keyset.add(key.clone()).unwrap();
                keyset.rotate(key).unwrap();
                continue;
            }
            let before = write(&keyset, Format::Binary);
            let id = KeyId::new(77);
            let text = format!(
                "key 77 is {} key of type `{}`, but the keyset is for {}",
                other.with_article(),
                key.type_url(),
                own.with_article()
            );
            assert_eq!(
                keyset.add_with_id(key.clone(), id).unwrap_err().to_string(),
                text
            );
            for refused in [keyset.add(key.clone()), keyset.rotate(key)] {
                assert!(matches!(
                    refused,
                    Err(KeysetError::OtherKind { id: None, found, keyset, .. })
                        if (found, keyset) == (Some(*other), Some(own))
                ));
            }
            assert_eq!(write(&keyset, Format::Binary), before);
        }
    }
}

#[test]
fn a_disabled_key_of_another_kind_stays_disabled() {
    let mut keyset = KeysetHandle::generate("AES256_GCM").unwrap();
    let old = keyset.primary_id();
    let mac = Key::generate("HMAC_SHA256_128BITTAG").unwrap();
    let id = keyset.add_of_any_kind(mac.clone()).unwrap();
    keyset.disable(id).unwrap();
    let refused = keyset.enable(id);
    assert!(matches!(refused, Err(KeysetError::OtherKind { id: Some(found), .. }) if found == id));
    keyset.primitive::<KeysetAead>().unwrap();
    // The way from one kind to another is open.
    let new = keyset.add_of_any_kind(mac).unwrap();
    keyset.promote(new).unwrap();
    keyset.disable(old).unwrap();
    keyset.enable(id).unwrap();
    keyset.primitive::<KeysetMac>().unwrap();
}

#[test]
fn beside_an_unknown_key_only_its_own_type_is_taken() {
    let file = write(
        &KeysetHandle::generate("AES256_GCM").unwrap(),
        Format::Binary,
    );
    let knows_none = KeysetReader::new().key_types(KeyTypes::new(&[]));
    let other = KeysetHandle::generate("AES256_SIV").unwrap();
    let other = write(&other, Format::Binary);
    let opaque = |file: &[u8]| {
        let access = SecretAccess::insecure();
        knows_none.cleartext(file, Format::Binary, access).unwrap()
    };
    let mut keyset = opaque(&file);
    assert_eq!(keyset.kind(), None);
    let same = keyset.entries().next().unwrap().key().unwrap().clone();
    keyset.add(same).unwrap();
    let other = opaque(&other)
        .entries()
        .next()
        .unwrap()
        .key()
        .unwrap()
        .clone();
    for key in [other, Key::generate("AES256_GCM").unwrap()] {
        let refused = keyset.add(key).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("is for keys of the unknown type")
        );
    }
}

#[test]
fn kinds_have_names_of_their_own() {
    let mut names: Vec<&str> = KeyKind::ALL.iter().map(|kind| kind.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KeyKind::ALL.len());
    for kind in KeyKind::ALL {
        assert_eq!(kind.to_string(), kind.name());
        let (article, name) = kind.with_article().split_once(' ').unwrap();
        assert_eq!(name, kind.name());
        assert!(["a", "an"].contains(&article));
    }
}

#[test]
fn the_page_of_key_types_is_that_of_the_code() {
    let table = PAGE
        .split("\n\n")
        .find(|part| part.starts_with("| key type | primitive"));
    let rows: Vec<Vec<&str>> = table
        .unwrap()
        .lines()
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let expected: Vec<String> = KEY_TYPES
        .iter()
        .map(|key_type| key_type.type_url().to_owned())
        .collect();
    let found: Vec<String> = rows
        .iter()
        .map(|row| url(row[0].trim_matches('`')))
        .collect();
    assert_eq!(found, expected);
    for (row, key_type) in rows.iter().zip(KEY_TYPES) {
        let names: Vec<String> = key_type
            .templates()
            .iter()
            .map(|template| format!("`{}`", template.name()))
            .collect();
        assert_eq!(row[1], key_type.kind().name());
        let yes_or_no = ["no", "yes"];
        assert!(row[2..7].iter().all(|cell| yes_or_no.contains(cell)));
        assert_eq!(row[7], yes_or_no[usize::from(key_type.is_derivable())]);
        assert_eq!(row[8], names.join(" "));
    }
}
