//! Recipes for keys: Tink's key templates, by name and as messages.

use std::{borrow::Cow, fmt};

use crate::{
    error::KeyError,
    kind::KeyKind,
    prefix::{OutputPrefix, Variant},
    wire::proto,
};

/// A recipe for a key: type URL, serialized key format, output prefix type.
///
/// # Source
/// Tink's `KeyTemplate` message.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyTemplate {
    type_url: Cow<'static, str>,
    value: Cow<'static, [u8]>,
    variant: Variant,
}

impl fmt::Debug for KeyTemplate {
    /// Shows no key format: it may hold the URI of a key, and that a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyTemplate")
            .field("type_url", &self.type_url)
            .field("value", &format_args!("{} bytes", self.value.len()))
            .field("variant", &self.variant)
            .finish()
    }
}

impl KeyTemplate {
    /// Puts a template together. The content of `value` is checked when a key is generated.
    #[must_use]
    pub fn new(type_url: impl Into<String>, value: impl Into<Vec<u8>>, variant: Variant) -> Self {
        Self {
            type_url: Cow::Owned(type_url.into()),
            value: Cow::Owned(value.into()),
            variant,
        }
    }

    /// Puts a template of a constant together.
    pub(super) const fn of_static(
        type_url: &'static str,
        value: &'static [u8],
        variant: Variant,
    ) -> Self {
        Self {
            type_url: Cow::Borrowed(type_url),
            value: Cow::Borrowed(value),
            variant,
        }
    }

    pub(super) fn read(message: proto::KeyTemplate) -> Result<Self, KeyError> {
        let prefix = message.output_prefix_type;
        let variant = Variant::from_proto(prefix).ok_or_else(|| KeyError::Parameter {
            name: "output prefix type",
            found: prefix.unsigned_abs().into(),
            allowed: "1 (TINK), 2 (LEGACY), 3 (RAW) or 4 (CRUNCHY)",
        })?;
        Ok(Self::new(message.type_url, message.value, variant))
    }

    pub(super) fn write(&self) -> proto::KeyTemplate {
        proto::KeyTemplate {
            type_url: self.type_url.clone().into_owned(),
            value: bytes::Bytes::copy_from_slice(&self.value),
            output_prefix_type: self.variant.to_proto().into(),
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

/// A template with its name, as Tinkey prints it, and the properties of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub(super) name: &'static str,
    pub(super) kind: KeyKind,
    pub(super) key_template: KeyTemplate,
    pub(super) properties: KeyProperties,
}

impl Template {
    /// Returns the name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the purpose of its keys.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Returns the template itself.
    #[must_use]
    pub const fn key_template(&self) -> &KeyTemplate {
        &self.key_template
    }

    /// Returns sizes, limits and advice.
    #[must_use]
    pub const fn properties(&self) -> &KeyProperties {
        &self.properties
    }

    /// Returns how many bytes longer a ciphertext is than its plaintext, prefix included; for a
    /// MAC, the bytes of a tag.
    #[must_use]
    pub const fn overhead(&self) -> usize {
        let prefix = match self.key_template.variant {
            Variant::Raw | Variant::WithIdRequirement => 0,
            Variant::Crunchy | Variant::Legacy | Variant::Tink => OutputPrefix::SIZE,
        };
        prefix + self.properties.overhead
    }
}

/// Properties of a key: its sizes, its limits, and when to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyProperties {
    /// Bytes of key material.
    pub key_size: usize,
    /// How many bytes longer a ciphertext is than its plaintext. This does not include the output
    /// prefix, nor the bytes that a key management service adds; if the key itself is in a service,
    /// those are the whole overhead. For a stream, it is the header and the tag of one segment;
    /// every further segment adds its tag. For a MAC, it is the length of a tag. For a PRF or a
    /// deriver, it is 0.
    pub overhead: usize,
    /// The base-two logarithm of the number of messages, or streams, that one key may encrypt. No
    /// program can reach a limit past 64.
    pub messages_log2: u32,
    /// The longest plaintext, message or other input in bytes; `u64::MAX` if only memory limits it.
    pub max_plaintext: u64,
    /// When to use it.
    pub advice: &'static str,
}

/// Returns the name of a template that is spelled nearly like `name`: at most one letter in three
/// is different, case and separators aside.
pub(super) fn closest_name(
    templates: impl Iterator<Item = Template>,
    name: &str,
) -> Option<&'static str> {
    let folded = |name: &str| name.to_ascii_uppercase().replace(['-', '_', ' '], "");
    // No template has a longer name, and a distance takes time in proportion to the length.
    let wanted = folded(&name.chars().take(64).collect::<String>());
    let distances = templates.map(|template| {
        let distance = strsim::osa_distance(&wanted, &folded(template.name));
        (distance, template.name)
    });
    let (distance, closest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= wanted.len() / 3).then_some(closest)
}
