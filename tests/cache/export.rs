//! The names under which a cache exports its counters: those of `docs/metrics.md`.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use keyseal::{
    KmsEnvelopeAead, RemoteAead,
    envelope::{CachePolicy, DecryptCache, EncryptCache},
};
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use crate::support::{Kek, at_once};

const DOCUMENTED: &str = include_str!("../../docs/metrics.md");

/// Keeps everything, by name and labels.
#[derive(Default)]
struct Kept {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    histograms: Mutex<BTreeMap<String, Arc<Samples>>>,
}

#[derive(Default)]
struct Samples(Mutex<Vec<f64>>);

impl HistogramFn for Samples {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

fn name(key: &Key) -> String {
    let labels = key
        .labels()
        .map(|label| format!("{}={}", label.key(), label.value()));
    [vec![key.name().to_owned()], labels.collect()]
        .concat()
        .join(" ")
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut counters = self.counters.lock().unwrap();
        Counter::from_arc(counters.entry(name(key)).or_default().clone())
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let mut histograms = self.histograms.lock().unwrap();
        Histogram::from_arc(histograms.entry(name(key)).or_default().clone())
    }
}

#[test]
fn metrics_have_the_documented_names_and_the_values_of_the_stats() {
    let kept = Kept::default();
    let kek = Kek::new();
    let aead = metrics::with_local_recorder(&kept, || {
        let policy = CachePolicy::new()
            .name("orders")
            .encrypt(EncryptCache::new().max_messages(4))
            .decrypt(DecryptCache::new().max_entries(1));
        let aead = KmsEnvelopeAead::new(kek.clone(), "AES256_GCM").unwrap();
        aead.cached(policy).unwrap()
    });
    for _ in 0..10 {
        let message = at_once(aead.encrypt(b"text", b"")).unwrap();
        at_once(aead.decrypt(&message, b"")).unwrap();
        at_once(aead.decrypt(&message, b"")).unwrap();
    }
    let stats = aead.stats();
    let counters = kept.counters.lock().unwrap();
    let value = |name: &str| {
        let key = format!("keyseal_cache_{name}_total cache=orders");
        counters[&key].load(Ordering::Relaxed)
    };
    assert_eq!(value("encrypt_hits"), stats.encrypt_hits);
    assert_eq!((stats.encrypt_hits, stats.encrypt_misses), (7, 3));
    assert_eq!((value("wraps"), value("retired_deks")), (3, 2));
    assert_eq!((value("decrypt_hits"), value("unwraps")), (17, 3));
    assert_eq!((value("evictions"), value("encrypted_bytes")), (2, 40));
    let histograms = kept.histograms.lock().unwrap();
    let samples = |name: &str| histograms[name].0.lock().unwrap().clone();
    assert_eq!(
        samples("keyseal_cache_dek_messages cache=orders"),
        [4.0, 4.0]
    );
    assert_eq!(
        samples("keyseal_cache_dek_bytes cache=orders"),
        [16.0, 16.0]
    );
    let calls = "keyseal_cache_kms_call_seconds cache=orders operation";
    assert_eq!(samples(&format!("{calls}=wrap")).len(), 3);
    assert_eq!(samples(&format!("{calls}=unwrap")).len(), 3);
    for exported in counters.keys().chain(histograms.keys()) {
        let name = exported.split(' ').next().unwrap();
        assert!(DOCUMENTED.contains(&format!("| `{name}` |")), "{name}");
    }
    assert_eq!(counters.len(), 14);
    assert_eq!(DOCUMENTED.matches("| `keyseal_cache_").count(), 14 + 4);
}
