//! Refuses to build messages that are older than `proto/*.proto`.
//!
//! `crates/keyseal-proto` translates those files to `src/wire/proto.rs`, which is checked in: a
//! compiler for them would be more than half of the build.

use std::{
    env,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
};

/// Precedes the digest on the first line of the translation.
pub(crate) const DIGEST: &str = "Translated from proto/*.proto, whose digest is ";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    // How deep the stack is that a cipher uses: see `src/secret.rs`.
    match env::var("OPT_LEVEL")?.as_str() {
        "0" => println!("cargo:rustc-cfg=unoptimized"),
        "2" | "3" => {}
        _ => println!("cargo:rustc-cfg=little_optimized"),
    }
    // Where processes share counters of nonces: see `src/rng/fork.rs`, and Cargo.toml for the crate,
    // which maps memory on 64 bits alone.
    let is_linux = ["android", "linux"].contains(&env::var("CARGO_CFG_TARGET_OS")?.as_str());
    if is_linux && env::var("CARGO_CFG_TARGET_POINTER_WIDTH")? == "64" {
        println!("cargo:rustc-cfg=shared_counters");
    }
    println!("cargo:rerun-if-changed=src/wire/proto.rs");
    let digest = format!("{DIGEST}{}", digest(&protos(Path::new("proto"))?)?);
    if fs::read_to_string("src/wire/proto.rs")?.lines().next() != Some(&format!("// {digest}")) {
        return Err("proto/*.proto changed: translate it again with \
                    `KEYSEAL_BLESS=1 cargo test --package keyseal-proto`"
            .into());
    }
    Ok(())
}

/// Returns the `.proto` files of a folder, in the order of their names.
pub(crate) fn protos(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut protos = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            protos.push(path);
        }
    }
    protos.sort();
    Ok(protos)
}

/// Returns the 64-bit FNV-1a digest of files: names and contents. A guard against forgetting, not
/// against an attacker.
pub(crate) fn digest(files: &[PathBuf]) -> io::Result<String> {
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for file in files {
        let name = file.file_name().unwrap_or_default().as_encoded_bytes();
        let contents = fs::read(file)?;
        for byte in name.iter().chain(&contents).filter(|byte| **byte != b'\r') {
            digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    Ok(format!("{digest:016x}"))
}
