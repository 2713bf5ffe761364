//! What may happen to a key.

use std::hint::black_box;

use keyseal::{
    Aead as _, DeterministicAead as _, Key, KeyId, KeyTypes, KeysetAead, KeysetDeterministicAead,
    KeysetHandle, KeysetMac, KeysetPrfSet, Mac as _, Provider, SecretAccess, SecretBytes, Variant,
    key::{
        aes_ctr_hmac::AesCtrHmacKey, aes_eax::AesEaxKey, aes_gcm::AesGcmKey,
        aes_gcm_siv::AesGcmSivKey, chacha20_poly1305::ChaCha20Poly1305Key, x_aes_gcm::XAesGcmKey,
        xchacha20_poly1305::XChaCha20Poly1305Key,
    },
    keyset::{Format, KeysetFile, KeysetReader},
};
use zeroize::Zeroizing;

use crate::canary::Canary;

const ACCESS: SecretAccess = SecretAccess::insecure();
const FORMATS: [Format; 2] = [Format::Binary, Format::Json];

/// One part of a life, from the file to the last drop.
pub(crate) type Step = (&'static str, fn(&Canary));

pub(crate) const STEPS: &[Step] = &[
    ("load", load),
    ("load json", load_json),
    ("import", import),
    ("load an odd file", load_odd),
    ("refuse a file", refuse),
    ("write", write),
    ("encrypt the keyset", encrypt_keyset),
    ("clone and edit", edit),
    ("keep as an unknown type", keep_opaque),
    ("make a primitive", make_primitive),
    ("encrypt and decrypt", encrypt_and_decrypt),
    ("one message", one_message_each),
    ("make one while another is in use", make_beside_another),
    ("print", print),
];

fn keyset(canary: &Canary) -> KeysetHandle {
    KeysetHandle::read_cleartext(&canary.file, Format::Binary, ACCESS).unwrap()
}

fn kek() -> KeysetAead {
    KeysetHandle::generate("AES256_GCM")
        .unwrap()
        .primitive()
        .unwrap()
}

fn load(canary: &Canary) {
    drop(keyset(canary));
    drop(KeysetFile::detect(&canary.file));
    assert!(KeysetHandle::read_no_secret(&canary.file, Format::Binary).is_err());
}

fn load_json(canary: &Canary) {
    let json = keyset(canary).write_cleartext(Format::Json, ACCESS);
    let json = json.expose(ACCESS);
    drop(KeysetHandle::read_cleartext(json, Format::Json, ACCESS).unwrap());
    drop(KeysetFile::detect(json));
    assert!(KeysetHandle::read_no_secret(json, Format::Json).is_err());
    // Escapes make for copies of the text.
    let text = std::str::from_utf8(json).unwrap();
    for (plain, escaped) in [
        ("/", "\\/"),
        ("A", "\\u0041"),
        ("+", "\\u002b"),
        ("e", "\\u0065"),
    ] {
        let parts: Vec<&str> = text.split(plain).collect();
        let mut odd = Zeroizing::new(Vec::with_capacity(6 * text.len()));
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                odd.extend_from_slice(escaped.as_bytes());
            }
            odd.extend_from_slice(part.as_bytes());
        }
        drop(KeysetHandle::read_cleartext(&odd, Format::Json, ACCESS).unwrap());
    }
}

/// Typed keys, from bytes that the caller has.
fn import(canary: &Canary) {
    let keyset = keyset(canary);
    let entry = keyset.entries().next().unwrap();
    let copy = |bytes: &SecretBytes| {
        // With room to spare: taking the vector as it is would leave a copy.
        let mut roomy = Zeroizing::new(Vec::with_capacity(2 * bytes.len()));
        roomy.extend_from_slice(bytes.expose(ACCESS));
        drop(SecretBytes::from_vec(roomy, ACCESS));
        let exact = Zeroizing::new(bytes.expose(ACCESS).to_vec());
        assert!(SecretBytes::from_vec(exact, ACCESS) == *bytes);
        SecretBytes::copy_from(bytes.expose(ACCESS), ACCESS)
    };
    macro_rules! import {
        ($($typed:ty: |$key:ident| $again:expr;)+) => {
            $(if let Some($key) = entry.key().and_then(Key::downcast_ref::<$typed>) {
                let again: $typed = $again.unwrap();
                assert!(again == *$key);
                for variant in Variant::ALL {
                    if let Ok(key) = Key::new(again.clone(), variant) {
                        drop(KeysetHandle::new(key).unwrap());
                    }
                }
            })+
        };
    }
    import! {
        AesGcmKey: |key| AesGcmKey::new(copy(key.key()));
        AesGcmSivKey: |key| AesGcmSivKey::new(copy(key.key()));
        AesEaxKey: |key| AesEaxKey::new(copy(key.key()), key.parameters().iv_size());
        ChaCha20Poly1305Key: |key| ChaCha20Poly1305Key::new(copy(key.key()));
        XChaCha20Poly1305Key: |key| XChaCha20Poly1305Key::new(copy(key.key()));
        XAesGcmKey: |key| XAesGcmKey::new(copy(key.key()), key.parameters().salt_size());
        AesCtrHmacKey: |key| {
            AesCtrHmacKey::new(key.parameters(), copy(key.aes_key()), copy(key.hmac_key()))
        };
    }
    // One that is refused.
    for secret in canary.secrets() {
        let short = SecretBytes::copy_from(&secret[1..], ACCESS);
        assert!(AesGcmKey::new(short).is_err());
    }
}

/// Fields of a wrong wire type make for a copy of the message.
fn load_odd(canary: &Canary) {
    let long = [&b"\x7a\xff\x01"[..], &[7; 255]].concat();
    for odd in [&b"\x0d\x01\x02\x03\x04"[..], b"\x10\x07", b"\x7a\x01\x07"] {
        let len = canary.file.len() + odd.len() + long.len();
        let mut file = Zeroizing::new(Vec::with_capacity(len));
        file.extend_from_slice(odd);
        file.extend_from_slice(&canary.file);
        file.extend_from_slice(&long);
        drop(KeysetHandle::read_cleartext(&file, Format::Binary, ACCESS).unwrap());
        drop(KeysetFile::detect(&file));
    }
}

/// Whatever the fault of a file, the part of it that was read is wiped.
fn refuse(canary: &Canary) {
    let (keyset, kek) = (keyset(canary), kek());
    for format in FORMATS {
        let file = keyset.write_cleartext(format, ACCESS);
        let file = file.expose(ACCESS);
        for len in 0..file.len() {
            drop(KeysetHandle::read_cleartext(&file[..len], format, ACCESS));
            drop(KeysetHandle::read_encrypted(
                &file[..len],
                format,
                &kek,
                b"",
            ));
            let mut changed = Zeroizing::new(file.to_vec());
            changed[len] = b'!';
            drop(KeysetHandle::read_cleartext(&changed, format, ACCESS));
        }
        let mut twice = Zeroizing::new(Vec::with_capacity(2 * file.len()));
        twice.extend_from_slice(file);
        twice.extend_from_slice(file);
        assert!(KeysetHandle::read_cleartext(&twice, format, ACCESS).is_err());
    }
}

fn write(canary: &Canary) {
    let keyset = keyset(canary);
    for format in FORMATS {
        let written = keyset.write_cleartext(format, ACCESS);
        drop(written.clone());
        drop(SecretBytes::copy_from(written.expose(ACCESS), ACCESS));
        assert!(keyset.write_no_secret(format).is_err());
    }
}

fn encrypt_keyset(canary: &Canary) {
    let keyset = keyset(canary);
    for template in [
        "AES256_GCM",
        "AES128_CTR_HMAC_SHA256",
        "XCHACHA20_POLY1305_RAW",
    ] {
        let kek = KeysetHandle::generate(template).unwrap();
        for &provider in Provider::ALL {
            let kek: KeysetAead = kek.primitive_with(provider).unwrap();
            for format in FORMATS {
                let file = keyset.write_encrypted(format, &kek, b"ad").unwrap();
                drop(KeysetHandle::read_encrypted(&file, format, &kek, b"ad").unwrap());
                assert!(KeysetHandle::read_encrypted(&file, format, &kek, b"").is_err());
                drop(KeysetFile::detect(&file));
            }
        }
    }
}

fn edit(canary: &Canary) {
    let mut keyset = keyset(canary);
    let key: Key = keyset.entries().next().unwrap().key().unwrap().clone();
    let same = KeyTypes::default().generate_from(&key.template().unwrap());
    let other = keyset.add(same.unwrap()).unwrap();
    let before = keyset.clone();
    keyset.promote(other).unwrap();
    let id = before.primary_id();
    let rotated = keyset.rotate(key.clone()).unwrap();
    keyset.disable(id).unwrap();
    keyset.enable(id).unwrap();
    keyset.disable(id).unwrap();
    keyset.promote(other).unwrap();
    keyset.destroy(id).unwrap();
    keyset.delete(rotated).unwrap();
    keyset.delete(id).unwrap();
    assert!(keyset.add_with_id(key, other).is_err());
    drop(before);
    drop(KeysetHandle::with_id(
        Key::generate("AES128_GCM").unwrap(),
        KeyId::new(1),
    ));
}

fn keep_opaque(canary: &Canary) {
    let reader = KeysetReader::new().key_types(KeyTypes::new(&[]));
    let mut keyset = reader
        .cleartext(&canary.file, Format::Binary, ACCESS)
        .unwrap();
    let id = keyset.primary_id();
    for format in FORMATS {
        let written = keyset.write_cleartext(format, ACCESS);
        drop(
            reader
                .cleartext(written.expose(ACCESS), format, ACCESS)
                .unwrap(),
        );
    }
    assert!(keyset.primitive::<KeysetAead>().is_err());
    let other = Key::generate("AES128_GCM").unwrap();
    let other = keyset.add_of_any_kind(other).unwrap();
    keyset.promote(other).unwrap();
    keyset.destroy(id).unwrap();
}

pub(crate) fn make_primitive(canary: &Canary) {
    let keyset = keyset(canary);
    for &provider in Provider::ALL {
        if let Ok(aead) = keyset.primitive_with::<KeysetAead>(provider) {
            drop(aead.clone());
        }
    }
}

fn encrypt_and_decrypt(canary: &Canary) {
    use_and_drop(keyset(canary));
}

/// Encrypts and decrypts in every way, with every provider, alone and beside other raw keys.
pub(crate) fn use_and_drop(keyset: KeysetHandle) {
    let template = keyset
        .entries()
        .next()
        .unwrap()
        .key()
        .unwrap()
        .template()
        .unwrap();
    let mut several = keyset.clone();
    let raw = KeyTypes::default().generate_from(&template.clone().with_variant(Variant::Raw));
    let id = several.add(
        raw.or_else(|_| KeyTypes::default().generate_from(&template))
            .unwrap(),
    );
    several.promote(id.unwrap()).unwrap();
    for keyset in [&keyset, &several] {
        for &provider in Provider::ALL {
            let Ok(aead) = keyset.primitive_with::<KeysetAead>(provider) else {
                continue;
            };
            for len in [0, 1, 16, 100, 5000] {
                let plaintext = vec![0x41; len];
                let mut ciphertext = aead.encrypt(&plaintext, b"ad").unwrap();
                assert_eq!(aead.decrypt(&ciphertext, b"ad").unwrap(), plaintext);
                assert!(aead.decrypt(&ciphertext, b"other").is_err());
                let mut out = Vec::new();
                aead.encrypt_into(&plaintext, b"ad", &mut out).unwrap();
                aead.decrypt_into(&ciphertext, b"ad", &mut out).unwrap();
                aead.decrypt_in_place(&mut ciphertext, b"ad").unwrap();
                aead.encrypt_in_place(&mut ciphertext, b"ad").unwrap();
                ciphertext.reserve(1000);
                aead.decrypt_in_place(&mut ciphertext, b"ad").unwrap();
                aead.encrypt_in_place(&mut ciphertext, b"ad").unwrap();
                assert!(aead.decrypt_in_place(&mut ciphertext, b"other").is_err());
            }
        }
    }
}

/// A primitive that handles messages.
pub(crate) enum Used {
    Aead(KeysetAead),
    DeterministicAead(KeysetDeterministicAead),
    Mac(KeysetMac),
    Prf(KeysetPrfSet),
}

/// The primitive of a key, or `None` if it handles no messages.
pub(crate) fn primitive(canary: &Canary, provider: Provider) -> Option<Used> {
    let keyset = keyset(canary);
    let aead = || keyset.primitive_with(provider).map(Used::Aead).ok();
    let daead = || {
        let made = keyset.primitive_with(provider);
        made.map(Used::DeterministicAead).ok()
    };
    let mac = || keyset.primitive_with(provider).map(Used::Mac).ok();
    let prf = || keyset.primitive_with(provider).map(Used::Prf).ok();
    aead().or_else(daead).or_else(mac).or_else(prf)
}

/// One message of every length that a cipher treats apart, in every way, with failures.
pub(crate) fn messages(primitive: &Used) {
    for len in [0, 1, 16, 100, 5000] {
        let text = vec![1; len];
        match primitive {
            Used::Aead(aead) => {
                let mut buffer = aead.encrypt(&text, b"ad").unwrap();
                assert!(aead.decrypt(&buffer, b"ad").is_ok());
                assert!(aead.decrypt(&buffer, b"other").is_err());
                aead.decrypt_in_place(&mut buffer, b"ad").unwrap();
                aead.encrypt_in_place(&mut buffer, b"ad").unwrap();
            }
            Used::DeterministicAead(aead) => {
                let buffer = aead.encrypt_deterministically(&text, b"ad").unwrap();
                assert!(aead.decrypt_deterministically(&buffer, b"ad").is_ok());
                assert!(aead.decrypt_deterministically(&buffer, b"other").is_err());
            }
            Used::Mac(mac) => {
                let tag = mac.compute_mac(&text);
                assert!(mac.verify_mac(&tag, &text).is_ok());
                assert!(mac.verify_mac(&tag, b"other").is_err());
                let mut computation = mac.create_computation();
                computation.update(&text);
                computation.update(&text);
                drop(computation.compute_mac());
                mac.create_computation().update(&text);
            }
            Used::Prf(prf) => drop(prf.primary().compute_prf(&text, 16).unwrap()),
        }
    }
}

/// Encrypts one message of `len` bytes under a key that is for an AEAD.
#[cfg(target_os = "linux")]
pub(crate) fn encrypt(canary: &Canary, provider: Provider, len: usize) -> Vec<u8> {
    let aead: KeysetAead = keyset(canary).primitive_with(provider).unwrap();
    aead.encrypt(&vec![1; len], b"ad").unwrap()
}

/// Decrypts it, as it is and with other associated data.
#[cfg(target_os = "linux")]
pub(crate) fn decrypt(primitive: &Used, ciphertext: &[u8]) {
    let Used::Aead(aead) = primitive else {
        panic!("not an AEAD");
    };
    assert!(aead.decrypt(ciphertext, b"ad").is_ok());
    assert!(aead.decrypt(ciphertext, b"other").is_err());
}

/// One message is the last thing that is done before the drop.
pub(crate) fn one_message_each(canary: &Canary) {
    let keyset = keyset(canary);
    for &provider in Provider::ALL {
        if let Ok(aead) = keyset.primitive_with::<KeysetAead>(provider) {
            one_message(&aead);
        }
    }
}

/// Bytes that a message leaves on the stack must not get into the next cipher's unused bytes.
fn make_beside_another(canary: &Canary) {
    /// Runs `work` further down the stack.
    fn deeper(depth: usize, work: &mut dyn FnMut()) {
        let frame = black_box([0_u8; 24]);
        match depth {
            0 => work(),
            _ => deeper(depth - 1, work),
        }
        black_box(frame);
    }
    let keyset = keyset(canary);
    for &provider in Provider::ALL {
        let Ok(aead) = keyset.primitive_with::<KeysetAead>(provider) else {
            continue;
        };
        for depth in 0..50 {
            let mut made = None;
            deeper(depth, &mut || one_message(&aead));
            deeper(10, &mut || {
                made = keyset.primitive_with::<KeysetAead>(provider).ok()
            });
            drop(made);
        }
    }
}

pub(crate) fn one_message(aead: &KeysetAead) {
    let ciphertext = aead.encrypt(&[1; 100], b"ad").unwrap();
    assert!(aead.decrypt(&ciphertext, b"ad").is_ok());
}

/// Encrypts `secret` and fails to decrypt it, in every way.
pub(crate) fn refuse_plaintext(aead: &KeysetAead, secret: &[u8]) {
    let mut damaged = aead.encrypt(secret, b"ad").unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(aead.decrypt(&damaged, b"ad").is_err());
    let mut out = Vec::with_capacity(1000);
    assert!(aead.decrypt_into(&damaged, b"ad", &mut out).is_err());
    drop(out);
    assert!(aead.decrypt_in_place(&mut damaged, b"ad").is_err());
    drop(damaged);

    // Encrypting in place wipes the bytes it leaves behind, and so does decrypting in place.
    for spare in [0, 1000] {
        let mut buffer = Vec::with_capacity(secret.len() + spare);
        buffer.extend_from_slice(secret);
        aead.encrypt_in_place(&mut buffer, b"ad").unwrap();
        aead.decrypt_in_place(&mut buffer, b"ad").unwrap();
        assert!(buffer == secret);
        // The content belongs to the caller, who wipes it here; the spare capacity does not.
        buffer.fill(0);
    }
}

fn print(canary: &Canary) {
    let keyset = keyset(canary);
    let key = keyset.entries().next().unwrap().key().unwrap().clone();
    drop(format!(
        "{keyset:?} {key:?} {:?} {:?}",
        key.template(),
        keyset.info()
    ));
    drop(format!("{:?}", keyset.primitive::<KeysetAead>()));
}
