//! Throughput of streams in memory: by template, one thread and two, and the start of a stream.

use std::{
    hint::black_box,
    io::{self, BufRead as _, Write as _},
    num::NonZeroUsize,
};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use keyseal::{
    KeysetHandle, KeysetStreamingAead, Provider, StreamingAead,
    streaming::{self, RandomAccess, ReadAt as _},
};

const TEMPLATES: [&str; 3] = [
    "AES256_GCM_HKDF_4KB",
    "AES256_GCM_HKDF_1MB",
    "AES256_CTR_HMAC_SHA256_1MB",
];
const SIZE: usize = 16 << 20;

fn aead(template: &str, provider: Provider) -> KeysetStreamingAead {
    KeysetHandle::generate(template)
        .and_then(|keyset| keyset.primitive_with(provider))
        .expect("a stock template")
}

fn seal(aead: &KeysetStreamingAead, plaintext: &[u8]) -> Vec<u8> {
    let sealer = aead.sealer(b"").expect("there is randomness");
    streaming::encrypt_slice(sealer, plaintext, NonZeroUsize::MIN).expect("it is short enough")
}

fn throughput(criterion: &mut Criterion) {
    let plaintext = vec![7; SIZE];
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Bytes(SIZE as u64));
    for template in TEMPLATES {
        for &provider in Provider::ALL {
            let aead = aead(template, provider);
            let stream = seal(&aead, &plaintext);
            let id = |what: &str| BenchmarkId::new(format!("{what}/{provider:?}"), template);
            group.bench_function(id("write"), |bencher| {
                bencher.iter(|| {
                    let mut writer = aead
                        .encrypting_writer(io::sink(), b"")
                        .expect("there is randomness");
                    for part in black_box(&plaintext).chunks(256 << 10) {
                        writer.write_all(part).expect("a sink takes all");
                    }
                    writer.finish().expect("a sink takes all")
                });
            });
            group.bench_function(id("read"), |bencher| {
                bencher.iter(|| {
                    let mut reader = aead.decrypting_reader(black_box(stream.as_slice()), b"");
                    while let len @ 1.. = reader.fill_buf().expect("it decrypts").len() {
                        reader.consume(len);
                    }
                });
            });
            for threads in [1, 2] {
                let threads = NonZeroUsize::new(threads).expect("not zero");
                group.bench_function(id(&format!("encrypt-{threads}")), |bencher| {
                    bencher.iter(|| {
                        let sealer = aead.sealer(b"").expect("there is randomness");
                        streaming::encrypt_slice(sealer, black_box(&plaintext), threads)
                    });
                });
                group.bench_function(id(&format!("decrypt-{threads}")), |bencher| {
                    bencher.iter(|| {
                        streaming::decrypt_slice(aead.opener(b""), black_box(&stream), threads)
                    });
                });
            }
        }
    }
    group.finish();
}

fn small(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream-start");
    for template in TEMPLATES {
        let aead = aead(template, Provider::FASTEST);
        group.bench_function(BenchmarkId::new("encrypt-16-bytes", template), |bencher| {
            bencher.iter(|| seal(&aead, black_box(&[7; 16])));
        });
        let stream = seal(&aead, &vec![7; SIZE]);
        let plaintext =
            RandomAccess::new(aead.opener(b""), stream.as_slice()).expect("it decrypts");
        group.bench_function(BenchmarkId::new("read-16-bytes-at", template), |bencher| {
            let mut part = [0; 16];
            bencher.iter(|| plaintext.read_exact_at(black_box(&mut part), SIZE as u64 / 2));
        });
    }
    group.finish();
}

criterion_group!(benches, throughput, small);
criterion_main!(benches);
