//! Keys that are recognised wherever they turn up, of every key type, without knowing the types.

use std::ops::Range;

use keyseal::{KeyId, KeyTypes, KeysetHandle, SecretAccess, key::Template, keyset::Format};
use zeroize::Zeroizing;

/// A binary keyset file of one key, and the secrets in it.
pub(crate) struct Canary {
    pub(crate) file: Zeroizing<Vec<u8>>,
    /// Where in the file there is key material.
    places: Vec<Range<usize>>,
}

impl Canary {
    /// Makes a keyset of one key of `template`, whose material is drawn from `seed`.
    pub(crate) fn of(template: &Template, seed: u64) -> Self {
        let mut canary = Self::generated(template, &generate(template));
        let mut random = seed | 1;
        for place in &canary.places {
            for byte in &mut canary.file[place.clone()] {
                // Never a letter: text must not look like a key by chance.
                *byte = next(&mut random) | 0x80;
            }
        }
        canary
    }

    /// Finds the material of a keyset of one key of `template`.
    ///
    /// What changes from one generated key to the next is material; what does not is the format.
    pub(crate) fn generated(template: &Template, keyset: &KeysetHandle) -> Self {
        let file = written(keyset);
        let others: [_; 7] = std::array::from_fn(|_| written(&generate(template)));
        let mut places: Vec<Range<usize>> = Vec::new();
        for at in 0..file.len() {
            if others.iter().any(|other| other[at] != file[at]) {
                match places.last_mut() {
                    Some(place) if place.end == at => place.end += 1,
                    _ => places.push(at..at + 1),
                }
            }
        }
        Self { file, places }
    }

    /// The secrets; none for a key type that has no material.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|place| &self.file[place.clone()])
    }
}

/// Generates a keyset of one key. The id is always the same, so that files differ in keys alone.
pub(crate) fn generate(template: &Template) -> KeysetHandle {
    let key = KeyTypes::default().generate(template.name()).unwrap();
    KeysetHandle::with_id(key, KeyId::new(0x0102_0304))
}

fn written(keyset: &KeysetHandle) -> Zeroizing<Vec<u8>> {
    let access = SecretAccess::insecure();
    let file = keyset.write_cleartext(Format::Binary, access);
    Zeroizing::new(file.expose(access).to_vec())
}

/// The next of a row of bytes that does not repeat.
fn next(state: &mut u64) -> u8 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 32) as u8
}

/// Every way in which a part of `secret` may be written as text: each is enough to know it by.
pub(crate) fn texts(secret: &[u8]) -> Vec<Vec<u8>> {
    use base64::{
        Engine as _,
        engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
    };
    let mut texts = Vec::new();
    texts.push(hex::encode(secret));
    texts.push(hex::encode_upper(secret));
    for skipped in 0..3 {
        // From each of the three places where a group of base64 can start; whole groups only.
        let groups = &secret[skipped.min(secret.len())..];
        let groups = &groups[..groups.len() - groups.len() % 3];
        texts.push(STANDARD_NO_PAD.encode(groups));
        texts.push(URL_SAFE_NO_PAD.encode(groups));
    }
    texts.into_iter().map(String::into_bytes).collect()
}
