//! The command line.

use std::{ffi::OsString, path::PathBuf};

use clap::{Parser, Subcommand};
use keyseal_ballista::{ClientTlsArgs, ExecutorArgs, SchedulerArgs};

use crate::demo::{DemoArgs, StoryArgs};

/// Ballista with encrypted tables and BigQuery's AEAD functions
///
/// Credentials come from the environment of each process: SCW_SECRET_KEY and so on for Key Manager,
/// AWS_ACCESS_KEY_ID and so on for buckets. RUST_LOG filters the logs.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) process: ProcessArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ProcessArgs {
    /// The file with stores and keysets: see docs/engines.md
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "KEYSEAL_ENGINE_CONFIG",
        default_value = "keyseal-engine.toml"
    )]
    pub(crate) config: PathBuf,
    /// End when standard input closes
    #[arg(long, global = true, hide = true)]
    pub(crate) until_stdin_closes: bool,
    /// Keep the counts of reads in this file
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    pub(crate) meter: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a scheduler
    Scheduler(SchedulerArgs),
    /// Run an executor
    Executor(ExecutorArgs),
    /// Run SQL statements on a cluster, and print their results
    Sql(SqlArgs),
    /// Show it all on this machine: cluster, keys, rotation, and a search for what leaked
    Demo(DemoArgs),
    /// The part of the demonstration that has credentials
    #[command(hide = true)]
    Story(StoryArgs),
    /// Serve a Key Manager until standard input closes
    #[command(hide = true)]
    Emulator,
    /// Run a program until standard input closes
    #[command(hide = true)]
    Guard {
        /// The program and its arguments
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct SqlArgs {
    /// The scheduler
    #[arg(long, value_name = "URL", default_value = "df://localhost:50050")]
    pub(crate) scheduler: String,
    /// Run in this process, without a cluster
    #[arg(long, conflicts_with = "scheduler")]
    pub(crate) local: bool,
    #[command(flatten)]
    pub(crate) tls: ClientTlsArgs,
    /// The statements, with semicolons between them; standard input unless given
    #[arg(value_name = "SQL")]
    pub(crate) sql: Option<String>,
}
