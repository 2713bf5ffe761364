//! The bare bytes of a key.

use keyseal::{
    Key, SecretAccess, SecretBytes,
    key::{
        aes_cmac::AesCmacKey, aes_cmac_prf::AesCmacPrfKey, aes_ctr_hmac::AesCtrHmacKey,
        aes_ctr_hmac_streaming::AesCtrHmacStreamingKey, aes_eax::AesEaxKey, aes_gcm::AesGcmKey,
        aes_gcm_hkdf_streaming::AesGcmHkdfStreamingKey, aes_gcm_siv::AesGcmSivKey,
        aes_siv::AesSivKey, chacha20_poly1305::ChaCha20Poly1305Key, hkdf_prf::HkdfPrfKey,
        hmac::HmacKey, hmac_prf::HmacPrfKey, prf_based_deriver::PrfBasedDeriverKey,
        x_aes_gcm::XAesGcmKey, xchacha20_poly1305::XChaCha20Poly1305Key,
    },
};
use zeroize::Zeroizing;

use crate::{display::short_type, error::Failure, exit::Exit};

/// Returns the bytes of a key, in the order in which `import` takes them.
pub(crate) fn material(key: &Key) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let parts = parts(key).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "no_raw_key",
            "cannot export the key",
            format!(
                "keys of type {} have no bare form",
                short_type(key.type_url())
            ),
        )
        .hint("without --key-id, the whole keyset is exported")
    })?;
    let size = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    for part in parts {
        bytes.extend_from_slice(part.expose(SecretAccess::insecure()));
    }
    Ok(bytes)
}

fn parts(key: &Key) -> Option<Vec<&SecretBytes>> {
    if let Some(key) = key.downcast_ref::<AesCtrHmacKey>() {
        return Some(vec![key.aes_key(), key.hmac_key()]);
    }
    if let Some(key) = key.downcast_ref::<PrfBasedDeriverKey>() {
        return Some(vec![key.prf_key().key()]);
    }
    let one = None
        .or_else(|| key.downcast_ref().map(AesCmacKey::key))
        .or_else(|| key.downcast_ref().map(AesCmacPrfKey::key))
        .or_else(|| key.downcast_ref().map(AesCtrHmacStreamingKey::key))
        .or_else(|| key.downcast_ref().map(AesEaxKey::key))
        .or_else(|| key.downcast_ref().map(AesGcmHkdfStreamingKey::key))
        .or_else(|| key.downcast_ref().map(AesGcmKey::key))
        .or_else(|| key.downcast_ref().map(AesGcmSivKey::key))
        .or_else(|| key.downcast_ref().map(AesSivKey::key))
        .or_else(|| key.downcast_ref().map(ChaCha20Poly1305Key::key))
        .or_else(|| key.downcast_ref().map(HkdfPrfKey::key))
        .or_else(|| key.downcast_ref().map(HmacKey::key))
        .or_else(|| key.downcast_ref().map(HmacPrfKey::key))
        .or_else(|| key.downcast_ref().map(XAesGcmKey::key))
        .or_else(|| key.downcast_ref().map(XChaCha20Poly1305Key::key))?;
    Some(vec![one])
}
