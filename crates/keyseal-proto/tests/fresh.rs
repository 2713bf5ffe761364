//! The checked-in messages are those of `proto/*.proto`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{env, fs, path::Path};

#[test]
fn the_translation_is_checked_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let translated = keyseal_proto::translate(&root.join("proto")).unwrap();
    let checked_in = root.join("src/wire/proto.rs");
    if env::var_os("KEYSEAL_BLESS").is_some() {
        fs::write(&checked_in, &translated).unwrap();
    }
    assert!(
        fs::read_to_string(&checked_in).unwrap() == translated,
        "proto/*.proto changed: KEYSEAL_BLESS=1 translates it again"
    );
}
