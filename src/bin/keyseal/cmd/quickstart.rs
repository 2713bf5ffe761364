//! `quickstart`: the whole story on one file.
//!
//! Each step is a command line, printed and then run as it stands, from the argument parser on. The
//! Key Manager is an emulator inside this process, which the first line starts for who types it.

use std::{
    env,
    error::Error,
    ffi::OsString,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::{Args, Parser as _};
use keyseal::{
    SecretAccess,
    emulator::{Emulator, Server, StateKey},
    kms::scaleway::Environment,
};
use serde_json::json;

use crate::{
    Cli,
    context::Context,
    error::{Failure, chain},
    exit::Exit,
    text::{printable, quoted},
};

/// Where a kept emulator keeps its keys, and the key of that file.
const STATE: &str = "kms.state";
const STATE_KEY: &str = "kms.state-key";

/// Where there is no file to encrypt.
const LETTER: &str = "Keys are small, and worth what they open.\n";

/// See the whole story, offline: encrypt a file, rotate its key, decrypt, compare
///
/// Every step is printed as the command that does it, and can be typed again. The Key Manager is an
/// emulator on this machine. Nothing is left behind.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal quickstart README.md")]
pub(crate) struct QuickstartArgs {
    /// The file to encrypt; README.md, or a line of text where there is none
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Keep the files and the emulator's state, in this new folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

pub(crate) fn run(args: QuickstartArgs, context: &Context) -> Result<Exit, Failure> {
    let file = chosen(args.file)?;
    let folder = Folder::new(args.keep, context)?;
    let start = env::current_dir().map_err(|error| Failure::io("cannot start", &error))?;
    let told = tell(file, &folder, context);
    // A folder in which someone stands cannot be removed everywhere.
    let back = env::set_current_dir(start).map_err(|error| Failure::io("cannot go back", &error));
    let kept = folder.close(told.is_ok(), context);
    told.and(back).and(kept)?;
    Ok(Exit::Done)
}

/// Returns the file that the story is about; none for the line of text.
fn chosen(file: Option<PathBuf>) -> Result<Option<PathBuf>, Failure> {
    let file = match file {
        Some(file) => file,
        None if Path::new("README.md").is_file() => PathBuf::from("README.md"),
        None => return Ok(None),
    };
    let real = file
        .canonicalize()
        .and_then(|real| fs::metadata(&real).map(|metadata| (real, metadata)));
    let (real, metadata) = real.map_err(|error| Failure::file("read", &file, &error))?;
    if !metadata.is_file() {
        return Err(Failure::usage(
            "not_a_file",
            format!("cannot read {}", printable(file.display())),
            "it is no regular file",
        ));
    }
    Ok(Some(real))
}

/// The folder of the story.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn new(keep: Option<PathBuf>, context: &Context) -> Result<Self, Failure> {
        let name = keep.clone();
        let make = || match &keep {
            Some(path) => fs::create_dir(path).and_then(|()| path.canonicalize()),
            None => {
                let mut builder = tempfile::Builder::new();
                builder.prefix("keyseal-quickstart-");
                Ok(builder.tempdir()?.keep())
            }
        };
        let path = context
            .leftovers
            .create(make, PathBuf::clone)
            .map_err(|error| match name {
                Some(name) => Failure::file("make the folder", &name, &error),
                None => Failure::io("cannot make a temporary folder", &error),
            })?;
        Ok(Self {
            path,
            keep: keep.is_some(),
        })
    }

    /// Leaves the folder of a story that went well where it was wanted, and no other.
    fn close(self, done: bool, context: &Context) -> Result<(), Failure> {
        context
            .leftovers
            .settle(&self.path, || match self.keep && done {
                true => Ok(()),
                false => fs::remove_dir_all(&self.path),
            })
            .map_err(|error| Failure::file("remove", &self.path, &error))
    }
}

/// A step: what it is for, and its command line.
struct Step {
    why: &'static str,
    arguments: Vec<OsString>,
}

/// What stands for the key's URI on a command line.
const KEK: &str = "$KEK";

fn tell(file: Option<PathBuf>, folder: &Folder, context: &Context) -> Result<(), Failure> {
    env::set_current_dir(&folder.path)
        .map_err(|error| Failure::file("enter", &folder.path, &error))?;
    let mut story = Story::new(folder, context)?;
    story.open(folder)?;
    let file = match file {
        Some(file) => file,
        None => {
            let letter = PathBuf::from("letter.txt");
            story.say(
                "Something to encrypt.",
                &format!("echo '{}' > letter.txt", LETTER.trim_end()),
            )?;
            fs::write(&letter, LETTER).map_err(|error| Failure::file("write", &letter, &error))?;
            letter
        }
    };
    for step in steps(&file) {
        story.run(step)?;
    }
    story.say(
        "It is what it was.",
        &format!("cmp {} {OPENED}", quoted(file.as_os_str())),
    )?;
    compare(&file, Path::new(OPENED))?;
    story.say("The end of the Key Manager.", "kill $!")?;
    story.close(folder)
}

const SEALED: &str = "sealed";
const OPENED: &str = "opened";

fn steps(file: &Path) -> Vec<Step> {
    let step = |why, words: &[&str]| Step {
        why,
        arguments: words.iter().map(OsString::from).collect(),
    };
    let of_file = |why, words: &[&str]| {
        let mut step = step(why, words);
        step.arguments.insert(1, file.as_os_str().to_owned());
        step
    };
    let under = [
        "--keyset",
        "keyset.json",
        "--keyset-kek",
        KEK,
        "--aad",
        "first",
    ];
    vec![
        step(
            "A keyset, encrypted under that key: this file can go where the data go.",
            &[
                "keyset",
                "create",
                "--template",
                "AES256_GCM",
                "--keyset-kek",
                KEK,
                "-o",
                "keyset.json",
            ],
        ),
        of_file(
            "Encrypt. The associated data say what this is, and are not stored.",
            &[&["encrypt"], &under[..], &["-o", SEALED]].concat(),
        ),
        step(
            "No key is needed to see what a file is.",
            &["inspect", SEALED],
        ),
        step(
            "Rotate: a new version of the key encrypts from now on, and the old one still decrypts.",
            &["kek", "rotate", KEK],
        ),
        step(
            "Wrap the keyset anew, under the newest version. The data stay as they are.",
            &[
                "keyset",
                "convert",
                "keyset.json",
                "--keyset-kek",
                KEK,
                "--in-place",
            ],
        ),
        step(
            "Two versions now.",
            &["kek", "list", "--name", "quickstart"],
        ),
        step(
            "Decrypt.",
            &[&["decrypt", SEALED], &under[..], &["-o", OPENED]].concat(),
        ),
    ]
}

/// The story as it is told.
struct Story<'c> {
    context: &'c Context,
    lines: Vec<String>,
    environment: Environment,
    kek: String,
    /// It ends with the story.
    _server: Server,
}

impl<'c> Story<'c> {
    fn new(folder: &Folder, context: &'c Context) -> Result<Self, Failure> {
        let failed = |error: &dyn Error| {
            let what = "cannot start the emulator";
            Failure::new(Exit::Failed, "emulator", what, chain(error))
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

    fn open(&mut self, folder: &Folder) -> Result<(), Failure> {
        if let Some(program) = elsewhere() {
            self.say(
                "The program that tells this.",
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
                    "A folder for the files, which stays.",
                    &format!("mkdir {path} && cd {path}"),
                )?;
                format!(" --state {STATE} --state-key-file {STATE_KEY}")
            }
        };
        self.say(
            "A Key Manager on this machine. In real life it is Scaleway's, and the variables are yours.",
            &format!("keyseal emulator{state} -q > emulator.env & sleep 1; . ./emulator.env"),
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

    fn run(&mut self, step: Step) -> Result<(), Failure> {
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

    /// Runs a command line, and returns what it printed.
    fn perform(&self, arguments: impl IntoIterator<Item = OsString>) -> Result<String, Failure> {
        let line = [OsString::from("keyseal")].into_iter().chain(arguments);
        let cli = Cli::try_parse_from(line).map_err(|error| {
            Failure::new(
                Exit::Failed,
                "quickstart",
                "a step was not understood",
                error.to_string(),
            )
        })?;
        let inside = self.context.inside(&self.environment);
        cli.command.run(&inside)?;
        Ok(inside.heard())
    }

    fn say(&mut self, why: &str, line: &str) -> Result<(), Failure> {
        self.lines.push(line.to_owned());
        self.show(&format!("\n# {why}\n$ {line}\n"))
    }

    fn show(&self, text: &str) -> Result<(), Failure> {
        if self.context.json {
            return Ok(());
        }
        self.context.print(text)
    }

    fn close(self, folder: &Folder) -> Result<(), Failure> {
        if self.context.json {
            return self.context.print_json(&json!({
                "commands": self.lines,
                "identical": true,
                "kept": folder.keep.then(|| folder.path.to_string_lossy()),
            }));
        }
        self.context.print(&match folder.keep {
            false => "\nDone: the same bytes. Nothing was left behind.\n".to_owned(),
            true => format!(
                "\nDone: the same bytes. The files are in {}; the key is in the emulator's state there.\n",
                printable(folder.path.display())
            ),
        })
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

fn compare(left: &Path, right: &Path) -> Result<(), Failure> {
    let read = |path: &Path| {
        fs::read(path)
            .map(zeroize::Zeroizing::new)
            .map_err(|error| Failure::file("read", path, &error))
    };
    if read(left)? == read(right)? {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Failed,
        "not_identical",
        format!(
            "{} is not {}",
            printable(right.display()),
            printable(left.display())
        ),
        "the file changed while this ran",
    ))
}
