//! Many calls at once through one client. It has its own binary, because other tests take memory too.

#![allow(clippy::unwrap_used, reason = "tests")]

mod load;

use keyseal::{KmsEnvelopeAead, RemoteAead};
use load::{resident_kib, served_key};

const MESSAGES: u32 = 1000;
/// Noise of the allocator: how many KiB a round may add to the memory of the process.
const NOISE: u64 = 16 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_envelopes_at_once_share_connections_and_memory_stays_flat() {
    let (_, server, kek) = served_key("load");
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
    // 64 requests are under way at a time, and each connection carries one. A few are opened again
    // while another is on its way back to the pool.
    let connections = server.connections();
    assert!(
        connections <= 128,
        "{connections} connections for 8,000 calls"
    );
    if let [_, second, .., last] = resident[..] {
        assert!(last < second + NOISE, "{resident:?} KiB");
    }
}
