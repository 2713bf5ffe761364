//! The processes around the demonstration: they start before it, and end whatever happens.

use std::{
    env,
    path::Path,
    process::{ExitCode, Stdio},
    time::{Duration, Instant},
};

use clap::Args;
use keyseal_ballista::local::{EmulatorProcess, Process, ProcessBuilder, Storage};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::ChildStdout,
};

use super::output::say;
use crate::error::BoxError;

/// Starts a Key Manager, an S3 server (moto_server where it is installed, otherwise folders), a
/// scheduler and two executors on loopback; writes encrypted orders; queries them, rotates the keys
/// meanwhile, and searches everything that was written for an address and for keys.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// How many orders
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(1_000..))]
    rows: u64,
    /// Use folders even if moto_server is installed
    #[arg(long)]
    no_s3: bool,
}

/// The buckets: the encrypted one, and the one with the same files to compare with.
const BUCKETS: [&str; 2] = ["lake", "plain"];

/// How long processes may take to end.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) async fn run(args: &DemoArgs) -> Result<ExitCode, BoxError> {
    let started = Instant::now();
    let folder = tempfile::Builder::new().prefix("keyseal-demo-").tempdir()?;
    let mut stage = Stage::default();
    let code = tokio::select! {
        code = stage.play(args, folder.path()) => code,
        signal = stopped() => {
            say(&format!("{signal}: stopped"));
            Ok(ExitCode::from(130))
        }
    };
    // Whatever happened: nobody writes to the folder any more when it is removed.
    stage.clear().await;
    folder.close()?;
    let seconds = started.elapsed().as_secs_f64();
    say(&format!(
        "all processes have ended and the folder is removed, after {seconds:.1} s"
    ));
    code
}

/// The processes of the demonstration, as far as they are started.
#[derive(Default)]
struct Stage {
    emulator: Option<EmulatorProcess>,
    storage: Option<Storage>,
    story: Option<Process>,
    /// The story's output. Its children hold the other end too, so it closes when all have ended.
    output: Option<Lines<BufReader<ChildStdout>>>,
}

impl Stage {
    async fn play(&mut self, args: &DemoArgs, folder: &Path) -> Result<ExitCode, BoxError> {
        let executable = env::current_exe()?;
        let log = folder.join("key-manager.log");
        let emulator = self
            .emulator
            .insert(EmulatorProcess::start(&executable, &log).await?);
        let storage = match args.no_s3 {
            true => Storage::in_folder(folder, &BUCKETS)?,
            false => Storage::start(&executable, folder, &random_secret(), &BUCKETS).await?,
        };
        let storage = self.storage.insert(storage);
        say(&format!(
            "Key Manager: keyseal's emulator; buckets: {}",
            storage.name()
        ));
        let story = self.story.insert(story(args, folder, emulator, storage)?);
        if let Some(output) = story.child().stdout.take() {
            let output = self.output.insert(BufReader::new(output).lines());
            while let Some(line) = output.next_line().await? {
                say(&line);
            }
        }
        Ok(match story.wait().await?.success() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }

    /// Ends all processes, and waits for their end.
    async fn clear(self) {
        if let Some(story) = self.story {
            story.stop().await;
        }
        if let Some(mut output) = self.output {
            let ended = async { while let Ok(Some(_)) = output.next_line().await {} };
            // A process that takes longer ends by itself, as its input is closed.
            let _ = tokio::time::timeout(GRACE, ended).await;
        }
        if let Some(storage) = self.storage {
            storage.stop().await;
        }
        if let Some(emulator) = self.emulator {
            emulator.stop().await;
        }
    }
}

/// Starts the process that has the credentials, and gives them to its children.
fn story(
    args: &DemoArgs,
    folder: &Path,
    emulator: &EmulatorProcess,
    storage: &Storage,
) -> Result<Process, BoxError> {
    let process = ProcessBuilder::new(env::current_exe()?, &folder.join("story.log"))
        .args(["--until-stdin-closes", "story"])
        .args(["--folder", &folder.display().to_string()])
        .args(["--rows", &args.rows.to_string()])
        .args(["--lake", &storage.url("lake")])
        .args(["--plain", &storage.url("plain")])
        .stdout(Stdio::piped())
        .envs(emulator.environment())
        .envs(storage.environment())
        .envs([("HOME", folder)])
        .start_with_our_stderr()?;
    Ok(process)
}

/// A secret key for the S3 server, another one each time.
fn random_secret() -> String {
    let id = keyseal::KeysetHandle::generate("AES256_GCM");
    let random: u64 = id.map_or(0, |keyset| u64::from(keyset.primary_id().value()));
    format!("demonstration-secret-{random:016x}")
}

/// Waits for a signal that should end this process.
#[cfg(unix)]
async fn stopped() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};

    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = tokio::signal::ctrl_c() => "Ctrl-C",
    }
}

#[cfg(not(unix))]
async fn stopped() -> &'static str {
    // An error means that no signal will come.
    match tokio::signal::ctrl_c().await {
        Ok(()) => "Ctrl-C",
        Err(_) => std::future::pending().await,
    }
}
