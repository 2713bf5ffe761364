//! Runs over folders under a key of Key Manager: several requests at a time, patience, and an end
//! where every file would be refused.

use std::{
    fs,
    process::Output,
    time::{Duration, Instant},
};

use keyseal_emulator::{Fault, FaultRule, Operation};

use super::support::WithKms;

const FILES: usize = 200;
const LATENCY: Duration = Duration::from_millis(80);
/// One request after the other takes a third longer, on any machine.
const OVERLAPPED: Duration = Duration::from_secs(12);

fn with_files() -> WithKms {
    let kms = WithKms::new();
    fs::create_dir(kms.place.path("d")).unwrap();
    for n in 0..FILES {
        kms.place.write(&format!("d/{n}"), format!("file {n}"));
    }
    kms
}

fn run(kms: &WithKms, line: &str) -> (i32, String) {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let Output { status, stderr, .. } = kms.place.keyseal(&arguments).output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    (status.code().unwrap(), said)
}

fn calls(kms: &WithKms, operation: Operation) -> usize {
    let exchanges = kms.emulator.exchanges();
    let of_operation = exchanges
        .iter()
        .filter(|exchange| exchange.operation() == Some(operation));
    of_operation.count()
}

#[test]
fn requests_overlap_and_j_bounds_them() {
    let kms = with_files();
    kms.emulator.inject(FaultRule::new(Fault::Latency(LATENCY)));
    let start = Instant::now();
    let (exit, said) = run(&kms, &format!("encrypt -r d -o out --kek {}", kms.kek));
    let elapsed = start.elapsed();
    assert_eq!(exit, 0, "{said}");
    assert!(elapsed < OVERLAPPED, "{elapsed:?}");
    let start = Instant::now();
    let (exit, said) = run(
        &kms,
        &format!("decrypt -r out -o back -j 100 --kek {}", kms.kek),
    );
    assert_eq!(exit, 0, "{said}");
    assert!(start.elapsed() < OVERLAPPED);
    assert_eq!(kms.place.read("back/7"), b"file 7");
    // -j 1 is one after the other.
    fs::create_dir(kms.place.path("few")).unwrap();
    for n in 0..10 {
        kms.place.write(&format!("few/{n}"), "x");
    }
    let start = Instant::now();
    let (exit, _) = run(
        &kms,
        &format!("encrypt -r few -o out2 -j 1 --kek {}", kms.kek),
    );
    assert_eq!(exit, 0);
    assert!(start.elapsed() >= LATENCY * 10);
}

#[test]
fn a_run_is_patient_with_a_service_that_is_busy() {
    let kms = with_files();
    let busy = FaultRule::new(Fault::RateLimited).times(150);
    kms.emulator.inject(busy);
    let (exit, said) = run(&kms, &format!("encrypt -r d -o out --kek {}", kms.kek));
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains(&format!("encrypted {FILES} files")), "{said}");
}

#[test]
fn a_refusal_that_is_the_same_for_all_files_ends_the_run() {
    for (fault, code) in [
        (Fault::DeniedAuthentication, 6),
        (Fault::PermissionsDenied, 6),
    ] {
        let kms = with_files();
        kms.emulator.inject(FaultRule::new(fault.clone()));
        let (exit, said) = run(&kms, &format!("encrypt -r d -o out --kek {}", kms.kek));
        assert_eq!(exit, code, "{said}");
        let errors = said.lines().filter(|line| line.starts_with("error:"));
        assert_eq!(errors.count(), 1, "{said}");
        assert!(said.contains("not tried 1"), "{said}");
        assert!(calls(&kms, Operation::Encrypt) < 40);
        assert_eq!(kms.place.names("out"), [""; 0]);
    }
    // A disabled key has the same effect.
    let kms = with_files();
    kms.place.done(&["kek", "disable", &kms.kek]);
    let (exit, said) = run(&kms, &format!("encrypt -r d --in-place --kek {}", kms.kek));
    assert_eq!(exit, 6, "{said}");
    assert!(said.contains("not tried"), "{said}");
    assert_eq!(kms.place.read("d/7"), b"file 7");
}

#[test]
fn re_wrapping_skips_what_is_newest_and_encrypts_nothing_for_a_dry_run() {
    let kms = with_files();
    let kek = kms.kek.clone();
    assert_eq!(
        run(
            &kms,
            &format!("encrypt -r d -o tree --no-stream --kek {kek}")
        )
        .0,
        0
    );
    let (exit, _) = run(
        &kms,
        &format!("encrypt d/0 -o tree/stream --stream --kek {kek}"),
    );
    assert_eq!(exit, 0);
    let create = format!("keyset create --template AES256_GCM --keyset-kek {kek} -o tree/k.json");
    assert_eq!(run(&kms, &create).0, 0);
    let all = FILES + 2;
    let encrypted = calls(&kms, Operation::Encrypt);

    // Everything is under the newest version.
    let rewrap = format!("rewrap -r tree --in-place --kek {kek}");
    let (exit, said) = run(&kms, &rewrap);
    assert_eq!(exit, 0, "{said}");
    assert!(
        said.contains(&format!("re-wrapped 0 files (0 bytes), skipped {all}")),
        "{said}"
    );
    let (exit, said) = run(&kms, &format!("rewrap tree/k.json --in-place --kek {kek}"));
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("is under the newest version"), "{said}");

    kms.place.done(&["kek", "rotate", &kek]);
    let before = kms.place.read("tree/7.sealed");
    let (exit, said) = run(&kms, &format!("{rewrap} --dry-run"));
    assert_eq!(exit, 0, "{said}");
    assert!(
        said.contains(&format!("would re-wrap {all} files")),
        "{said}"
    );
    assert_eq!(kms.place.read("tree/7.sealed"), before);

    // An interrupted run resumes.
    let (exit, said) = run(
        &kms,
        &format!("rewrap tree/7.sealed --in-place --kek {kek}"),
    );
    assert_eq!(exit, 0, "{said}");
    let (exit, said) = run(&kms, &rewrap);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("skipped 1"), "{said}");
    // Each time, the ciphertext that decryption returned was used.
    assert_eq!(calls(&kms, Operation::Encrypt), encrypted);

    // Another key: each file costs a decryption and an encryption.
    let other = kms.place.done(&["kek", "create", "--name", "other", "-q"]);
    let other = String::from_utf8(other.stdout).unwrap();
    let to = format!("{rewrap} --to {}", other.trim());
    assert_eq!(run(&kms, &format!("{to} --dry-run")).0, 0);
    assert_eq!(calls(&kms, Operation::Encrypt), encrypted);
    assert_eq!(run(&kms, &to).0, 0);
    assert_eq!(calls(&kms, Operation::Encrypt), encrypted + all);
    let (exit, said) = run(&kms, &to);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains(&format!("skipped {all}")), "{said}");
    fs::remove_file(kms.place.path("tree/k.json")).unwrap();
    let decrypt = format!("decrypt -r tree -o back --kek {}", other.trim());
    let (exit, said) = run(&kms, &decrypt);
    assert_eq!(exit, 0, "{said}");
    assert_eq!(kms.place.read("back/7"), b"file 7");
}
