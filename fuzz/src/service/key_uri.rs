//! Key URIs, references, ids and regions: the parsers agree with a plain description of the forms, and
//! read their own output as the same key.

use keyseal::kms::scaleway::{KeyUri, Region, Uuid};

/// An input is a text.
pub fn law(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let id: Option<Uuid> = text.parse().ok();
    assert_eq!(id.is_some(), is_id(text));
    if let Some(id) = id {
        assert_eq!(id.to_string(), text.to_ascii_lowercase());
    }
    let region: Option<Region> = text.parse().ok();
    assert_eq!(region.is_some(), is_region(text));
    assert_eq!(
        region.as_ref().map(Region::as_str),
        region.is_some().then_some(text)
    );

    let uri = text.parse::<KeyUri>().ok();
    assert_eq!(uri.as_ref().map(parts), parts_of_uri(text));
    let reference = KeyUri::from_reference(text).ok();
    assert_eq!(reference.as_ref().map(parts), parts_of_reference(text));
    for uri in [uri, reference].into_iter().flatten() {
        assert_eq!(uri.to_string().parse::<KeyUri>().as_ref(), Ok(&uri));
        assert_eq!(KeyUri::from_reference(&uri.to_string()).as_ref(), Ok(&uri));
    }
}

type Parts = (Option<String>, String);

fn parts(uri: &KeyUri) -> Parts {
    (
        uri.region().map(Region::to_string),
        uri.key_id().to_string(),
    )
}

fn parts_of_uri(text: &str) -> Option<Parts> {
    let (scheme, rest) = text.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("scw-kms") {
        return None;
    }
    match is_id(rest) {
        true => Some((None, rest.to_ascii_lowercase())),
        false => parts_of_path(rest),
    }
}

fn parts_of_reference(text: &str) -> Option<Parts> {
    if text
        .get(..10)
        .is_some_and(|start| start.eq_ignore_ascii_case("scw-kms://"))
    {
        return parts_of_uri(text);
    }
    if let Some(srn) = text.strip_prefix("srn://key-manager.") {
        let (domain, path) = srn.split_once('/')?;
        return parts_of_path(path).filter(|_| !domain.is_empty());
    }
    let (region, id) = match text.split_once('/') {
        Some((region, id)) => (Some(region), id),
        None => (None, text),
    };
    let is_good = region.is_none_or(is_region) && is_id(id);
    is_good.then(|| (region.map(str::to_owned), id.to_ascii_lowercase()))
}

fn parts_of_path(path: &str) -> Option<Parts> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["regions", region, "keys", id] if is_region(region) && is_id(id) => {
            Some((Some(region.to_owned()), id.to_ascii_lowercase()))
        }
        _ => None,
    }
}

fn is_region(text: &str) -> bool {
    let shape: Vec<usize> = text.split('-').map(str::len).collect();
    let letters = text
        .bytes()
        .all(|byte| byte == b'-' || byte.is_ascii_lowercase());
    letters && matches!(shape[..], [2, 3..=7])
}

fn is_id(text: &str) -> bool {
    let shape: Vec<usize> = text.split('-').map(str::len).collect();
    let digits = text
        .bytes()
        .all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    digits && shape == [8, 4, 4, 4, 12]
}
