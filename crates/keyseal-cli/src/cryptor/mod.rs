//! Encryption and decryption of a file, under a keyset or under a key-encryption key.

mod contract;
mod kek;
mod keyset;

pub(crate) use self::{
    contract::{Cryptor, Form, Reason, Recognised},
    kek::KekCryptor,
    keyset::KeysetCryptor,
};
