//! The cost of a keyset handle, in turns with the bare call so that a noisy machine is noisy for
//! both: prints the median ratio of each pair, and fails where it is over the promise.
//!
//! The promise: at most 10 % at 16 bytes, and 3 % from 1 KiB; a failed decryption costs at most
//! 25 % more than a good one (it also makes an error and wipes the output).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark"
)]

mod bare;

use std::{hint::black_box, process::ExitCode, time::Instant};

use keyseal::{Aead as _, KeysetAead, KeysetHandle};

const ROUNDS: usize = 201;
const ASSOCIATED_DATA: [u8; 16] = [7; 16];
/// Size in bytes, calls in a round, promised ratio.
const SIZES: [(usize, u32, f64); 4] = [
    (16, 2000, 1.10),
    (1 << 10, 1000, 1.03),
    (64 << 10, 40, 1.03),
    (1 << 20, 3, 1.03),
];

/// Promised ratio of a failed decryption to a good one.
const REFUSE: f64 = 1.25;

fn main() -> ExitCode {
    // `cargo test --benches` runs this too, to see that it runs.
    let rounds = if std::env::args().any(|arg| arg == "--bench") {
        ROUNDS
    } else {
        3
    };
    let mut broken = 0;
    println!(
        "{:28} {:>8} {:>7} {:>7} {:>7}",
        "template", "bytes", "seal", "open", "refuse"
    );
    for (template, mut bare) in bare::cases() {
        let handle: KeysetAead = KeysetHandle::generate(template)
            .unwrap()
            .primitive()
            .unwrap();
        for (size, calls, promise) in SIZES {
            let plaintext = vec![0x5a; size];
            let sealed_bare = bare.seal(&plaintext, &ASSOCIATED_DATA);
            let sealed = handle.encrypt(&plaintext, &ASSOCIATED_DATA).unwrap();
            let seal = ratio(
                rounds,
                || {
                    time(calls, || {
                        drop(black_box(handle.encrypt(&plaintext, &ASSOCIATED_DATA)))
                    })
                },
                &mut bare,
                |bare| {
                    time(calls, || {
                        drop(black_box(bare.seal(&plaintext, &ASSOCIATED_DATA)))
                    })
                },
            );
            let open = ratio(
                rounds,
                || {
                    time(calls, || {
                        drop(black_box(handle.decrypt(&sealed, &ASSOCIATED_DATA)))
                    })
                },
                &mut bare,
                |bare| {
                    time(calls, || {
                        drop(black_box(bare.open(&sealed_bare, &ASSOCIATED_DATA)))
                    })
                },
            );
            let refuse = ratio(
                rounds,
                || {
                    time(calls, || {
                        drop(black_box(handle.decrypt(&sealed, b"other data")))
                    })
                },
                &mut (),
                |()| {
                    time(calls, || {
                        drop(black_box(handle.decrypt(&sealed, &ASSOCIATED_DATA)))
                    })
                },
            );
            println!("{template:28} {size:>8} {seal:>7.3} {open:>7.3} {refuse:>7.3}");
            broken += usize::from(seal > promise) + usize::from(open > promise);
            broken += usize::from(refuse > REFUSE);
        }
    }
    println!("{broken} of the ratios are over the promise");
    if rounds == ROUNDS && broken > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// The median of the ratios within one round.
fn ratio<B>(
    rounds: usize,
    mut handle: impl FnMut() -> f64,
    bare: &mut B,
    mut bare_call: impl FnMut(&mut B) -> f64,
) -> f64 {
    let mut ratios: Vec<f64> = (0..rounds)
        .map(|round| {
            if round % 2 == 0 {
                let handle = handle();
                handle / bare_call(bare)
            } else {
                let bare = bare_call(bare);
                handle() / bare
            }
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[rounds / 2]
}

fn time(calls: u32, mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed().as_secs_f64()
}
