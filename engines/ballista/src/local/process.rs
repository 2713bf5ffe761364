//! [`Process`]: a child that does not outlive us.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    path::{Path, PathBuf},
    process::{self, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::process::{Child, Command};

/// The start of the variables with settings and credentials of services.
const OF_SERVICES: [&str; 3] = ["SCW_", "AWS_", "KEYSEAL_"];

/// How long a child may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// A child whose output goes to a file. It has a pipe as its input, and ends when the pipe closes:
/// also if this process is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// Describes a [`Process`].
#[derive(Debug)]
pub struct ProcessBuilder {
    command: Command,
    log: PathBuf,
}

/// Returns this process's settings and credentials of services, for a child that should have them.
pub fn service_variables() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        OF_SERVICES.iter().any(|start| name.starts_with(start))
    })
}

impl ProcessBuilder {
    /// Names a program, and the file for its errors and logs. It inherits no settings of services:
    /// those of the user's own account are not for it.
    pub fn new(program: impl AsRef<OsStr>, log: &Path) -> Self {
        let mut command = Command::new(program);
        // Dropping it closes the pipe, and that ends it.
        command.stdin(Stdio::piped());
        // A proxy of the user's knows no loopback of ours.
        command.env("NO_PROXY", "127.0.0.1,localhost");
        for (name, _) in service_variables() {
            command.env_remove(name);
        }
        Self {
            command,
            log: log.to_owned(),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets variables.
    #[must_use]
    pub fn envs(
        mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        self.command.envs(variables);
        self
    }

    /// Lets the child write its results to a pipe, or to where we write ours.
    #[must_use]
    pub fn stdout(mut self, stdout: Stdio) -> Self {
        self.command.stdout(stdout);
        self
    }

    /// Lets the child write its errors to where we write ours, rather than to the file.
    ///
    /// # Errors
    /// [`io::Error`] if the program cannot be started.
    pub fn start_with_our_stderr(mut self) -> io::Result<Process> {
        let child = self.command.spawn()?;
        Ok(Process {
            child,
            log: self.log,
        })
    }

    /// Starts the child.
    ///
    /// # Errors
    /// [`io::Error`] if the program cannot be started, or the file not be written.
    pub fn start(mut self) -> io::Result<Process> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        self.command.stderr(log);
        self.start_with_our_stderr()
    }
}

impl Process {
    /// Returns the file with its errors and logs.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Returns its process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Returns the child itself.
    pub const fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Returns how it ended, if it has.
    ///
    /// # Errors
    /// [`io::Error`] of the operating system.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// [`io::Error`] of the operating system.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        // Waiting would close its input, which tells it to end.
        let stdin = self.child.stdin.take();
        let status = self.child.wait().await;
        drop(stdin);
        status
    }

    /// Kills it at once, as a power failure would.
    ///
    /// # Errors
    /// [`io::Error`] of the operating system.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.child.kill().await
    }

    /// Tells it to end, and kills it if it does not.
    pub async fn stop(mut self) {
        drop(self.child.stdin.take());
        if tokio::time::timeout(GRACE, self.child.wait())
            .await
            .is_err()
        {
            // An error means that it has ended.
            let _ = self.child.kill().await;
        }
    }
}

/// The ports that [`free_port`] takes. Systems give the ports above to outgoing connections: one of
/// those could be gone before a child listens there.
const PORTS: Range<u32> = 10_000..32_768;

/// Returns a port of loopback that nobody listens on; each call returns another one.
///
/// # Errors
/// [`io::Error`] if all are taken.
pub fn free_port() -> io::Result<u16> {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    // Processes whose numbers are neighbours start 97 ports apart, so that they do not try the same.
    let first = process::id().wrapping_mul(97);
    for _ in PORTS {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + first.wrapping_add(tried) % (PORTS.end - PORTS.start);
        let port = u16::try_from(port).map_err(io::Error::other)?;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn free_ports_are_not_given_to_connections_and_differ() {
        let ports: Vec<u16> = (0..100).map(|_| free_port().unwrap()).collect();
        let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
        let lowest = range.map_or(u16::MAX, |range| {
            range.split_whitespace().next().unwrap().parse().unwrap()
        });
        assert!(ports.iter().all(|port| *port < lowest), "{ports:?}");
        let different: BTreeSet<u16> = ports.iter().copied().collect();
        assert_eq!(different.len(), ports.len(), "{ports:?}");
    }
}
