//! The key schedules and hash states that ciphers and MACs derive from a key. Whoever finds them needs no
//! key.

use hmac::{HmacReset, KeyInit, Mac};
use sha2::{
    Sha256, Sha512,
    block_api::{compress256, compress512},
};
use zeroize::Zeroizing;

type Bytes = Zeroizing<Vec<u8>>;

/// Returns what AES, HMAC and HKDF with SHA-256 and SHA-512 would derive from `key`. Returns nothing
/// for a secret of more than 64 bytes.
pub(crate) fn of(key: &[u8]) -> Vec<Bytes> {
    let mut all = Vec::new();
    if key.len() > 64 {
        return all;
    }
    // HKDF without a salt has other keys for HMAC.
    let of_sha256 = extract::<HmacReset<Sha256>>(key);
    let of_sha512 = extract::<HmacReset<Sha512>>(key);
    for pad in [0x36, 0x5c] {
        all.extend(sha256(key, pad));
        all.push(sha512(key, pad));
        all.extend(sha256(&of_sha256, pad));
        all.push(sha512(&of_sha512, pad));
    }
    all.extend([of_sha256, of_sha512]);
    // AES-SIV has two keys in one.
    for part in [key, &key[..key.len() / 2], &key[key.len() / 2..]] {
        if let 16 | 32 = part.len() {
            all.push(schedule(part));
        }
    }
    all
}

fn extract<M: Mac + KeyInit>(key: &[u8]) -> Bytes {
    let mut mac = <M as KeyInit>::new_from_slice(&[]).unwrap();
    mac.update(key);
    bytes(&mac.finalize().into_bytes())
}

/// The state that has taken in the key, as HMAC keeps it: in order, and as the processor's
/// instructions take the words.
fn sha256(key: &[u8], pad: u8) -> [Bytes; 2] {
    let mut state = SHA256;
    compress256(&mut state, &[*padded(key, pad)]);
    let [a, b, c, d, e, f, g, h] = state;
    [state, [f, e, b, a, h, g, d, c]].map(|words| bytes(words.map(u32::to_ne_bytes).as_flattened()))
}

fn sha512(key: &[u8], pad: u8) -> Bytes {
    let mut state = SHA512;
    compress512(&mut state, &[*padded(key, pad)]);
    bytes(state.map(u64::to_ne_bytes).as_flattened())
}

fn padded<const SIZE: usize>(key: &[u8], pad: u8) -> Zeroizing<[u8; SIZE]> {
    let mut block = Zeroizing::new([pad; SIZE]);
    for (byte, key) in block.iter_mut().zip(key) {
        *byte ^= key;
    }
    block
}

fn bytes(slice: &[u8]) -> Bytes {
    Zeroizing::new(slice.to_vec())
}

/// FIPS 197, 5.2.
fn schedule(key: &[u8]) -> Bytes {
    let boxed = substitutions();
    let words = key.len() / 4;
    let mut all = Zeroizing::new(Vec::with_capacity(4 * 60));
    all.extend_from_slice(key);
    let mut round = 1_u8;
    for at in words..4 * (words + 7) {
        let mut word: [u8; 4] = all[4 * at - 4..].try_into().unwrap();
        if at % words == 0 {
            word.rotate_left(1);
        }
        if at % words == 0 || words == 8 && at % words == 4 {
            word = word.map(|byte| boxed[usize::from(byte)]);
        }
        if at % words == 0 {
            word[0] ^= round;
            round = twice(round);
        }
        for (place, byte) in word.into_iter().enumerate() {
            let before = all[4 * (at - words) + place];
            all.push(before ^ byte);
        }
    }
    all
}

/// The S-box of FIPS 197, 5.1.1: inverses, each with an affine change.
fn substitutions() -> [u8; 256] {
    let mut boxed = [0x63; 256];
    let (mut power, mut inverse) = (1_u8, 1_u8);
    loop {
        // 3 generates all elements; its inverse is 0xf6.
        power ^= twice(power);
        inverse = (0..8)
            .filter(|bit| 0xf6_u8 >> bit & 1 == 1)
            .fold(0, |sum, bit| {
                sum ^ (0..bit).fold(inverse, |value, _| twice(value))
            });
        let turned = (1..5).fold(inverse, |sum, by| sum ^ inverse.rotate_left(by));
        boxed[usize::from(power)] = turned ^ 0x63;
        if power == 1 {
            return boxed;
        }
    }
}

const fn twice(byte: u8) -> u8 {
    byte << 1 ^ if byte < 0x80 { 0 } else { 0x1b }
}

/// The first states of FIPS 180-4, 5.3.
const SHA256: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
const SHA512: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// The example of FIPS 197, appendix A.1 and A.3, and the hash of nothing.
#[test]
fn keys_are_expanded_as_the_standards_say() {
    let key = hex::decode("2b7e151628aed2a6abf7158809cf4f3c").unwrap();
    let last = schedule(&key)[160..].to_vec();
    assert_eq!(hex::encode(last), "d014f9a8c9ee2589e13f0cc8b6630ca6");
    let key = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
    let last = schedule(&hex::decode(key).unwrap())[224..].to_vec();
    assert_eq!(hex::encode(last), "fe4890d1e6188d0b046df344706c631e");

    let mut state = SHA256;
    let mut nothing = [0; 64];
    nothing[0] = 0x80;
    compress256(&mut state, &[nothing]);
    assert_eq!(state[0], 0xe3b0_c442);
    let mut state = SHA512;
    let mut nothing = [0; 128];
    nothing[0] = 0x80;
    compress512(&mut state, &[nothing]);
    assert_eq!(state[0], 0xcf83_e135_7eef_b8bd);
}

/// HMAC is the hash of two messages that begin with these states.
#[test]
fn the_states_are_those_of_hmac() {
    let key: Vec<u8> = (0..32).collect();
    let finish = |state: &[u8], message: &[u8]| {
        let words = state
            .chunks(4)
            .map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
        let mut state: [u32; 8] = words.collect::<Vec<_>>().try_into().unwrap();
        let mut block = [0; 64];
        block[..message.len()].copy_from_slice(message);
        block[message.len()] = 0x80;
        block[56..].copy_from_slice(&(8 * (64 + message.len() as u64)).to_be_bytes());
        compress256(&mut state, &[block]);
        state.map(u32::to_be_bytes).as_flattened().to_vec()
    };
    let [inner, _] = sha256(&key, 0x36);
    let [outer, _] = sha256(&key, 0x5c);
    let mut mac = HmacReset::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(b"message");
    let tag = mac.finalize().into_bytes();
    assert_eq!(finish(&outer, &finish(&inner, b"message")), tag.to_vec());
}
