//! The steps of the tour: command lines that are printed and then run unchanged.

use std::{
    env,
    error::Error,
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use keyseal::{SecretAccess, error_chain, kms::scaleway::Environment};
use keyseal_emulator::{Emulator, Server, StateKey};
use serde_json::json;

use super::folder::Folder;
use crate::{
    context::Context,
    display::{Lines, printable, quoted},
    error::Failure,
    exit::Exit,
};

/// The state file of an emulator that is kept, and the file with its key.
const STATE: &str = "kms.state";
const STATE_KEY: &str = "kms.state-key";

/// A step: its purpose and its command line.
pub(super) struct Step {
    pub(super) why: &'static str,
    pub(super) arguments: Vec<OsString>,
}

/// The variable for the key's URI on a command line.
pub(super) const KEK: &str = "$KEK";

/// The tour as it is shown.
pub(super) struct Story<'c> {
    context: &'c Context,
    lines: Vec<String>,
    environment: Environment,
    kek: String,
    /// It stops when the tour ends.
    _server: Server,
}

impl<'c> Story<'c> {
    pub(super) fn new(folder: &Folder, context: &'c Context) -> Result<Self, Failure> {
        let failed = |error: &dyn Error| {
            let what = "cannot start the emulator";
            Failure::new(Exit::Failed, "emulator", what, error_chain(error))
        };
        let mut builder = Emulator::builder();
        if folder.keep {
            let key =
                StateKey::create_file(Path::new(STATE_KEY)).map_err(|error| failed(&error))?;
            builder = builder.state_file(Path::new(STATE), key);
        }
        let emulator = builder.build().map_err(|error| failed(&error))?;
        let server = emulator
            .serve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .map_err(|error| failed(&error))?;
        let variables = emulator
            .identity()
            .environment(&server.url(), SecretAccess::insecure());
        let pairs = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        Ok(Self {
            context,
            lines: Vec::new(),
            environment: Environment::from_pairs(pairs),
            kek: String::new(),
            _server: server,
        })
    }

    pub(super) fn open(&mut self, folder: &Folder) -> Result<(), Failure> {
        if let Some(program) = elsewhere() {
            self.say(
                "The program that runs all this.",
                &format!("alias keyseal={}", quoted(program.as_os_str())),
            )?;
        }
        let state = match folder.keep {
            false => {
                self.say(
                    "A folder for the files. This one is removed at the end.",
                    "cd \"$(mktemp -d)\"",
                )?;
                String::new()
            }
            true => {
                let path = quoted(folder.path.as_os_str());
                self.say(
                    "A folder for the files, which is kept.",
                    &format!("mkdir {path} && cd {path}"),
                )?;
                format!(" --state {STATE} --state-key-file {STATE_KEY}")
            }
        };
        self.say(
            "A Key Manager on this machine. In production, it is Scaleway's, and you set the variables.",
            &format!("eval \"$(keyseal emulator{state} -q &)\""),
        )?;
        let create = ["kek", "create", "--name", "quickstart"];
        self.say(
            "A key-encryption key. It never leaves the Key Manager.",
            &format!("KEK=$(keyseal {}) && echo \"$KEK\"", create.join(" ")),
        )?;
        let said = self.perform(create.map(OsString::from))?;
        self.kek = said.trim_end().to_owned();
        self.show(&said)
    }

    pub(super) fn run(&mut self, step: Step) -> Result<(), Failure> {
        let words: Vec<String> = step
            .arguments
            .iter()
            .map(|word| match word == KEK {
                true => format!("\"{KEK}\""),
                false => quoted(word),
            })
            .collect();
        self.say(step.why, &format!("keyseal {}", words.join(" ")))?;
        let kek = OsString::from(&self.kek);
        let arguments = step.arguments.into_iter();
        let said = self.perform(arguments.map(|word| match word == KEK {
            true => kek.clone(),
            false => word,
        }))?;
        self.show(&said)
    }

    /// Runs a command line, and returns its output.
    fn perform(&self, arguments: impl IntoIterator<Item = OsString>) -> Result<String, Failure> {
        let line = [OsString::from("keyseal")].into_iter().chain(arguments);
        let line: Vec<OsString> = line.collect();
        let inside = self.context.inside(&self.environment);
        (self.context.program.run)(&line, &inside)?;
        Ok(inside.heard())
    }

    pub(super) fn say(&mut self, why: &str, line: &str) -> Result<(), Failure> {
        self.lines.push(line.to_owned());
        self.show(&format!("\n# {why}\n$ {line}\n"))
    }

    fn show(&self, text: &str) -> Result<(), Failure> {
        if self.context.json {
            return Ok(());
        }
        self.context.print(Lines::of_text(text))
    }

    pub(super) fn close(self, folder: &Folder) -> Result<(), Failure> {
        if self.context.json {
            return self.context.print_json(&json!({
                "commands": self.lines,
                "identical": true,
                "kept": folder.keep.then(|| folder.path.to_string_lossy()),
            }));
        }
        self.context.print(Lines::of_text(&match folder.keep {
            false => "\nDone: the same bytes. Nothing was left behind.\n".to_owned(),
            true => format!(
                "\nDone: the same bytes. The files are in {}; the key is in the emulator's state there.\n",
                printable(folder.path.display())
            ),
        }))
    }
}

/// Returns the path of this program, unless `keyseal` already means it.
fn elsewhere() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .map(|folder| folder.join("keyseal"))
        .find(|file| file.is_file())
        .and_then(|file| file.canonicalize().ok());
    (found != program.canonicalize().ok()).then_some(program)
}
