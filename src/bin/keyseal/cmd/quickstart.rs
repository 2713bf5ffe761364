//! `quickstart`: the whole story on one file.
//!
//! Each step is a command line, printed and then run as it stands, from the argument parser on.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, Parser as _};
use serde_json::json;

use crate::{
    Cli,
    context::Context,
    error::Failure,
    exit::Exit,
    text::{printable, quoted},
};

/// Where there is no file to encrypt.
const LETTER: &str = "Keys are small, and worth what they open.\n";

/// See the whole story: make keys, encrypt a file, rotate, decrypt, compare
///
/// Every step is printed as the command that does it, and can be typed again. Nothing is left
/// behind.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal quickstart README.md")]
pub struct QuickstartArgs {
    /// The file to encrypt; README.md, or a line of text where there is none
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Keep the keys and files, in this new folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

pub fn run(args: QuickstartArgs, context: &Context) -> Result<Exit, Failure> {
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
    /// Whether it answers on standard output.
    answers: bool,
}

const UNDER_KEK: [&str; 3] = [
    "--keyset-kek",
    "file-kms://kek.json",
    "--insecure-cleartext",
];

fn tell(file: Option<PathBuf>, folder: &Folder, context: &Context) -> Result<(), Failure> {
    let mut story = Story {
        context,
        lines: Vec::new(),
    };
    env::set_current_dir(&folder.path)
        .map_err(|error| Failure::file("enter", &folder.path, &error))?;
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
    let plaintext = quoted(file.as_os_str());
    story.say(
        "Both are what they were.",
        &format!("cmp {plaintext} first.opened && cmp {plaintext} second.opened"),
    )?;
    for opened in ["first.opened", "second.opened"] {
        compare(&file, Path::new(opened))?;
    }
    story.close(folder)
}

fn steps(file: &Path) -> Vec<Step> {
    let file = file.as_os_str();
    let step = |why, words: &[&str], answers| Step {
        why,
        arguments: words.iter().map(OsString::from).collect(),
        answers,
    };
    let under_kek = |why, words: &[&str]| {
        let words: Vec<&str> = words.iter().copied().chain(UNDER_KEK).collect();
        step(why, &words, false)
    };
    let encrypt = |why, out: &str, aad: &str| Step {
        why,
        arguments: [OsStr::new("encrypt"), file]
            .into_iter()
            .chain(["--keyset", "keyset.json"].map(OsStr::new))
            .chain(UNDER_KEK.map(OsStr::new))
            .chain(["--aad", aad, "-o", out].map(OsStr::new))
            .map(OsStr::to_owned)
            .collect(),
        answers: false,
    };
    let decrypt = |why, name: &str, out: &str, aad: &str| {
        let words = [
            "decrypt",
            name,
            "--aad",
            aad,
            "-o",
            out,
            "--keyset",
            "keyset.json",
        ];
        under_kek(why, &words)
    };
    vec![
        step(
            "A key-encryption key. In real life it stays in a key manager, never in a file.",
            &[
                "keyset",
                "create",
                "--template",
                "AES256_GCM",
                "--insecure-cleartext",
                "-o",
                "kek.json",
            ],
            false,
        ),
        under_kek(
            "A keyset, encrypted under that key: this file can go where the data go.",
            &[
                "keyset",
                "create",
                "--template",
                "AES256_GCM",
                "-o",
                "keyset.json",
            ],
        ),
        encrypt(
            "Encrypt. The associated data say what this is, and are not stored.",
            "first.sealed",
            "first",
        ),
        step(
            "A ciphertext names its key; no key is needed to see which.",
            &["inspect", "first.sealed"],
            true,
        ),
        under_kek(
            "Rotate: a new key encrypts from now on, and the old one still decrypts.",
            &[
                "keyset",
                "rotate",
                "keyset.json",
                "--template",
                "XCHACHA20_POLY1305",
                "--in-place",
            ],
        ),
        step(
            "Two keys now; the star is the primary one.",
            &["keyset", "list", "keyset.json"],
            true,
        ),
        encrypt(
            "Encrypt again, with the new key.",
            "second.sealed",
            "second",
        ),
        step(
            "Another key, another cipher.",
            &["inspect", "second.sealed"],
            true,
        ),
        decrypt(
            "Decrypt what the old key encrypted.",
            "first.sealed",
            "first.opened",
            "first",
        ),
        decrypt(
            "Decrypt what the new key encrypted.",
            "second.sealed",
            "second.opened",
            "second",
        ),
    ]
}

struct Story<'c> {
    context: &'c Context,
    lines: Vec<String>,
}

impl Story<'_> {
    fn open(&mut self, folder: &Folder) -> Result<(), Failure> {
        if let Some(program) = elsewhere() {
            self.say(
                "The program that tells this.",
                &format!("alias keyseal={}", quoted(program.as_os_str())),
            )?;
        }
        match folder.keep {
            false => self.say(
                "A folder for the files. This one is removed at the end.",
                "cd \"$(mktemp -d)\"",
            ),
            true => {
                let path = quoted(folder.path.as_os_str());
                self.say(
                    "A folder for the files, which stays.",
                    &format!("mkdir {path} && cd {path}"),
                )
            }
        }
    }

    fn run(&mut self, step: Step) -> Result<(), Failure> {
        let words: Vec<String> = step.arguments.iter().map(|word| quoted(word)).collect();
        self.say(step.why, &format!("keyseal {}", words.join(" ")))?;
        if step.answers && self.context.json {
            return Ok(());
        }
        let line = [OsString::from("keyseal")]
            .into_iter()
            .chain(step.arguments);
        let cli = Cli::try_parse_from(line).map_err(|error| {
            Failure::new(
                Exit::Failed,
                "quickstart",
                "a step was not understood",
                error.to_string(),
            )
        })?;
        cli.command.run(&self.context.quietly()).map(|_| ())
    }

    fn say(&mut self, why: &str, line: &str) -> Result<(), Failure> {
        self.lines.push(line.to_owned());
        if self.context.json {
            return Ok(());
        }
        self.context.print(&format!("\n# {why}\n$ {line}\n"))
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
                "\nDone: the same bytes. The files are in {}.\n",
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
