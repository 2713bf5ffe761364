//! The peak memory of streams, measured by the system, in a separate process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    fs,
    io::{self, Read, Write},
    num::NonZeroUsize,
    thread,
};

use keyseal::{KeysetHandle, KeysetStreamingAead, StreamingAead as _, streaming};

const MIB: u64 = 1 << 20;
/// Four times the memory limit, and cheap enough for a build without optimization.
const SIZE: u64 = 128 * MIB;

/// The most memory that this process has had at any time, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.unwrap().trim().parse::<u64>().unwrap() * 1024
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> u64 {
    let mut buf = vec![0; 128 << 10];
    let mut copied = 0;
    loop {
        match from.read(&mut buf).unwrap() {
            0 => return copied,
            len => to.write_all(&buf[..len]).unwrap(),
        }
        copied += buf.len() as u64;
    }
}

#[test]
fn memory_is_flat() {
    let aead: KeysetStreamingAead = KeysetHandle::generate("AES256_GCM_HKDF_1MB")
        .unwrap()
        .primitive()
        .unwrap();

    // A writer and a reader at the same time, with a pipe between them.
    let (receiver, sender) = io::pipe().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = aead.encrypting_writer(sender, b"").unwrap();
            copy(&mut io::repeat(7).take(SIZE), &mut writer);
            writer.finish().unwrap();
        });
        let mut reader = aead.decrypting_reader(receiver, b"");
        assert_eq!(io::copy(&mut reader, &mut io::sink()).unwrap(), SIZE);
    });
    assert!(peak() < 32 * MIB, "one after the other: {}", peak());

    let (plain, sealed, opened) = (file(), file(), file());
    copy(&mut io::repeat(7).take(SIZE), &mut &plain);
    let threads = NonZeroUsize::new(4).unwrap();
    let sealer = aead.sealer(b"").unwrap();
    streaming::encrypt_parallel(sealer, &plain, &sealed, threads).unwrap();
    let size = streaming::decrypt_parallel(aead.opener(b""), &sealed, &opened, threads).unwrap();
    assert_eq!(size, SIZE);
    let most = (32 + 4 * threads.get() as u64) * MIB;
    assert!(peak() < most, "in threads: {}", peak());
}

fn file() -> fs::File {
    tempfile::tempfile().unwrap()
}
