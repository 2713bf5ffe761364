//! An allocator that looks into every block before it is freed.

#![expect(unsafe_code, reason = "an allocator cannot be written without")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use crate::needles::{self, WINDOW};

#[global_allocator]
static ALLOCATOR: Scanning = Scanning;

static HITS: AtomicUsize = AtomicUsize::new(0);
static SCANNED: AtomicUsize = AtomicUsize::new(0);

/// Blocks that are kept because the key that may be in them is not yet known.
static KEPT: Mutex<Kept> = Mutex::new(Kept {
    len: 0,
    blocks: [(0, 0, 0); MAX_KEPT],
});
static KEEPING: AtomicBool = AtomicBool::new(false);
const MAX_KEPT: usize = 1 << 14;

struct Kept {
    len: usize,
    /// Address, size and alignment.
    blocks: [(usize, usize, usize); MAX_KEPT],
}

thread_local! {
    static REPORTING: Cell<bool> = const { Cell::new(false) };
}

/// Returns the number of freed blocks that held a secret, and starts again from none.
pub(crate) fn take_hits() -> usize {
    HITS.swap(0, Relaxed)
}

/// Returns the number of bytes that were looked at so far.
pub(crate) fn scanned() -> usize {
    SCANNED.load(Relaxed)
}

/// Frees nothing while `work` runs, lets `learn` say what to look for, then looks and frees.
pub(crate) fn keep_while<T>(work: impl FnOnce() -> T, learn: impl FnOnce(&T)) -> T {
    KEEPING.store(true, Relaxed);
    let made = work();
    KEEPING.store(false, Relaxed);
    learn(&made);
    let mut kept = KEPT.lock().unwrap();
    for at in 0..std::mem::take(&mut kept.len) {
        let (address, size, align) = kept.blocks[at];
        let block = std::ptr::with_exposed_provenance_mut(address);
        let layout = Layout::from_size_align(size, align).unwrap();
        // SAFETY: `dealloc` was given this block with this layout, and did not free it.
        unsafe { scan_and_free(block, layout) };
    }
    made
}

struct Scanning;

// SAFETY: every block comes from `System` with the layout it was asked for, and goes back to it
// with the same layout, once: `dealloc` either frees it or keeps it for `keep_while` to free.
unsafe impl GlobalAlloc for Scanning {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that anything found was written by the owner of the block.
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if KEEPING.load(Relaxed) {
            let mut kept = KEPT.lock().unwrap();
            let len = kept.len;
            kept.blocks[len] = (block.expose_provenance(), layout.size(), layout.align());
            kept.len += 1;
            return;
        }
        // SAFETY: the caller gives a block of this allocator and its layout.
        unsafe { scan_and_free(block, layout) };
    }

    // `realloc` is the provided one: a new block, a copy, and `dealloc` of the old block.
}

/// # Safety
/// `block` came from `System` with `layout` and was not yet freed.
unsafe fn scan_and_free(block: *mut u8, layout: Layout) {
    if needles::count() > 0 {
        SCANNED.fetch_add(layout.size(), Relaxed);
        let mut window = 0;
        for at in 0..layout.size() {
            // SAFETY: `at` is inside of the block. The read is volatile because its owner may
            // have left bytes of it uninitialized; `alloc` had initialized them all.
            let byte = unsafe { block.add(at).read_volatile() };
            window = window >> 8 | u64::from(byte) << 56;
            if at + 1 >= WINDOW && needles::has(window) {
                HITS.fetch_add(1, Relaxed);
                report(at, layout.size());
                break;
            }
        }
    }
    // SAFETY: this function's own contract.
    unsafe { System.dealloc(block, layout) };
}

/// Prints who frees a secret, when `KEYSEAL_FREED_BACKTRACE` is set.
fn report(at: usize, size: usize) {
    if REPORTING.replace(true) {
        return;
    }
    if std::env::var_os("KEYSEAL_FREED_BACKTRACE").is_some() {
        let backtrace = std::backtrace::Backtrace::force_capture();
        eprintln!("a secret ends at byte {at} of a block of {size}, freed here:\n{backtrace}");
    }
    REPORTING.set(false);
}
