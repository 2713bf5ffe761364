//! The laws of `fuzz/`, with two seconds of random changes to real files.

use std::time::{Duration, Instant};

use keyseal::{Envelope, KeyTypes, KeysetAead, KeysetHandle, SecretAccess, keyset::Format};

#[path = "../../fuzz/fuzz_targets/laws.rs"]
mod laws;

#[test]
fn changed_keysets_and_ciphertexts_keep_the_laws() {
    let access = SecretAccess::insecure();
    let aead: KeysetAead = KeysetHandle::generate("AES256_GCM_RAW")
        .unwrap()
        .primitive()
        .unwrap();
    let mut seeds = Vec::new();
    for template in KeyTypes::default().templates() {
        let keyset = KeysetHandle::generate(template.name()).unwrap();
        for format in [Format::Binary, Format::Json] {
            seeds.push((
                keyset
                    .write_cleartext(format, access)
                    .expose(access)
                    .to_vec(),
                format,
            ));
            seeds.push((
                keyset.write_encrypted(format, &aead, b"other").unwrap(),
                format,
            ));
        }
    }
    let mut envelope = Envelope::head_of(&[7; 40]).unwrap();
    envelope.extend([9; 60]);
    seeds.push((envelope, Format::Binary));
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let start = Instant::now();
    let mut runs = 0;
    while start.elapsed() < Duration::from_secs(2) || runs < 1000 {
        let (seed, format) = &seeds[next(seeds.len())];
        let mut bytes = seed.clone();
        for _ in 0..=next(4) {
            let at = next(bytes.len().max(1));
            match next(4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at.min(bytes.len()), next(256) as u8),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                _ if at < bytes.len() => bytes[at] ^= 1 << next(8),
                _ => {}
            }
        }
        laws::keyset_survives(&bytes, *format);
        laws::encrypted_keyset_is_refused(&bytes, &aead);
        laws::ciphertext_is_refused(&bytes, &aead);
        laws::envelope_is_whole(&bytes);
        runs += 1;
    }
    println!("{runs} inputs");
}
