//! Keys: one file for each key type, holding its parameters, key, message and primitive.
//!
//! A [`Key`] is any of them with its output prefix type. [`KEY_TYPES`] lists what this crate
//! knows; a [`KeyTypes`] value says which of these a program accepts.

mod any_key;
mod byte_key;
mod dek;
mod deriver;
mod key_type;
mod key_types;
mod parameters;
mod per_key;
mod prefix_map;
mod prefixed_aead;
mod prefixed_mac;
mod primitive;
mod spec;
mod template;
#[cfg(test)]
mod tests;
mod types;

pub use types::*;

pub use crate::{
    kind::KeyKind,
    prefix::{KeyId, OutputPrefix, Variant},
};
pub use any_key::Key;
pub(crate) use dek::DekTemplate;
pub(crate) use deriver::KeyDeriver;
pub(crate) use key_type::KeyGenerator;
pub use key_type::KeyType;
pub use key_types::{KEY_TYPES, KeyTypes};
pub use parameters::{ParameterChoice, ParameterName};
pub(crate) use per_key::PerKey;
pub(crate) use prefix_map::{PrefixMap, Prefixed};
pub(crate) use prefixed_aead::PrefixedAead;
pub(crate) use prefixed_mac::{PrefixedMac, RunningPrefixedMac};
pub(crate) use primitive::{RawDeriver, RawPrimitive, RemoteKey};
pub use spec::{KeyParameters, TypedKey};
pub(crate) use spec::{KeySource, KeySpec, check_version};
pub use template::{KeyProperties, KeyTemplate, Template};
