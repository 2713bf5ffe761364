//! Scaleway Key Manager: its options, and blocking calls.

mod failure;

use std::{
    env,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use keyseal::{
    KmsError,
    kms::{
        blocking::Worker,
        scaleway::{KeyUri, Region, RegionConflict, RetryPolicy, ScalewayClient, ScalewayKey},
    },
};

#[cfg(test)]
pub(crate) use failure::hints_by_kind;
pub(crate) use failure::kms_failure;

use crate::{
    context::Context, duration::parse_duration, error::Failure, exit::Exit, text::printable,
};

/// The longest file of certificates, in bytes. Those of all public authorities have 250 kB.
const CA_FILE_LIMIT: u64 = 8 << 20;
/// The longest time for one attempt, whatever the limit for all of them.
const ATTEMPT: Duration = Duration::from_secs(30);

/// How Key Manager is reached. All other settings are in the environment and in the
/// configuration file of Scaleway's own tools.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Key Manager, as Scaleway's own tools are set up")]
pub(crate) struct KmsArgs {
    /// The region; else that of the key's URI, of SCW_DEFAULT_REGION, of the profile, or fr-par
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The profile of the configuration file; else that of SCW_PROFILE, or its active one
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Another configuration file than scw's own; variables such as SCW_SECRET_KEY overrule it
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// A PEM file with the certificates of more authorities to trust, as SSL_CERT_FILE names it for
    /// every program
    #[arg(
        long,
        value_name = "FILE",
        env = "KEYSEAL_CA_FILE",
        hide_env_values = true
    )]
    ca_file: Option<PathBuf>,
    /// The address of the API; else that of SCW_API_URL or of the profile
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,
    /// Allow an API address with http:// and this host; else KEYSEAL_INSECURE_HTTP_HOST names it
    ///
    /// For an emulator in another container: all secrets can be read on the network.
    #[arg(long, value_name = "HOST")]
    insecure_http_host: Option<String>,
    /// How long a call may take in all, such as 10s or 2m [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// How often a call is repeated that failed and may be made again [default: 3; with --recursive 7,
    /// and more while the service says that it is busy]
    #[arg(long, value_name = "NUMBER")]
    retries: Option<u32>,
    /// Whether to wait long for a call, because many others depend on it.
    #[arg(skip)]
    is_patient: bool,
}

impl KmsArgs {
    /// Names another configuration file, as `tinkey` does with its flag.
    pub(crate) fn of_credentials(file: Option<PathBuf>) -> Self {
        Self {
            credentials: file,
            ..Self::default()
        }
    }

    /// Returns the files from which the settings may come. Without them nothing opens again, so that
    /// no run may replace them.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        let own = variable("XDG_CONFIG_HOME").map(PathBuf::from);
        let own = own.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")));
        let own = own.into_iter().flat_map(|folder| {
            ["config.yaml", "config.yml"].map(|name| folder.join("scw").join(name))
        });
        let named = variable("SCW_CONFIG_PATH").map(PathBuf::from);
        let flags = self.credentials.iter().chain(&self.ca_file).cloned();
        flags.chain(named).chain(own)
    }

    /// Returns the same, for a run over many files: a service that is busy is waited for.
    pub(crate) fn patient(&self) -> Self {
        Self {
            is_patient: true,
            ..self.clone()
        }
    }

    fn policy(&self) -> RetryPolicy {
        let mut policy = match self.is_patient {
            true => RetryPolicy::patient(),
            false => RetryPolicy::new(),
        };
        if let Some(timeout) = self.timeout {
            policy = policy
                .total_timeout(timeout)
                .attempt_timeout(timeout.min(ATTEMPT));
        }
        if let Some(retries) = self.retries {
            policy = policy.max_attempts(retries.saturating_add(1));
        }
        policy
    }
}

/// A client of Key Manager, and the thread that waits for its answers.
#[derive(Clone, Debug)]
pub(crate) struct KeyManager {
    client: ScalewayClient,
    worker: Worker,
}

impl KeyManager {
    /// Reads the settings. No call is made.
    pub(crate) fn new(args: &KmsArgs, context: &Context) -> Result<Self, Failure> {
        let mut builder = ScalewayClient::builder()
            .environment(context.environment())
            .retry_policy(args.policy())
            .region_conflict(match args.region {
                // The user gave both for this call, so one of them is a mistake.
                Some(_) => RegionConflict::Refuse,
                None => RegionConflict::UseUri,
            });
        if let Some(region) = &args.region {
            builder = builder.region(region);
        }
        if let Some(profile) = &args.profile {
            builder = builder.profile(profile);
        }
        if let Some(file) = &args.credentials {
            builder = builder.config_file(file);
        }
        if let Some(url) = &args.api_url {
            builder = builder.api_url(url);
        }
        if let Some(file) = &args.ca_file {
            builder = builder.ca_certificates(read_ca_file(file)?);
        }
        if let Some(host) = &args.insecure_http_host {
            builder = builder.insecure_http_host(host);
        }
        let client = builder
            .build()
            .map_err(|error| kms_failure("cannot use Key Manager", &error))?;
        for warning in client.warnings() {
            context.warn(&printable(warning));
        }
        let client = match client.region() {
            Some(_) => client,
            None => client.in_region(Region::FR_PAR),
        };
        let worker = new_worker()?;
        Ok(Self { client, worker })
    }

    pub(crate) const fn client(&self) -> &ScalewayClient {
        &self.client
    }

    pub(crate) const fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Returns the key of a URI, of `region/id` or of an id.
    pub(crate) fn key(&self, reference: &str, context: &Context) -> Result<ScalewayKey, Failure> {
        let failed = |error: KmsError| {
            kms_failure(
                &format!("cannot use the key {}", printable(reference)),
                &error,
            )
        };
        let uri = KeyUri::from_reference(reference).map_err(failed)?;
        if let (Some(named), Some(own)) = (uri.region(), self.client.region())
            && named != own
        {
            context.detail(&format!(
                "the key's region is {named}, that of the settings {own}"
            ));
        }
        self.client.key(&uri).map_err(failed)
    }

    /// Waits for an answer. `what` starts the error message, such as `cannot rotate the key`.
    pub(crate) fn run<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, KmsError>>,
    ) -> Result<T, Failure> {
        self.worker
            .run(call)
            .map_err(|error| kms_failure(what, &error))
    }
}

/// Reads the certificates of `--ca-file`.
fn read_ca_file(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut pem = Vec::new();
    File::open(file)
        .and_then(|open| open.take(CA_FILE_LIMIT + 1).read_to_end(&mut pem))
        .map_err(|error| Failure::file("read", file, &error))?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    let why = if pem.len() as u64 > CA_FILE_LIMIT {
        "it is longer than 8 MiB"
    } else if !pem.windows(begin.len()).any(|line| line == begin) {
        "it holds no certificate in PEM"
    } else {
        return Ok(pem);
    };
    Err(Failure::usage(
        "ca_file",
        format!("cannot use --ca-file {}", printable(file.display())),
        why,
    ))
}

/// Starts a thread that waits for answers.
pub(crate) fn new_worker() -> Result<Worker, Failure> {
    Worker::new().map_err(|error| {
        Failure::new(
            Exit::Failed,
            "thread",
            "cannot wait for a key management service",
            error.to_string(),
        )
    })
}
