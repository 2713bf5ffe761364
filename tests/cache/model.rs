//! Random calls against a model of every limit, by a clock that only the test moves.

use std::{collections::BTreeMap, time::Duration};

use keyseal::{
    Envelope, KmsEnvelopeAead, RemoteAead,
    envelope::{CachePolicy, DecryptCache, EncryptCache},
};
use proptest::{prelude::*, sample::select};

use crate::support::{Kek, ManualTimer, at_once};

const MAX_MESSAGES: u64 = 5;
const MAX_BYTES: u64 = 64;
const MAX_AGE: u64 = 1000;
const MAX_PARTITIONS: usize = 2;
const MAX_ENTRIES: usize = 3;

/// A key that encrypts, as the model sees it.
#[derive(Clone, Debug)]
struct ModelDek {
    head: Vec<u8>,
    messages: u64,
    bytes: u64,
    expires: u64,
}

#[derive(Default)]
struct SealingModel {
    now: u64,
    wraps: usize,
    /// By partition, with the time of the last use.
    deks: BTreeMap<u8, (u64, Option<ModelDek>)>,
}

/// The envelope that the cache must make of a message.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Head(Vec<u8>),
    NewHead,
}

impl SealingModel {
    fn encrypt(&mut self, partition: u8, size: u64) -> Expected {
        if !self.deks.contains_key(&partition) && self.deks.len() == MAX_PARTITIONS {
            let oldest = self.deks.iter().min_by_key(|(_, (used, _))| *used);
            let oldest = *oldest.unwrap().0;
            self.deks.remove(&oldest);
        }
        let (used, dek) = self.deks.entry(partition).or_default();
        *used = self.now;
        if size > MAX_BYTES {
            self.wraps += 1;
            return Expected::NewHead;
        }
        match dek {
            Some(known)
                if self.now < known.expires
                    && known.messages < MAX_MESSAGES
                    && known.bytes + size <= MAX_BYTES =>
            {
                known.messages += 1;
                known.bytes += size;
                Expected::Head(known.head.clone())
            }
            _ => {
                self.wraps += 1;
                Expected::NewHead
            }
        }
    }

    fn learn(&mut self, partition: u8, head: &[u8], size: u64) {
        if size <= MAX_BYTES {
            let dek = ModelDek {
                head: head.to_vec(),
                messages: 1,
                bytes: size,
                expires: self.now + MAX_AGE,
            };
            self.deks.get_mut(&partition).unwrap().1 = Some(dek);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Encrypt { partition: u8, size: u64 },
    Pass { millis: u64 },
    Decrypt { message: usize },
    Purge,
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let sizes = select(vec![0, 1, 10, 30, 63, 64, 65, 100]);
    let step = prop_oneof![
        6 => (0..3_u8, sizes).prop_map(|(partition, size)| Step::Encrypt { partition, size }),
        2 => select(vec![1_u64, 500, 999, 1000, 1001]).prop_map(|millis| Step::Pass { millis }),
        6 => (0..6_usize).prop_map(|message| Step::Decrypt { message }),
        1 => Just(Step::Purge),
        1 => Just(Step::Clear),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    #[test]
    fn every_limit_of_encryption_is_as_the_model_says(steps in steps()) {
        let (kek, timer) = (Kek::new(), ManualTimer::shared());
        let policy = EncryptCache::new()
            .jitter(0.0)
            .max_messages(MAX_MESSAGES)
            .max_bytes(MAX_BYTES)
            .max_age(Duration::from_millis(MAX_AGE))
            .max_partitions(MAX_PARTITIONS);
        let aead = KmsEnvelopeAead::new(kek.clone(), "AES128_GCM").unwrap();
        let policy = CachePolicy::new().encrypt(policy).timer(timer.clone());
        let aead = aead.cached(policy).unwrap();
        let mut model = SealingModel::default();
        for step in steps {
            // Each use at a different time: the order of uses decides who makes room.
            timer.advance(Duration::from_millis(1));
            model.now += 1;
            match step {
                Step::Encrypt { partition, size } => {
                    let expected = model.encrypt(partition, size);
                    let partitioned = aead.partition([partition]);
                    let message = vec![7; usize::try_from(size).unwrap()];
                    let message = at_once(partitioned.encrypt(&message, b"")).unwrap();
                    let head = Envelope::parse(&message).unwrap().head();
                    match expected {
                        Expected::Head(known) => prop_assert_eq!(head, known),
                        Expected::NewHead => model.learn(partition, head, size),
                    }
                }
                Step::Pass { millis } => {
                    timer.advance(Duration::from_millis(millis));
                    model.now += millis;
                }
                Step::Purge => aead.purge_expired(),
                Step::Clear => {
                    aead.clear();
                    model.deks.values_mut().for_each(|(_, dek)| *dek = None);
                }
                Step::Decrypt { .. } => {}
            }
            prop_assert_eq!(kek.encryptions(), model.wraps);
            prop_assert_eq!(aead.stats().wraps as usize, model.wraps);
            prop_assert_eq!(aead.stats().partitions, model.deks.len());
        }
    }

    #[test]
    fn every_limit_of_decryption_is_as_the_model_says(steps in steps()) {
        let (kek, timer) = (Kek::new(), ManualTimer::shared());
        let plain = KmsEnvelopeAead::new(kek.clone(), "AES128_GCM").unwrap();
        let messages: Vec<Vec<u8>> = (0..6_u8)
            .map(|number| at_once(plain.encrypt(&[number], b"")).unwrap())
            .collect();
        let policy = DecryptCache::new()
            .jitter(0.0)
            .max_entries(MAX_ENTRIES)
            .max_age(Duration::from_millis(MAX_AGE));
        let policy = CachePolicy::new().decrypt(policy).timer(timer.clone());
        let aead = plain.cached(policy).unwrap();
        let mut now = 0;
        // By message: the last use, and the end.
        let mut kept: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        let mut calls = 0;
        for step in steps {
            timer.advance(Duration::from_millis(1));
            now += 1;
            match step {
                Step::Decrypt { message } => {
                    let opened = at_once(aead.decrypt(&messages[message], b"")).unwrap();
                    prop_assert_eq!(opened, [message as u8]);
                    match kept.get_mut(&message) {
                        Some((used, end)) if now < *end => *used = now,
                        known => {
                            calls += 1;
                            if known.is_none() && kept.len() == MAX_ENTRIES {
                                let oldest = kept.iter().min_by_key(|(_, (used, _))| *used);
                                let oldest = *oldest.unwrap().0;
                                kept.remove(&oldest);
                            }
                            kept.insert(message, (now, now + MAX_AGE));
                        }
                    }
                }
                Step::Pass { millis } => {
                    timer.advance(Duration::from_millis(millis));
                    now += millis;
                }
                Step::Purge => {
                    aead.purge_expired();
                    kept.retain(|_, (_, end)| now < *end);
                }
                Step::Clear => {
                    aead.clear();
                    kept.clear();
                }
                Step::Encrypt { .. } => {}
            }
            prop_assert_eq!(kek.decryptions(), calls);
            prop_assert_eq!(aead.stats().decrypt_entries, kept.len());
        }
    }
}
