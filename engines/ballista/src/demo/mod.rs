//! `demo`: a cluster on this machine, and what can be seen of its secrets.

mod cluster;
mod keys;
mod load;
mod measure;
mod orders;
mod queries;
mod search;
mod story;
mod table;

use std::{
    env,
    io::Write as _,
    path::Path,
    process::{ExitCode, Stdio},
    time::Instant,
};

use clap::Args;
use keyseal_ballista::local::{EmulatorProcess, Process, ProcessBuilder, Storage};

pub(crate) use story::{StoryArgs, tell};

use crate::run::BoxError;

/// Starts a Key Manager, an S3 server (moto_server where it is installed, otherwise folders), a
/// scheduler and two executors on loopback; writes encrypted orders; queries them, rotates the keys
/// meanwhile, and searches everything that was written for an address and for keys.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// How many orders
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    rows: u64,
    /// Use folders even if moto_server is installed
    #[arg(long)]
    no_s3: bool,
}

/// The buckets: the encrypted one, and the one with the same files to compare with.
const BUCKETS: [&str; 2] = ["lake", "plain"];

/// Prints a line. There is nobody to tell if standard output is closed.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

pub(crate) async fn run(args: &DemoArgs) -> Result<ExitCode, BoxError> {
    let started = Instant::now();
    let folder = tempfile::Builder::new().prefix("keyseal-demo-").tempdir()?;
    // Whatever happens first: the children are killed and the folder is removed on the way out.
    let code = tokio::select! {
        told = whole(args, folder.path()) => told?,
        signal = stopped() => {
            say(&format!("{signal}: stopped"));
            ExitCode::from(130)
        }
    };
    folder.close()?;
    let seconds = started.elapsed().as_secs_f64();
    say(&format!(
        "all processes have ended and the folder is removed, after {seconds:.1} s"
    ));
    Ok(code)
}

async fn whole(args: &DemoArgs, folder: &Path) -> Result<ExitCode, BoxError> {
    let executable = env::current_exe()?;
    let emulator = EmulatorProcess::start(&executable, &folder.join("key-manager.log")).await?;
    let secret = random_secret();
    let storage = match args.no_s3 {
        true => Storage::in_folder(folder, &BUCKETS)?,
        false => Storage::start(&executable, folder, &secret, &BUCKETS).await?,
    };
    say(&format!(
        "Key Manager: keyseal's emulator; buckets: {}",
        storage.name()
    ));
    let mut story = story(args, folder, &emulator, &storage)?;
    let status = story.wait().await?;
    story.stop().await;
    storage.stop().await;
    emulator.stop().await;
    Ok(match status.success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Starts the process that has the credentials. Its children inherit them.
fn story(
    args: &DemoArgs,
    folder: &Path,
    emulator: &EmulatorProcess,
    storage: &Storage,
) -> Result<Process, BoxError> {
    let mut builder = ProcessBuilder::new(env::current_exe()?, &folder.join("story.log"))
        .args(["--until-stdin-closes", "story"])
        .args(["--folder", &folder.display().to_string()])
        .args(["--rows", &args.rows.to_string()])
        .args(["--lake", &storage.url("lake")])
        .args(["--plain", &storage.url("plain")])
        .stdout(Stdio::inherit());
    // The user's own settings do not belong here.
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        if ["SCW_", "AWS_", "KEYSEAL_"]
            .iter()
            .any(|start| name.starts_with(start))
        {
            builder = builder.env_remove(name);
        }
    }
    let process = builder
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
