//! Runs every cipher with a secret key, and has valgrind report what depends on it.
//!
//! Keys and plaintexts are secret. Ciphertexts, tags, nonces, lengths and the verdict of a check are
//! public. Prints one line for each case; fails if valgrind reports more of it than the branch on a
//! verdict.

mod valgrind;

use keyseal::{
    Aead as _, DeterministicAead as _, Key, KeyTypes, KeysetAead, KeysetDeterministicAead,
    KeysetHandle, KeysetMac, KeysetPrfSet, Mac as _, Provider, SecretAccess, Variant, key::KeyKind,
    keyset::Primitive,
};
use valgrind::{public, revealed, secret};

/// How often a check may branch on its verdict: in the cipher's crate, and in what calls it. A
/// comparison that ends at the first wrong byte branches once for each byte of a right tag.
const VERDICT_BRANCHES: usize = 2;

fn main() {
    if !valgrind::is_there() {
        eprintln!("valgrind must run this: .ci/timing does");
        std::process::exit(2);
    }
    let mut cases = Cases::default();
    for template in KeyTypes::default().templates() {
        let name = template.name();
        if !name.ends_with("_RAW") {
            one(&mut cases, name);
        }
    }
    println!("{} passed, {} failed", cases.passed, cases.failed);
    std::process::exit(i32::from(cases.failed > 0 || cases.passed == 0));
}

#[derive(Default)]
struct Cases {
    passed: usize,
    failed: usize,
}

impl Cases {
    /// Runs one case; it fails if valgrind has anything to report of it.
    fn run<T>(&mut self, name: &str, case: impl FnOnce() -> T) -> T {
        self.run_with(0, name, case)
    }

    /// Runs a check, whose verdict is public.
    fn check(&mut self, name: &str, case: impl FnOnce() -> bool) -> bool {
        self.run_with(VERDICT_BRANCHES, name, || revealed(case()))
    }

    fn run_with<T>(&mut self, allowed: usize, name: &str, case: impl FnOnce() -> T) -> T {
        let before = valgrind::errors();
        let result = case();
        let reports = valgrind::errors() - before;
        if reports > allowed {
            println!("FAILED {name}: {reports} reports");
            self.failed += 1;
        } else {
            println!("ok {name}");
            self.passed += 1;
        }
        result
    }
}

fn one(cases: &mut Cases, template: &str) {
    let key = Key::generate(template).expect("it is a template");
    let Some(kind) = key.kind() else { return };
    let access = SecretAccess::insecure();
    let message = key.serialize(access);
    // Which bytes of the message are the key is found out by another key: tags and lengths are the
    // same in both.
    let other = Key::generate(template)
        .expect("it is a template")
        .serialize(access);
    let (bytes, other) = (message.expose(access), other.expose(access));
    for (place, byte) in bytes.iter().enumerate() {
        // A byte of both keys is the same by chance once in 256, and then public.
        if other.get(place) != Some(byte) {
            secret(std::slice::from_ref(byte));
        }
    }
    let types = KeyTypes::default();
    // A deriver has the variant of the keys that it derives: the other is refused.
    let read = || {
        let read = |variant| types.import_serialized(key.type_url(), &message, variant);
        read(Variant::Raw).or_else(|_| read(Variant::Tink))
    };
    let key = cases
        .run(&format!("{template}: parse the key"), read)
        .expect("it was written so");
    let keyset = KeysetHandle::new(key).expect("it has a primitive");
    for provider in Provider::ALL {
        let name = format!("{template} by {provider:?}");
        match kind {
            KeyKind::Aead => aead(cases, &name, &keyset, *provider),
            KeyKind::DeterministicAead => deterministic(cases, &name, &keyset, *provider),
            KeyKind::Mac => mac(cases, &name, &keyset, *provider),
            KeyKind::Prf => prf(cases, &name, &keyset, *provider),
            _ => {}
        }
    }
}

/// Makes a primitive: the key schedule, and precomputed powers.
fn primitive<P: Primitive>(
    cases: &mut Cases,
    name: &str,
    keyset: &KeysetHandle,
    provider: Provider,
) -> P {
    let make = || keyset.primitive_with(provider);
    cases
        .run(&format!("{name}: make the primitive"), make)
        .expect("it is of this kind")
}

const SIZES: [usize; 4] = [0, 1, 16, 1000];

/// A plaintext of this size, which is secret.
fn plaintext(size: usize) -> Vec<u8> {
    let plaintext = vec![7; size];
    secret(&plaintext);
    plaintext
}

fn aead(cases: &mut Cases, name: &str, keyset: &KeysetHandle, provider: Provider) {
    let aead: KeysetAead = primitive(cases, name, keyset, provider);
    for size in SIZES {
        let plaintext = plaintext(size);
        let encrypt = || aead.encrypt(&plaintext, b"associated data");
        let mut ciphertext = cases
            .run(&format!("{name}: encrypt {size}"), encrypt)
            .expect("it is short");
        public(&ciphertext);
        let decrypt = || aead.decrypt(&ciphertext, b"associated data").is_ok();
        assert!(cases.check(&format!("{name}: decrypt {size}"), decrypt));
        for place in [0, ciphertext.len() - 1, ciphertext.len() - 16] {
            ciphertext[place] ^= 1;
            let decrypt = || aead.decrypt(&ciphertext, b"associated data").is_err();
            assert!(cases.check(
                &format!("{name}: refuse {size} with byte {place} wrong"),
                decrypt
            ));
            ciphertext[place] ^= 1;
        }
    }
}

fn deterministic(cases: &mut Cases, name: &str, keyset: &KeysetHandle, provider: Provider) {
    let aead: KeysetDeterministicAead = primitive(cases, name, keyset, provider);
    for size in SIZES {
        let plaintext = plaintext(size);
        let encrypt = || aead.encrypt_deterministically(&plaintext, b"associated data");
        let mut ciphertext = cases
            .run(&format!("{name}: encrypt {size}"), encrypt)
            .expect("it is short");
        public(&ciphertext);
        let decrypt = |ciphertext: &[u8]| {
            aead.decrypt_deterministically(ciphertext, b"associated data")
                .is_ok()
        };
        assert!(cases.check(&format!("{name}: decrypt {size}"), || decrypt(&ciphertext)));
        ciphertext[0] ^= 1;
        assert!(!cases.check(&format!("{name}: refuse {size}"), || decrypt(&ciphertext)));
    }
}

fn mac(cases: &mut Cases, name: &str, keyset: &KeysetHandle, provider: Provider) {
    let mac: KeysetMac = primitive(cases, name, keyset, provider);
    for size in SIZES {
        let data = plaintext(size);
        let mut tag = cases.run(&format!("{name}: tag {size}"), || mac.compute_mac(&data));
        public(&tag);
        let verify = |tag: &[u8]| mac.verify_mac(tag, &data).is_ok();
        assert!(cases.check(&format!("{name}: verify {size}"), || verify(&tag)));
        for place in [0, tag.len() - 1] {
            tag[place] ^= 1;
            let refuse = || verify(&tag);
            assert!(!cases.check(
                &format!("{name}: refuse {size} with byte {place} wrong"),
                refuse
            ));
            tag[place] ^= 1;
        }
    }
}

fn prf(cases: &mut Cases, name: &str, keyset: &KeysetHandle, provider: Provider) {
    let set: KeysetPrfSet = primitive(cases, name, keyset, provider);
    for size in SIZES {
        let input = plaintext(size);
        let compute = || set.primary().compute_prf(&input, 16);
        assert!(
            cases
                .run(&format!("{name}: compute of {size}"), compute)
                .is_ok()
        );
    }
}
