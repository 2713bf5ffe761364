//! The conformance suite: a good implementation passes, and each bad one fails for its own reason.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use aes_gcm::{Aes256Gcm, KeyInit as _, aead::Aead as _, aead::Payload};
use keyseal::{
    BoxFuture, KmsError, KmsErrorKind, RemoteAead,
    kms::{
        KmsClient,
        testkit::{check_kms_client, check_remote_aead},
    },
};

type Outcome = Result<Vec<u8>, KmsError>;

/// AES-256-GCM in memory, with a counter for a nonce, and with at most one fault.
struct Memory {
    cipher: Aes256Gcm,
    counter: AtomicU64,
    busy: AtomicBool,
    fault: Fault,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    RefusesEmpty,
    FixedNonce,
    IgnoresAssociatedData,
    KeepsPlaintextVisible,
    OpensDamaged,
    TellsAssociatedData,
    WrongKind,
    EmptyIsRateLimited,
    StaysBusyAfterCancellation,
    Mangles,
}

impl Memory {
    fn new(fault: Fault) -> Self {
        let cipher = Aes256Gcm::new(&[7; 32].into());
        Self {
            cipher,
            counter: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            fault,
        }
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        if self.fault != Fault::FixedNonce {
            let count = self.counter.fetch_add(1, Ordering::Relaxed);
            nonce[..8].copy_from_slice(&count.to_be_bytes());
        }
        nonce
    }

    fn bound<'a>(&self, associated_data: &'a [u8]) -> &'a [u8] {
        if self.fault == Fault::IgnoresAssociatedData {
            b""
        } else {
            associated_data
        }
    }

    fn seal(&self, plaintext: &[u8], associated_data: &[u8]) -> Outcome {
        match (plaintext, self.fault) {
            ([], Fault::RefusesEmpty) => return Err(KmsErrorKind::InvalidInput.into()),
            ([], Fault::EmptyIsRateLimited) => return Err(KmsErrorKind::RateLimited.into()),
            _ => {}
        }
        let nonce = self.nonce();
        let payload = Payload {
            msg: plaintext,
            aad: self.bound(associated_data),
        };
        let body = self.cipher.encrypt(&nonce.into(), payload).unwrap();
        let visible = if self.fault == Fault::KeepsPlaintextVisible {
            plaintext
        } else {
            b""
        };
        Ok([&nonce, &body[..], visible].concat())
    }

    fn open(&self, ciphertext: &[u8], associated_data: &[u8]) -> Outcome {
        let failed = match self.fault {
            Fault::TellsAssociatedData => KmsError::new(KmsErrorKind::DecryptionFailed)
                .with_message(String::from_utf8_lossy(associated_data)),
            Fault::WrongKind => KmsErrorKind::Unavailable.into(),
            _ => KmsErrorKind::DecryptionFailed.into(),
        };
        let Some((nonce, body)) = ciphertext.split_first_chunk::<12>() else {
            return Err(failed);
        };
        if self.fault == Fault::KeepsPlaintextVisible {
            let size = body.len().saturating_sub(16) / 2;
            let payload = Payload {
                msg: &body[..body.len() - size],
                aad: associated_data,
            };
            return self
                .cipher
                .decrypt(&(*nonce).into(), payload)
                .map_err(|_| failed);
        }
        let payload = Payload {
            msg: body,
            aad: self.bound(associated_data),
        };
        match self.cipher.decrypt(&(*nonce).into(), payload) {
            Ok(plaintext) if self.fault == Fault::Mangles => Ok([&plaintext[..], b"!"].concat()),
            Ok(plaintext) => Ok(plaintext),
            Err(_) if self.fault == Fault::OpensDamaged => Ok(b"whatever".to_vec()),
            Err(_) => Err(failed),
        }
    }

    /// Waits once, so that there is a moment in which a call can be dropped.
    async fn once<T>(&self, work: impl FnOnce() -> Result<T, KmsError>) -> Result<T, KmsError> {
        if self.fault == Fault::StaysBusyAfterCancellation
            && self.busy.swap(true, Ordering::Relaxed)
        {
            return Err(KmsErrorKind::Conflict.into());
        }
        tokio::task::yield_now().await;
        self.busy.store(false, Ordering::Relaxed);
        work()
    }
}

impl RemoteAead for Memory {
    fn encrypt<'a>(&'a self, plaintext: &'a [u8], aad: &'a [u8]) -> BoxFuture<'a, Outcome> {
        Box::pin(self.once(|| self.seal(plaintext, aad)))
    }

    fn decrypt<'a>(&'a self, ciphertext: &'a [u8], aad: &'a [u8]) -> BoxFuture<'a, Outcome> {
        Box::pin(self.once(|| self.open(ciphertext, aad)))
    }
}

#[tokio::test]
async fn a_good_implementation_passes() {
    for fault in [Fault::None, Fault::RefusesEmpty] {
        check_remote_aead(&Memory::new(fault)).await.unwrap();
    }
}

#[tokio::test]
async fn each_bad_implementation_fails_for_its_own_reason() {
    for (fault, reason) in [
        (
            Fault::FixedNonce,
            "encrypting the same twice gives two ciphertexts",
        ),
        (
            Fault::IgnoresAssociatedData,
            "bytes of associated data instead of",
        ),
        (
            Fault::KeepsPlaintextVisible,
            "a ciphertext hides its plaintext",
        ),
        (
            Fault::OpensDamaged,
            "damage is noticed, and was not: a bit of byte",
        ),
        (Fault::TellsAssociatedData, "errors tell no inputs"),
        (Fault::WrongKind, "damage does not go away"),
        (
            Fault::EmptyIsRateLimited,
            "a service without empty plaintexts says `InvalidInput`",
        ),
        (
            Fault::StaysBusyAfterCancellation,
            "after calls that were cancelled",
        ),
        (Fault::Mangles, "what was encrypted is what is decrypted"),
    ] {
        let violations = check_remote_aead(&Memory::new(fault)).await.unwrap_err();
        assert!(
            violations.to_string().contains(reason),
            "{reason}: {violations}"
        );
        assert!(!violations.list().is_empty());
    }
}

/// Says of a URI whether it is malformed, or foreign.
type Accepts = fn(&str) -> Option<bool>;

/// Keys in memory, found by URIs of which a fault changes the reading.
struct Memories {
    keys: Mutex<HashMap<String, Arc<Memory>>>,
    accepts: Accepts,
}

impl Memories {
    fn new(accepts: Accepts) -> Self {
        Self {
            keys: Mutex::default(),
            accepts,
        }
    }
}

impl KmsClient for Memories {
    fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
        if !(self.accepts)(key_uri)? {
            return Some(Err(KmsErrorKind::InvalidUri.into()));
        }
        let mut keys = self.keys.lock().unwrap();
        let new = || Arc::new(Memory::new(Fault::None));
        Some(Ok(
            Arc::clone(keys.entry(key_uri.to_owned()).or_insert_with(new)) as _,
        ))
    }
}

const GOOD: &str = "memory-kms://key/1";
const BAD: &[&str] = &["memory-kms://", "memory-kms://key/"];

#[tokio::test]
async fn a_good_client_passes_and_gives_its_key() {
    let client = Memories::new(|uri| {
        let rest = uri.strip_prefix("memory-kms://")?;
        Some(
            rest.strip_prefix("key/")
                .is_some_and(|name| !name.is_empty()),
        )
    });
    let key = check_kms_client(&client, GOOD, BAD).unwrap();
    check_remote_aead(&key).await.unwrap();
}

#[test]
fn each_bad_client_fails_for_its_own_reason() {
    let cases: [(Accepts, &str); 4] = [
        (
            |_| Some(true),
            "a URI with another scheme is not for this client",
        ),
        (
            |uri| uri.starts_with("memory-kms://").then_some(true),
            "must be an error",
        ),
        (
            |uri| (uri == GOOD).then_some(true),
            "must be an error and not `None`",
        ),
        (|_| None, "the good URI is served, but was `None`"),
    ];
    for (accepts, reason) in cases {
        let violations = check_kms_client(&Memories::new(accepts), GOOD, BAD)
            .err()
            .unwrap();
        assert!(
            violations.to_string().contains(reason),
            "{reason}: {violations}"
        );
    }
}
