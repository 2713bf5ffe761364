//! The keys that some ciphers derive for each message, from their own key and the message's nonce.

use aes::{
    Aes128, Aes256,
    cipher::{Array, BlockCipherEncrypt, KeyInit as _},
};
use cmac::{Cmac, Mac as _};
use zeroize::Zeroizing;

type Bytes = Zeroizing<Vec<u8>>;

/// Derives the keys of the message that begins with this nonce.
pub(crate) type Derive = fn(key: &[u8], nonce: &[u8]) -> Vec<Bytes>;

/// The templates that derive a key for each message.
pub(crate) const DERIVED: [(&str, Derive); 5] = [
    ("AES128_GCM_SIV", aes_gcm_siv::<Aes128>),
    ("AES256_GCM_SIV", aes_gcm_siv::<Aes256>),
    ("XCHACHA20_POLY1305", xchacha20),
    ("XAES_256_GCM_192_BIT_NONCE", x_aes_gcm::<12>),
    ("XAES_256_GCM_160_BIT_NONCE_NO_PREFIX", x_aes_gcm::<8>),
];

/// RFC 8452, 4: the key of POLYVAL and that of AES.
fn aes_gcm_siv<C: BlockCipherEncrypt + aes::cipher::KeyInit>(
    key: &[u8],
    nonce: &[u8],
) -> Vec<Bytes> {
    let cipher = C::new_from_slice(key).unwrap();
    // A vector that grows leaves its old content behind.
    let mut derived = Zeroizing::new(Vec::with_capacity(16 + 32));
    for counter in 0..u32::try_from(2 + key.len() / 8).unwrap() {
        let mut block = Array::<u8, C::BlockSize>::default();
        block[..4].copy_from_slice(&counter.to_le_bytes());
        block[4..].copy_from_slice(&nonce[..12]);
        cipher.encrypt_block(&mut block);
        derived.extend_from_slice(&block[..8]);
    }
    let (authentication, encryption) = derived.split_at(16);
    [authentication, encryption]
        .map(|key| Zeroizing::new(key.to_vec()))
        .into()
}

/// draft-irtf-cfrg-xchacha-03, 2.3.
fn xchacha20(key: &[u8], nonce: &[u8]) -> Vec<Bytes> {
    let salt = nonce[..16].try_into().unwrap();
    let derived = chacha20::hchacha::<chacha20::R20>(key.try_into().unwrap(), salt);
    vec![Zeroizing::new(derived.to_vec())]
}

/// C2SP XAES-256-GCM, with the shorter salts of Tink.
fn x_aes_gcm<const SALT: usize>(key: &[u8], nonce: &[u8]) -> Vec<Bytes> {
    let mut derived = Zeroizing::new(Vec::with_capacity(32));
    for counter in 1..=2 {
        let mut block = [0; 16];
        block[..4].copy_from_slice(&[0, counter, b'X', 0]);
        block[4..][..SALT].copy_from_slice(&nonce[..SALT]);
        let mut mac = Cmac::<Aes256>::new_from_slice(key).unwrap();
        mac.update(&block);
        derived.extend_from_slice(&mac.finalize().into_bytes());
    }
    vec![derived]
}
