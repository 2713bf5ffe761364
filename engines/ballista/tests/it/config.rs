//! `keyseal-engine.toml`: its entries, and each mistake.

use std::path::{Path, PathBuf};

use keyseal::{KeysetHandle, SecretAccess, keyset::Format};
use keyseal_ballista::{ConfigError, EngineConfig, KeysetLocation, WrappedKeyset};
use keyseal_datafusion::KeyUse;

const KEK: &str = "scw-kms://regions/fr-par/keys/0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10";

fn parse(text: &str) -> Result<EngineConfig, ConfigError> {
    EngineConfig::parse(text, Path::new("conf/engine.toml"))
}

fn store(lines: &str) -> String {
    format!("[[store]]\n{lines}\n")
}

fn keyset(lines: &str) -> String {
    format!("[[keyset]]\n{lines}\n")
}

#[test]
fn all_entries_are_read() {
    let wrapped = data_encoding::BASE64.encode(&[255; 64]);
    let config = parse(&format!(
        r#"
        # The comments of a file are not looked at.
        [[store]]
        prefix  = "sealed+s3://lake/"
        kek     = "{KEK}"
        keyset  = "s3://lake/_keyseal/kek.json"
        context = "lake"

        [[store]]
        prefix  = "sealed+s3://lake/hr"
        kek     = "file-kms://kek.json"
        context = "people"

        [[store]]
        prefix  = "sealed+file:///"
        kek     = "file-kms://kek.json"
        context = "files"

        [[keyset]]
        name    = "pii"
        kek     = "{KEK}"
        file    = "pii.json"
        allow   = ["decrypt"]

        [[keyset]]
        name    = "join"
        kek     = "{KEK}"
        wrapped = "{wrapped}"
        "#
    ))
    .unwrap();
    let [lake, people, files] = config.stores() else {
        panic!("three stores")
    };
    assert_eq!(people.prefix, "sealed+s3://lake/hr/");
    let object = "s3://lake/_keyseal/kek.json".parse().unwrap();
    assert_eq!((&*lake.prefix, &*lake.kek), ("sealed+s3://lake/", KEK));
    assert_eq!(lake.keyset, Some(KeysetLocation::Object(object)));
    assert_eq!(lake.context, "lake");
    assert_eq!(files.prefix, "sealed+file:///");
    assert_eq!(files.keyset, None);
    let [pii, join] = config.keysets() else {
        panic!("two keysets")
    };
    let file = KeysetLocation::File(PathBuf::from("conf/pii.json"));
    assert_eq!(
        (&*pii.name, &pii.wrapped),
        ("pii", &WrappedKeyset::Kept(file))
    );
    assert_eq!(pii.allow, [KeyUse::Decrypt]);
    assert_eq!(join.wrapped, WrappedKeyset::Inline(vec![255; 64]));
    assert_eq!(join.allow, [KeyUse::Encrypt, KeyUse::Decrypt]);
    assert_eq!(config.folder(), Path::new("conf"));
}

#[test]
fn a_mistake_has_its_line_and_what_to_do() {
    let kek = format!("kek = \"{KEK}\"");
    let good = format!("prefix = \"sealed+s3://lake\"\n{kek}\ncontext = \"lake\"");
    let with_prefix =
        |prefix: &str| store(&format!("{kek}\ncontext = \"l\"\nprefix = \"{prefix}\""));
    let with_kek = |kek: &str| {
        store(&format!(
            "prefix = \"sealed+s3://l/\"\ncontext = \"l\"\nkek = \"{kek}\""
        ))
    };
    let named = |lines: &str| keyset(&format!("name = \"pii\"\n{kek}\n{lines}"));
    for (text, line, problem) in [
        (
            "stores = 1".to_owned(),
            1,
            "unknown field `stores`, expected `store` or `keyset`; remove it",
        ),
        ("[[store]\n".to_owned(), 1, "docs/engines.md has an example"),
        (named("file = \"f"), 4, "invalid basic string"),
        (
            store("prefix = \"sealed+s3://lake/\"\ncontext = \"l\""),
            1,
            "missing field `kek`",
        ),
        (
            store(&format!("{good}\ncache = 1")),
            5,
            "unknown field `cache`",
        ),
        (
            store(&format!("{good}\nsecret_key = \"x\"")),
            5,
            "SCW_SECRET_KEY",
        ),
        (
            named("file = \"f\"\nallow = \"decrypt\""),
            5,
            "a value is not a sequence",
        ),
        (
            named("file = \"f\"\nallow = [\n\"decrypt\",\n\"sign\"]"),
            7,
            "allow takes \"encrypt\" and \"decrypt\"",
        ),
        (
            format!("{}{}", store(&good), store(&good)),
            6,
            "another [[store]] has this prefix",
        ),
        (
            with_prefix("lake"),
            4,
            "prefix is no URL; write it as sealed+s3://bucket/",
        ),
        (
            with_prefix("s3://lake/"),
            4,
            "prefix does not start with sealed+; tables without it",
        ),
        (
            with_prefix("sealed+s3:///orders"),
            4,
            "prefix names no bucket",
        ),
        (with_prefix("sealed+file://host/"), 4, "prefix has a host"),
        (
            with_prefix("sealed+gs://lake/"),
            4,
            "prefix has a scheme that is neither sealed+s3 nor",
        ),
        (
            with_prefix("sealed+s3://me:pass@lake/"),
            4,
            "a URL has credentials",
        ),
        (
            with_kek("gcp-kms://k"),
            4,
            "kek is no key URI; write it as scw-kms://",
        ),
        (
            with_kek("scw-kms://regions/fr-par/keys/1"),
            4,
            "kek is no key URI",
        ),
        (with_kek("file-kms://"), 4, "kek is no key URI"),
        (
            store(&good.replace("\"lake\"", "\"\"")),
            4,
            "context is empty",
        ),
        (
            store(&format!("{good}\nkeyset = \"gs://lake/k\"")),
            5,
            "has a scheme that is neither s3 nor file",
        ),
        (
            store(&format!("{good}\nkeyset = \"s3://lake\"")),
            5,
            "the place of the keyset names no object",
        ),
        (
            store(&format!(
                "{good}\nkeyset = \"s3://lake/k?X-Amz-Signature=1\""
            )),
            5,
            "credentials or a query",
        ),
        (named(""), 2, "a [[keyset]] has either file or wrapped"),
        (
            named("file = \"f\"\nwrapped = \"AAAA\""),
            2,
            "a [[keyset]] has either file or wrapped",
        ),
        (named("wrapped = \"%\""), 4, "wrapped is not base64"),
        (
            format!("{}{}", named("file = \"f\""), named("file = \"f\"")),
            6,
            "another [[keyset]] has this name",
        ),
    ] {
        let error = parse(&text).unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains(problem), "{text}\n{shown}");
        assert_eq!(error.line(), Some(line), "{text}\n{shown}");
        assert!(
            shown.starts_with(&format!("conf/engine.toml:{line}: ")),
            "{shown}"
        );
    }
}

#[test]
fn a_secret_is_refused_and_not_shown() {
    let access = SecretAccess::insecure();
    let cleartext = KeysetHandle::generate("AES256_GCM").unwrap();
    let cleartext = cleartext.write_cleartext(Format::Binary, access);
    let cleartext = data_encoding::BASE64.encode(cleartext.expose(access));
    let data_key = data_encoding::BASE64.encode(&[7; 32]);
    let uuid = "5e2ff1a4-7b1c-4a77-9f4c-3d0f8c8d5a10";
    let kek = format!("kek = \"{KEK}\"");
    let name = |name: &str| keyset(&format!("name = \"{name}\"\n{kek}\nfile = \"f\""));
    let wrapped =
        |wrapped: &str| keyset(&format!("name = \"pii\"\n{kek}\nwrapped = \"{wrapped}\""));
    for (text, secret) in [
        (name(uuid), uuid),
        (name("AKIAIOSFODNN7EXAMPLE"), "AKIAIOSFODNN7EXAMPLE"),
        (name(&data_key), &data_key),
        (wrapped(&data_key), &data_key),
        (wrapped(&cleartext), &cleartext),
        (format!("{}allow = \"{uuid}\"", name("pii")), uuid),
        (format!("{}token = \"{uuid}\"", name("pii")), uuid),
        (format!("secret = \"{uuid}"), uuid),
    ] {
        let error = parse(&text).unwrap_err();
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = EngineConfig::read(Path::new("/nowhere/engine.toml")).unwrap_err();
    let shown = error.to_string();
    assert!(
        shown.starts_with("/nowhere/engine.toml: cannot be read: "),
        "{shown}"
    );
    assert!(shown.contains("--config"), "{shown}");
}
