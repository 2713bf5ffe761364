//! Values that look like secrets: they must not be in the file.

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

/// Returns the kind of secret that a text looks like, or `None`. It is for names and contexts: URIs
/// hold the ids of keys.
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
    let is_separator = |c: char| !c.is_ascii_alphanumeric();
    let is_key = is_base64_of_key(text) || text.split(is_separator).any(is_random);
    is_key.then_some("a key or a token")
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

/// Base64 of as many bytes as keys have; AWS's secret keys have 30.
fn is_base64_of_key(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let has = |class: fn(&u8) -> bool| digits.as_bytes().iter().any(class);
    let is_base64 = digits
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte));
    let is_padded = digits.len() < text.len();
    is_base64
        && [16, 24, 30, 32, 48, 64].contains(&(digits.len() * 3 / 4))
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && (is_padded || has(u8::is_ascii_digit))
}

/// Names have words. 32 digits of hexadecimal have not.
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
            "SCW0123456789ABCDEF1",
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
