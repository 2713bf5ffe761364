//! A folder to work in, and the program on the path.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use keyseal::SecretAccess;
use keyseal_emulator::{Emulator, Server};
use tempfile::TempDir;

/// A separate folder for each test.
pub(super) struct Place {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    /// Sets a variable for all later runs.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Returns the names in a folder, hidden ones too.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Prepares the program with arguments.
    pub(super) fn keyseal(&self, arguments: &[&str]) -> Command {
        let mut command = interruptible(env!("CARGO_BIN_EXE_keyseal"));
        command.args(arguments);
        self.settled(command)
    }

    /// Prepares a shell with the program on its path.
    pub(super) fn shell(&self, line: &str) -> Command {
        let mut command = interruptible("sh");
        command.args(["-c", line]);
        self.settled(command)
    }

    fn settled(&self, mut command: Command) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_keyseal"));
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = program.parent().map(Path::to_owned);
        let folders = folders.into_iter().chain(env::split_paths(&path));
        command
            .current_dir(self.folder.path())
            .env("PATH", env::join_paths(folders).unwrap())
            .env("HOME", self.folder.path())
            .env(
                "INPUTS",
                concat!(env!("CARGO_MANIFEST_DIR"), "/tests/inputs"),
            )
            .env("LC_ALL", "C")
            .env_remove("COLUMNS")
            .env_remove("NO_COLOR");
        for (name, _) in env::vars_os() {
            let own = name.to_string_lossy();
            let is_read = own.starts_with("KEYSEAL_K")
                || own.starts_with("SCW_")
                || own.starts_with("SCALEWAY_")
                || own == "XDG_CONFIG_HOME"
                || own.to_ascii_lowercase().ends_with("_proxy");
            if is_read {
                command.env_remove(name);
            }
        }
        command.envs(self.variables.iter().cloned());
        command
    }

    /// Runs the program, and asserts that it succeeds.
    pub(super) fn done(&self, arguments: &[&str]) -> Output {
        let output = self.keyseal(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        output
    }

    /// Adds a key to a cleartext keyset, which is primary from then on.
    pub(super) fn rotate(&self, name: &str) {
        let rotate = ["keyset", "rotate", name, "--template", "AES256_GCM"];
        self.done(&[&rotate[..], &["--in-place", "--insecure-cleartext"]].concat());
    }

    /// Makes a cleartext keyset.
    pub(super) fn keyset(&self, name: &str) {
        self.done(&[
            "keyset",
            "create",
            "--template",
            "AES256_GCM",
            "--insecure-cleartext",
            "-o",
            name,
        ]);
    }
}

/// Prepares a program that signals can end, even if the tests run in the background: a shell without
/// job control starts background jobs with SIGINT ignored, and that outlives `exec`.
fn interruptible(program: &str) -> Command {
    const HUP_INT_TERM: u64 = 1 | 1 << 1 | 1 << 14;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let ignored =
        lines.find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    if ignored.is_none_or(|ignored| ignored & HUP_INT_TERM == 0) {
        return Command::new(program);
    }
    // By its path: a test may set a PATH without it.
    let mut command = Command::new("/usr/bin/env");
    command.args(["--default-signal=HUP,INT,TERM", program]);
    command
}

/// A folder to work in, and a Key Manager on loopback with one key, `orders`.
pub(super) struct WithKms {
    pub(super) place: Place,
    pub(super) emulator: Emulator,
    pub(super) kek: String,
    _server: Server,
}

impl WithKms {
    pub(super) fn new() -> Self {
        let emulator = Emulator::new().unwrap();
        let id = emulator.seed_key("orders").unwrap();
        let kek = format!("scw-kms://regions/fr-par/keys/{id}");
        let server = emulator.serve("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut place = Place::new();
        let access = SecretAccess::insecure();
        for (name, value) in emulator.identity().environment(&server.url(), access) {
            place.set(name, &value);
        }
        place.set("SCW_KM_KEY_URI", &kek);
        Self {
            place,
            emulator,
            kek,
            _server: server,
        }
    }
}
