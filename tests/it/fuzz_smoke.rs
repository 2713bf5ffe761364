//! The laws of `fuzz/` on its seeds and on random changes of them. The emulator has
//! such a test for its law.

use std::{collections::BTreeSet, fs};

#[allow(unreachable_pub, reason = "the fuzzer's package shows it")]
#[path = "../../fuzz/src/input.rs"]
mod input;
#[allow(unreachable_pub, reason = "the fuzzer's package shows it")]
#[path = "../../fuzz/src/laws/mod.rs"]
mod laws;
#[cfg(feature = "scaleway")]
#[allow(unreachable_pub, reason = "the fuzzer's package shows it")]
#[path = "../../fuzz/src/service/mod.rs"]
mod service;
#[path = "../../fuzz/src/smoke.rs"]
mod smoke;

macro_rules! laws_hold {
    ($($(#[$cfg:meta])? $module:ident::$law:ident)+) => {
        $(
            $(#[$cfg])?
            #[test]
            fn $law() {
                smoke::run(env!("CARGO_MANIFEST_DIR"), stringify!($law), $module::$law::law);
            }
        )+

        /// Those above, and the one that the emulator's tests run.
        const LAWS: &[&str] = &[$(stringify!($law),)+ "emulator_requests"];
    };
}

laws_hold! {
    laws::ciphertext
    #[cfg(feature = "scaleway")]
    service::config_file
    laws::deriver
    laws::deterministic_aead
    laws::encrypted_keyset
    laws::envelope
    #[cfg(feature = "scaleway")]
    service::key_uri
    laws::keyset_binary
    laws::keyset_edits
    laws::keyset_json
    #[cfg(feature = "scaleway")]
    service::kms_answer
    laws::mac
    laws::prf
    laws::sealed_stream
    laws::stream
    laws::stream_damage
    laws::stream_positions
}

#[test]
fn every_target_has_a_law_and_every_law_a_target() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz");
    let laws: BTreeSet<String> = LAWS.iter().map(ToString::to_string).collect();
    let names_in = |part: &str| -> BTreeSet<String> {
        let files = fs::read_dir(format!("{folder}/{part}")).unwrap();
        let name = |file: fs::DirEntry| {
            file.path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        files.map(|file| name(file.unwrap())).collect()
    };
    assert_eq!(names_in("fuzz_targets"), laws);
    assert_eq!(names_in("seeds"), laws);
    let manifest = fs::read_to_string(format!("{folder}/Cargo.toml")).unwrap();
    let (_, targets) = manifest.split_once("[[bin]]").unwrap();
    let names = targets
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    assert_eq!(names.map(str::to_owned).collect::<BTreeSet<_>>(), laws);
}
