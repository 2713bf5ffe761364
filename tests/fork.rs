//! Two processes never draw the same nonce: not after a fork, nor after two.
#![cfg(unix)]
#![allow(unsafe_code, clippy::unwrap_used, reason = "a test that forks")]

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _, pipe},
    sync::Mutex,
};

use keyseal::{Aead as _, KeysetAead, KeysetHandle};

/// More than a generator draws at once, so that it is refilled as well.
const NONCES: usize = 100;

/// A lock of the allocator that another thread holds would stay locked in the copy.
static ALONE: Mutex<()> = Mutex::new(());

/// Copies this process: 0 in the copy, its id here.
type CopyProcess = fn() -> i32;

/// Every way in which a process is copied. The last two run no handler of the C library.
const WAYS: [(&str, CopyProcess); 3] = [("fork", fork), ("_Fork", bare_fork), ("clone", clone)];

#[test]
fn parent_child_and_grandchild_draw_different_nonces() {
    let _alone = ALONE.lock().unwrap();
    for (way, copy) in WAYS {
        // Before the copy, and after it: with a state that is fresh, half used, and used up.
        for drawn_before in [0, 1, 50, 3 * NONCES] {
            let aead: KeysetAead = KeysetHandle::generate("AES256_GCM_RAW")
                .unwrap()
                .primitive()
                .unwrap();
            let mut seen: BTreeSet<_> = (0..drawn_before).map(|_| nonce(&aead)).collect();
            let (mut reader, mut writer) = pipe().unwrap();

            let child = copy();
            if child == 0 {
                // A child of this one too, so that the guard is seen to work twice.
                let grandchild = copy();
                let drawn: Vec<u8> = (0..NONCES).flat_map(|_| nonce(&aead)).collect();
                let wrote = writer.write_all(&drawn).is_ok();
                let waited = grandchild == 0 || wait(grandchild);
                exit(if wrote && waited { 0 } else { 1 });
            }
            drop(writer);
            seen.extend((0..NONCES).map(|_| nonce(&aead)));
            let mut drawn = Vec::new();
            reader.read_to_end(&mut drawn).unwrap();
            assert!(wait(child));
            assert_eq!(drawn.len(), 2 * NONCES * 12);
            seen.extend(
                drawn
                    .chunks_exact(12)
                    .map(|nonce| <[u8; 12]>::try_from(nonce).unwrap()),
            );
            assert_eq!(
                seen.len(),
                drawn_before + 3 * NONCES,
                "two processes drew the same nonce after {way}"
            );
        }
    }
}

/// More threads than there are counters: those that share one see forks that never were.
#[test]
fn many_threads_draw_different_nonces() {
    let _alone = ALONE.lock().unwrap();
    let aead: KeysetAead = KeysetHandle::generate("AES256_GCM_RAW")
        .unwrap()
        .primitive()
        .unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..30 {
        let drawn: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..20)
                .map(|_| scope.spawn(|| [(); NONCES].map(|()| nonce(&aead))))
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        seen.extend(drawn);
    }
    assert_eq!(seen.len(), 30 * 20 * NONCES);
}

fn nonce(aead: &KeysetAead) -> [u8; 12] {
    *aead.encrypt(b"", b"").unwrap().first_chunk().unwrap()
}

fn fork() -> i32 {
    // SAFETY: the child allocates, writes to a pipe and exits; the C library keeps its allocator
    // usable across a fork.
    let id = unsafe { libc::fork() };
    assert!(id >= 0, "fork failed");
    id
}

// On 32 bits a copy that passes `fork` by is not noticed, as SECURITY.md says.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn bare_fork() -> i32 {
    unsafe extern "C" {
        fn _Fork() -> libc::pid_t;
    }
    // SAFETY: as for `fork`. No other thread holds a lock of the allocator: the tests take turns.
    let id = unsafe { _Fork() };
    assert!(id >= 0, "_Fork failed");
    id
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn clone() -> i32 {
    // SAFETY: as for `fork`: with no flags but the signal at its end, the child has a copy of the
    // memory and no other thread.
    let id = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    assert!(id >= 0, "clone failed");
    i32::try_from(id).unwrap()
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
use fork as bare_fork;
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
use fork as clone;

fn wait(child: i32) -> bool {
    let mut status = 0;
    // SAFETY: `status` is a place for the outcome, and `child` a child of this process.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    waited == child && status == 0
}

fn exit(code: i32) -> ! {
    // SAFETY: ends the child without running what belongs to the test harness.
    unsafe { libc::_exit(code) }
}
