//! The forms of a keyset file.

use clap::ValueEnum;
use keyseal::keyset::Format;

/// How a keyset is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    /// Tink's JSON
    Json,
    /// Tink's binary form
    Binary,
    /// The bare ciphertext of a binary keyset, such as BigQuery's wrapped keysets
    Wrapped,
}

impl FormatName {
    pub(crate) const fn format(self) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Binary | Self::Wrapped => Format::Binary,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Binary => "binary",
            Self::Wrapped => "wrapped",
        }
    }
}

impl From<Format> for FormatName {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Binary => Self::Binary,
        }
    }
}
