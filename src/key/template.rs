//! Recipes for keys: Tink's key templates, by name and as messages.

use prost::Message as _;

use super::{KeySpec, Variant};
use crate::{error::KeyError, wire};

/// A recipe for a key: type URL, serialized key format, output prefix type.
///
/// # Source
/// Tink's `KeyTemplate` message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate {
    type_url: String,
    value: Vec<u8>,
    variant: Variant,
}

impl KeyTemplate {
    /// Puts a template together. What is in `value` is checked when a key is generated.
    #[must_use]
    pub fn new(type_url: impl Into<String>, value: impl Into<Vec<u8>>, variant: Variant) -> Self {
        Self {
            type_url: type_url.into(),
            value: value.into(),
            variant,
        }
    }

    /// Returns the type URL.
    #[must_use]
    pub fn type_url(&self) -> &str {
        &self.type_url
    }

    /// Returns the serialized key format.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Returns the output prefix type.
    #[must_use]
    pub const fn variant(&self) -> Variant {
        self.variant
    }

    /// Changes the output prefix type.
    #[must_use]
    pub fn with_variant(mut self, variant: Variant) -> Self {
        self.variant = variant;
        self
    }
}

/// A template with its name, as Tinkey prints it, and what is good to know about its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    name: &'static str,
    key_template: KeyTemplate,
    facts: Facts,
}

impl Template {
    pub(super) const fn new(name: &'static str, key_template: KeyTemplate, facts: Facts) -> Self {
        Self {
            name,
            key_template,
            facts,
        }
    }

    /// Returns the name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the template itself.
    #[must_use]
    pub const fn key_template(&self) -> &KeyTemplate {
        &self.key_template
    }

    /// Returns sizes, limits and advice.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns the bytes that a ciphertext is longer than its plaintext, prefix included.
    #[must_use]
    pub const fn overhead(&self) -> usize {
        let prefix = match self.key_template.variant {
            Variant::Raw => 0,
            Variant::Crunchy | Variant::Legacy | Variant::Tink => super::OutputPrefix::SIZE,
        };
        prefix + self.facts.overhead
    }
}

/// What is good to know about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// Bytes of key material.
    pub key_size: usize,
    /// Bytes that one output is longer than its input, without the output prefix.
    pub overhead: usize,
    /// The base-two logarithm of the number of messages that one key may encrypt.
    pub messages_log2: u32,
    /// The longest plaintext in bytes.
    pub max_plaintext: u64,
    /// When to use it.
    pub advice: &'static str,
}

pub(super) fn of<S: KeySpec>(parameters: &S::Parameters, variant: Variant) -> KeyTemplate {
    KeyTemplate::new(
        S::TYPE_URL,
        S::write_format(parameters).encode_to_vec(),
        variant,
    )
}

pub(super) fn parameters<S: KeySpec>(template: &KeyTemplate) -> Result<S::Parameters, KeyError> {
    let value = bytes::Bytes::copy_from_slice(template.value());
    S::read_format(wire::decode(value).map_err(KeyError::Malformed)?)
}
