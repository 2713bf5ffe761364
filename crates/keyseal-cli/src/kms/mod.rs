//! Services, and files, that hold keys. A new one costs a file, and a line in the table.

mod file;
mod provider;
mod scaleway;
mod wrapping;

pub(crate) use self::{
    provider::{OpenKey, Provider, new_worker},
    scaleway::KeyManager,
    wrapping::{Age, Unwrapped, Witness, WrappingKey},
};

/// The providers of this build.
pub(crate) static PROVIDERS: [Provider; 2] = [scaleway::PROVIDER, file::PROVIDER];
