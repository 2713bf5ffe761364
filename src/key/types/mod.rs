//! The key types, one file for each: its parameters, key, message and primitive.

pub mod aes_cmac;
pub mod aes_cmac_prf;
pub mod aes_ctr_hmac;
pub mod aes_ctr_hmac_streaming;
pub mod aes_eax;
pub mod aes_gcm;
pub mod aes_gcm_hkdf_streaming;
pub mod aes_gcm_siv;
pub mod aes_siv;
pub mod chacha20_poly1305;
pub mod hkdf_prf;
pub mod hmac;
pub mod hmac_prf;
pub mod kms_aead;
pub mod kms_envelope_aead;
pub mod prf_based_deriver;
pub mod x_aes_gcm;
pub mod xchacha20_poly1305;

mod streaming;
pub(super) mod table;
