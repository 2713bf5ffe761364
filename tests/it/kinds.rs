//! Each key type is for one primitive, and the page about key types says which.

use keyseal::{
    KeyTypes, KeysetAead, KeysetDeriver, KeysetDeterministicAead, KeysetError, KeysetHandle,
    KeysetMac, KeysetPrfSet,
    key::{KEY_TYPES, KeyKind},
    keyset::Primitive,
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
