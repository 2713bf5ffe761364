//! The cost of an envelope with a cached key above the local AEAD of the same key type, in turns so
//! that a noisy machine is noisy for both; and the throughput of two threads against one.
//!
//! The promise: at most 250 ns more at 16 bytes and at 1 KiB, and 1.8 times as much with two threads.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark"
)]

use std::{
    hint::black_box,
    pin::pin,
    sync::Barrier,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use keyseal::{
    Aead as _, KeysetAead, KeysetHandle, KmsEnvelopeAead, RemoteAead,
    envelope::{CachePolicy, CachedEnvelopeAead, DecryptCache, EncryptCache},
    kms::LocalKek,
};

const ASSOCIATED_DATA: [u8; 16] = [7; 16];

fn main() {
    // `cargo test --benches` runs this too, to see that it runs.
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let (rounds, calls) = if is_bench { (101, 20_000) } else { (3, 100) };
    let plain: KeysetAead = KeysetHandle::generate("AES256_GCM_RAW")
        .unwrap()
        .primitive()
        .unwrap();
    let cached = cached();
    println!(
        "{:10} {:>6} {:>10} {:>10} {:>10} {:>12} {:>12}",
        "operation", "bytes", "plain ns", "cached ns", "more ns", "2 threads", "(plain)"
    );
    for size in [16, 1024] {
        let plaintext = vec![0x5a; size];
        let sealed_plain = plain.encrypt(&plaintext, &ASSOCIATED_DATA).unwrap();
        let sealed = at_once(cached.encrypt(&plaintext, &ASSOCIATED_DATA)).unwrap();
        let encrypt_plain = || drop(black_box(plain.encrypt(&plaintext, &ASSOCIATED_DATA)));
        let encrypt = || {
            drop(black_box(at_once(
                cached.encrypt(&plaintext, &ASSOCIATED_DATA),
            )))
        };
        report("encrypt", size, rounds, calls, &encrypt_plain, &encrypt);
        let decrypt_plain = || drop(black_box(plain.decrypt(&sealed_plain, &ASSOCIATED_DATA)));
        let decrypt = || {
            drop(black_box(at_once(
                cached.decrypt(&sealed, &ASSOCIATED_DATA),
            )))
        };
        report("decrypt", size, rounds, calls, &decrypt_plain, &decrypt);
    }
}

fn cached() -> CachedEnvelopeAead {
    let kek = LocalKek::new(&KeysetHandle::generate("AES256_GCM").unwrap()).unwrap();
    let policy = CachePolicy::new()
        .encrypt(EncryptCache::new().max_messages(1 << 32))
        .decrypt(DecryptCache::new());
    let aead = KmsEnvelopeAead::new(kek, "AES256_GCM").unwrap();
    aead.cached(policy).unwrap()
}

fn report(
    operation: &str,
    size: usize,
    rounds: usize,
    calls: u32,
    plain: &(dyn Fn() + Sync),
    cached: &(dyn Fn() + Sync),
) {
    let mut times: Vec<(f64, f64, f64, f64)> = Vec::new();
    for _ in 0..rounds {
        let [one_plain, one] = [plain, cached].map(|call| time(calls, 1, call));
        let [two_plain, two] = [plain, cached].map(|call| time(calls, 2, call));
        times.push((one_plain, one, 2.0 * one / two, 2.0 * one_plain / two_plain));
    }
    let median = |number: fn(&(f64, f64, f64, f64)) -> f64| {
        let mut numbers: Vec<f64> = times.iter().map(number).collect();
        numbers.sort_by(f64::total_cmp);
        numbers.get(numbers.len() / 2).copied().unwrap_or_default()
    };
    println!(
        "{operation:10} {size:>6} {:>10.0} {:>10.0} {:>10.0} {:>11.2}x {:>11.2}x",
        median(|time| time.0),
        median(|time| time.1),
        median(|time| time.1 - time.0),
        median(|time| time.2),
        median(|time| time.3),
    );
}

/// Returns the nanoseconds that a call takes in each of `threads` threads, all at once.
fn time(calls: u32, threads: usize, call: &(dyn Fn() + Sync)) -> f64 {
    let start = Barrier::new(threads);
    let run = || -> Duration {
        start.wait();
        let begin = Instant::now();
        for _ in 0..calls {
            call();
        }
        begin.elapsed()
    };
    let slowest = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .max()
    });
    slowest.unwrap_or_default().as_nanos() as f64 / f64::from(calls)
}

/// Polls once: a cached key is there at once.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
