//! Runs every cipher with a secret key, and has valgrind report what depends on it.
//!
//! Keys and plaintexts are secret. Ciphertexts, tags, nonces, lengths and the verdict of a check are
//! public. Prints one line for each case; fails if valgrind reports more of it than the branch on a
//! verdict, or if a check branches otherwise for another wrong byte.

mod valgrind;

use keyseal::{
    Aead as _, DeterministicAead as _, Key, KeyTypes, KeysetAead, KeysetDeterministicAead,
    KeysetHandle, KeysetMac, KeysetPrfSet, Mac as _, Provider, SecretAccess, Variant, key::KeyKind,
    keyset::Primitive,
};
use valgrind::{public, revealed, secret};

/// How often a check may branch on its verdict: in the cipher's crate, and in what calls it.
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
        let (result, reports) = reports_of(case);
        self.note(name, reports, reports == 0);
        result
    }

    /// Checks a right input, and then one with a wrong byte at each of the `places`. The verdicts are
    /// public. A comparison that ends at the first difference branches less often for a byte at the
    /// start of a tag than for one at its end.
    fn check(&mut self, name: &str, right: &[u8], places: &[usize], check: impl Fn(&[u8]) -> bool) {
        let (is_right, expected) = reports_of(|| revealed(check(right)));
        assert!(is_right, "{name}");
        // None at all would mean that valgrind has lost sight of the secret.
        self.note(name, expected, (1..=VERDICT_BRANCHES).contains(&expected));
        let mut wrong = right.to_vec();
        for place in places {
            wrong[*place] ^= 1;
            let (is_right, reports) = reports_of(|| revealed(check(&wrong)));
            assert!(!is_right, "{name}");
            let name = format!("{name} with byte {place} wrong");
            self.note(&name, reports, reports == expected);
            wrong[*place] ^= 1;
        }
    }

    fn note(&mut self, name: &str, reports: usize, is_good: bool) {
        if is_good {
            println!("ok {name}");
            self.passed += 1;
        } else {
            println!("FAILED {name}: {reports} reports");
            self.failed += 1;
        }
    }
}

/// Runs a case, and returns how much valgrind reports of it.
fn reports_of<T>(case: impl FnOnce() -> T) -> (T, usize) {
    let before = valgrind::errors();
    let result = case();
    (result, valgrind::errors() - before)
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
        let ciphertext = cases
            .run(&format!("{name}: encrypt {size}"), encrypt)
            .expect("it is short");
        public(&ciphertext);
        let len = ciphertext.len();
        cases.check(
            &format!("{name}: decrypt {size}"),
            &ciphertext,
            &[0, len - 16, len - 9, len - 8, len - 1],
            |ciphertext| aead.decrypt(ciphertext, b"associated data").is_ok(),
        );
    }
}

fn deterministic(cases: &mut Cases, name: &str, keyset: &KeysetHandle, provider: Provider) {
    let aead: KeysetDeterministicAead = primitive(cases, name, keyset, provider);
    for size in SIZES {
        let plaintext = plaintext(size);
        let encrypt = || aead.encrypt_deterministically(&plaintext, b"associated data");
        let ciphertext = cases
            .run(&format!("{name}: encrypt {size}"), encrypt)
            .expect("it is short");
        public(&ciphertext);
        cases.check(
            &format!("{name}: decrypt {size}"),
            &ciphertext,
            &[0, 7, 8, 15],
            |ciphertext| {
                aead.decrypt_deterministically(ciphertext, b"associated data")
                    .is_ok()
            },
        );
    }
}

fn mac(cases: &mut Cases, name: &str, keyset: &KeysetHandle, provider: Provider) {
    let mac: KeysetMac = primitive(cases, name, keyset, provider);
    for size in SIZES {
        let data = plaintext(size);
        let tag = cases.run(&format!("{name}: tag {size}"), || mac.compute_mac(&data));
        public(&tag);
        cases.check(
            &format!("{name}: verify {size}"),
            &tag,
            &[0, 7, 8, tag.len() - 1],
            |tag| mac.verify_mac(tag, &data).is_ok(),
        );
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
