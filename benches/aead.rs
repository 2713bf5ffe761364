//! Seal and open through a keyset handle, beside the bare call of the provider crate.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark"
)]

mod bare;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use keyseal::{Aead as _, Key, KeysetAead, KeysetHandle};

const SIZES: [usize; 4] = [16, 1 << 10, 64 << 10, 1 << 20];
const ASSOCIATED_DATA: [u8; 16] = [7; 16];

fn seal(c: &mut Criterion) {
    for (template, mut bare) in bare::cases() {
        let handle: KeysetAead = KeysetHandle::generate(template)
            .unwrap()
            .primitive()
            .unwrap();
        let mut group = c.benchmark_group(format!("seal/{template}"));
        for size in SIZES {
            let plaintext = vec![0x5a; size];
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_with_input(
                BenchmarkId::new("bare", size),
                &plaintext,
                |b, plaintext| {
                    b.iter(|| bare.seal(plaintext, &ASSOCIATED_DATA));
                },
            );
            group.bench_with_input(
                BenchmarkId::new("handle", size),
                &plaintext,
                |b, plaintext| {
                    b.iter(|| handle.encrypt(plaintext, &ASSOCIATED_DATA).unwrap());
                },
            );
        }
        group.finish();
    }
}

fn open(c: &mut Criterion) {
    for (template, mut bare) in bare::cases() {
        let handle: KeysetAead = KeysetHandle::generate(template)
            .unwrap()
            .primitive()
            .unwrap();
        let mut group = c.benchmark_group(format!("open/{template}"));
        for size in SIZES {
            let plaintext = vec![0x5a; size];
            group.throughput(Throughput::Bytes(size as u64));
            let sealed = bare.seal(&plaintext, &ASSOCIATED_DATA);
            group.bench_with_input(BenchmarkId::new("bare", size), &sealed, |b, sealed| {
                b.iter(|| bare.open(sealed, &ASSOCIATED_DATA));
            });
            let sealed = handle.encrypt(&plaintext, &ASSOCIATED_DATA).unwrap();
            group.bench_with_input(BenchmarkId::new("handle", size), &sealed, |b, sealed| {
                b.iter(|| handle.decrypt(sealed, &ASSOCIATED_DATA).unwrap());
            });
            group.bench_with_input(BenchmarkId::new("refused", size), &sealed, |b, sealed| {
                b.iter(|| handle.decrypt(sealed, b"other data").unwrap_err());
            });
        }
        group.finish();
    }
}

fn make(c: &mut Criterion) {
    let mut group = c.benchmark_group("make");
    for keys in [1, 100, 10_000] {
        let mut keyset = KeysetHandle::generate("AES256_GCM").unwrap();
        for _ in 1..keys {
            keyset.add(Key::generate("AES256_GCM").unwrap()).unwrap();
        }
        group.bench_with_input(BenchmarkId::new("keys", keys), &keyset, |b, keyset| {
            b.iter(|| keyset.primitive::<KeysetAead>().unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, seal, open, make);
criterion_main!(benches);
