//! A service under load for as long as you like, while its KMS fails, its keys rotate and its keyset
//! is replaced: `.ci/soak`. In a run of all tests it takes five seconds.
//!
//! No plaintext is lost or wrong, every error is of a kind that the faults explain, and memory and
//! open files stay flat. It has its own binary, because other tests take memory too.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod load;

use std::{
    collections::{BTreeMap, VecDeque},
    env, fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use keyseal::{
    Aead as _, Key, KeyId, KeysetAead, KeysetHandle, KmsEnvelopeAead, KmsErrorKind, RemoteAead,
    envelope::{CachePolicy, CachedEnvelopeAead, DecryptCache, EncryptCache},
    keyset::Format,
    kms::{BreakerPolicy, CircuitBreaker, TokioTimer, scaleway::ScalewayKey},
    reload::{KeysetFileSource, Reloaded, Reloading},
};
use keyseal_emulator::{Emulator, ErrorBody, Fault, FaultRule, Operation, Server};
use load::{resident_kib, served_key};
use tokio::time::sleep;

/// Tasks that encrypt and decrypt without a pause.
const WORKERS: u64 = 8;
/// Messages that each of them keeps, to decrypt them at any later time.
const KEPT: usize = 200;
/// Noise of the allocator, in KiB.
const NOISE: u64 = 24 << 10;
/// The kinds that the faults below explain. A wrong key or a changed ciphertext is none of them.
const EXPLAINED: [KmsErrorKind; 9] = [
    KmsErrorKind::Interrupted,
    KmsErrorKind::InvalidReply,
    KmsErrorKind::NotFound,
    KmsErrorKind::NotSent,
    KmsErrorKind::PermissionDenied,
    KmsErrorKind::RateLimited,
    KmsErrorKind::TimedOut,
    KmsErrorKind::Unauthenticated,
    KmsErrorKind::Unavailable,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_the_kms_fails_and_keys_rotate() {
    let seconds = env::var("KEYSEAL_SOAK_SECONDS").map_or(5, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&folder.path().join("keyset.json")).await;
    let tasks: Vec<_> = (1..=WORKERS)
        .map(|seed| tokio::spawn(service.clone().work(Random(seed))))
        .chain([
            tokio::spawn(service.clone().fail(Random(77))),
            tokio::spawn(service.clone().rotate(Random(78))),
            tokio::spawn(service.clone().reload()),
        ])
        .collect();
    let (began, run) = (Instant::now(), Duration::from_secs(seconds));
    let mut samples = Vec::new();
    while began.elapsed() < run {
        sleep(run / 20).await;
        samples.push((resident_kib(), open_files()));
        assert!(
            !tasks.iter().any(|task| task.is_finished()),
            "a task gave up"
        );
    }
    service.ends.store(true, Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    service.print(seconds);
    service.everything_opens().await;

    // The first quarter fills caches and pools.
    let steady = samples.split_off(samples.len() / 4);
    let ((first_kib, first_files), (last_kib, last_files)) = (steady[0], *steady.last().unwrap());
    println!(
        "memory: {first_kib:?} to {last_kib:?} KiB; open files: {first_files} to {last_files}"
    );
    assert!(
        last_kib <= first_kib.map(|first| first + NOISE),
        "{steady:?}"
    );
    assert!(last_files <= first_files + 64, "{steady:?}");
}

/// A message, with the key and associated data that encrypted it.
#[derive(Clone)]
struct Message {
    number: u64,
    ciphertext: Vec<u8>,
    enveloped: bool,
}

impl Message {
    fn plaintext(number: u64) -> Vec<u8> {
        let length = number.wrapping_mul(0x9e37_79b9) % 2000;
        number
            .to_be_bytes()
            .repeat(usize::try_from(length).unwrap() / 8 + 1)
    }
}

#[derive(Clone)]
struct Service {
    emulator: Emulator,
    key: ScalewayKey,
    envelopes: CachedEnvelopeAead,
    uncached: KmsEnvelopeAead,
    keyset: Reloading<KeysetAead>,
    keyset_path: PathBuf,
    kept: Arc<Mutex<Vec<Message>>>,
    errors: Arc<Mutex<BTreeMap<String, u64>>>,
    messages: Arc<AtomicU64>,
    /// How often a changed keyset was taken over.
    reloads: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    /// Stops the server when the last clone is dropped.
    _server: Arc<Server>,
}

impl Service {
    async fn start(keyset_path: &Path) -> Self {
        let (emulator, server, key) = served_key("soak");
        let keyset = KeysetHandle::generate("AES256_GCM").unwrap();
        store(&keyset, keyset_path, &key).await.unwrap();
        let source = KeysetFileSource::encrypted(keyset_path, key.clone(), b"soak");
        let breaker = BreakerPolicy::new()
            .failures(5)
            .open_for(Duration::from_millis(200), Duration::from_secs(2));
        let guarded = CircuitBreaker::new(key.clone(), breaker, Arc::new(TokioTimer::new()));
        let uncached = KmsEnvelopeAead::new(guarded, "AES256_GCM").unwrap();
        let second = Duration::from_secs(1);
        let caches = CachePolicy::new()
            .encrypt(
                EncryptCache::new()
                    .max_age(second)
                    .max_messages(5000)
                    .prefetch(true),
            )
            .decrypt(
                DecryptCache::new()
                    .max_age(second)
                    .max_entries(32)
                    .stale(2 * second),
            );
        Self {
            envelopes: uncached.cached(caches).unwrap(),
            keyset: Reloading::load(source).await.unwrap(),
            keyset_path: keyset_path.to_owned(),
            emulator,
            key,
            uncached,
            kept: Arc::default(),
            errors: Arc::default(),
            messages: Arc::default(),
            reloads: Arc::default(),
            ends: Arc::default(),
            _server: Arc::new(server),
        }
    }

    /// Encrypts, decrypts what was encrypted long ago, and sees that what was changed does not open.
    async fn work(self, mut random: Random) {
        let aead = self.envelopes.partition(random.0.to_be_bytes());
        let mut kept = VecDeque::new();
        while !self.ends.load(Relaxed) {
            let number = random.next();
            let plaintext = Message::plaintext(number);
            let enveloped = random.below(2) == 0;
            let sealed = match enveloped {
                true => self.checked(aead.encrypt(&plaintext, b"data").await),
                // The keyset is in memory: nothing may fail.
                false => Some(self.keyset.encrypt(&plaintext, b"data").unwrap()),
            };
            if let Some(ciphertext) = sealed {
                let message = Message {
                    number,
                    ciphertext,
                    enveloped,
                };
                kept.push_back(message);
            }
            if kept.len() > KEPT {
                kept.pop_front();
            }
            let Some(message) = random.choose(&kept) else {
                continue;
            };
            let mut ciphertext = message.ciphertext.clone();
            if random.below(16) == 0 {
                let place = usize::try_from(random.next()).unwrap() % ciphertext.len();
                ciphertext[place] ^= 1 << random.below(8);
                let opened = match message.enveloped {
                    true => aead.decrypt(&ciphertext, b"data").await.is_ok(),
                    false => self.keyset.decrypt(&ciphertext, b"data").is_ok(),
                };
                assert!(!opened, "a changed ciphertext opens");
            } else {
                let opened = match message.enveloped {
                    true => self.checked(aead.decrypt(&ciphertext, b"data").await),
                    false => Some(self.keyset.decrypt(&ciphertext, b"data").unwrap()),
                };
                let right = Message::plaintext(message.number);
                assert!(
                    opened.is_none_or(|opened| opened == right),
                    "a wrong plaintext"
                );
            }
            self.messages.fetch_add(1, Relaxed);
            tokio::task::yield_now().await;
        }
        self.kept.lock().unwrap().extend(kept);
    }

    /// Counts an error, and refuses one that no fault explains.
    fn checked(&self, result: Result<Vec<u8>, keyseal::KmsError>) -> Option<Vec<u8>> {
        let error = match result {
            Ok(output) => return Some(output),
            Err(error) => error,
        };
        assert!(EXPLAINED.contains(&error.kind()), "{error:?}");
        let mut errors = self.errors.lock().unwrap();
        *errors.entry(format!("{:?}", error.kind())).or_default() += 1;
        None
    }

    /// Makes the service fail at random, now and then for as long as an outage takes.
    ///
    /// A ciphertext that arrives with a wrong bit is left out: TLS sees to that, and no client could
    /// tell that its data can never be opened.
    async fn fail(self, mut random: Random) {
        while !self.ends.load(Relaxed) {
            let fault = match random.below(15) {
                0..3 => Fault::Latency(Duration::from_millis(random.below(200))),
                3 => Fault::ResetBefore,
                4 => Fault::ResetAfter,
                5 => Fault::RateLimited,
                6 => Fault::RateLimitedJson {
                    retry_after: Duration::from_secs(1),
                },
                7 => Fault::ServerError {
                    status: 503,
                    body: ErrorBody::Html,
                },
                8 => Fault::TruncatedJson,
                9 => Fault::CutBody,
                10 => Fault::WrongContentType("text/html".to_owned()),
                11 => Fault::DeniedAuthentication,
                12 => Fault::PermissionsDenied,
                13 => Fault::NotFound,
                _ => Fault::WrongKeyId,
            };
            let operation = [Operation::Encrypt, Operation::Decrypt][random.index(2)];
            let rule = FaultRule::new(fault).on(operation);
            if random.below(40) == 0 {
                self.emulator.inject(rule);
                sleep(Duration::from_secs(1)).await;
                self.emulator.clear_faults();
            } else {
                self.emulator.inject(rule.times(1 + random.below(4)));
            }
            sleep(Duration::from_millis(20 + random.below(100))).await;
        }
        self.emulator.clear_faults();
    }

    /// Rotates the key-encryption key, and rotates or replaces the keyset in its file.
    async fn rotate(self, mut random: Random) {
        let mut keyset = self.read_keyset().await;
        let mut ids: Vec<KeyId> = Vec::new();
        while !self.ends.load(Relaxed) {
            sleep(Duration::from_millis(300)).await;
            // It may fail too; another turn comes.
            let _ = self.key.rotate().await;
            if ids.len() < 16 {
                ids.push(keyset.rotate(Key::generate("AES256_GCM").unwrap()).unwrap());
            } else {
                keyset.promote(ids[random.index(16)]).unwrap();
            }
            let _ = store(&keyset, &self.keyset_path, &self.key).await;
        }
    }

    async fn read_keyset(&self) -> KeysetHandle {
        loop {
            let bytes = fs::read(&self.keyset_path).unwrap();
            let read =
                KeysetHandle::read_encrypted_remote(&bytes, Format::Json, &self.key, b"soak");
            match read.await {
                Ok(keyset) => return keyset,
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Takes the keyset over when its file changes. Where the KMS fails, the old one stays in use.
    async fn reload(self) {
        while !self.ends.load(Relaxed) {
            sleep(Duration::from_millis(100)).await;
            if let Ok(Reloaded::Changed) = self.keyset.reload().await {
                self.reloads.fetch_add(1, Relaxed);
            }
        }
    }

    /// Opens each kept message, and without any cache, after the last fault.
    async fn everything_opens(&self) {
        let kept = std::mem::take(&mut *self.kept.lock().unwrap());
        assert!(kept.len() > 100, "{}", kept.len());
        // The breaker closes again by itself.
        sleep(Duration::from_secs(3)).await;
        let _ = self.keyset.reload().await;
        for message in kept {
            let opened = match message.enveloped {
                true => self
                    .uncached
                    .decrypt(&message.ciphertext, b"data")
                    .await
                    .unwrap(),
                false => self.keyset.decrypt(&message.ciphertext, b"data").unwrap(),
            };
            assert_eq!(opened, Message::plaintext(message.number));
        }
    }

    fn print(&self, seconds: u64) {
        let (messages, errors) = (self.messages.load(Relaxed), self.errors.lock().unwrap());
        println!("{messages} messages in {seconds} s; errors: {errors:?}");
        println!("{:?}", self.envelopes.stats());
        assert!(messages > 20 * seconds, "{messages}");
        assert!(!errors.is_empty(), "no fault was felt");
        let reloads = self.reloads.load(Relaxed);
        assert!(reloads > 0, "no rotated keyset was taken over");
        println!("{reloads} keysets taken over");
    }
}

async fn store(
    keyset: &KeysetHandle,
    path: &Path,
    kek: &ScalewayKey,
) -> Result<(), keyseal::Error> {
    let bytes = keyset
        .write_encrypted_remote(Format::Json, kek, b"soak")
        .await?;
    let new = path.with_extension("new");
    fs::write(&new, bytes)?;
    fs::rename(&new, path)?;
    Ok(())
}

/// Numbers that are the same in every run (xorshift64).
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    const fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap()
    }

    fn choose<'a, T>(&mut self, from: &'a VecDeque<T>) -> Option<&'a T> {
        match from.len() {
            0 => None,
            length => from.get(self.index(length)),
        }
    }
}

/// Returns the number of open files of this process; 0 where the system does not tell.
fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
