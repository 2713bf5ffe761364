//! What a small input makes the readers allocate is small.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that watches the allocator"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use keyseal::{
    KeysetAead, KeysetHandle, SecretAccess,
    keyset::{self, Format, KeysetFile},
};

/// Bytes that a reader may ask for, all together, for an input of at most 100.
const MAX: usize = 64 << 10;

struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending counts no more.
        let _ = ASKED.try_with(|asked| asked.set(asked.get().saturating_add(layout.size())));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_hundred_bytes_never_allocate_a_megabyte() {
    let kek: KeysetAead = KeysetHandle::generate("AES128_GCM_RAW")
        .unwrap()
        .primitive()
        .unwrap();
    let binary = KeysetHandle::generate("AES128_GCM")
        .unwrap()
        .write_cleartext(Format::Binary, SecretAccess::insecure());
    let binary = binary.expose(SecretAccess::insecure());
    assert!(binary.len() <= 100);
    let mut inputs = vec![
        // Lengths and sizes that promise far more than there is.
        vec![0x12, 0xff, 0xff, 0xff, 0xff, 0x0f],
        vec![0x0a, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        [0x12, 0].repeat(50),
        [0x13].repeat(100),
        b"[".repeat(100),
        b"{\"key\":".repeat(14),
        b"{\"key\":[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]}"
            .to_vec(),
    ];
    for at in 0..binary.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = binary.to_vec();
            changed[at] ^= change;
            inputs.push(changed);
        }
    }
    for input in &inputs {
        assert!(input.len() <= 100);
        for format in [Format::Binary, Format::Json] {
            let access = SecretAccess::insecure();
            let readers: [&dyn Fn(); 5] = [
                &|| drop(KeysetHandle::read_cleartext(input, format, access)),
                &|| drop(KeysetHandle::read_encrypted(input, format, &kek, b"")),
                &|| drop(KeysetHandle::read_no_secret(input, format)),
                &|| drop(KeysetFile::recognize(input)),
                &|| drop(keyset::lint(input)),
            ];
            for (which, read) in readers.iter().enumerate() {
                ASKED.set(0);
                read();
                let asked = ASKED.get();
                assert!(asked <= MAX, "reader {which}, {input:02x?}: {asked} bytes");
            }
        }
    }
}
