//! Times calls of keyseal, of bare ciphers and of the Rust port of Tink, as `interop/bench` asks.
//!
//! One request is a line of JSON, and so is its answer. `prepare` makes a call; `round`
//! repeats it for a while, and answers with the nanoseconds of one call.

#[allow(dead_code)]
#[path = "../../../../benches/bare/mod.rs"]
mod bare;
mod case;
mod keyseal_calls;
mod provider_calls;
mod tink_calls;

use std::{
    error::Error,
    io::{self, BufRead as _, Write as _},
    sync::Barrier,
    thread,
    time::Instant,
};

use case::{Call, Case, Prepared};
use serde_json::{Value, json};

/// Makes the call of a case.
type Prepare = fn(&Case) -> Prepared;

const SUBJECTS: &[(&str, Prepare)] = &[
    ("keyseal", keyseal_calls::fastest),
    ("keyseal on RustCrypto", keyseal_calls::portable),
    ("aws-lc-rs", provider_calls::aws_lc),
    ("ring", provider_calls::ring),
    ("RustCrypto", provider_calls::rustcrypto),
    ("tink-rust", tink_calls::tink),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut prepared: Vec<Timed> = Vec::new();
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let answer = match request["op"].as_str() {
            Some("info") => json!({
                "subjects": SUBJECTS.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            }),
            Some("keyset") => keyseal_calls::keyset(&request)?,
            Some("prepare") => match Timed::new(Case::read(&request)?) {
                Ok(timed) => {
                    prepared.push(timed);
                    json!({"id": prepared.len() - 1})
                }
                Err(hole) => json!({"hole": hole}),
            },
            Some("round") => {
                let id = request["id"]
                    .as_u64()
                    .and_then(|id| usize::try_from(id).ok());
                let timed = id.and_then(|id| prepared.get_mut(id)).ok_or("no such id")?;
                json!({"ns": timed.round(request["seconds"].as_f64().ok_or("no seconds")?)})
            }
            Some("forget") => {
                prepared.clear();
                json!({})
            }
            _ => return Err(format!("an unknown request: {request}").into()),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// A call that is timed.
struct Timed {
    case: Case,
    prepare: Prepare,
    call: Call,
    /// Seconds of one call in the last round.
    one: f64,
}

impl Timed {
    fn new(case: Case) -> Result<Self, String> {
        let known = SUBJECTS.iter().find(|(name, _)| *name == case.subject);
        let (_, prepare) = known.ok_or("not a subject of this process")?;
        let mut call = prepare(&case)?;
        // The second call finds all caches warm.
        let one = time(&mut call, 1);
        let one = time(&mut call, 1).min(one);
        Ok(Self {
            case,
            prepare: *prepare,
            call,
            one,
        })
    }

    /// Returns nanoseconds of wall time for each call, of all threads together.
    fn round(&mut self, seconds: f64) -> f64 {
        let count = ((seconds / self.one.max(1e-9)) as u32).max(1);
        let one = match self.case.threads {
            1 => {
                // A fifth of the time goes by before the clock runs.
                time(&mut self.call, count / 5);
                time(&mut self.call, count) / f64::from(count)
            }
            threads => self.together(threads, count),
        };
        self.one = one * self.case.threads as f64;
        one * 1e9
    }

    /// Each thread calls `count` times, on a primitive that it has made itself: not every peer can be
    /// sent to another thread. Returns the seconds that the slowest one took, for one call.
    fn together(&self, threads: usize, count: u32) -> f64 {
        let barrier = Barrier::new(threads);
        let (case, prepare) = (&self.case, self.prepare);
        let slowest = thread::scope(|scope| {
            let started: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        let mut call = prepare(case).expect("it could before");
                        time(&mut call, count / 5 + 1);
                        barrier.wait();
                        time(&mut call, count)
                    })
                })
                .collect();
            let times = started
                .into_iter()
                .map(|thread| thread.join().expect("it returns"));
            times.fold(0.0, f64::max)
        });
        slowest / f64::from(count) / threads as f64
    }
}

fn time(call: &mut Call, count: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        call();
    }
    start.elapsed().as_secs_f64()
}
