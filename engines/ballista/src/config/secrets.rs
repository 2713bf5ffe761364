//! What looks like a secret: it must not be in the file.

use keyseal::keyset::{KeysetFile, Protection};

/// Returns whether the name of an unknown entry says that its value is a secret.
pub(super) fn names_a_secret(entry: &str) -> bool {
    let entry = entry.to_lowercase();
    let words = [
        "secret",
        "password",
        "token",
        "credential",
        "access_key",
        "private",
    ];
    words.iter().any(|word| entry.contains(word))
}

/// Returns what a text looks like, if that is a secret. URIs of keys have the ids of keys in their
/// paths, so this is for what follows a user name, a name or a context.
pub(super) fn resembled(text: &str) -> Option<&'static str> {
    if text.contains("-----BEGIN") {
        return Some("a key in PEM");
    }
    if is_access_key(text) {
        return Some("an access key");
    }
    if is_uuid(text) {
        return Some("a Scaleway secret key");
    }
    let is_separator = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='));
    text.split(is_separator)
        .any(is_random)
        .then_some("a key or a token")
}

/// Returns whether bytes are a keyset in cleartext.
pub(super) fn is_cleartext_keyset(bytes: &[u8]) -> bool {
    KeysetFile::detect(bytes).is_ok_and(|file| file.protection() == Protection::Cleartext)
}

/// AWS's and Scaleway's access keys: not secret themselves, but their secrets are near.
fn is_access_key(text: &str) -> bool {
    let is_upper = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    let starts = ["AKIA", "ASIA", "SCW"];
    text.len() == 20 && is_upper(text) && starts.iter().any(|start| text.starts_with(start))
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').collect();
    let sizes: Vec<_> = groups.iter().map(|group| group.len()).collect();
    let is_hex = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    sizes == [8, 4, 4, 4, 12] && groups.iter().all(is_hex)
}

/// Names have words. 32 digits of hexadecimal, or base64 of 24 bytes, have not.
fn is_random(word: &str) -> bool {
    word.len() >= 32
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_no_secrets() {
        for text in [
            "",
            "lake",
            "lake/orders/2026-11/eu-west-3",
            "customer_data_of_the_second_quarter_of_2026",
            "scw-kms",
        ] {
            assert_eq!(resembled(text), None, "{text}");
        }
    }

    #[test]
    fn keys_are_secrets() {
        for text in [
            "0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10",
            "AKIAIOSFODNN7EXAMPLE",
            "SCWXXXXXXXXXXXXXXXX1",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "000102030405060708090a0b0c0d0e0f",
            "user:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "-----BEGIN PRIVATE KEY-----",
        ] {
            assert!(resembled(text).is_some(), "{text}");
        }
        assert!(names_a_secret("SCW_SECRET_KEY") && names_a_secret("apiToken"));
        assert!(!names_a_secret("contxt"));
    }
}
