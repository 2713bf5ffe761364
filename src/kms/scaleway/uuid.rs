//! [`Uuid`]: the ids of Scaleway's keys, projects, organisations and API keys.

use std::{fmt, str::FromStr};

use crate::error::{KmsError, KmsErrorKind};

/// The id of a key, a project or an organisation.
///
/// Any version is accepted, in upper or lower case, and printed in lower case.
///
/// # Source
/// RFC 9562.
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
pub struct Uuid(uuid::Uuid);

impl Uuid {
    /// The length in bytes of the text.
    pub const SIZE: usize = uuid::fmt::Hyphenated::LENGTH;

    /// Makes an id of version 4 from 16 random bytes, six bits of which it replaces.
    #[must_use]
    pub const fn from_random_bytes(random: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(random).into_uuid())
    }

    /// Returns the 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        // The crate also reads ids without hyphens, in braces and as URNs, none of them this long.
        (text.len() == Self::SIZE).then(|| uuid::Uuid::try_parse(text).ok().map(Self))?
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
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_in_lower_case_what_it_read() {
        let id: Uuid = "11111111-2222-4333-8444-5555ABCDEF01"
            .parse()
            .expect("a UUID");
        assert_eq!(id.to_string(), "11111111-2222-4333-8444-5555abcdef01");
        assert_eq!(id.to_string().len(), Uuid::SIZE);
    }

    #[test]
    fn random_bytes_become_version_4() {
        for (random, wanted) in [
            ([0; 16], "00000000-0000-4000-8000-000000000000"),
            ([0xff; 16], "ffffffff-ffff-4fff-bfff-ffffffffffff"),
        ] {
            assert_eq!(Uuid::from_random_bytes(random).to_string(), wanted);
        }
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        for bad in [
            "",
            "0da9f41e7b1c4a779f4c3d0f8c8d5a10",
            "{0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10}",
            "{0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a}",
            "urn:uuid:0da9f41e7b1c4a779f4c3d0f8c8d5a10",
            "urn:uuid:0da9f41e-7b1c-4a77-9f4c-3d0",
            "0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a1",
            "0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a100",
            "0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a1g",
            "0da9f41e-7b1c-4a7-79f4c-3d0f8c8d5a10",
            "0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5aé",
        ] {
            assert!(bad.parse::<Uuid>().is_err(), "{bad}");
            assert!(!Uuid::is_well_formed(bad), "{bad}");
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
