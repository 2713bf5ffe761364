//! Two processes never draw the same nonce: not after a fork, nor after two.
#![cfg(unix)]
#![allow(unsafe_code, clippy::unwrap_used, reason = "a test that forks")]

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _, pipe},
};

use keyseal::{Aead as _, KeysetAead, KeysetHandle};

/// More than a generator draws at once, so that it is refilled as well.
const NONCES: usize = 100;

#[test]
fn parent_child_and_grandchild_draw_different_nonces() {
    let aead: KeysetAead = KeysetHandle::generate("AES256_GCM_RAW")
        .unwrap()
        .primitive()
        .unwrap();
    // From here on the thread's generator has a state that a fork copies.
    let mut seen = BTreeSet::from([nonce(&aead)]);
    let (mut reader, mut writer) = pipe().unwrap();

    let child = fork();
    if child == 0 {
        // A child of this one too, so that the guard is seen to work twice.
        let grandchild = fork();
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
        1 + 3 * NONCES,
        "two processes drew the same nonce"
    );
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
