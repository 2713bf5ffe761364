//! `bench`: how fast the ciphers are on this machine.

use std::{
    collections::HashSet,
    hint::black_box,
    num::NonZeroUsize,
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use keyseal::{
    Aead as _, BoxFuture, DeterministicAead as _, KeyTypes, KeysetAead, KeysetDeterministicAead,
    KeysetHandle, KeysetStreamingAead, KmsEnvelopeAead, KmsError, RemoteAead, StreamingAead as _,
    envelope::EncryptCache,
    error_chain,
    key::{KeyKind, Template},
    kms::{LocalKek, Timer as _, TokioTimer},
    streaming::{decrypt_slice, encrypt_slice},
};
use serde_json::{Value, json};

use crate::{
    context::Context,
    display::{Lines, size},
    duration::parse_duration,
    error::Failure,
    exit::Exit,
    keyset_failure::unknown_template,
    kms::new_worker,
};

/// The length in bytes of a large message.
const LARGE: usize = 1 << 20;
/// The length in bytes of a small message.
const SMALL: usize = 64;
/// The template of the data keys of envelopes.
const ENVELOPE_TEMPLATE: &str = "AES256_GCM";
/// The length in bytes of a stream.
const STREAM: usize = 16 << 20;

/// Measure the throughput of every cipher and of streaming on this machine
///
/// Everything is in memory, with the default provider. Messages are encrypted and decrypted one
/// after the other on one thread, and streams on one thread and on several.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal bench
  keyseal bench AES256_GCM AES256_GCM_HKDF_1MB --time 1s")]
pub(crate) struct BenchArgs {
    /// Only these templates [default: one template of each cipher]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// How long to measure each number
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "100ms")]
    time: Duration,
    /// How long each call to the service that wraps the keys of envelopes takes
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "80ms")]
    latency: Duration,
    /// How many threads the last columns of streams use [default: one per core]
    #[arg(short = 'j', long, value_name = "NUMBER")]
    threads: Option<NonZeroUsize>,
}

pub(crate) fn run(args: BenchArgs, context: &Context) -> Result<Exit, Failure> {
    let chosen = chosen(&args.names)?;
    let threads = args
        .threads
        .or_else(|| thread::available_parallelism().ok())
        .unwrap_or(NonZeroUsize::MIN);
    let mut rows = Vec::new();
    for streams in [false, true] {
        let of_kind: Vec<&Template> = chosen
            .iter()
            .filter(|template| (template.kind() == KeyKind::StreamingAead) == streams)
            .collect();
        if of_kind.is_empty() {
            continue;
        }
        if !context.json {
            let columns = match streams {
                false => [size(LARGE as u64), size(SMALL as u64)],
                true => ["1 thread".to_owned(), format!("{threads} threads")],
            };
            let head = head(&columns, if rows.is_empty() { "" } else { "\n" });
            context.print(Lines::of_text(&head))?;
        }
        for template in of_kind {
            let row = measure(template, args.time, threads)?;
            if !context.json {
                context.print(&row.line(template.name()))?;
            }
            rows.push(row.as_json(template.name(), streams));
        }
    }
    if !context.json {
        context.note("in MiB/s; small messages in thousands per second");
    }
    let mut report = json!({ "threads": threads.get(), "results": rows });
    if chosen
        .iter()
        .any(|template| template.name() == ENVELOPE_TEMPLATE)
    {
        let envelopes = Envelopes::measure(args.time, args.latency)?;
        match context.json {
            true => report
                .as_object_mut()
                .into_iter()
                .for_each(|report| drop(report.insert("envelopes".into(), envelopes.as_json()))),
            false => context.print(Lines::of_text(&envelopes.text()))?,
        }
    }
    if context.json {
        context.print_json(&report)?;
    }
    Ok(Exit::Done)
}

/// A key-encryption key of a service that takes a while.
struct Late {
    kek: LocalKek,
    timer: TokioTimer,
    latency: Duration,
}

impl RemoteAead for Late {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            self.timer.sleep(self.latency).await;
            self.kek.encrypt(plaintext, associated_data).await
        })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            self.timer.sleep(self.latency).await;
            self.kek.decrypt(ciphertext, associated_data).await
        })
    }
}

/// Small envelopes per second, with a call to the service for each, and with a cached data key.
struct Envelopes {
    latency: Duration,
    called: f64,
    cached: f64,
}

impl Envelopes {
    fn measure(time: Duration, latency: Duration) -> Result<Self, Failure> {
        let failed = |error: &dyn std::error::Error| {
            let what = "cannot measure envelopes";
            Failure::new(Exit::Failed, "not_measured", what, error_chain(error))
        };
        let keyset = KeysetHandle::generate(ENVELOPE_TEMPLATE).map_err(|error| failed(&error))?;
        let kek = Late {
            kek: LocalKek::new(&keyset).map_err(|error| failed(&error))?,
            timer: TokioTimer::new(),
            latency,
        };
        let called =
            KmsEnvelopeAead::new(kek, ENVELOPE_TEMPLATE).map_err(|error| failed(&error))?;
        let policy = EncryptCache::new().prefetch(true);
        let cached = called.cached(policy).map_err(|error| failed(&error))?;
        let worker = new_worker()?;
        let rate_of = |aead: &dyn RemoteAead| {
            rate(time, || {
                let sealed = worker.run(aead.encrypt(black_box(&[7; SMALL]), b""));
                sealed.is_ok()
            })
        };
        Ok(Self {
            latency,
            called: rate_of(&called),
            cached: rate_of(&cached),
        })
    }

    fn text(&self) -> String {
        let latency = self.latency.as_millis();
        format!(
            "\nenvelopes of {SMALL} bytes per second, with a service that takes {latency} ms\n\
             a call for each message {:>22.1}\n\
             a cached data key       {:>22.1}  {:.0} times as many\n",
            self.called,
            self.cached,
            self.ratio(),
        )
    }

    fn ratio(&self) -> f64 {
        self.cached / self.called
    }

    fn as_json(&self) -> Value {
        json!({
            "latency_ms": u64::try_from(self.latency.as_millis()).unwrap_or(u64::MAX),
            "per_s": self.called.round(),
            "cached_per_s": self.cached.round(),
            "ratio": self.ratio().round(),
        })
    }
}

/// Returns the named templates, or the first of each cipher.
fn chosen(names: &[String]) -> Result<Vec<Template>, Failure> {
    let types = KeyTypes::default();
    let encrypts = |template: &Template| {
        matches!(
            template.kind(),
            KeyKind::Aead | KeyKind::DeterministicAead | KeyKind::StreamingAead
        )
    };
    if names.is_empty() {
        let mut seen = HashSet::new();
        return Ok(types
            .templates()
            .filter(encrypts)
            .filter(|template| {
                let key = template.key_template();
                seen.insert((key.type_url().to_owned(), key.value().to_vec()))
            })
            .collect());
    }
    let find = |name: &String| {
        let template = types.template(name).map_err(|_| unknown_template(name))?;
        match encrypts(&template) {
            true => Ok(template),
            false => Err(Failure::usage(
                "not_a_cipher",
                format!("cannot measure template {name}"),
                format!("it is for {}", template.kind().with_article()),
            )),
        }
    };
    names.iter().map(find).collect()
}

/// Calls per second: of encrypting and decrypting, in two ways.
struct Row {
    rates: [f64; 4],
    /// The bytes of a call, in both ways.
    sizes: [usize; 2],
}

impl Row {
    fn new(rates: &[f64], sizes: [usize; 2]) -> Self {
        let mut all = rates.iter().copied();
        let mut next = || all.next().unwrap_or_default();
        Self {
            rates: [next(), next(), next(), next()],
            sizes,
        }
    }

    /// Returns each rate in the unit of its column.
    fn shown(&self) -> [f64; 4] {
        let [first, second] = self.sizes.map(|size| match size {
            SMALL => 1e-3,
            size => size as f64 / f64::from(1 << 20),
        });
        let [a, b, c, d] = self.rates;
        [a * first, b * first, c * second, d * second]
    }

    fn line(&self, name: &str) -> String {
        let mut line = format!("{name:36}");
        for number in self.shown() {
            line.push_str(&format!("{number:>10.0}"));
        }
        line.push('\n');
        line
    }

    fn as_json(&self, name: &str, stream: bool) -> Value {
        let [first, second] = match stream {
            false => ["large_mib_per_s", "small_thousands_per_s"],
            true => ["mib_per_s", "threads_mib_per_s"],
        };
        let [a, b, c, d] = self.shown().map(f64::round);
        json!({
            "template": name,
            first: {"encrypt": a, "decrypt": b},
            second: {"encrypt": c, "decrypt": d},
        })
    }
}

fn head(columns: &[String; 2], before: &str) -> String {
    let [first, second] = columns;
    format!(
        "{before}{:36}{first:>20}{second:>20}\n{:36}{:>10}{:>10}{:>10}{:>10}\n",
        "", "TEMPLATE", "ENCRYPT", "DECRYPT", "ENCRYPT", "DECRYPT"
    )
}

fn measure(template: &Template, time: Duration, threads: NonZeroUsize) -> Result<Row, Failure> {
    let name = template.name();
    let failed = |error: &dyn std::error::Error| {
        let what = format!("cannot measure template {name}");
        Failure::new(Exit::Failed, "not_measured", what, error_chain(error))
    };
    let keyset = KeysetHandle::generate(name).map_err(|error| failed(&error))?;
    match template.kind() {
        KeyKind::StreamingAead => {
            let aead: KeysetStreamingAead = keyset.primitive().map_err(|error| failed(&error))?;
            let mut rates = Vec::new();
            let plaintext = vec![7; STREAM];
            for threads in [NonZeroUsize::MIN, threads] {
                let seal = || encrypt_slice(aead.sealer(b"")?, black_box(&plaintext), threads);
                let stream = seal().map_err(|error| failed(&error))?;
                let open = || decrypt_slice(aead.opener(b""), black_box(&stream), threads);
                rates.push(rate(time, || seal().is_ok()));
                rates.push(rate(time, || open().is_ok()));
            }
            Ok(Row::new(&rates, [STREAM, STREAM]))
        }
        KeyKind::DeterministicAead => {
            let daead: KeysetDeterministicAead =
                keyset.primitive().map_err(|error| failed(&error))?;
            let mut rates = Vec::new();
            for size in [LARGE, SMALL] {
                let plaintext = vec![7; size];
                let seal = || daead.encrypt_deterministically(black_box(&plaintext), b"");
                let sealed = seal().map_err(|error| failed(&error))?;
                let open = || daead.decrypt_deterministically(black_box(&sealed), b"");
                rates.push(rate(time, || seal().is_ok()));
                rates.push(rate(time, || open().is_ok()));
            }
            Ok(Row::new(&rates, [LARGE, SMALL]))
        }
        _ => {
            let aead: KeysetAead = keyset.primitive().map_err(|error| failed(&error))?;
            let mut rates = Vec::new();
            for size in [LARGE, SMALL] {
                let plaintext = vec![7; size];
                let seal = || aead.encrypt(black_box(&plaintext), b"");
                let sealed = seal().map_err(|error| failed(&error))?;
                let open = || aead.decrypt(black_box(&sealed), b"");
                rates.push(rate(time, || seal().is_ok()));
                rates.push(rate(time, || open().is_ok()));
            }
            Ok(Row::new(&rates, [LARGE, SMALL]))
        }
    }
}

/// Calls repeatedly for a while, and returns the calls per second.
fn rate(time: Duration, mut call: impl FnMut() -> bool) -> f64 {
    // The first call only warms the caches.
    black_box(call());
    let mut done = 0_u32;
    let start = Instant::now();
    loop {
        done = done.saturating_add(u32::from(black_box(call())));
        let elapsed = start.elapsed();
        if elapsed >= time {
            return f64::from(done) / elapsed.as_secs_f64();
        }
    }
}
