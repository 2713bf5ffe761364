//! The paths that a program takes for each message, and those that it takes when it starts.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::{
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use gungraun::{library_benchmark, library_benchmark_group, main};
use keyseal::{
    Aead as _, DeterministicAead as _, Key, KeyId, KeysetAead, KeysetDeterministicAead,
    KeysetHandle, KeysetMac, KeysetPrfSet, KmsEnvelopeAead, Mac as _, RemoteAead as _,
    SecretAccess, keyset::Format, kms::LocalAead,
};

/// One call of a path. The result is dropped in it.
type Work = Box<dyn FnMut()>;

/// Calls that are counted together: the generator of nonces fetches new bytes every 42 messages.
const CALLS: usize = 84;

const ASSOCIATED_DATA: [u8; 16] = [7; 16];

fn keyset(template: &str, keys: u32) -> KeysetHandle {
    let mut keyset = KeysetHandle::with_id(Key::generate(template).unwrap(), KeyId::new(1));
    for id in 2..=keys {
        // Spread, as random ids are, and the same in every run.
        let id = KeyId::new(id.wrapping_mul(0x9e37_79b1));
        keyset
            .add_with_id(Key::generate(template).unwrap(), id)
            .unwrap();
    }
    keyset
}

/// Does it once before it is counted: the first nonce of a thread sets its generator up.
fn warm(mut work: impl FnMut() + 'static) -> Work {
    work();
    Box::new(work)
}

fn encrypt(template: &str, size: usize) -> Work {
    let aead: KeysetAead = keyset(template, 1).primitive().unwrap();
    let plaintext = vec![0x5a; size];
    warm(move || {
        drop(black_box(
            aead.encrypt(&plaintext, &ASSOCIATED_DATA).unwrap(),
        ))
    })
}

fn decrypt(template: &str, size: usize) -> Work {
    let aead: KeysetAead = keyset(template, 1).primitive().unwrap();
    let ciphertext = aead.encrypt(&vec![0x5a; size], &ASSOCIATED_DATA).unwrap();
    warm(move || {
        drop(black_box(
            aead.decrypt(&ciphertext, &ASSOCIATED_DATA).unwrap(),
        ))
    })
}

fn decrypt_among(keys: u32) -> Work {
    let mut keyset = keyset("AES256_GCM", keys);
    let old: KeysetAead = keyset.primitive().unwrap();
    let ciphertext = old.encrypt(&[0x5a; 16], &ASSOCIATED_DATA).unwrap();
    let newest = keyset.entries().last().unwrap().id();
    keyset.promote(newest).unwrap();
    let aead: KeysetAead = keyset.primitive().unwrap();
    warm(move || {
        drop(black_box(
            aead.decrypt(&ciphertext, &ASSOCIATED_DATA).unwrap(),
        ))
    })
}

fn encrypt_deterministically(size: usize) -> Work {
    let aead: KeysetDeterministicAead = keyset("AES256_SIV", 1).primitive().unwrap();
    let plaintext = vec![0x5a; size];
    warm(move || {
        let ciphertext = aead.encrypt_deterministically(&plaintext, &ASSOCIATED_DATA);
        drop(black_box(ciphertext.unwrap()));
    })
}

fn compute_mac(template: &str) -> Work {
    let mac: KeysetMac = keyset(template, 1).primitive().unwrap();
    warm(move || drop(black_box(mac.compute_mac(&ASSOCIATED_DATA))))
}

fn compute_prf(template: &str) -> Work {
    let prfs: KeysetPrfSet = keyset(template, 1).primitive().unwrap();
    warm(move || {
        drop(black_box(
            prfs.primary().compute_prf(&ASSOCIATED_DATA, 16).unwrap(),
        ))
    })
}

fn generate_keyset() -> Work {
    warm(|| drop(black_box(KeysetHandle::generate("AES256_GCM").unwrap())))
}

fn make_primitive(keys: u32) -> Work {
    let keyset = keyset("AES256_GCM", keys);
    warm(move || drop(black_box(keyset.primitive::<KeysetAead>().unwrap())))
}

fn read(format: Format, keys: u32) -> Work {
    let access = SecretAccess::insecure();
    let file = keyset("AES256_GCM", keys).write_cleartext(format, access);
    warm(move || {
        let read = KeysetHandle::read_cleartext(file.expose(access), format, access);
        drop(black_box(read.unwrap()));
    })
}

fn envelope() -> KmsEnvelopeAead {
    let kek: KeysetAead = keyset("AES256_GCM", 1).primitive().unwrap();
    KmsEnvelopeAead::new(LocalAead::new(kek), "AES256_GCM").unwrap()
}

fn encrypt_envelope() -> Work {
    let aead = envelope();
    let plaintext = [0x5a; 1024];
    warm(move || {
        drop(black_box(
            at_once(aead.encrypt(&plaintext, &ASSOCIATED_DATA)).unwrap(),
        ))
    })
}

fn decrypt_envelope() -> Work {
    let aead = envelope();
    let ciphertext = at_once(aead.encrypt(&[0x5a; 1024], &ASSOCIATED_DATA)).unwrap();
    warm(move || {
        drop(black_box(
            at_once(aead.decrypt(&ciphertext, &ASSOCIATED_DATA)).unwrap(),
        ))
    })
}

/// A local key-encryption key never waits.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a local key waits for nothing"),
    }
}

#[library_benchmark]
#[bench::encrypt_aes256_gcm_16(encrypt("AES256_GCM", 16))]
#[bench::decrypt_aes256_gcm_16(decrypt("AES256_GCM", 16))]
#[bench::encrypt_aes256_gcm_16384(encrypt("AES256_GCM", 16 << 10))]
#[bench::decrypt_aes256_gcm_16384(decrypt("AES256_GCM", 16 << 10))]
#[bench::decrypt_aes256_gcm_16_among_1000_keys(decrypt_among(1000))]
#[bench::encrypt_aes256_gcm_siv_16(encrypt("AES256_GCM_SIV", 16))]
#[bench::encrypt_chacha20_poly1305_16(encrypt("CHACHA20_POLY1305", 16))]
#[bench::decrypt_chacha20_poly1305_16(decrypt("CHACHA20_POLY1305", 16))]
#[bench::decrypt_xchacha20_poly1305_16(decrypt("XCHACHA20_POLY1305", 16))]
#[bench::encrypt_xaes_256_gcm_16(encrypt("XAES_256_GCM_192_BIT_NONCE", 16))]
#[bench::encrypt_aes256_eax_1024(encrypt("AES256_EAX", 1024))]
#[bench::encrypt_aes256_ctr_hmac_1024(encrypt("AES256_CTR_HMAC_SHA256", 1024))]
#[bench::encrypt_aes256_siv_16(encrypt_deterministically(16))]
#[bench::encrypt_aes256_siv_1024(encrypt_deterministically(1024))]
#[bench::compute_hmac_sha256_16(compute_mac("HMAC_SHA256_128BITTAG"))]
#[bench::compute_aes_cmac_16(compute_mac("AES_CMAC"))]
#[bench::compute_hkdf_sha256_16(compute_prf("HKDF_SHA256"))]
#[bench::generate_keyset_of_1_key(generate_keyset())]
#[bench::make_primitive_of_1_key(make_primitive(1))]
#[bench::make_primitive_of_100_keys(make_primitive(100))]
#[bench::read_binary_keyset_of_1_key(read(Format::Binary, 1))]
#[bench::read_json_keyset_of_100_keys(read(Format::Json, 100))]
#[bench::encrypt_envelope_1024(encrypt_envelope())]
#[bench::decrypt_envelope_1024(decrypt_envelope())]
fn call(mut work: Work) -> Work {
    for _ in 0..CALLS {
        work();
    }
    work
}

library_benchmark_group!(name = paths, benchmarks = call);
main!(library_benchmark_groups = paths);
