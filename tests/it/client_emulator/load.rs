//! Many calls at once through one client.

use std::fs;

use keyseal::{KmsEnvelopeAead, RemoteAead, emulator::Emulator, kms::scaleway::CreateKey};

use super::{client_of, create, serve};

const MESSAGES: u32 = 1000;
/// What a round may add to the memory of the process, in KiB: noise of the allocator.
const NOISE: u64 = 16 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_envelopes_at_once_share_connections_and_memory_stays_flat() {
    let emulator = Emulator::new().unwrap();
    let server = serve(&emulator);
    let client = client_of(&emulator, &server).build().unwrap();
    let kek = create(&client, CreateKey::aes_256_gcm()).await;
    let aead = KmsEnvelopeAead::new(kek, "AES256_GCM").unwrap();
    let mut resident = Vec::new();
    for _ in 0..4 {
        let tasks: Vec<_> = (0..MESSAGES)
            .map(|number| {
                let aead = aead.clone();
                tokio::spawn(async move {
                    let plaintext = number.to_be_bytes().repeat(250);
                    let ciphertext = aead.encrypt(&plaintext, b"data").await.unwrap();
                    assert_eq!(aead.decrypt(&ciphertext, b"data").await.unwrap(), plaintext);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        resident.extend(resident_kib());
    }
    // 64 requests are under way at a time, and each connection carries one.
    assert!(
        server.connections() <= 64 + 8,
        "{} connections",
        server.connections()
    );
    if let [_, second, .., last] = resident[..] {
        assert!(last < second + NOISE, "{resident:?} KiB");
    }
}

/// Returns the memory of this process in KiB, where the system tells.
fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
