//! [`ParameterChoice`]: the parameters of a new key, for programs that do not know its type.

use crate::cipher::Hash;

/// A parameter that keys of some types have besides their size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParameterName {
    /// The hash.
    Hash,
    /// The size of the HMAC key in bytes, which is part of the key's size.
    HmacKeySize,
    /// The size of the IV in bytes.
    IvSize,
    /// The size of the salt in bytes.
    SaltSize,
    /// The size of the tag in bytes.
    TagSize,
}

/// Parameters of a new key. Those that are `None` are as in most stock templates.
///
/// # Example
/// ```
/// use keyseal::{KeyTypes, Variant, key::ParameterChoice};
///
/// let type_url = "type.googleapis.com/google.crypto.tink.HmacKey";
/// let key_type = KeyTypes::default().find(type_url).expect("it is a type of this crate");
/// let mut choice = ParameterChoice::new();
/// choice.tag_size = Some(20);
/// let template = key_type.choose(32, &choice, Variant::Raw)?;
/// let key = KeyTypes::default().generate_from(&template)?;
/// # assert_eq!(key.properties().map(|properties| properties.overhead), Some(20));
/// # Ok::<(), keyseal::KeyError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ParameterChoice {
    /// The hash.
    pub hash: Option<Hash>,
    /// The size of the HMAC key in bytes, which is part of the key's size.
    pub hmac_key_size: Option<usize>,
    /// The size of the IV in bytes.
    pub iv_size: Option<usize>,
    /// The size of the salt in bytes.
    pub salt_size: Option<usize>,
    /// The size of the tag in bytes.
    pub tag_size: Option<usize>,
}

impl ParameterChoice {
    /// Chooses nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}
