//! A Key Manager as a process.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::{self, Write as _},
    path::Path,
    process::Stdio,
};

use keyseal::SecretAccess;
use keyseal_emulator::Emulator;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::process::{Process, ProcessBuilder};

/// The variable with the URI of the key that exists from the start.
const KEY_URI: &str = "SCW_KM_KEY_URI";

/// Serves an emulator until the input closes. The first line of the output is the environment for
/// its clients, in JSON.
///
/// # Errors
/// [`io::Error`] if it cannot be served.
pub fn serve_emulator() -> io::Result<()> {
    let emulator = Emulator::new().map_err(io::Error::other)?;
    let key_id = emulator.seed_key("lake").map_err(io::Error::other)?;
    let server = emulator
        .serve(([127, 0, 0, 1], 0).into())
        .map_err(io::Error::other)?;
    let url = server.url();
    let identity = emulator.identity();
    let variables = identity.environment(&url, SecretAccess::insecure());
    let mut variables: BTreeMap<&str, &str> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let uri = format!("scw-kms://regions/fr-par/keys/{key_id}");
    variables.insert(KEY_URI, &uri);
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(&variables)?)?;
    out.flush()?;
    super::guard::wait_for_end_of_input();
    server.shutdown();
    Ok(())
}

/// A running emulator.
#[derive(Debug)]
pub struct EmulatorProcess {
    process: Process,
    environment: BTreeMap<String, String>,
}

impl EmulatorProcess {
    /// Starts it by the hidden verb of `executable`.
    ///
    /// # Errors
    /// [`io::Error`] if it does not start.
    pub async fn start(executable: impl AsRef<OsStr>, log: &Path) -> io::Result<Self> {
        let mut process = ProcessBuilder::new(executable, log)
            .args(["emulator"])
            .stdout(Stdio::piped())
            .start()?;
        let mut line = String::new();
        if let Some(stdout) = process.child().stdout.as_mut() {
            BufReader::new(stdout).read_line(&mut line).await?;
        }
        let environment = serde_json::from_str(&line)
            .map_err(|_| io::Error::other("the emulator did not start"))?;
        Ok(Self {
            process,
            environment,
        })
    }

    /// Returns the variables for its clients: address, credentials, and the URI of a key.
    #[must_use]
    pub const fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// Returns the URI of the key that exists from the start.
    #[must_use]
    pub fn key_uri(&self) -> &str {
        self.environment.get(KEY_URI).map_or("", String::as_str)
    }

    /// Ends it.
    pub async fn stop(self) {
        self.process.stop().await;
    }
}
