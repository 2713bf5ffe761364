//! The URL by which clients reach the emulator.

use std::{fmt, str::FromStr};

/// A base URL of letters, digits and `-:/._`, so that it needs no quotes in a shell.
#[derive(Clone, Debug)]
pub(super) struct PublicUrl(String);

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let url = text.strip_suffix('/').unwrap_or(text);
        let rest = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"))
            .ok_or("it must begin with http:// or https://")?;
        let (host, port) = rest.split_once(':').unwrap_or((rest, "80"));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if host.is_empty() || !host.chars().all(is_plain) || port.parse::<u16>().is_err() {
            return Err("it must be http://HOST:PORT, without a path");
        }
        Ok(Self(url.to_owned()))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_and_a_port_that_a_shell_takes_as_they_are() {
        for (text, url) in [
            ("http://kms:8080", "http://kms:8080"),
            ("http://kms_1.internal/", "http://kms_1.internal"),
            ("https://kms.example:443", "https://kms.example:443"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), url);
        }
        for bad in [
            "",
            "kms:8080",
            "ftp://kms",
            "http://",
            "http://:80",
            "http://kms:",
            "http://kms:65536",
            "http://kms:80/path",
            "http://kms:80?q",
            "http://user@kms",
            "http://$(id)",
            "http://a;b",
            "http://a b",
            "http://kms//",
        ] {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad}");
        }
    }
}
