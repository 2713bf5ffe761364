//! PRFs against MACs of the same keys: HMAC and CMAC cut short, and HKDF by hand (RFC 5869).

use std::sync::LazyLock;

use keyseal::{
    Hash, Key, KeyId, KeysetHandle, KeysetMac, KeysetPrfSet, Mac as _, SecretBytes, Variant,
    key::hmac::HmacKey,
};

use super::{Input, keys};

/// A PRF, and the MAC with the same key; for HKDF-SHA256, with the pseudorandom key of its first step.
static PRFS: LazyLock<[(KeysetPrfSet, KeysetMac); 4]> = LazyLock::new(|| {
    let prf = |template| {
        keys::keyset(template, 7)
            .primitive()
            .expect("it is for PRFs")
    };
    let mac =
        |keyset: KeysetHandle| -> KeysetMac { keyset.primitive().expect("it is a MAC keyset") };
    let hkdf = keys::key("HKDF_SHA256", 7);
    let hkdf = hkdf.export(keys::ACCESS).expect("it is one byte string");
    let extracted = mac(hmac_sha256(&[0; 32])).compute_mac(hkdf.expose(keys::ACCESS));
    [
        (prf("HKDF_SHA256"), mac(hmac_sha256(&extracted))),
        (
            prf("HMAC_SHA256_PRF"),
            mac(keys::keyset("HMAC_SHA256_256BITTAG_RAW", 7)),
        ),
        (
            prf("HMAC_SHA512_PRF"),
            mac(keys::keyset("HMAC_SHA512_512BITTAG_RAW", 7)),
        ),
        (
            prf("AES256_CMAC_PRF"),
            mac(keys::keyset("AES256_CMAC_RAW", 7)),
        ),
    ]
});

fn hmac_sha256(key: &[u8]) -> KeysetHandle {
    let key = HmacKey::new(SecretBytes::copy_from(key, keys::ACCESS), Hash::Sha256, 32);
    let key = Key::new(key.expect("within the limits"), Variant::Raw).expect("a MAC may be raw");
    KeysetHandle::with_id(key, KeyId::new(1))
}

/// An input is a PRF, a length, and bytes to compute it of.
pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let (prf, mac) = input.one_of(&*PRFS);
    let is_hkdf = std::ptr::eq(prf, &PRFS[0].0);
    let prf = prf.primary();
    let len = input.number();
    let data = input.rest();
    let output = prf.compute_prf(data, len);
    if len > prf.max_output_length() {
        assert!(output.is_err());
        return;
    }
    let output = output.expect("so long it may be");
    assert_eq!(output.len(), len);
    if !is_hkdf {
        assert_eq!(output, mac.compute_mac(data)[..len]);
        return;
    }
    let mut block = Vec::new();
    for (number, part) in (1..=255).zip(output.chunks(32)) {
        block = mac.compute_mac(&[&block, data, &[number]].concat());
        assert_eq!(part, &block[..part.len()]);
    }
}
