//! [`Uuid`]: the ids of Scaleway's keys, projects, organisations and API keys.

use std::{fmt, str::FromStr};

use crate::error::{KmsError, KmsErrorKind};

/// The id of a key, a project or an organisation.
///
/// Any version is accepted, in upper or lower case, and printed in lower case.
///
/// # Example
/// ```
/// use keyseal::kms::scaleway::Uuid;
///
/// let id: Uuid = "0DA9F41E-7B1C-4A77-9F4C-3D0F8C8D5A10".parse()?;
/// assert_eq!(id.to_string(), "0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10");
/// # Ok::<(), keyseal::KmsError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; Self::SIZE]);

impl Uuid {
    /// The length in bytes of the text.
    pub const SIZE: usize = 36;

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Hexadecimal digits and hyphens: see `parse`.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = Some(text).filter(|text| Self::is_well_formed(text))?;
        let mut bytes: [u8; Self::SIZE] = text.as_bytes().try_into().ok()?;
        bytes.make_ascii_lowercase();
        Some(Self(bytes))
    }

    /// Returns whether `text` is a UUID, without copying it: secret keys have this form too.
    pub(crate) fn is_well_formed(text: &str) -> bool {
        text.len() == Self::SIZE
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    }
}

impl FromStr for Uuid {
    type Err = KmsError;

    fn from_str(text: &str) -> Result<Self, KmsError> {
        Self::parse(text).ok_or_else(|| {
            KmsError::new(KmsErrorKind::InvalidInput)
                .with_message("an id must be a UUID, xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
        })
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        for bad in [
            "",
            "0da9f41e7b1c4a779f4c3d0f8c8d5a10",
            "{0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10}",
            "0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a1",
            "0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a100",
            "0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a1g",
            "0da9f41e-7b1c-4a7-79f4c-3d0f8c8d5a10",
            "0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5aé",
        ] {
            assert!(bad.parse::<Uuid>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refused_id_is_not_repeated_in_the_error() {
        let error = "not-an-id-but-a-password"
            .parse::<Uuid>()
            .expect_err("it is no UUID");
        assert!(!format!("{error} {error:?}").contains("password"));
    }
}
