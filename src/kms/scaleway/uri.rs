//! [`KeyUri`] and [`Region`]: the location of a key.

use std::{borrow::Cow, fmt, str::FromStr};

use super::Uuid;
use crate::error::{KmsError, KmsErrorKind};

/// A Scaleway region, such as `fr-par`. Keys exist in one region only.
///
/// Any well-formed name is accepted, even if we know no such region.
///
/// # Example
/// ```
/// use keyseal::kms::scaleway::Region;
///
/// assert_eq!("nl-ams".parse::<Region>()?, Region::NL_AMS);
/// assert!("nl_ams".parse::<Region>().is_err());
/// # Ok::<(), keyseal::KmsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Cow<'static, str>);

impl Region {
    /// Paris.
    pub const FR_PAR: Self = Self(Cow::Borrowed("fr-par"));
    /// Amsterdam.
    pub const NL_AMS: Self = Self(Cow::Borrowed("nl-ams"));
    /// Warsaw.
    pub const PL_WAW: Self = Self(Cow::Borrowed("pl-waw"));

    /// The regions that offer Key Manager.
    pub const KEY_MANAGER: [Self; 3] = [Self::FR_PAR, Self::NL_AMS, Self::PL_WAW];

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads two letters, a hyphen and three to seven letters, in lower case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (country, city) = text.split_once('-')?;
        let letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase());
        let well_formed = country.len() == 2
            && (3..=7).contains(&city.len())
            && letters(country)
            && letters(city);
        well_formed.then(|| Self(Cow::Owned(text.to_owned())))
    }
}

impl FromStr for Region {
    type Err = KmsError;

    fn from_str(text: &str) -> Result<Self, KmsError> {
        Self::parse(text).ok_or_else(|| {
            KmsError::new(KmsErrorKind::InvalidInput)
                .with_message("a region must have a name such as fr-par, nl-ams or pl-waw")
        })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The URI of a Key Manager key.
///
/// Accepted in both forms that Scaleway's own Tink extensions use:
/// * `scw-kms://regions/<region>/keys/<key id>`, the canonical one;
/// * `scw-kms://<key id>`, whose region is that of the client.
///
/// The scheme may be in upper or lower case, the id is a UUID, and nothing may follow it. It prints
/// in the canonical form if the region is known.
///
/// # Compatibility
/// `github.com/scaleway/tink-go-scwkms` documents the first form but ignores its region and calls
/// the client's: see [`RegionConflict`](super::RegionConflict). `scaleway-tink` for Python reads
/// the second form only.
///
/// # Example
/// ```
/// use keyseal::kms::scaleway::{KeyUri, Region};
///
/// let uri: KeyUri = "SCW-KMS://0DA9F41E-7b1c-4a77-9f4c-3d0f8c8d5a10".parse()?;
/// assert_eq!(uri.region(), None);
/// assert_eq!(
///     uri.in_region(Region::FR_PAR).to_string(),
///     "scw-kms://regions/fr-par/keys/0da9f41e-7b1c-4a77-9f4c-3d0f8c8d5a10",
/// );
/// # Ok::<(), keyseal::KmsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyUri {
    region: Option<Region>,
    key_id: Uuid,
}

impl KeyUri {
    /// The scheme, including the separator.
    pub const SCHEME: &'static str = "scw-kms://";

    /// Names a key in a region.
    #[must_use]
    pub const fn new(region: Region, key_id: Uuid) -> Self {
        Self {
            region: Some(region),
            key_id,
        }
    }

    /// Names a key in the region of the client that uses it.
    #[must_use]
    pub const fn in_any_region(key_id: Uuid) -> Self {
        Self {
            region: None,
            key_id,
        }
    }

    /// Parses a key's name in any of the forms that Scaleway's tools print.
    ///
    /// Beside the two forms of a key URI: `srn://key-manager.<domain>/regions/<region>/keys/<id>`,
    /// `<region>/<id>` and `<id>`. For people and programs; a keyset holds key URIs only.
    ///
    /// # Errors
    /// [`KmsError`] of kind `InvalidUri` if it has none of these forms.
    pub fn from_reference(text: &str) -> Result<Self, KmsError> {
        if Self::has_scheme(text) {
            return text.parse();
        }
        if let Some(srn) = text.strip_prefix("srn://key-manager.") {
            let path = srn.split_once('/').filter(|(domain, _)| !domain.is_empty());
            return path
                .and_then(|(_, path)| Self::from_path(path))
                .ok_or_else(malformed);
        }
        let (region, id) = match text.split_once('/') {
            Some((region, id)) => (Some(Region::parse(region).ok_or_else(malformed)?), id),
            None => (None, text),
        };
        Ok(Self {
            region,
            key_id: Uuid::parse(id).ok_or_else(malformed)?,
        })
    }

    /// Returns the region, if the URI names one.
    #[must_use]
    pub const fn region(&self) -> Option<&Region> {
        self.region.as_ref()
    }

    /// Returns the id of the key.
    #[must_use]
    pub const fn key_id(&self) -> Uuid {
        self.key_id
    }

    /// Returns the same key id in `region`.
    #[must_use]
    pub fn in_region(self, region: Region) -> Self {
        Self {
            region: Some(region),
            ..self
        }
    }

    pub(crate) fn has_scheme(text: &str) -> bool {
        text.get(..Self::SCHEME.len())
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(Self::SCHEME))
    }

    /// Reads `regions/<region>/keys/<id>`.
    fn from_path(path: &str) -> Option<Self> {
        let (region, id) = path.strip_prefix("regions/")?.split_once("/keys/")?;
        Some(Self {
            region: Some(Region::parse(region)?),
            key_id: Uuid::parse(id)?,
        })
    }
}

impl FromStr for KeyUri {
    type Err = KmsError;

    fn from_str(text: &str) -> Result<Self, KmsError> {
        if !Self::has_scheme(text) {
            return Err(malformed());
        }
        let (_, rest) = text.split_at(Self::SCHEME.len());
        match Uuid::parse(rest) {
            Some(key_id) => Ok(Self {
                region: None,
                key_id,
            }),
            None => Self::from_path(rest).ok_or_else(malformed),
        }
    }
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, key_id } = self;
        match region {
            Some(region) => write!(f, "{}regions/{region}/keys/{key_id}", Self::SCHEME),
            None => write!(f, "{}{key_id}", Self::SCHEME),
        }
    }
}

fn malformed() -> KmsError {
    KmsError::new(KmsErrorKind::InvalidUri).with_message(
        "it must be scw-kms://regions/<region>/keys/<key id> or scw-kms://<key id>, \
         where the key id is a UUID",
    )
}
