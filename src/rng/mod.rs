//! Randomness: the only users of the system's generator.
//!
//! Keys are drawn from the operating system directly. Nonces, one for each message, come from a
//! ChaCha12 generator that each thread has, because a system call costs more than encrypting a
//! short message does. The system seeds that generator, again after every [`RESEED_AFTER`] bytes,
//! and again as soon as [`ForkGuard`] sees a second process with the same generator: the two would
//! draw the same nonces, and two AES-GCM messages under one nonce give the key away. The generator
//! is wiped on drop. ChaCha12 is what `rand` has for cryptographic use too; a nonce need only never
//! repeat.

mod fork;

use std::cell::RefCell;

use chacha20::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};
use zeroize::Zeroizing;

use self::fork::ForkGuard;
use crate::error::RandomError;

/// Bytes that a generator gives before the system seeds it again: about 1 ns for each message.
const RESEED_AFTER: usize = 4 << 10;
/// Bytes that are drawn at once.
const POOL: usize = 512;

/// Fills `secret` from the operating system. For keys, ids and seeds.
pub(crate) fn fill_secret(secret: &mut [u8]) -> Result<(), RandomError> {
    getrandom::fill(secret).map_err(|error| RandomError::new(&error))
}

/// Fills `nonce` from the thread's generator. For bytes that become public.
#[inline]
pub(crate) fn fill_nonce(nonce: &mut [u8]) -> Result<(), RandomError> {
    if nonce.is_empty() {
        // A deterministic cipher has none, and must not fail for want of randomness.
        return Ok(());
    }
    GENERATOR
        .try_with(|generator| match &mut *generator.borrow_mut() {
            Some(ready) => ready.fill(nonce),
            none => none.insert(Generator::new()?).fill(nonce),
        })
        // The thread is ending and its generator is gone.
        .unwrap_or_else(|_| fill_secret(nonce))
}

/// Returns a random number from 0 to 1, to keep callers apart in time. Without randomness it is 1,
/// which is harmless.
pub(crate) fn fraction() -> f64 {
    let mut bytes = [0xff; 4];
    let _ = fill_nonce(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

thread_local! {
    static GENERATOR: RefCell<Option<Generator>> = const { RefCell::new(None) };
}

struct Generator {
    rng: ChaCha12Rng,
    fork: ForkGuard,
    /// Bytes that `rng` may still give.
    left: usize,
    /// Bytes drawn at once, because drawing a few at a time costs more than all of them.
    pool: Zeroizing<[u8; POOL]>,
    /// Bytes of `pool` that are given away.
    given: usize,
}

impl Generator {
    fn new() -> Result<Self, RandomError> {
        // The guard first: a fork between the two must not go unseen.
        let fork = ForkGuard::new();
        Ok(Self {
            rng: seeded()?,
            fork,
            left: RESEED_AFTER,
            pool: Zeroizing::new([0; POOL]),
            given: POOL,
        })
    }

    #[inline]
    fn fill(&mut self, nonce: &mut [u8]) -> Result<(), RandomError> {
        if self.fork.detected_fork() {
            // The other process has the same generator and the same pool.
            self.left = 0;
            self.given = POOL;
        }
        if POOL - self.given < nonce.len() {
            self.draw()?;
        }
        match self.pool.get(self.given..self.given + nonce.len()) {
            Some(fresh) => nonce.copy_from_slice(fresh),
            // Longer than the pool.
            None => return fill_secret(nonce),
        }
        self.given += nonce.len();
        Ok(())
    }

    #[cold]
    fn draw(&mut self) -> Result<(), RandomError> {
        if self.left < POOL {
            self.rng = seeded()?;
            self.left = RESEED_AFTER;
        }
        self.rng.fill_bytes(&mut *self.pool);
        self.left -= POOL;
        self.given = 0;
        Ok(())
    }
}

fn seeded() -> Result<ChaCha12Rng, RandomError> {
    let mut seed = Zeroizing::new([0; 32]);
    fill_secret(&mut *seed)?;
    Ok(ChaCha12Rng::from_seed(*seed))
}
