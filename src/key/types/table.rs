//! The table of key types.

use super::{
    aes_cmac, aes_cmac_prf, aes_ctr_hmac, aes_ctr_hmac_streaming, aes_eax, aes_gcm,
    aes_gcm_hkdf_streaming, aes_gcm_siv, aes_siv, chacha20_poly1305, hkdf_prf, hmac, hmac_prf,
    kms_aead, kms_envelope_aead, x_aes_gcm, xchacha20_poly1305,
};
use crate::key::KeyType;

/// Every key type but the deriver, which makes keys of these.
pub(crate) const ALL_BUT_DERIVER: &[&dyn KeyType] = &[
    &aes_cmac::AesCmacKeyType,
    &aes_cmac_prf::AesCmacPrfKeyType,
    &aes_ctr_hmac::AesCtrHmacKeyType,
    &aes_ctr_hmac_streaming::AesCtrHmacStreamingKeyType,
    &aes_eax::AesEaxKeyType,
    &aes_gcm::AesGcmKeyType,
    &aes_gcm_hkdf_streaming::AesGcmHkdfStreamingKeyType,
    &aes_gcm_siv::AesGcmSivKeyType,
    &aes_siv::AesSivKeyType,
    &chacha20_poly1305::ChaCha20Poly1305KeyType,
    &hkdf_prf::HkdfPrfKeyType,
    &hmac::HmacKeyType,
    &hmac_prf::HmacPrfKeyType,
    &kms_aead::KmsAeadKeyType,
    &kms_envelope_aead::KmsEnvelopeAeadKeyType,
    &x_aes_gcm::XAesGcmKeyType,
    &xchacha20_poly1305::XChaCha20Poly1305KeyType,
];
