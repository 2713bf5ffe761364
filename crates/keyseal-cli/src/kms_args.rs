//! The options of Key Manager, and the files that its settings come from.

use std::{env, path::PathBuf, time::Duration};

use clap::Args;

use crate::duration::parse_duration;

/// The help of `--retries` in a command without `--recursive`.
pub(crate) const RETRIES: &str =
    "How often to repeat a call that failed and is safe to repeat [default: 3]";

/// How Key Manager is reached. All other settings are in the environment and in the
/// configuration file of Scaleway's own tools.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Key Manager, with the settings of Scaleway's own tools")]
pub(crate) struct KmsArgs {
    /// The region [default: that of the key's URI, of SCW_DEFAULT_REGION, of the profile, or
    /// fr-par]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// The profile of the configuration file [default: that of SCW_PROFILE, or the active one]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// A configuration file to use instead of scw's; variables such as SCW_SECRET_KEY override it
    #[arg(long, value_name = "FILE")]
    pub(crate) credentials: Option<PathBuf>,
    /// A PEM file with more certificate authorities to trust, such as SSL_CERT_FILE names for all
    /// programs
    #[arg(
        long,
        value_name = "FILE",
        env = "KEYSEAL_CA_FILE",
        hide_env_values = true
    )]
    pub(crate) ca_file: Option<PathBuf>,
    /// The address of the API [default: that of SCW_API_URL or of the profile]
    #[arg(long, value_name = "URL")]
    pub(crate) api_url: Option<String>,
    /// Allow an http:// API address with this host [default: that of KEYSEAL_INSECURE_HTTP_HOST]
    ///
    /// For an emulator in another container. Anyone on the network can read all secrets.
    #[arg(long, value_name = "HOST")]
    pub(crate) insecure_http_host: Option<String>,
    /// How long a call may take in all, such as 10s or 2m [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// How often to repeat a call that failed and is safe to repeat [default: 3; with --recursive,
    /// 7, and more while the service says that it is busy]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) retries: Option<u32>,
    /// Whether to wait long for a call, because many others depend on it.
    #[arg(skip)]
    pub(crate) is_patient: bool,
}

impl KmsArgs {
    /// Names another configuration file, as `tinkey` does with its flag.
    pub(crate) fn of_credentials(file: Option<PathBuf>) -> Self {
        Self {
            credentials: file,
            ..Self::default()
        }
    }

    /// Returns the files from which the settings may come. Without them nothing opens again, so
    /// that no run may replace them.
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
}
