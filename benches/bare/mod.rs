//! The same ciphers without a keyset: as a careful caller of the provider crates would write them.

#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    clippy::indexing_slicing,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "shared by benches that use parts of it"
)]

use aes::{Aes256, cipher::KeyIvInit as _, cipher::StreamCipher as _};
use chacha20::ChaCha12Rng;
use eax::aead::{AeadInOut, KeyInit, Nonce, array::typenum::Unsigned, inout::InOutBuf};
use hmac::{Hmac, Mac};
use rand_core::{Rng as _, SeedableRng as _};
use sha2::Sha256;

/// One cipher under one key: `nonce ‖ ciphertext ‖ tag`.
pub trait Bare {
    fn seal(&mut self, plaintext: &[u8], associated_data: &[u8]) -> Vec<u8>;
    fn open(&self, ciphertext: &[u8], associated_data: &[u8]) -> Vec<u8>;
}

/// A template, and the cipher that it stands for.
pub type Case = (&'static str, Box<dyn Bare>);

/// One case for each key type, under the provider that a default build of this crate takes.
pub fn cases() -> Vec<Case> {
    vec![
        ("AES128_GCM", fastest::aes_gcm(16)),
        ("AES256_GCM", fastest::aes_gcm(32)),
        ("AES256_GCM_SIV", fastest::aes_gcm_siv()),
        ("CHACHA20_POLY1305", fastest::chacha20_poly1305()),
        ("XCHACHA20_POLY1305", fastest::xchacha20_poly1305()),
        ("XAES_256_GCM_192_BIT_NONCE", fastest::x_aes_gcm()),
        ("AES256_EAX", rustcrypto::<eax::Eax<Aes256>>(32)),
        ("AES256_CTR_HMAC_SHA256", Box::new(CtrHmac { rng: rng() })),
    ]
}

const KEY: [u8; 32] = [0x42; 32];

fn rng() -> ChaCha12Rng {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    ChaCha12Rng::from_seed(seed)
}

pub fn rustcrypto<A: AeadInOut + KeyInit + 'static>(key_size: usize) -> Box<dyn Bare> {
    Box::new(RustCrypto {
        cipher: A::new_from_slice(&KEY[..key_size]).unwrap(),
        rng: rng(),
    })
}

struct RustCrypto<A> {
    cipher: A,
    rng: ChaCha12Rng,
}

impl<A: AeadInOut> Bare for RustCrypto<A> {
    fn seal(&mut self, plaintext: &[u8], associated_data: &[u8]) -> Vec<u8> {
        let nonce_len = A::NonceSize::USIZE;
        let mut out = vec![0; nonce_len + plaintext.len() + A::TagSize::USIZE];
        let (nonce, body) = out.split_at_mut(nonce_len);
        let (ciphertext, tag) = body.split_at_mut(plaintext.len());
        self.rng.fill_bytes(nonce);
        let nonce = <&Nonce<A>>::try_from(&*nonce).unwrap();
        let text = InOutBuf::new(plaintext, ciphertext).unwrap();
        let made = self
            .cipher
            .encrypt_inout_detached(nonce, associated_data, text)
            .unwrap();
        tag.copy_from_slice(&made);
        out
    }

    fn open(&self, ciphertext: &[u8], associated_data: &[u8]) -> Vec<u8> {
        let (nonce, body) = ciphertext.split_at(A::NonceSize::USIZE);
        let (ciphertext, tag) = body.split_at(body.len() - A::TagSize::USIZE);
        let mut out = vec![0; ciphertext.len()];
        let text = InOutBuf::new(ciphertext, &mut out).unwrap();
        self.cipher
            .decrypt_inout_detached(
                nonce.try_into().unwrap(),
                associated_data,
                text,
                tag.try_into().unwrap(),
            )
            .unwrap();
        out
    }
}

struct CtrHmac {
    rng: ChaCha12Rng,
}

impl CtrHmac {
    fn tag(iv: &[u8], associated_data: &[u8], ciphertext: &[u8]) -> [u8; 32] {
        let mut hmac = <Hmac<Sha256> as KeyInit>::new_from_slice(&KEY).unwrap();
        hmac.update(associated_data);
        hmac.update(iv);
        hmac.update(ciphertext);
        hmac.update(&(8 * associated_data.len() as u64).to_be_bytes());
        hmac.finalize().into_bytes().into()
    }

    fn ctr(iv: &[u8], input: &[u8], output: &mut [u8]) {
        let mut ctr = ctr::Ctr128BE::<Aes256>::new(&KEY.into(), iv.try_into().unwrap());
        ctr.apply_keystream_b2b(input, output);
    }
}

impl Bare for CtrHmac {
    fn seal(&mut self, plaintext: &[u8], associated_data: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 16 + plaintext.len() + 32];
        let (iv, body) = out.split_at_mut(16);
        let (ciphertext, tag) = body.split_at_mut(plaintext.len());
        self.rng.fill_bytes(iv);
        Self::ctr(iv, plaintext, ciphertext);
        tag.copy_from_slice(&Self::tag(iv, associated_data, ciphertext));
        out
    }

    fn open(&self, ciphertext: &[u8], associated_data: &[u8]) -> Vec<u8> {
        let (iv, body) = ciphertext.split_at(16);
        let (ciphertext, tag) = body.split_at(body.len() - 32);
        let wanted = Self::tag(iv, associated_data, ciphertext);
        assert!(bool::from(subtle::ConstantTimeEq::ct_eq(&wanted[..], tag)));
        let mut out = vec![0; ciphertext.len()];
        Self::ctr(iv, ciphertext, &mut out);
        out
    }
}

#[cfg(not(feature = "aws-lc-rs"))]
mod fastest {
    use super::{Bare, MessageKey, rng, rustcrypto};

    pub fn aes_gcm(key_size: usize) -> Box<dyn Bare> {
        match key_size {
            16 => rustcrypto::<aes_gcm::Aes128Gcm>(16),
            _ => rustcrypto::<aes_gcm::Aes256Gcm>(32),
        }
    }

    pub fn aes_gcm_siv() -> Box<dyn Bare> {
        rustcrypto::<aes_gcm_siv::Aes256GcmSiv>(32)
    }

    pub fn chacha20_poly1305() -> Box<dyn Bare> {
        rustcrypto::<chacha20poly1305::ChaCha20Poly1305>(32)
    }

    pub fn xchacha20_poly1305() -> Box<dyn Bare> {
        rustcrypto::<chacha20poly1305::XChaCha20Poly1305>(32)
    }

    pub fn x_aes_gcm() -> Box<dyn Bare> {
        Box::new(MessageKey {
            rng: rng(),
            nonce_len: 24,
            seal: gcm_seal,
            open: gcm_open,
        })
    }

    fn gcm_seal(nonce: &[u8], aad: &[u8], plaintext: &[u8], out: &mut [u8]) {
        use aes_gcm::aead::{AeadInOut as _, KeyInit as _, inout::InOutBuf};
        let key = super::x_aes_gcm_key(&nonce[..12]);
        let cipher = aes_gcm::Aes256Gcm::new(&key.into());
        let (ciphertext, tag) = out.split_at_mut(plaintext.len());
        let text = InOutBuf::new(plaintext, ciphertext).unwrap();
        let nonce = (&nonce[12..]).try_into().unwrap();
        tag.copy_from_slice(&cipher.encrypt_inout_detached(nonce, aad, text).unwrap());
    }

    fn gcm_open(nonce: &[u8], aad: &[u8], body: &[u8], out: &mut [u8]) {
        use aes_gcm::aead::{AeadInOut as _, KeyInit as _, inout::InOutBuf};
        let key = super::x_aes_gcm_key(&nonce[..12]);
        let cipher = aes_gcm::Aes256Gcm::new(&key.into());
        let (ciphertext, tag) = body.split_at(out.len());
        let text = InOutBuf::new(ciphertext, out).unwrap();
        let nonce = (&nonce[12..]).try_into().unwrap();
        cipher
            .decrypt_inout_detached(nonce, aad, text, tag.try_into().unwrap())
            .unwrap();
    }
}

#[cfg(feature = "aws-lc-rs")]
mod fastest {
    use aws_lc_rs::aead::{
        AES_128_GCM, AES_256_GCM, AES_256_GCM_SIV, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey,
        Nonce, UnboundKey,
    };
    use rand_core::Rng as _;

    use super::{Bare, ChaCha12Rng, KEY, MessageKey, rng};

    pub fn aes_gcm(key_size: usize) -> Box<dyn Bare> {
        boxed(if key_size == 16 {
            &AES_128_GCM
        } else {
            &AES_256_GCM
        })
    }

    pub fn aes_gcm_siv() -> Box<dyn Bare> {
        boxed(&AES_256_GCM_SIV)
    }

    pub fn chacha20_poly1305() -> Box<dyn Bare> {
        boxed(&CHACHA20_POLY1305)
    }

    pub fn xchacha20_poly1305() -> Box<dyn Bare> {
        fn split(nonce: &[u8]) -> (LessSafeKey, [u8; 12]) {
            let salt = (&nonce[..16]).try_into().unwrap();
            let key = chacha20::hchacha::<chacha20::R20>(&KEY.into(), salt);
            let mut inner = [0; 12];
            inner[4..].copy_from_slice(&nonce[16..]);
            (self::key(&CHACHA20_POLY1305, &key), inner)
        }
        Box::new(MessageKey {
            rng: rng(),
            nonce_len: 24,
            seal: |nonce, aad, plaintext, out| {
                let (key, nonce) = split(nonce);
                seal(&key, &nonce, aad, plaintext, out);
            },
            open: |nonce, aad, body, out| {
                let (key, nonce) = split(nonce);
                open(&key, &nonce, aad, body, out);
            },
        })
    }

    pub fn x_aes_gcm() -> Box<dyn Bare> {
        Box::new(MessageKey {
            rng: rng(),
            nonce_len: 24,
            seal: |nonce, aad, plaintext, out| {
                let key = key(&AES_256_GCM, &super::x_aes_gcm_key(&nonce[..12]));
                seal(&key, &nonce[12..], aad, plaintext, out);
            },
            open: |nonce, aad, body, out| {
                let key = key(&AES_256_GCM, &super::x_aes_gcm_key(&nonce[..12]));
                open(&key, &nonce[12..], aad, body, out);
            },
        })
    }

    fn key(algorithm: &'static Algorithm, key: &[u8]) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(algorithm, &key[..algorithm.key_len()]).unwrap())
    }

    fn seal(key: &LessSafeKey, nonce: &[u8], aad: &[u8], plaintext: &[u8], out: &mut [u8]) {
        let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
        let (ciphertext, tag) = out.split_at_mut(plaintext.len());
        key.seal_out_of_place_scatter(nonce, Aad::from(aad), plaintext, ciphertext, &[], tag)
            .unwrap();
    }

    fn open(key: &LessSafeKey, nonce: &[u8], aad: &[u8], body: &[u8], out: &mut [u8]) {
        let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
        let (ciphertext, tag) = body.split_at(out.len());
        key.open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, out)
            .unwrap();
    }

    fn boxed(algorithm: &'static Algorithm) -> Box<dyn Bare> {
        Box::new(AwsLc {
            key: key(algorithm, &KEY),
            rng: rng(),
        })
    }

    struct AwsLc {
        key: LessSafeKey,
        rng: ChaCha12Rng,
    }

    impl Bare for AwsLc {
        fn seal(&mut self, plaintext: &[u8], associated_data: &[u8]) -> Vec<u8> {
            let mut out = vec![0; 12 + plaintext.len() + 16];
            let (nonce, body) = out.split_at_mut(12);
            self.rng.fill_bytes(nonce);
            seal(&self.key, nonce, associated_data, plaintext, body);
            out
        }

        fn open(&self, ciphertext: &[u8], associated_data: &[u8]) -> Vec<u8> {
            let (nonce, body) = ciphertext.split_at(12);
            let mut out = vec![0; body.len() - 16];
            open(&self.key, nonce, associated_data, body, &mut out);
            out
        }
    }
}

/// A cipher with a key for each message.
struct MessageKey {
    rng: ChaCha12Rng,
    nonce_len: usize,
    seal: fn(&[u8], &[u8], &[u8], &mut [u8]),
    open: fn(&[u8], &[u8], &[u8], &mut [u8]),
}

impl Bare for MessageKey {
    fn seal(&mut self, plaintext: &[u8], associated_data: &[u8]) -> Vec<u8> {
        let mut out = vec![0; self.nonce_len + plaintext.len() + 16];
        let (nonce, body) = out.split_at_mut(self.nonce_len);
        self.rng.fill_bytes(nonce);
        (self.seal)(nonce, associated_data, plaintext, body);
        out
    }

    fn open(&self, ciphertext: &[u8], associated_data: &[u8]) -> Vec<u8> {
        let (nonce, body) = ciphertext.split_at(self.nonce_len);
        let mut out = vec![0; body.len() - 16];
        (self.open)(nonce, associated_data, body, &mut out);
        out
    }
}

fn x_aes_gcm_key(salt: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    for (half, counter) in key.chunks_exact_mut(16).zip(1..) {
        let mut cmac = <cmac::Cmac<Aes256> as KeyInit>::new_from_slice(&KEY).unwrap();
        cmac.update(&[0, counter, b'X', 0]);
        cmac.update(salt);
        half.copy_from_slice(&cmac.finalize().into_bytes());
    }
    key
}
