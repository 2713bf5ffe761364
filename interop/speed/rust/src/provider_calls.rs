//! The calls of the crates that compute the ciphers, as a careful caller writes them: a random
//! nonce of a generator in memory, a new vector for each output, no keyset.

use std::hint::black_box;

use aes_gcm::aead::{AeadInOut, KeyInit};
use chacha20::ChaCha12Rng;
use hmac::Mac as _;
use rand_core::{Rng as _, SeedableRng as _};

use crate::{
    bare::{self, Bare},
    case::{Call, Case, DATA, Prepared, hole, said},
};

const KEY: [u8; 64] = [0x42; 64];

/// The bare ciphers of keyseal's fastest provider.
pub(crate) fn aws_lc(case: &Case) -> Prepared {
    use aws_lc_rs::{hkdf, hmac};
    match (case.what.as_str(), case.template.as_str()) {
        (
            "aead",
            "AES128_GCM"
            | "AES256_GCM"
            | "AES256_GCM_SIV"
            | "CHACHA20_POLY1305"
            | "XCHACHA20_POLY1305"
            | "XAES_256_GCM_192_BIT_NONCE",
        ) => {
            let found = bare::cases()
                .into_iter()
                .find(|(name, _)| *name == case.template);
            sealing(case, found.ok_or("no such case")?.1)
        }
        ("mac", "HMAC_SHA256_128BITTAG") => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &KEY[..32]);
            mac(case, move |message| {
                hmac::sign(&key, message).as_ref()[..16].to_vec()
            })
        }
        ("prf", "HMAC_SHA256_PRF") => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &KEY[..32]);
            mac(case, move |message| {
                hmac::sign(&key, message).as_ref()[..16].to_vec()
            })
        }
        ("prf", "HKDF_SHA256") => {
            let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&KEY[..32]);
            mac(case, move |message| {
                let mut output = vec![0; 16];
                let info = [message];
                let made = prk
                    .expand(&info, Length16)
                    .and_then(|made| made.fill(&mut output));
                made.expect("it is short");
                output
            })
        }
        _ => hole(),
    }
}

struct Length16;

impl aws_lc_rs::hkdf::KeyType for Length16 {
    fn len(&self) -> usize {
        16
    }
}

impl ring::hkdf::KeyType for Length16 {
    fn len(&self) -> usize {
        16
    }
}

pub(crate) fn ring(case: &Case) -> Prepared {
    use ring::{aead, hkdf, hmac};
    let of = |algorithm: &'static aead::Algorithm| {
        let key = aead::UnboundKey::new(algorithm, &KEY[..algorithm.key_len()]).map_err(said)?;
        sealing(
            case,
            Box::new(Ring {
                key: aead::LessSafeKey::new(key),
                rng: rng(),
            }),
        )
    };
    match (case.what.as_str(), case.template.as_str()) {
        ("aead", "AES128_GCM") => of(&aead::AES_128_GCM),
        ("aead", "AES256_GCM") => of(&aead::AES_256_GCM),
        ("aead", "CHACHA20_POLY1305") => of(&aead::CHACHA20_POLY1305),
        ("mac", "HMAC_SHA256_128BITTAG") | ("prf", "HMAC_SHA256_PRF") => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &KEY[..32]);
            mac(case, move |message| {
                hmac::sign(&key, message).as_ref()[..16].to_vec()
            })
        }
        ("prf", "HKDF_SHA256") => {
            let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&KEY[..32]);
            mac(case, move |message| {
                let mut output = vec![0; 16];
                let info = [message];
                let made = prk
                    .expand(&info, Length16)
                    .and_then(|made| made.fill(&mut output));
                made.expect("it is short");
                output
            })
        }
        _ => hole(),
    }
}

pub(crate) fn rustcrypto(case: &Case) -> Prepared {
    match (case.what.as_str(), case.template.as_str()) {
        ("aead", "AES128_GCM") => sealing(case, rustcrypto_of::<aes_gcm::Aes128Gcm>(16)),
        ("aead", "AES256_GCM") => sealing(case, rustcrypto_of::<aes_gcm::Aes256Gcm>(32)),
        ("aead", "AES256_GCM_SIV") => sealing(case, rustcrypto_of::<aes_gcm_siv::Aes256GcmSiv>(32)),
        ("aead", "CHACHA20_POLY1305") => sealing(
            case,
            rustcrypto_of::<chacha20poly1305::ChaCha20Poly1305>(32),
        ),
        ("aead", "XCHACHA20_POLY1305") => sealing(
            case,
            rustcrypto_of::<chacha20poly1305::XChaCha20Poly1305>(32),
        ),
        ("aead", "AES256_EAX" | "AES256_CTR_HMAC_SHA256") => {
            let found = bare::cases()
                .into_iter()
                .find(|(name, _)| *name == case.template);
            sealing(case, found.ok_or("no such case")?.1)
        }
        ("daead", "AES256_SIV") => siv(case),
        ("mac", "HMAC_SHA256_128BITTAG") | ("prf", "HMAC_SHA256_PRF") => {
            let keyed = <hmac::Hmac<sha2::Sha256> as KeyInit>::new_from_slice(&KEY[..32]);
            let keyed = keyed.map_err(said)?;
            mac(case, move |message| {
                keyed.clone().chain_update(message).finalize().into_bytes()[..16].to_vec()
            })
        }
        ("mac", "AES_CMAC") | ("prf", "AES_CMAC_PRF") => {
            let keyed = <cmac::Cmac<aes::Aes256> as KeyInit>::new_from_slice(&KEY[..32]);
            let keyed = keyed.map_err(said)?;
            mac(case, move |message| {
                keyed
                    .clone()
                    .chain_update(message)
                    .finalize()
                    .into_bytes()
                    .to_vec()
            })
        }
        ("prf", "HKDF_SHA256") => {
            let hkdf = hkdf::Hkdf::<sha2::Sha256>::new(None, &KEY[..32]);
            mac(case, move |message| {
                let mut output = vec![0; 16];
                hkdf.expand(message, &mut output).expect("it is short");
                output
            })
        }
        _ => hole(),
    }
}

fn rustcrypto_of<A: AeadInOut + KeyInit + 'static>(key_size: usize) -> Box<dyn Bare> {
    bare::rustcrypto::<A>(key_size)
}

fn rng() -> ChaCha12Rng {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("there is randomness");
    ChaCha12Rng::from_seed(seed)
}

fn sealing(case: &Case, mut bare: Box<dyn Bare>) -> Prepared {
    // Many keys are a matter of keysets.
    if case.writer.is_some() {
        return hole();
    }
    let plaintext = case.message();
    let ciphertext = bare.seal(&plaintext, DATA);
    assert_eq!(bare.open(&ciphertext, DATA), plaintext);
    let call: Call = match case.direction.as_str() {
        "encrypt" => Box::new(move || drop(black_box(bare.seal(black_box(&plaintext), DATA)))),
        "decrypt" => Box::new(move || drop(black_box(bare.open(black_box(&ciphertext), DATA)))),
        _ => return hole(),
    };
    Ok(call)
}

fn mac(case: &Case, mut compute: impl FnMut(&[u8]) -> Vec<u8> + 'static) -> Prepared {
    let message = case.message();
    match case.direction.as_str() {
        "compute" => Ok(Box::new(move || {
            drop(black_box(compute(black_box(&message))))
        })),
        _ => hole(),
    }
}

fn siv(case: &Case) -> Prepared {
    let mut siv = aes_siv::siv::Aes256Siv::new_from_slice(&KEY).map_err(said)?;
    let plaintext = case.message();
    let ciphertext = siv.encrypt([DATA], &plaintext).map_err(said)?;
    let call: Call = match case.direction.as_str() {
        "encrypt" => Box::new(move || {
            drop(black_box(siv.encrypt([DATA], black_box(&plaintext))));
        }),
        "decrypt" => Box::new(move || {
            drop(black_box(siv.decrypt([DATA], black_box(&ciphertext))));
        }),
        _ => return hole(),
    };
    Ok(call)
}

struct Ring {
    key: ring::aead::LessSafeKey,
    rng: ChaCha12Rng,
}

impl Bare for Ring {
    fn seal(&mut self, plaintext: &[u8], associated_data: &[u8]) -> Vec<u8> {
        let mut nonce = [0; 12];
        self.rng.fill_bytes(&mut nonce);
        let mut out = Vec::with_capacity(12 + plaintext.len() + 16);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plaintext);
        let nonce = ring::aead::Nonce::assume_unique_for_key(nonce);
        let aad = ring::aead::Aad::from(associated_data);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, aad, &mut out[12..]);
        out.extend_from_slice(tag.expect("it is short").as_ref());
        out
    }

    fn open(&self, ciphertext: &[u8], associated_data: &[u8]) -> Vec<u8> {
        let (nonce, body) = ciphertext.split_at(12);
        let nonce = ring::aead::Nonce::try_assume_unique_for_key(nonce).expect("12 bytes");
        let aad = ring::aead::Aad::from(associated_data);
        let mut out = body.to_vec();
        let opened = self
            .key
            .open_in_place(nonce, aad, &mut out)
            .expect("it opens")
            .len();
        out.truncate(opened);
        out
    }
}
