//! `quickstart`: a tour with one file.
//!
//! Each step is a command line, printed and then run unchanged, argument parser included. The Key
//! Manager is an emulator inside this process; the first line starts one for a user who types it.

mod folder;
mod story;

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use self::{
    folder::Folder,
    story::{KEK, Step, Story},
};
use crate::{
    context::Context,
    display::{printable, quoted},
    error::Failure,
    exit::Exit,
};

/// The text to encrypt if there is no file.
const LETTER: &str = "Keys are small, and worth what they open.\n";

/// See everything at work, offline: encrypt a file, rotate its key, decrypt, compare
///
/// Each step is printed as a command that you can type yourself. The Key Manager is an emulator on
/// this machine. No files are left behind.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  keyseal quickstart README.md")]
pub(crate) struct QuickstartArgs {
    /// The file to encrypt [default: README.md, or a line of text if there is no such file]
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
    // Not every system can remove the current folder.
    let back = env::set_current_dir(start).map_err(|error| Failure::io("cannot go back", &error));
    let kept = folder.close(told.is_ok(), context);
    told.and(back).and(kept)?;
    Ok(Exit::Done)
}

/// Returns the file to encrypt, or `None` for the line of text.
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
            "it is not a regular file",
        ));
    }
    Ok(Some(real))
}

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
        "The decrypted file is the same as the original.",
        &format!("cmp {} {OPENED}", quoted(file.as_os_str())),
    )?;
    compare(&file, Path::new(OPENED))?;
    story.say("Stop the Key Manager.", "kill $KEYSEAL_EMULATOR_PID")?;
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
    let under = ["--kek", KEK, "--aad", "first"];
    vec![
        of_file(
            "Encrypt: the key wraps a new key for this file. The text of --aad is authenticated too.",
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
            "Two versions now.",
            &["kek", "list", "--name", "quickstart"],
        ),
        step(
            "Re-wrap the file's key under the newest version. The data is not re-encrypted.",
            &["rewrap", SEALED, "--kek", KEK, "--in-place"],
        ),
        step(
            "Decrypt.",
            &[&["decrypt", SEALED], &under[..], &["-o", OPENED]].concat(),
        ),
    ]
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
