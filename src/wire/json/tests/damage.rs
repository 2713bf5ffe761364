//! Damaged text: it is refused or read, and never worse.

use proptest::prelude::*;

use super::*;

/// Reads `json` in both ways, and returns whether one succeeded.
fn read_both(json: &[u8]) -> bool {
    let cleartext = read_keyset(json).map(|keyset| {
        let written = write_keyset(&keyset);
        let again = read_keyset(&written).map(|keyset| write_keyset(&keyset));
        assert!(again == Ok(written), "{}", json.escape_ascii());
    });
    let encrypted = read_encrypted_keyset(json).map(|keyset| {
        let again = read_encrypted_keyset(&write_encrypted_keyset(&keyset));
        assert!(again == Ok(keyset), "{}", json.escape_ascii());
    });
    for error in [&cleartext, &encrypted]
        .into_iter()
        .filter_map(|read| read.as_ref().err())
    {
        assert!(
            error.offset() <= json.len(),
            "{error}: {}",
            json.escape_ascii()
        );
    }
    cleartext.is_ok() || encrypted.is_ok()
}

#[test]
fn read_refuses_every_truncation() {
    for json in [
        PRETTY,
        &compact(PRETTY),
        PRETTY_ENCRYPTED,
        &compact(PRETTY_ENCRYPTED),
    ] {
        assert!(read_both(json.as_bytes()));
        for len in 0..json.trim_end().len() {
            assert!(!read_both(&json.as_bytes()[..len]), "{len} bytes of {json}");
        }
    }
}

#[test]
fn read_survives_every_change_of_one_byte() {
    let escapes = replaced("AesGcm", r"\ud83d\ude00\n");
    for json in [
        PRETTY,
        &compact(PRETTY),
        &compact(PRETTY_ENCRYPTED),
        &escapes,
    ] {
        for at in 0..json.len() {
            let mut changed = json.as_bytes().to_vec();
            for byte in *b"\0\n \"'+,-./019:=AZ[\\]_aenu{}\x7f\x80\xc3\xe2\xf0\xff" {
                changed[at] = byte;
                read_both(&changed);
            }
            changed.remove(at);
            read_both(&changed);
        }
    }
}

#[test]
fn read_of_deep_text_ends_at_once() {
    for (open, prefix) in [
        ("[", ""),
        (r#"{"key":["#, ""),
        ("[", r#"{"key":"#),
        ("[", r#"{"x":"#),
    ] {
        assert!(!read_both(
            (prefix.to_owned() + &open.repeat(100_000)).as_bytes()
        ));
    }
}

proptest! {
    #[test]
    fn read_survives_any_text(json in "[\\[\\]{}:,\"\\\\a-z0-9 .=_-]{0,64}") {
        read_both(json.as_bytes());
    }
}
