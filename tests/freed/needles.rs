//! The bytes to search for: every eight consecutive bytes of a secret, raw and as text.
//!
//! The table is masked, and no function here keeps a window longer than it must: a scan of the
//! whole memory must not find the table, nor what made it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use zeroize::{Zeroize as _, Zeroizing};

use crate::{canary::texts, expanded};

/// Bytes of a window.
pub(crate) const WINDOW: usize = 8;

const MASK: u64 = 0x9e37_79b9_7f4a_7c15;
const SLOTS: usize = 1 << 15;

/// An open hash table: 0 is an empty slot.
static TABLE: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Looks for all windows of `secret` from now on, and of what is computed from it.
pub(crate) fn add(secret: &[u8]) {
    add_made(|| vec![Zeroizing::new(secret.to_vec())]);
}

/// Does the same with secrets that are made here.
///
/// In another thread, so that no register of this one keeps a part. When the dynamic linker
/// first binds a function, it saves the registers on the stack, where the search would find them.
pub(crate) fn add_made(make: impl FnOnce() -> Vec<Zeroizing<Vec<u8>>> + Send) {
    let adding = || {
        in_own_frame(|| make().iter().for_each(|secret| add_all(secret)));
        crate::wipe_stack();
    };
    std::thread::scope(|scope| scope.spawn(adding).join()).unwrap();
}

/// Runs `work` in a separate frame, which is wiped.
#[inline(never)]
fn in_own_frame(work: impl FnOnce()) {
    work();
}

fn add_all(secret: &[u8]) {
    assert!(secret.len() >= WINDOW);
    add_windows(secret);
    // HMAC keeps its key with one of these over it.
    for pad in [0x36, 0x5c] {
        let mut padded: Vec<u8> = secret.iter().map(|byte| byte ^ pad).collect();
        add_windows(&padded);
        padded.zeroize();
    }
    for mut text in texts(secret) {
        add_windows(&text);
        text.zeroize();
    }
    for expanded in expanded::of(secret) {
        add_windows(&expanded);
    }
}

/// Looks for nothing any more.
pub(crate) fn clear() {
    for slot in &TABLE {
        slot.store(0, Relaxed);
    }
    COUNT.store(0, Relaxed);
}

/// Looks for nothing any more, and returns the masked table to look again later.
#[cfg(feature = "cache")]
pub(crate) fn take() -> Vec<u64> {
    let taken = TABLE.iter().map(|slot| slot.load(Relaxed)).collect();
    clear();
    taken
}

/// Looks only for the windows of a table that was taken.
#[cfg(feature = "cache")]
pub(crate) fn put(taken: Vec<u64>) {
    clear();
    for (slot, masked) in TABLE.iter().zip(taken) {
        slot.store(masked, Relaxed);
    }
}

pub(crate) fn count() -> usize {
    COUNT.load(Relaxed)
}

/// Returns whether this is a window of a secret.
#[inline]
pub(crate) fn has(window: u64) -> bool {
    let masked = window ^ MASK;
    let mut at = slot(masked);
    loop {
        match TABLE[at].load(Relaxed) {
            0 => return false,
            found if found == masked => return true,
            _ => at = (at + 1) % SLOTS,
        }
    }
}

fn add_windows(secret: &[u8]) {
    for window in secret.windows(WINDOW) {
        let masked = u64::from_le_bytes(window.try_into().unwrap()) ^ MASK;
        let mut at = slot(masked);
        while ![0, masked].contains(&TABLE[at].load(Relaxed)) {
            at = (at + 1) % SLOTS;
        }
        TABLE[at].store(masked, Relaxed);
        let count = COUNT.fetch_add(1, Relaxed);
        assert!(count < SLOTS / 4, "more secrets than the table is for");
    }
}

#[inline]
fn slot(masked: u64) -> usize {
    (masked.wrapping_mul(0xff51_afd7_ed55_8ccd) >> 49) as usize
}
