//! Wycheproof's HMAC and AES-CMAC: every hash that a Tink key can name.

use keyseal::{
    Hash, Key, KeyError, KeysetHandle, KeysetMac, Mac, SecretBytes, Variant, VerifyError,
    key::{aes_cmac::AesCmacKey, hmac::HmacKey},
};
use wycheproof::{TestResult, mac};

use crate::support::secret;

#[test]
fn hmac() {
    for (name, hash, expected) in [
        (mac::TestName::HmacSha1, Hash::Sha1, [60, 104, 6, 0]),
        (mac::TestName::HmacSha224, Hash::Sha224, [60, 106, 6, 0]),
        (mac::TestName::HmacSha256, Hash::Sha256, [66, 108, 0, 0]),
        (mac::TestName::HmacSha384, Hash::Sha384, [66, 108, 0, 0]),
        (mac::TestName::HmacSha512, Hash::Sha512, [66, 108, 0, 0]),
    ] {
        let report = run(name, expected, |key, tag_size| {
            let key = HmacKey::new(key, hash, tag_size)?;
            Key::new(key, Variant::Raw)
        });
        println!("{report}");
    }
}

#[test]
fn aes_cmac() {
    let report = run(mac::TestName::AesCmac, [21, 81, 209, 0], |key, tag_size| {
        let key = AesCmacKey::new(key, tag_size)?;
        Key::new(key, Variant::Raw)
    });
    println!("{report}");
}

/// Runs one file, and returns what to print of it. `expected` counts valid cases, invalid ones, and those skipped because no Tink
/// takes such a key or such a tag.
fn run(
    name: mac::TestName,
    expected: [usize; 4],
    make: impl Fn(SecretBytes, usize) -> Result<Key, KeyError>,
) -> String {
    let set = mac::TestSet::load(name).unwrap();
    let [mut valid, mut invalid, mut key_size, mut tag_size] = [0; 4];
    for group in &set.test_groups {
        for test in &group.tests {
            let key = match make(secret(&test.key[..]), group.tag_size / 8) {
                Ok(key) => key,
                Err(KeyError::Parameter {
                    name: "key size", ..
                }) => {
                    key_size += 1;
                    continue;
                }
                Err(KeyError::Parameter {
                    name: "tag size", ..
                }) => {
                    tag_size += 1;
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            let mac: KeysetMac = KeysetHandle::new(key).unwrap().primitive().unwrap();
            let mut verification = mac.create_verification(&test.tag);
            for byte in &test.msg[..] {
                verification.update(std::slice::from_ref(byte));
            }
            let checked = [
                mac.verify_mac(&test.tag, &test.msg),
                verification.verify_mac(),
            ];
            let computed = mac.compute_mac(&test.msg);
            match test.result {
                TestResult::Valid => {
                    assert_eq!(checked, [Ok(()), Ok(())], "{:?} {}", name, test.tc_id);
                    assert_eq!(computed, test.tag[..], "{:?} {}", name, test.tc_id);
                    valid += 1;
                }
                TestResult::Invalid => {
                    let refused = [Err(VerifyError), Err(VerifyError)];
                    assert_eq!(checked, refused, "{:?} {}", name, test.tc_id);
                    assert_ne!(computed, test.tag[..], "{:?} {}", name, test.tc_id);
                    invalid += 1;
                }
                TestResult::Acceptable => panic!("no such case in these files"),
            }
        }
    }
    assert_eq!([valid, invalid, key_size, tag_size], expected, "{name:?}");
    let all = valid + invalid + key_size + tag_size;
    assert_eq!(set.number_of_tests, all, "{name:?}");
    format!(
        "{name:?}: {valid} valid, {invalid} invalid; skipped: {key_size} for the size of the key, \
         {tag_size} for the size of the tag"
    )
}
