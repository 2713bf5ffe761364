//! Runs a law with the inputs in `fuzz/seeds`, and with random changes of them, without a fuzzer.
//!
//! The changes are the same in each run, and few. With `KEYSEAL_FUZZ_SECONDS=10` they take that long
//! for each law, and with another number as `KEYSEAL_FUZZ_SEED` they are others. An input that breaks
//! a law is in the test's message.

use std::{
    env, fs,
    path::Path,
    time::{Duration, Instant},
};

/// The most random inputs for each law.
const RUNS: usize = 300;
/// The fewest, however slow the machine is.
const MIN_RUNS: usize = 30;
/// The time after which there are no more than the fewest.
const TIME: Duration = Duration::from_secs(2);

/// Runs a law. `folder` is that of the package whose test this is.
#[allow(clippy::print_stdout, reason = "a longer run says what it did")]
pub(crate) fn run(folder: &str, name: &str, law: fn(&[u8])) {
    let above = Path::new(folder)
        .ancestors()
        .map(|folder| folder.join("fuzz/seeds").join(name));
    let seeds: Vec<Vec<u8>> = above
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .map(|file| fs::read(file.expect("a folder is read").path()).expect("a seed is a file"))
        .collect();
    assert!(
        (2..100).contains(&seeds.len()),
        "{name} has {} seeds",
        seeds.len()
    );
    assert!(
        seeds.iter().all(|seed| seed.len() <= 4096),
        "a seed of {name} is long"
    );
    let seconds = number("KEYSEAL_FUZZ_SECONDS").map(Duration::from_secs);
    let goes_on = |runs: usize, spent: Duration| match seconds {
        Some(seconds) => spent < seconds,
        None => runs < MIN_RUNS || runs < RUNS && spent < TIME,
    };
    // An xorshift generator is stuck at zero.
    let seed = number("KEYSEAL_FUZZ_SEED").unwrap_or_default();
    let mut random = seed.wrapping_add(0x9e37_79b9_7f4a_7c15).max(1);
    let start = Instant::now();
    for seed in &seeds {
        check(name, law, seed);
    }
    let mut below = move |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % bound.max(1) as u64) as usize
    };
    let mut runs = 0;
    while goes_on(runs, start.elapsed()) {
        runs += 1;
        let mut bytes = seeds[below(seeds.len())].clone();
        for _ in 0..=below(4) {
            let at = below(bytes.len() + 1);
            match below(6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, below(256) as u8),
                2 => bytes.extend_from_slice(&seeds[below(seeds.len())]),
                3 if at < bytes.len() => drop(bytes.remove(at)),
                4 if at < bytes.len() => bytes[at] = below(256) as u8,
                _ if at < bytes.len() => bytes[at] ^= 1 << below(8),
                _ => {}
            }
        }
        check(name, law, &bytes);
    }
    println!("{name}: {} seeds, {runs} changes of them", seeds.len());
}

/// Reads a number from the environment.
fn number(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number")),
    )
}

/// Names the input that breaks a law.
fn check(name: &str, law: fn(&[u8]), bytes: &[u8]) {
    if std::panic::catch_unwind(|| law(bytes)).is_err() {
        panic!("{name} is broken by \"{}\"", bytes.escape_ascii());
    }
}
