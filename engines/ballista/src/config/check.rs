//! The entries of the file, checked.

use std::{collections::HashSet, ops::Range, path::Path};

use data_encoding::BASE64;
use keyseal::kms::scaleway::KeyUri;
use keyseal_datafusion::KeyUse;
use toml::Spanned;
use url::Url;

use super::{
    entries::{NamedKeysetConfig, StoreConfig, WrappedKeyset},
    error::ConfigError,
    location::KeysetLocation,
    parse::{File, Keyset, Lines, Store},
    secrets::{is_cleartext_keyset, resembled},
};

const SEALED: &str = "sealed+";

pub(super) fn check(
    file: File,
    folder: &Path,
    lines: &Lines<'_>,
) -> Result<(Vec<StoreConfig>, Vec<NamedKeysetConfig>), ConfigError> {
    let mut known = HashSet::new();
    let mut stores = Vec::new();
    for store in file.stores {
        let place = store.prefix.span();
        let store = check_store(store, folder, lines)?;
        if !known.insert(store.prefix.clone()) {
            return Err(lines.error(&place, "another [[store]] has this prefix"));
        }
        stores.push(store);
    }
    let mut known = HashSet::new();
    let mut keysets = Vec::new();
    for keyset in file.keysets {
        let place = keyset.name.span();
        let keyset = check_keyset(keyset, folder, lines)?;
        if !known.insert(keyset.name.clone()) {
            return Err(lines.error(&place, "another [[keyset]] has this name"));
        }
        keysets.push(keyset);
    }
    Ok((stores, keysets))
}

fn check_store(store: Store, folder: &Path, lines: &Lines<'_>) -> Result<StoreConfig, ConfigError> {
    let keyset = store.keyset.map(|keyset| location(&keyset, folder, lines));
    Ok(StoreConfig {
        prefix: prefix(&store.prefix, lines)?,
        kek: kek(&store.kek, lines)?,
        keyset: keyset.transpose()?,
        context: name(&store.context, "context", lines)?,
    })
}

fn check_keyset(
    keyset: Keyset,
    folder: &Path,
    lines: &Lines<'_>,
) -> Result<NamedKeysetConfig, ConfigError> {
    let wrapped = match (keyset.file, keyset.wrapped) {
        (Some(file), None) => WrappedKeyset::Kept(location(&file, folder, lines)?),
        (None, Some(wrapped)) => WrappedKeyset::Inline(inline(&wrapped, lines)?),
        _ => {
            let problem = "a [[keyset]] has either file or wrapped";
            return Err(lines.error(&keyset.name.span(), problem));
        }
    };
    let allow = match keyset.allow {
        None => vec![KeyUse::Encrypt, KeyUse::Decrypt],
        Some(uses) => uses
            .iter()
            .map(|allowed| key_use(allowed, lines))
            .collect::<Result<_, _>>()?,
    };
    Ok(NamedKeysetConfig {
        name: name(&keyset.name, "name", lines)?,
        kek: kek(&keyset.kek, lines)?,
        wrapped,
        allow,
    })
}

fn prefix(value: &Spanned<String>, lines: &Lines<'_>) -> Result<String, ConfigError> {
    let place = value.span();
    let wrong = |problem: &str| lines.error(&place, format!("prefix {problem}"));
    let url = Url::parse(value.as_ref())
        .map_err(|_| wrong("is no URL").help("write it as sealed+s3://bucket/"))?;
    refuse_userinfo(&url, &place, lines)?;
    match url.scheme().strip_prefix(SEALED) {
        Some("s3") if url.host_str().is_some() => {}
        Some("s3") => return Err(wrong("names no bucket").help("write it as sealed+s3://bucket/")),
        Some("file") if url.host_str().is_none() => {}
        Some("file") => {
            return Err(wrong("has a host").help("write it as sealed+file:///"));
        }
        Some(_) => {
            return Err(wrong(
                "has a scheme that is neither sealed+s3 nor sealed+file",
            ));
        }
        None => {
            return Err(wrong("does not start with sealed+")
                .help("tables without it are not encrypted and need no entry"));
        }
    }
    let (host, path) = (
        url.host_str().unwrap_or_default(),
        url.path().trim_matches('/'),
    );
    // Whole names count: `lake/a` is no prefix of `lake/ab/`.
    let slash = if path.is_empty() { "" } else { "/" };
    Ok(format!("{}://{host}/{path}{slash}", url.scheme()))
}

fn kek(value: &Spanned<String>, lines: &Lines<'_>) -> Result<String, ConfigError> {
    let (text, place) = (value.as_ref(), value.span());
    let example = "write it as scw-kms://regions/fr-par/keys/ID, or file-kms://PATH for tests";
    let is_uri = match text.split_once("://") {
        Some(("scw-kms", _)) => text.parse::<KeyUri>().is_ok(),
        Some(("file-kms", path)) => !path.is_empty(),
        _ => false,
    };
    match is_uri {
        true => Ok(text.to_owned()),
        false => Err(lines.error(&place, "kek is no key URI").help(example)),
    }
}

fn location(
    value: &Spanned<String>,
    folder: &Path,
    lines: &Lines<'_>,
) -> Result<KeysetLocation, ConfigError> {
    let place = value.span();
    let location = KeysetLocation::parse(value.as_ref(), folder).map_err(|problem| {
        lines
            .error(&place, format!("the place of the keyset {problem}"))
            .help("write s3://bucket/path, file:///path, or a path that starts at this file")
    })?;
    if let KeysetLocation::Object(url) = &location {
        refuse_userinfo(url, &place, lines)?;
    }
    Ok(location)
}

fn inline(value: &Spanned<String>, lines: &Lines<'_>) -> Result<Vec<u8>, ConfigError> {
    let place = value.span();
    let wrapped = BASE64.decode(value.as_ref().as_bytes()).map_err(|_| {
        lines
            .error(&place, "wrapped is not base64")
            .help("it is the base64 of what the key service returned")
    })?;
    // A data key of AES is this short. A wrapped keyset is longer than a keyset.
    if wrapped.len() < 48 || is_cleartext_keyset(&wrapped) {
        return Err(lines
            .error(&place, "wrapped looks like a key in cleartext")
            .help("wrap it: keyseal keyset create --kek URI"));
    }
    Ok(wrapped)
}

fn key_use(value: &Spanned<String>, lines: &Lines<'_>) -> Result<KeyUse, ConfigError> {
    match value.as_ref().as_str() {
        "encrypt" => Ok(KeyUse::Encrypt),
        "decrypt" => Ok(KeyUse::Decrypt),
        _ => Err(lines.error(&value.span(), "allow takes \"encrypt\" and \"decrypt\"")),
    }
}

fn name(value: &Spanned<String>, entry: &str, lines: &Lines<'_>) -> Result<String, ConfigError> {
    let (text, place) = (value.as_ref(), value.span());
    if text.is_empty() {
        return Err(lines.error(&place, format!("{entry} is empty")));
    }
    match resembled(text) {
        None => Ok(text.clone()),
        Some(what) => Err(lines
            .error(&place, format!("{entry} looks like {what}"))
            .help("no secret belongs in this file")),
    }
}

fn refuse_userinfo(url: &Url, place: &Range<usize>, lines: &Lines<'_>) -> Result<(), ConfigError> {
    let has_secret = !url.username().is_empty() || url.password().is_some();
    if has_secret || url.query().is_some() {
        return Err(lines
            .error(place, "a URL has credentials or a query")
            .help("each process takes its credentials from its environment"));
    }
    Ok(())
}
