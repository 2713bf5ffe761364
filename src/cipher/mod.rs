//! Ciphers over bytes: a nonce and a tag, no prefix, no keyset.
//!
//! Two providers serve them, and write the same bytes. Where a provider lacks a cipher, the other
//! one serves it.

mod aes_ctr;
mod aes_ctr_hmac;
mod aes_eax;
mod aes_siv;
#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(feature = "aws-lc-rs")]
mod aws_lc_hmac;
mod cmac;
mod hash;
mod hmac;
mod limits;
mod mac;
mod message_key;
mod prf;
mod raw;
mod rustcrypto;
mod wiping;

pub use hash::Hash;
pub use raw::Provider;

pub(crate) use aes_ctr_hmac::{AES_CTR_HMAC_MAX, aes_ctr_hmac, aes_ctr_hmac_segments};
pub(crate) use aes_eax::aes_eax;
pub(crate) use aes_siv::{AES_SIV_MAX, aes_siv};
pub(crate) use limits::CHACHA20_MAX;
pub(crate) use mac::{RawMac, RunningMac, aes_cmac, hmac};
pub(crate) use message_key::{x_aes_gcm, xchacha20_poly1305};
pub(crate) use prf::{RawPrf, hkdf, max_hkdf_output, of_mac};
pub(crate) use raw::{MAX_NONCE, RawAead, Refused};

use crate::error::KeyError;

pub(crate) fn aes_gcm(provider: Provider, key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    match provider {
        #[cfg(feature = "aws-lc-rs")]
        Provider::AwsLc => aws_lc::boxed_aes_gcm(key),
        Provider::RustCrypto => rustcrypto::aes_gcm(key),
    }
}

pub(crate) fn aes_gcm_siv(provider: Provider, key: &[u8]) -> Result<Box<dyn RawAead>, KeyError> {
    match provider {
        #[cfg(feature = "aws-lc-rs")]
        Provider::AwsLc => aws_lc::boxed_aes_gcm_siv(key),
        Provider::RustCrypto => rustcrypto::aes_gcm_siv(key),
    }
}

pub(crate) fn chacha20_poly1305(
    provider: Provider,
    key: &[u8],
) -> Result<Box<dyn RawAead>, KeyError> {
    match provider {
        #[cfg(feature = "aws-lc-rs")]
        Provider::AwsLc => aws_lc::boxed_chacha20_poly1305(key),
        Provider::RustCrypto => rustcrypto::chacha20_poly1305(key),
    }
}

#[cfg(test)]
mod tests;
