//! Checks an implementation of [`RemoteAead`] or [`KmsClient`] against the laws of the trait.
//!
//! If you write one, call the check in a test, on any runtime that the implementation needs. All
//! violations are reported together, each with the law that it breaks.
//!
//! [`FakeKmsClient`] replaces a service in tests, as in the other Tinks.
//!
//! # Example
//! ```no_run
//! use keyseal::{RemoteAead, kms::{KmsClient, testkit}};
//!
//! # async fn example(client: &dyn KmsClient) -> Result<(), Box<dyn std::error::Error>> {
//! let key = testkit::check_kms_client(client, "my-kms://key/1", &["my-kms://", "my-kms://key/"])?;
//! testkit::check_remote_aead(&key).await?;
//! # Ok(())
//! # }
//! ```

mod fake_kms;

use std::{error::Error, fmt, future::poll_fn, sync::Arc, task::Poll};

pub use fake_kms::FakeKmsClient;

use super::KmsClient;
use crate::{
    error::{KmsError, KmsErrorKind},
    remote::{BoxFuture, RemoteAead},
};

/// Lengths of plaintexts that every service accepts: around the block sizes of ciphers, up to 4
/// KiB.
const PLAINTEXT_SIZES: [usize; 9] = [1, 2, 15, 16, 17, 32, 66, 1000, 4096];
/// The number of concurrent calls.
const CONCURRENT_CALLS: u8 = 16;
/// The number of positions at which a ciphertext is damaged, one after the other.
const DAMAGED_PLACES: usize = 64;
/// Bytes that must not appear in an error.
const CANARY: &[u8] = b"canary-8d1f0c5b7e2a";

/// The laws that an implementation breaks. Its `Display` has one line for each violation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations(Vec<String>);

impl Violations {
    /// Returns the violations, one sentence for each.
    #[must_use]
    pub fn list(&self) -> &[String] {
        &self.0
    }

    fn check(&mut self, holds: bool, law: impl FnOnce() -> String) {
        if !holds {
            self.0.push(law());
        }
    }

    fn result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} violations", self.0.len())?;
        self.0.iter().try_for_each(|law| write!(f, "\n- {law}"))
    }
}

impl Error for Violations {}

/// Checks that `client` recognises its own key URIs, and refuses malformed ones.
///
/// `good` names an existing key. Each of `bad` has this client's scheme and is malformed. Returns
/// the key that `good` names, for [`check_remote_aead`].
///
/// # Errors
/// [`Violations`]: the laws that it breaks.
pub fn check_kms_client(
    client: &dyn KmsClient,
    good: &str,
    bad: &[&str],
) -> Result<Arc<dyn RemoteAead>, Violations> {
    let mut violations = Violations::default();

    let scheme = good.split_once("://").map_or(good, |(scheme, _)| scheme);
    let foreign = [
        String::new(),
        "://".to_owned(),
        format!("x{good}"),
        format!(" {good}"),
        format!("{scheme}x://key"),
        format!("{scheme}:"),
        "keyseal-testkit://key".to_owned(),
    ];
    for uri in foreign {
        violations.check(client.remote_aead(&uri).is_none(), || {
            format!("a URI with another scheme is not for this client: `{uri}` must be `None`")
        });
    }
    for uri in bad {
        let law = match client.remote_aead(uri) {
            Some(Err(error)) => {
                violations.check(!error.is_retryable(), || {
                    format!("a malformed URI stays malformed: `{uri}` must not be retryable")
                });
                continue;
            }
            Some(Ok(_)) => "must be an error",
            None => "must be an error and not `None`, for it has the scheme of this client",
        };
        violations.check(false, || {
            format!("a malformed URI is refused: `{uri}` {law}")
        });
    }
    let key = match client.remote_aead(good) {
        Some(Ok(key)) => Some(key),
        Some(Err(error)) => {
            violations.check(false, || format!("the good URI is served, but: {error}"));
            None
        }
        None => {
            violations.check(false, || {
                "the good URI is served, but was `None`".to_owned()
            });
            None
        }
    };
    violations.result()?;
    key.ok_or_else(Violations::default)
}

/// Checks that `aead` is an AEAD, fails as it should, and can be cancelled.
///
/// Makes about 150 calls, each of which a service may charge for.
///
/// # Errors
/// [`Violations`]: the laws that it breaks.
pub async fn check_remote_aead(aead: &dyn RemoteAead) -> Result<(), Violations> {
    let mut violations = Violations::default();
    round_trips(aead, &mut violations).await;
    // Without a working round trip, all later checks would fail for that reason alone.
    violations.clone().result()?;
    is_randomized(aead, &mut violations).await;
    binds_associated_data(aead, &mut violations).await;
    notices_damage(aead, &mut violations).await;
    refuses_or_takes_empty_plaintext(aead, &mut violations).await;
    serves_concurrent_calls(aead, &mut violations).await;
    survives_cancellation(aead, &mut violations).await;
    violations.result()
}

async fn round_trips(aead: &dyn RemoteAead, violations: &mut Violations) {
    let every_byte: Vec<u8> = (0..=255).collect();
    for associated_data in [&b""[..], b"context", &every_byte] {
        for size in PLAINTEXT_SIZES {
            let plaintext: Vec<u8> = every_byte.iter().copied().cycle().take(size).collect();
            let outcome = round_trip(aead, &plaintext, associated_data).await;
            let name = format!(
                "{size} bytes with {} bytes of associated data",
                associated_data.len()
            );
            match outcome {
                Ok(opened) => violations.check(opened == plaintext, || {
                    format!("what was encrypted is what is decrypted: {name} came back different")
                }),
                Err(error) => violations.check(false, || {
                    format!("what was encrypted can be decrypted: {name} failed: {error}")
                }),
            }
        }
    }
}

async fn is_randomized(aead: &dyn RemoteAead, violations: &mut Violations) {
    let (first, second) = (
        aead.encrypt(CANARY, b"").await,
        aead.encrypt(CANARY, b"").await,
    );
    if let (Ok(first), Ok(second)) = (first, second) {
        violations.check(first != second, || {
            "encrypting the same twice gives two ciphertexts, and gave one".to_owned()
        });
        violations.check(!contains(&first, CANARY), || {
            "a ciphertext hides its plaintext, and contained it".to_owned()
        });
    }
}

async fn binds_associated_data(aead: &dyn RemoteAead, violations: &mut Violations) {
    for (sealed_with, opened_with) in [
        (CANARY, &b"other"[..]),
        (CANARY, b""),
        (b"", CANARY),
        (CANARY, CANARY.split_at(1).1),
    ] {
        let Ok(ciphertext) = aead.encrypt(b"plaintext", sealed_with).await else {
            continue;
        };
        let outcome = aead.decrypt(&ciphertext, opened_with).await;
        must_not_open(violations, outcome, || {
            format!(
                "{} bytes of associated data instead of {}",
                opened_with.len(),
                sealed_with.len()
            )
        });
    }
}

async fn notices_damage(aead: &dyn RemoteAead, violations: &mut Violations) {
    let Ok(ciphertext) = aead.encrypt(CANARY, CANARY).await else {
        return;
    };
    let step = ciphertext.len().div_ceil(DAMAGED_PLACES).max(1);
    for at in (0..ciphertext.len()).step_by(step) {
        let mut damaged = ciphertext.clone();
        if let Some(byte) = damaged.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        let outcome = aead.decrypt(&damaged, CANARY).await;
        must_not_open(violations, outcome, || {
            format!("a bit of byte {at} flipped")
        });
    }
    let longer = [&ciphertext[..], b"\0"].concat();
    let half = ciphertext.len() / 2;
    let cut = |end: usize| ciphertext.get(..end).unwrap_or_default();
    for (damaged, name) in [
        (&longer[..], "a byte more"),
        (cut(ciphertext.len() - 1), "the last byte missing"),
        (cut(half), "half of it missing"),
        (cut(1), "all but a byte missing"),
        (&[], "nothing left"),
    ] {
        let outcome = aead.decrypt(damaged, CANARY).await;
        must_not_open(violations, outcome, || name.to_owned());
    }
}

async fn refuses_or_takes_empty_plaintext(aead: &dyn RemoteAead, violations: &mut Violations) {
    match aead.encrypt(b"", CANARY).await {
        Err(error) => violations.check(error.kind() == KmsErrorKind::InvalidInput, || {
            format!("a service without empty plaintexts says `InvalidInput`, and said: {error}")
        }),
        Ok(ciphertext) => {
            let opened = aead.decrypt(&ciphertext, CANARY).await;
            violations.check(opened.is_ok_and(|opened| opened.is_empty()), || {
                "an empty plaintext that was encrypted can be decrypted".to_owned()
            });
        }
    }
}

async fn serves_concurrent_calls(aead: &dyn RemoteAead, violations: &mut Violations) {
    let plaintexts: Vec<[u8; 32]> = (0..CONCURRENT_CALLS).map(|number| [number; 32]).collect();
    let calls = plaintexts
        .iter()
        .map(|plaintext| -> BoxFuture<'_, _> { Box::pin(round_trip(aead, plaintext, CANARY)) });
    let outcomes = join(calls.collect()).await;
    for (plaintext, outcome) in plaintexts.iter().zip(outcomes) {
        violations.check(outcome.is_ok_and(|opened| opened == plaintext), || {
            format!("{CONCURRENT_CALLS} calls at once do not disturb each other, and did")
        });
    }
}

async fn survives_cancellation(aead: &dyn RemoteAead, violations: &mut Violations) {
    for _ in 0..CONCURRENT_CALLS {
        // Polled once: the call acquires its first resources and is then dropped.
        let mut call = aead.encrypt(CANARY, CANARY);
        poll_fn(|context| {
            let _ = call.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
        drop(call);
        // Never polled at all.
        drop(aead.decrypt(CANARY, CANARY));
    }
    let outcome = round_trip(aead, CANARY, CANARY).await;
    violations.check(outcome.is_ok_and(|opened| opened == CANARY), || {
        "after calls that were cancelled the next one succeeds, and did not".to_owned()
    });
}

async fn round_trip(
    aead: &dyn RemoteAead,
    plaintext: &[u8],
    associated_data: &[u8],
) -> Result<Vec<u8>, KmsError> {
    let ciphertext = aead.encrypt(plaintext, associated_data).await?;
    aead.decrypt(&ciphertext, associated_data).await
}

fn must_not_open(
    violations: &mut Violations,
    outcome: Result<Vec<u8>, KmsError>,
    damage: impl Fn() -> String,
) {
    let Err(error) = outcome else {
        violations.check(false, || {
            format!("damage is noticed, and was not: {}", damage())
        });
        return;
    };
    let kinds = [KmsErrorKind::DecryptionFailed, KmsErrorKind::InvalidInput];
    violations.check(kinds.contains(&error.kind()), || {
        format!(
            "damage is `DecryptionFailed` or `InvalidInput`: {} was: {error}",
            damage()
        )
    });
    violations.check(!error.is_retryable(), || {
        format!("damage does not go away: {} was retryable", damage())
    });
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    violations.check(!contains(text.as_bytes(), CANARY), || {
        format!("errors tell no inputs: {} told one", damage())
    });
}

/// Polls all of `calls` until all are done.
async fn join<T>(mut calls: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut outcomes: Vec<Option<T>> = calls.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (call, outcome) in calls.iter_mut().zip(&mut outcomes) {
            if outcome.is_none()
                && let Poll::Ready(done) = call.as_mut().poll(context)
            {
                *outcome = Some(done);
            }
        }
        if outcomes.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    outcomes.into_iter().flatten().collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
