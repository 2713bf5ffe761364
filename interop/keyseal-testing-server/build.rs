//! Compiles `proto/testing_api.proto` without `protoc`, and finds out the version of keyseal.

use std::{error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["proto/testing_api.proto"], ["proto"])?;
    // The clients are for the tests of the server.
    tonic_prost_build::configure().compile_fds(files)?;

    let manifest = "../../Cargo.toml";
    println!("cargo:rerun-if-changed={manifest}");
    let manifest = fs::read_to_string(manifest)?;
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = "));
    let version = version.ok_or("no version in the crate's manifest")?;
    println!(
        "cargo:rustc-env=KEYSEAL_VERSION={}",
        version.trim_matches('"')
    );
    Ok(())
}
