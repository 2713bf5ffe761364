//! [`Needle`]: something secret, in the forms that it may have leaked in.

use data_encoding::{BASE64_NOPAD, HEXLOWER, HEXUPPER};
use memchr::memmem::Finder;

/// Something to search for.
#[derive(Clone, Debug)]
pub struct Needle {
    name: String,
    forms: Vec<Finder<'static>>,
}

impl Needle {
    /// Names some bytes. They are searched for as they are, in hexadecimal, in base64 at each
    /// alignment, and as a list of numbers.
    #[must_use]
    pub fn new(name: impl Into<String>, secret: &[u8]) -> Self {
        let numbers: Vec<_> = secret.iter().map(ToString::to_string).collect();
        let mut forms = vec![
            secret.to_vec(),
            HEXLOWER.encode(secret).into_bytes(),
            HEXUPPER.encode(secret).into_bytes(),
            numbers.join(", ").into_bytes(),
            numbers.join(",").into_bytes(),
        ];
        // The digits at both ends depend on the neighbours.
        forms.extend([&[][..], &[0], &[0, 0]].iter().filter_map(|before| {
            let digits = BASE64_NOPAD.encode(&[before, secret].concat()).into_bytes();
            let inner = digits.get(before.len() + 1..digits.len() - 2)?;
            Some(inner.to_vec())
        }));
        let forms = forms.iter().map(|form| Finder::new(form).into_owned());
        Self {
            name: name.into(),
            forms: forms.collect(),
        }
    }

    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether it is in these bytes.
    #[must_use]
    pub fn is_in(&self, haystack: &[u8]) -> bool {
        self.forms.iter().any(|form| form.find(haystack).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_each_form() {
        let secret = b"ada.lovelace@example.org";
        let needle = Needle::new("an address", secret);
        let framed = |before: &[u8]| [before, secret, b"after"].concat();
        let mut texts = vec![
            framed(b"raw"),
            HEXLOWER.encode(&framed(b"x")).into_bytes(),
            HEXUPPER.encode(&framed(b"x")).into_bytes(),
            format!("{:?}", framed(b"x")).into_bytes(),
        ];
        for before in [&b""[..], b"1", b"12", b"123"] {
            texts.push(BASE64_NOPAD.encode(&framed(before)).into_bytes());
        }
        for text in texts {
            assert!(needle.is_in(&text), "{}", String::from_utf8_lossy(&text));
        }
        assert!(!needle.is_in(b"ada.lovelace@example.com"));
        assert_eq!(needle.name(), "an address");
    }
}
