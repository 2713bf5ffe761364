//! Envelopes: the parser agrees with the format, and a changed envelope never opens.

use std::sync::LazyLock;

use keyseal::{
    Envelope, KmsEnvelopeAead, RemoteAead as _,
    kms::LocalKek,
    rewrap::{Rewrap, Wrapped},
};

use super::{Input, keys};

const DEKS: [&str; 6] = [
    "AES256_GCM",
    "AES128_CTR_HMAC_SHA256_RAW",
    "AES256_GCM_SIV_RAW",
    "AES128_EAX",
    "XCHACHA20_POLY1305",
    "CHACHA20_POLY1305_RAW",
];

struct Aeads {
    old: Vec<KmsEnvelopeAead>,
    new: Vec<KmsEnvelopeAead>,
    rewrap: Rewrap,
}

static AEADS: LazyLock<Aeads> = LazyLock::new(|| {
    let kek =
        |number| LocalKek::new(&keys::keyset("AES256_GCM", number)).expect("it is an AEAD keyset");
    let under = |kek: LocalKek| {
        let aead = |dek: &&str| KmsEnvelopeAead::new(kek.clone(), dek).expect("a DEK");
        DEKS.iter().map(aead).collect()
    };
    Aeads {
        old: under(kek(1)),
        new: under(kek(2)),
        rewrap: Rewrap::between(kek(1), kek(2)),
    }
});

/// An input is a type of data key, a plaintext, associated data, and changes of the envelope. The
/// rest is a forged envelope.
pub fn law(data: &[u8]) {
    parts(data);
    let mut input = Input::new(data);
    let which = input.below(DEKS.len());
    let (old, new) = (&AEADS.old[which], &AEADS.new[which]);
    let (plaintext, associated_data) = (input.bytes(), input.bytes());
    let opens =
        |aead: &KmsEnvelopeAead, bytes: &[u8]| keys::now(aead.decrypt(bytes, associated_data)).ok();
    let sealed = keys::now(old.encrypt(plaintext, associated_data)).expect("it is short");
    assert_eq!(opens(old, &sealed).as_deref(), Some(plaintext));
    let damaged = input.damage(&sealed);
    if damaged != sealed {
        assert_eq!(opens(old, &damaged), None, "a changed envelope opens");
    }
    parts(&damaged);

    // Under the other key-encryption key, it is the same data.
    let wrapped = Wrapped::detect(&sealed, sealed.len() as u64).expect("it is an envelope");
    let head = keys::now(AEADS.rewrap.head(&wrapped)).expect("the old key opens it");
    let payload = &sealed[wrapped.head_size()..];
    let moved = [&head.expect("it is under the old key"), payload].concat();
    assert_eq!(opens(new, &moved).as_deref(), Some(plaintext));
    assert_eq!(opens(old, &moved), None);

    let strange = input.rest();
    parts(strange);
    assert_eq!(opens(old, strange), None);
}

/// `length(4, big-endian) ‖ wrapped key(1..=4096) ‖ payload(22..)`
fn parts(bytes: &[u8]) {
    let length = bytes
        .first_chunk()
        .map(|length| u32::from_be_bytes(*length) as usize);
    let length = length.filter(|length| (1..=4096).contains(length));
    assert_eq!(
        Envelope::head_size(bytes).ok(),
        length.map(|length| 4 + length)
    );
    let wanted = length
        .and_then(|length| bytes[4..].split_at_checked(length))
        .filter(|(_, payload)| payload.len() >= 22);
    let parsed = Envelope::parse(bytes);
    let found = parsed
        .as_ref()
        .map(|parsed| (parsed.wrapped_key(), parsed.payload()));
    assert_eq!(found.ok(), wanted);

    let detected = Wrapped::detect(bytes, bytes.len() as u64);
    assert!(
        detected
            .as_ref()
            .is_none_or(|wrapped| wrapped.head_size() <= bytes.len())
    );
    let Ok(envelope) = parsed else {
        return;
    };
    assert!(matches!(detected, Some(Wrapped::Envelope(detected)) if detected == envelope));
    assert_eq!([envelope.head(), envelope.payload()].concat(), bytes);
    let again = envelope.with_wrapped_key(envelope.wrapped_key());
    assert_eq!(again.as_deref(), Ok(bytes));
    let (head, _) = bytes.split_at(envelope.head().len());
    let start = Envelope::parse_start(head, bytes.len() as u64);
    assert_eq!(start.map(|start| start.head()), Ok(head));
}
