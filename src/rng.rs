//! Randomness: the only users of the system's generator.
//!
//! Keys are drawn from the operating system directly. Nonces, one for each message, come from a
//! ChaCha20 generator of the thread's own, because a system call costs more than encrypting a
//! short message does. That generator is seeded by the system, seeded anew after [`RESEED_AFTER`]
//! bytes, wiped on drop, and seeded anew when the process has forked: two processes with the same
//! state would draw the same nonces, and two AES-GCM messages under one nonce give the key away.

use std::cell::RefCell;

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use zeroize::Zeroizing;

use crate::error::RandomError;

/// Bytes that a generator gives before it is seeded anew.
const RESEED_AFTER: usize = 1 << 20;

/// Fills `secret` from the operating system. For keys, ids and seeds.
pub(crate) fn fill_secret(secret: &mut [u8]) -> Result<(), RandomError> {
    Ok(getrandom::fill(secret)?)
}

/// Fills `nonce` from the thread's generator. For what is public anyway.
#[inline]
pub(crate) fn fill_nonce(nonce: &mut [u8]) -> Result<(), RandomError> {
    GENERATOR
        .try_with(|generator| match &mut *generator.borrow_mut() {
            Some(ready) => ready.fill(nonce),
            none => none.insert(Generator::new()?).fill(nonce),
        })
        // The thread is ending and its generator is gone.
        .unwrap_or_else(|_| fill_secret(nonce))
}

thread_local! {
    static GENERATOR: RefCell<Option<Generator>> = const { RefCell::new(None) };
}

struct Generator {
    rng: ChaCha20Rng,
    fork: ForkGuard,
    left: usize,
}

impl Generator {
    fn new() -> Result<Self, RandomError> {
        // The guard first: a fork between the two must not go unseen.
        let fork = ForkGuard::new();
        Ok(Self {
            rng: seeded()?,
            fork,
            left: RESEED_AFTER,
        })
    }

    #[inline]
    fn fill(&mut self, nonce: &mut [u8]) -> Result<(), RandomError> {
        if self.fork.detected_fork() || self.left < nonce.len() {
            self.rng = seeded()?;
            self.left = RESEED_AFTER;
        }
        self.left = self.left.saturating_sub(nonce.len());
        self.rng.fill_bytes(nonce);
        Ok(())
    }
}

fn seeded() -> Result<ChaCha20Rng, RandomError> {
    let mut seed = Zeroizing::new([0; 32]);
    fill_secret(&mut *seed)?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

/// Sees a `fork`: by a handler where one can be installed, else by the process id.
enum ForkGuard {
    #[cfg(unix)]
    Handler(forkguard::atfork::Guard),
    #[cfg(unix)]
    ProcessId(forkguard::pid::Guard),
    #[cfg(not(unix))]
    NoFork,
}

impl ForkGuard {
    #[cfg(unix)]
    fn new() -> Self {
        forkguard::atfork::Guard::try_new().map_or_else(
            |_| Self::ProcessId(forkguard::pid::Guard::default()),
            Self::Handler,
        )
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self::NoFork
    }

    #[inline]
    fn detected_fork(&mut self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Handler(guard) => guard.detected_fork(),
            #[cfg(unix)]
            Self::ProcessId(guard) => guard.detected_fork(),
            #[cfg(not(unix))]
            Self::NoFork => false,
        }
    }
}
