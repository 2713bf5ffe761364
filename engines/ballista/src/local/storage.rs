//! [`Storage`]: the buckets of a local cluster.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::process::{Process, ProcessBuilder, free_port};

/// How long the S3 server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);
/// Any credentials do for moto. The secret one is searched for in logs.
const ACCESS_KEY: &str = "demonstration";

/// An S3 server, or folders in its place.
#[derive(Debug)]
pub struct Storage {
    server: Option<Process>,
    /// Holds the buckets, if they are folders.
    folder: PathBuf,
    environment: BTreeMap<String, String>,
}

impl Storage {
    /// Starts `moto_server` with these buckets if it is installed; otherwise buckets are folders.
    /// `MOTO_SERVER` names the program, if it is not in the path.
    ///
    /// # Errors
    /// [`io::Error`] if the server does not serve.
    pub async fn start(
        executable: impl AsRef<OsStr>,
        folder: &Path,
        secret_key: &str,
        buckets: &[&str],
    ) -> io::Result<Self> {
        let Some(program) = moto_server() else {
            return Self::in_folder(folder, buckets);
        };
        let port = free_port()?;
        let server = ProcessBuilder::new(executable, &folder.join("s3.log"))
            .args([OsStr::new("guard"), OsStr::new("--"), &program])
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(std::process::Stdio::null())
            .start()?;
        let url = format!("http://127.0.0.1:{port}");
        for bucket in buckets {
            make_bucket(&format!("{url}/{bucket}")).await?;
        }
        let variables = [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", secret_key),
            ("AWS_ENDPOINT_URL", &url),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self {
            server: Some(server),
            folder: folder.join("buckets"),
            environment: variables.into(),
        })
    }

    /// Uses folders in place of buckets.
    ///
    /// # Errors
    /// [`io::Error`] if they cannot be made.
    pub fn in_folder(folder: &Path, buckets: &[&str]) -> io::Result<Self> {
        let folder = folder.join("buckets");
        for bucket in buckets {
            fs::create_dir_all(folder.join(bucket))?;
        }
        Ok(Self {
            server: None,
            folder,
            environment: BTreeMap::new(),
        })
    }

    /// Returns the URL of a bucket, without the final slash.
    #[must_use]
    pub fn url(&self, bucket: &str) -> String {
        match &self.server {
            Some(_) => format!("s3://{bucket}"),
            None => format!("file://{}", self.folder.join(bucket).display()),
        }
    }

    /// Returns the variables for its clients.
    #[must_use]
    pub const fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// Returns its kind, for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.server {
            Some(_) => "S3 (moto_server)",
            None => "the local file system",
        }
    }

    /// Ends the server.
    pub async fn stop(self) {
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}

fn moto_server() -> Option<OsString> {
    if let Some(named) = std::env::var_os("MOTO_SERVER") {
        return (!named.is_empty()).then_some(named);
    }
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join("moto_server"));
    found
        .into_iter()
        .find(|program| program.is_file())
        .map(PathBuf::into_os_string)
}

async fn make_bucket(url: &str) -> io::Result<()> {
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.map_err(io::Error::other)?;
    let started = Instant::now();
    loop {
        match client.put(url).send().await {
            Ok(reply) if reply.status().is_success() => return Ok(()),
            Ok(reply) => return Err(io::Error::other(format!("{url}: {}", reply.status()))),
            Err(error) if started.elapsed() > PATIENCE => return Err(io::Error::other(error)),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
