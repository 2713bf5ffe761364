//! Services, and files, that hold keys. A new one costs a file, and a line in the table.

mod file;
mod provider;
mod scaleway;

pub(crate) use self::{
    provider::{OpenKey, Provider, new_worker},
    scaleway::{KeyManager, parse_key},
};

/// The providers of this build.
pub(crate) static PROVIDERS: [Provider; 2] = [scaleway::PROVIDER, file::PROVIDER];
