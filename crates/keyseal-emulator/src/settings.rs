//! The settings of an emulator.

use super::auth::Anonymous;

/// Decides about requests that the service may or may not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Parsing {
    /// They are served: an absent data-key algorithm is `aes_256_gcm`, and a list needs no filter.
    #[default]
    Lenient,
    /// They are refused, so a client that works here relies only on documented behaviour.
    Strict,
}

/// The settings of an emulator, which never change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) parsing: Parsing,
    pub(super) anonymous: Anonymous,
    pub(super) key_quota: usize,
}
