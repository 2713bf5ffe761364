//! Shared by the tests of load: a key behind a real socket, and the memory of this process.

use std::fs;

use keyseal::{
    SecretAccess,
    kms::scaleway::{ScalewayClient, ScalewayKey},
};
use keyseal_emulator::{Emulator, Server};

/// Serves an emulator on loopback; returns it with its server, and a new key by a client over HTTP.
pub(crate) fn served_key(name: &str) -> (Emulator, Server, ScalewayKey) {
    let emulator = Emulator::new().unwrap();
    let server = emulator.serve("127.0.0.1:0".parse().unwrap()).unwrap();
    let identity = emulator.identity();
    let client = ScalewayClient::builder()
        .api_url(&server.url())
        .secret_key(identity.secret_key(SecretAccess::insecure()))
        .region("fr-par")
        .build()
        .unwrap();
    let uri = format!("scw-kms://{}", emulator.seed_key(name).unwrap());
    let key = client.key(&uri.parse().unwrap()).unwrap();
    (emulator, server, key)
}

/// Returns the memory of this process in KiB, where the system tells.
pub(crate) fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
