//! The remaining use of a data-encryption key: a number of messages and of bytes.

use super::sync::{AtomicU64, Mutex, Ordering, lock};

/// The most messages that a stripe holds. A lease is also at most a fraction of the rest, so
/// that the stripes share the last messages.
const LEASE: u64 = 1024;
/// A stripe's word has its messages above its bytes.
const BYTES_BITS: u32 = 40;
const MAX_LEASED_BYTES: u64 = (1 << BYTES_BITS) - 1;

/// Messages and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// A number of messages and of bytes, of which any number of threads take.
///
/// Exact: it never gives more, and refuses a message only if that message is too much for the
/// rest in all places together.
///
/// # Speed
/// Two threads that write to the same cache line take longer than a short message takes to encrypt.
/// So each thread takes from a stripe, which holds a lease of some messages and bytes.
pub(super) struct Budget {
    total: Amount,
    /// The part that is leased to no stripe. Only its holder adds to a stripe.
    left: Mutex<Amount>,
    stripes: Box<[Stripe]>,
}

/// Apart from its neighbours: processors fetch two lines of 64 bytes at a time.
#[repr(align(128))]
#[derive(Default)]
struct Stripe(AtomicU64);

/// A message was taken out of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// It was the last message, or one of the last that several threads took together.
    pub(super) last: bool,
    /// Less than half of the messages or bytes are left. It is noticed with some delay.
    pub(super) low: bool,
}

impl Budget {
    /// `stripes` is a power of two.
    pub(super) fn new(total: Amount, stripes: usize) -> Self {
        Self {
            total,
            left: Mutex::new(total),
            stripes: (0..stripes).map(|_| Stripe::default()).collect(),
        }
    }

    /// Takes one message of `bytes` bytes, or nothing if there is too little left.
    pub(super) fn take(&self, bytes: u64, thread: usize) -> Option<Taken> {
        let stripe = self.stripe(thread)?;
        let left = stripe.take(bytes);
        if left.is_some_and(|left| left.messages > 0) {
            return Some(Taken {
                last: false,
                low: false,
            });
        }
        let taken = left.is_some();
        self.take_or_lease(stripe, bytes, taken)
    }

    /// Takes a message that the stripe cannot give, or looks after one that was its last.
    #[cold]
    fn take_or_lease(&self, stripe: &Stripe, bytes: u64, taken: bool) -> Option<Taken> {
        let mut left = lock(&self.left);
        left.add(stripe.revoke());
        if !taken && !left.covers(bytes) {
            // It may be lent to other stripes.
            self.revoke_all(&mut left);
            if !left.covers(bytes) {
                return None;
            }
        }
        if !taken {
            left.messages -= 1;
            left.bytes -= bytes;
        }
        if left.messages == 0 {
            self.revoke_all(&mut left);
        }
        let last = left.messages == 0;
        let low = left.messages < self.total.messages / 2 || left.bytes < self.total.bytes / 2;
        let lease = left.lease(self.stripes.len() as u64);
        left.messages -= lease.messages;
        left.bytes -= lease.bytes;
        stripe.grant(lease);
        Some(Taken { last, low })
    }

    fn revoke_all(&self, left: &mut Amount) {
        for stripe in &self.stripes {
            left.add(stripe.revoke());
        }
    }

    /// Returns the use so far.
    pub(super) fn used(&self) -> Amount {
        let left = lock(&self.left);
        let mut rest = *left;
        for stripe in &self.stripes {
            rest.add(unpack(stripe.0.load(Ordering::Relaxed)));
        }
        Amount {
            messages: self.total.messages - rest.messages,
            bytes: self.total.bytes - rest.bytes,
        }
    }

    fn stripe(&self, thread: usize) -> Option<&Stripe> {
        self.stripes.get(thread & (self.stripes.len() - 1))
    }
}

impl Amount {
    const fn covers(self, bytes: u64) -> bool {
        self.messages > 0 && self.bytes >= bytes
    }

    const fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }

    /// Returns the share of one stripe.
    fn lease(self, stripes: u64) -> Self {
        let part = stripes * 4;
        Self {
            messages: (self.messages / part).min(LEASE),
            bytes: (self.bytes / part).min(MAX_LEASED_BYTES),
        }
    }
}

impl Stripe {
    /// Takes one message, and returns the rest of the stripe.
    fn take(&self, bytes: u64) -> Option<Amount> {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let left = unpack(seen);
            if !left.covers(bytes) {
                return None;
            }
            let left = Amount {
                messages: left.messages - 1,
                bytes: left.bytes - bytes,
            };
            // Relaxed: the word guards no other memory.
            let exchanged = self.0.compare_exchange_weak(
                seen,
                pack(left),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match exchanged {
                Ok(_) => return Some(left),
                Err(changed) => seen = changed,
            }
        }
    }

    /// Takes the lease back.
    fn revoke(&self) -> Amount {
        unpack(self.0.swap(0, Ordering::Relaxed))
    }

    /// Gives a lease to a stripe that has none. Nobody else does so: the caller holds the lock.
    fn grant(&self, lease: Amount) {
        self.0.store(pack(lease), Ordering::Relaxed);
    }
}

const fn pack(amount: Amount) -> u64 {
    amount.messages << BYTES_BITS | amount.bytes
}

const fn unpack(word: u64) -> Amount {
    Amount {
        messages: word >> BYTES_BITS,
        bytes: word & MAX_LEASED_BYTES,
    }
}
