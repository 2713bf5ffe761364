//! Random operations on a tree, checked against a model: encrypt, decrypt, rotate, disable, enable,
//! re-wrap, `kill -9` at random moments, two processes at once.
//!
//! At any time, each file is its plaintext or one ciphertext of it, and every exit code was right.
//! `KEYSEAL_MODEL_RUNS=1000` sets the number of operations, on 300 files; `KEYSEAL_MODEL_SEED`
//! repeats a run.

use std::{
    env, fs,
    hash::{BuildHasher as _, RandomState},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use keyseal::{
    Aead as _, KeyId, KeysetAead, KeysetHandle, SealedStreamHeader, SecretAccess,
    keyset::{Format, Status},
};

use super::support::Place;

/// The length of an ordinary run.
const SHORT: Duration = Duration::from_secs(25);
const CLEARTEXT: &str = "--insecure-cleartext";

/// The state of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Plain,
    /// Under a key of the keyset.
    Key(KeyId),
    /// A sealed stream under a key of the key-encryption keyset.
    Kek(KeyId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Encrypt,
    Decrypt,
    EncryptUnderKek,
    DecryptUnderKek,
    Rewrap,
    Rotate,
    RotateKek,
    Disable,
    Enable,
}

const DATA: [Operation; 5] = [
    Operation::Encrypt,
    Operation::Decrypt,
    Operation::EncryptUnderKek,
    Operation::DecryptUnderKek,
    Operation::Rewrap,
];
const EDITS: [Operation; 4] = [
    Operation::Rotate,
    Operation::RotateKek,
    Operation::Disable,
    Operation::Enable,
];

/// A keyset as this test sees it: each key separately.
struct Keys {
    primary: KeyId,
    keys: Vec<(KeyId, Status, KeysetAead)>,
}

impl Keys {
    fn read(place: &Place, name: &str) -> Self {
        let access = SecretAccess::insecure();
        let handle = KeysetHandle::read_cleartext(&place.read(name), Format::Json, access);
        let handle = handle.unwrap();
        let alone = |entry: keyseal::keyset::Entry<'_>| {
            let key = entry.key().unwrap().clone();
            let alone = KeysetHandle::with_id(key, entry.id()).primitive();
            (entry.id(), entry.status(), alone.unwrap())
        };
        Self {
            primary: handle.primary_id(),
            keys: handle.entries().map(alone).collect(),
        }
    }

    fn is_enabled(&self, id: KeyId) -> bool {
        (self.keys.iter()).any(|(key, status, _)| *key == id && *status == Status::Enabled)
    }
}

struct Model {
    place: Place,
    plaintexts: Vec<Vec<u8>>,
    random: Random,
}

/// Returns an operation in place of one that rightly nests: only two ciphertexts of a key show a
/// key-encryption key that there is such a key.
fn allowed(operation: Operation, before: &[State]) -> Operation {
    let is_single = |key: &State| {
        matches!(key, State::Key(_)) && before.iter().filter(|other| *other == key).count() == 1
    };
    match operation {
        Operation::EncryptUnderKek if before.iter().any(is_single) => Operation::Decrypt,
        operation => operation,
    }
}

/// xorshift: the same seed gives the same operations.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

#[test]
fn random_operations_keep_every_plaintext() {
    let runs = env::var("KEYSEAL_MODEL_RUNS").map(|runs| runs.parse::<usize>().unwrap());
    let seed = env::var("KEYSEAL_MODEL_SEED").map_or_else(
        |_| RandomState::new().hash_one(0) | 1,
        |seed| seed.parse().unwrap(),
    );
    println!("KEYSEAL_MODEL_SEED={seed}");
    let files = if runs.is_ok() { 300 } else { 40 };
    let mut model = Model::new(files, Random(seed));
    let start = Instant::now();
    let mut done = 0;
    while runs
        .as_ref()
        .map_or_else(|_| start.elapsed() < SHORT, |runs| done < *runs)
    {
        model.step(done);
        done += 1;
    }
    assert!(done > 5, "{done} operations");
    println!("{done} operations");
    model.decrypt_all();
}

impl Model {
    fn new(files: usize, mut random: Random) -> Self {
        let place = Place::new();
        for name in ["k.json", "kek.json"] {
            place.keyset(name);
        }
        let plaintexts: Vec<Vec<u8>> = (0..files)
            .map(|n| {
                format!("file {n} ")
                    .repeat(1 + random.below(200))
                    .into_bytes()
            })
            .collect();
        for (n, plaintext) in plaintexts.iter().enumerate() {
            let name = Self::name(n);
            fs::create_dir_all(place.path(&name).parent().unwrap()).unwrap();
            place.write(&name, plaintext);
        }
        Self {
            place,
            plaintexts,
            random,
        }
    }

    fn name(n: usize) -> String {
        format!("tree/{}/{n}", n % 7)
    }

    fn step(&mut self, n: usize) {
        let operation = match self.random.below(10) {
            0..7 => self.random.one(&DATA),
            _ => self.random.one(&EDITS),
        };
        let before = self.states();
        let operation = allowed(operation, &before);
        match self.random.below(4) {
            0 => {
                let mut child = self.start(operation);
                thread::sleep(Duration::from_millis(self.random.below(400) as u64));
                // It may have ended.
                let _ = child.kill();
                child.wait().unwrap();
                self.check_killed(operation, &before);
            }
            1 if DATA.contains(&operation) => {
                let other = allowed(self.random.one(&DATA), &before);
                let nests = [operation, other].contains(&Operation::Encrypt)
                    && [operation, other].contains(&Operation::EncryptUnderKek);
                let other = if nests { operation } else { other };
                let mut children = [self.start(operation), self.start(other)];
                let exits = children
                    .each_mut()
                    .map(|child| child.wait().unwrap().code());
                let after = self.states();
                // Two operations with the same goal both reach it.
                let want_the_same = operation == other;
                for exit in exits {
                    if want_the_same && exit == Some(0) {
                        let is_done = self.is_done(operation, &after);
                        assert!(
                            is_done,
                            "{n}: {operation:?} twice, {exits:?}: {before:?}, {after:?}"
                        );
                    }
                }
            }
            _ => {
                let exit = self.start(operation).wait().unwrap().code().unwrap();
                self.check_ended(operation, exit, &before);
            }
        }
    }

    fn start(&mut self, operation: Operation) -> Child {
        let keyset = ["--keyset", "k.json"];
        let kek = ["--kek", "file-kms://kek.json"];
        let tree = ["-r", "tree", "--in-place"];
        let rotate = ["--template", "AES256_GCM", "--in-place"];
        let keys = Keys::read(&self.place, "k.json");
        let (id, ..) = keys.keys[self.random.below(keys.keys.len())];
        let id = id.to_string();
        let arguments = match operation {
            Operation::Encrypt => [&["encrypt"][..], &tree, &keyset].concat(),
            Operation::Decrypt => [&["decrypt", "--skip-plaintext"][..], &tree, &keyset].concat(),
            Operation::EncryptUnderKek => [&["encrypt"][..], &tree, &kek].concat(),
            Operation::DecryptUnderKek => {
                [&["decrypt", "--skip-plaintext"][..], &tree, &kek].concat()
            }
            Operation::Rewrap => [&["rewrap"][..], &tree, &kek].concat(),
            Operation::Rotate => [&["keyset", "rotate", "k.json"][..], &rotate].concat(),
            Operation::RotateKek => [&["keyset", "rotate", "kek.json"][..], &rotate].concat(),
            Operation::Disable => {
                vec!["keyset", "disable", "k.json", "--key-id", &id, "--in-place"]
            }
            Operation::Enable => vec!["keyset", "enable", "k.json", "--key-id", &id, "--in-place"],
        };
        self.place
            .keyseal(&arguments)
            .arg(CLEARTEXT)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Checks that every file is its plaintext or one ciphertext of it.
    fn states(&self) -> Vec<State> {
        self.remove_leftovers();
        let keys = Keys::read(&self.place, "k.json");
        let keks = Keys::read(&self.place, "kek.json");
        let state = |(n, plaintext): (usize, &Vec<u8>)| {
            let name = Self::name(n);
            let bytes = self.place.read(&name);
            if bytes == *plaintext {
                return State::Plain;
            }
            let opened = match SealedStreamHeader::parse(&bytes) {
                Ok((header, stream)) => (keks.keys.iter()).find_map(|(id, _, kek)| {
                    let aead = header.open(kek).ok()?;
                    let mut opened = Vec::new();
                    let mut reader = aead.decrypting_reader(stream, b"");
                    std::io::Read::read_to_end(&mut reader, &mut opened).unwrap();
                    Some((State::Kek(*id), opened))
                }),
                Err(_) => (keys.keys.iter()).find_map(|(id, _, key)| {
                    Some((State::Key(*id), key.decrypt(&bytes, b"").ok()?))
                }),
            };
            let (state, opened) = opened.unwrap_or_else(|| panic!("{name} does not open"));
            assert!(
                opened == *plaintext,
                "{name} is {state:?} of something else"
            );
            state
        };
        self.plaintexts.iter().enumerate().map(state).collect()
    }

    fn remove_leftovers(&self) {
        for folder in (0..7).map(|n| format!("tree/{n}")).chain([".".into()]) {
            for name in self.place.names(&folder) {
                if name.ends_with(".keyseal-tmp") {
                    fs::remove_file(self.place.path(&folder).join(name)).unwrap();
                }
            }
        }
    }

    /// Returns the state of a file after an operation.
    fn after(&self, operation: Operation, before: State) -> State {
        let keys = Keys::read(&self.place, "k.json");
        let kek = Keys::read(&self.place, "kek.json").primary;
        match (operation, before) {
            (Operation::Encrypt, State::Plain) => State::Key(keys.primary),
            (Operation::EncryptUnderKek, State::Plain) => State::Kek(kek),
            (Operation::Decrypt, State::Key(id)) if keys.is_enabled(id) => State::Plain,
            (Operation::DecryptUnderKek, State::Kek(_)) => State::Plain,
            (Operation::Rewrap, State::Kek(_)) => State::Kek(kek),
            (_, before) => before,
        }
    }

    /// Returns whether all files have the state that an operation should give them.
    fn is_done(&self, operation: Operation, after: &[State]) -> bool {
        let key = Keys::read(&self.place, "k.json").primary;
        let kek = Keys::read(&self.place, "kek.json").primary;
        let wanted = match operation {
            Operation::Encrypt => State::Key(key),
            Operation::EncryptUnderKek | Operation::Rewrap => State::Kek(kek),
            _ => State::Plain,
        };
        after.iter().all(|state| *state == wanted)
    }

    fn check_ended(&self, operation: Operation, exit: i32, before: &[State]) {
        let after = self.states();
        if EDITS.contains(&operation) {
            assert_eq!(after, before, "{operation:?}");
            return;
        }
        let wanted: Vec<State> = (before.iter())
            .map(|before| self.after(operation, *before))
            .collect();
        assert_eq!(after, wanted, "{operation:?}, exit {exit}");
        let decrypts = matches!(operation, Operation::Decrypt | Operation::DecryptUnderKek);
        let had_nothing_to_do = decrypts && before.iter().all(|state| *state == State::Plain);
        let is_done = self.is_done(operation, &after) && !had_nothing_to_do;
        assert_eq!(exit == 0, is_done, "{operation:?}, exit {exit}: {after:?}");
    }

    fn check_killed(&self, operation: Operation, before: &[State]) {
        for (before, after) in before.iter().zip(self.states()) {
            let whole = self.after(operation, *before);
            assert!(
                after == *before || after == whole,
                "{operation:?}: {before:?} became {after:?}"
            );
        }
    }

    /// At the end every plaintext comes back.
    fn decrypt_all(&mut self) {
        for (id, ..) in Keys::read(&self.place, "k.json").keys {
            let id = id.to_string();
            let enable = [
                "keyset",
                "enable",
                "k.json",
                "--key-id",
                &id,
                "--in-place",
                CLEARTEXT,
            ];
            self.place.done(&enable);
        }
        for operation in [Operation::Decrypt, Operation::DecryptUnderKek] {
            self.start(operation).wait().unwrap();
        }
        let states = self.states();
        assert!(
            states.iter().all(|state| *state == State::Plain),
            "{states:?}"
        );
    }
}
