//! The ids of Key Manager: UUIDs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::random::{self, RandomError};

/// A UUID, printed in lower case: `8-4-4-4-12` hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Uuid([u8; 16]);

/// The text is not a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotUuid;

impl Uuid {
    /// Draws a UUID of version 4 from the operating system: it may be a secret key.
    pub(super) fn random() -> Result<Self, RandomError> {
        let mut bytes = [0; 16];
        random::fill(&mut bytes)?;
        Ok(Self::version_4(bytes))
    }

    /// Draws a UUID of version 4 that only has to be unique.
    pub(super) fn unique() -> Result<Self, RandomError> {
        let mut bytes = [0; 16];
        random::fill(&mut bytes)?;
        Ok(Self::version_4(bytes))
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    const fn version_4(bytes: [u8; 16]) -> Self {
        let version = 0x4_u128 << 76;
        let variant = 0b10_u128 << 62;
        let cleared = u128::from_be_bytes(bytes) & !(0xf_u128 << 76) & !(0b11_u128 << 62);
        Self((cleared | version | variant).to_be_bytes())
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = NotUuid;

    fn from_str(text: &str) -> Result<Self, NotUuid> {
        if text.len() != 36 {
            return Err(NotUuid);
        }
        let mut value = 0_u128;
        for (place, character) in text.chars().enumerate() {
            match (place, character) {
                (8 | 13 | 18 | 23, '-') => {}
                (8 | 13 | 18 | 23, _) => return Err(NotUuid),
                (_, digit) => value = value << 4 | u128::from(digit.to_digit(16).ok_or(NotUuid)?),
            }
        }
        Ok(Self(value.to_be_bytes()))
    }
}

impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|NotUuid| D::Error::custom("not a UUID"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_prints_as_it_was_read_in_lower_case() {
        let uuid: Uuid = "11111111-2222-4333-8444-5555ABCDEF01".parse().unwrap();
        assert_eq!(uuid.to_string(), "11111111-2222-4333-8444-5555abcdef01");
    }

    #[test]
    fn random_uuids_are_of_version_4_and_differ() {
        let (one, other) = (Uuid::random().unwrap(), Uuid::unique().unwrap());
        assert_ne!(one, other);
        for uuid in [one, other] {
            let text = uuid.to_string();
            assert_eq!(text.as_bytes()[14], b'4');
            assert!(b"89ab".contains(&text.as_bytes()[19]));
        }
    }

    #[test]
    fn what_is_no_uuid_is_refused() {
        for text in [
            "",
            "11111111222243338444555555555555",
            "11111111-2222-4333-8444-55555555555",
            "11111111-2222-4333-8444-5555555555555",
            "1111111-12222-4333-8444-555555555555",
            "11111111-2222-4333-8444-55555555555g",
            "11111111-2222-4333-8444-5555555555é",
            "{1111111-2222-4333-8444-55555555555}",
        ] {
            assert_eq!(text.parse::<Uuid>(), Err(NotUuid), "{text}");
        }
    }
}
