//! Exports the counters of a cache twice: to Prometheus' text format through the `metrics` facade,
//! and to OpenTelemetry as observable counters that read `CacheStats`. `docs/metrics.md` lists the
//! names.

use std::error::Error;

use keyseal::{
    KeysetHandle, KmsEnvelopeAead, RemoteAead,
    envelope::{CachePolicy, CacheStats, CachedEnvelopeAead, DecryptCache, EncryptCache},
    kms::LocalKek,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, MetricData},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Before the cache is made: it keeps handles of the recorder.
    let prometheus = PrometheusBuilder::new().install_recorder()?;
    // In production: an exporter of `opentelemetry-otlp`.
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();

    let aead = cached()?;
    observe(&provider.meter("keyseal"), &aead);
    let mut message = Vec::new();
    for number in 0..1000_u32 {
        message = aead.encrypt(&number.to_be_bytes(), b"counter").await?;
    }
    aead.decrypt(&message, b"counter").await?;

    println!("{}", prometheus.render());
    provider.force_flush()?;
    for (name, value) in sums(&exporter)? {
        println!("OpenTelemetry: {name} = {value}");
    }
    Ok(())
}

fn cached() -> Result<CachedEnvelopeAead, Box<dyn Error>> {
    // In production: ScalewayClient::from_env()?.key(&uri)?
    let kek = LocalKek::new(&KeysetHandle::generate("AES256_GCM")?)?;
    let policy = CachePolicy::new()
        .name("orders")
        .encrypt(EncryptCache::new().max_messages(100))
        .decrypt(DecryptCache::new());
    Ok(KmsEnvelopeAead::new(kek, "AES256_GCM")?.cached(policy)?)
}

/// Registers observable counters, which are read whenever the exporter is due.
fn observe(meter: &Meter, aead: &CachedEnvelopeAead) {
    let counters: [(&str, fn(&CacheStats) -> u64); 5] = [
        ("keyseal.cache.encrypt.hits", |stats| stats.encrypt_hits),
        ("keyseal.cache.encrypt.misses", |stats| stats.encrypt_misses),
        ("keyseal.cache.wraps", |stats| stats.wraps),
        ("keyseal.cache.unwraps", |stats| stats.unwraps),
        ("keyseal.cache.stale_uses", |stats| stats.stale_uses),
    ];
    for (name, read) in counters {
        let aead = aead.clone();
        meter
            .u64_observable_counter(name)
            .with_callback(move |observer| observer.observe(read(&aead.stats()), &[]))
            .build();
    }
}

fn sums(exporter: &InMemoryMetricExporter) -> Result<Vec<(String, u64)>, Box<dyn Error>> {
    let mut sums = Vec::new();
    for resource in exporter.get_finished_metrics()? {
        for metric in resource.scope_metrics().flat_map(|scope| scope.metrics()) {
            if let AggregatedMetrics::U64(MetricData::Sum(sum)) = metric.data() {
                let total = sum.data_points().map(|point| point.value()).sum();
                sums.push((metric.name().to_owned(), total));
            }
        }
    }
    Ok(sums)
}
