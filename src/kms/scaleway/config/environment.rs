//! [`Environment`]: the variables that Scaleway's tools read.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::settings::{Origin, Setting, Settings};
use crate::error::KmsError;

/// The variable of each setting, and the older names that are read if it is not set.
const ACCESS_KEY: &[&str] = &["SCW_ACCESS_KEY", "SCALEWAY_ACCESS_KEY"];
/// `SCALEWAY_ACCESS_KEY` once held the secret key.
const SECRET_KEY: &[&str] = &[
    "SCW_SECRET_KEY",
    "SCW_TOKEN",
    "SCALEWAY_TOKEN",
    "SCALEWAY_ACCESS_KEY",
];
const ORGANIZATION_ID: &[&str] = &[
    "SCW_DEFAULT_ORGANIZATION_ID",
    "SCW_ORGANIZATION",
    "SCALEWAY_ORGANIZATION",
];
const PROJECT_ID: &[&str] = &["SCW_DEFAULT_PROJECT_ID"];
const REGION: &[&str] = &["SCW_DEFAULT_REGION", "SCW_REGION", "SCALEWAY_REGION"];
const ZONE: &[&str] = &["SCW_DEFAULT_ZONE"];
const API_URL: &[&str] = &["SCW_API_URL"];
const USER_AGENT: &[&str] = &["SCW_USER_AGENT"];
const HTTP_HOST: &[&str] = &["KEYSEAL_INSECURE_HTTP_HOST"];
const INSECURE: &str = "SCW_INSECURE";
const TLS_VERIFY: &str = "SCW_TLSVERIFY";
const PROFILE: &str = "SCW_PROFILE";
const CONFIG_PATH: &str = "SCW_CONFIG_PATH";
const LAST_RESORT_PROJECT_ID: &str = "SCW_PROJECT_ID";
/// In the order in which we look at them. An empty one counts as unset.
const PROXY: &[&str] = &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const NO_PROXY: &[&str] = &["NO_PROXY", "no_proxy"];
const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// The environment variables that a client's settings are read from.
///
/// It is a value, so a program can pass variables that differ from the process's, and a test need
/// not change the environment of the whole process.
///
/// | setting | variable | older names, read if it is not set |
/// |---|---|---|
/// | access key | `SCW_ACCESS_KEY` | `SCALEWAY_ACCESS_KEY` |
/// | secret key | `SCW_SECRET_KEY` | `SCW_TOKEN`, `SCALEWAY_TOKEN`, `SCALEWAY_ACCESS_KEY` |
/// | organisation | `SCW_DEFAULT_ORGANIZATION_ID` | `SCW_ORGANIZATION`, `SCALEWAY_ORGANIZATION` |
/// | project | `SCW_DEFAULT_PROJECT_ID` | `SCW_PROJECT_ID`, if no other source names one |
/// | region | `SCW_DEFAULT_REGION` | `SCW_REGION`, `SCALEWAY_REGION` |
/// | zone, for its region | `SCW_DEFAULT_ZONE` | |
/// | API URL | `SCW_API_URL` | |
/// | a host that is called without TLS | `KEYSEAL_INSECURE_HTTP_HOST` | |
/// | any certificate | `SCW_INSECURE` | `SCW_TLSVERIFY`, which means the opposite |
/// | user agent | `SCW_USER_AGENT` | |
/// | profile | `SCW_PROFILE` | |
/// | file | `SCW_CONFIG_PATH` | |
/// | proxy | `HTTPS_PROXY` | `https_proxy`, `ALL_PROXY`, `all_proxy` |
/// | hosts that are called directly | `NO_PROXY` | `no_proxy` |
///
/// Without `SCW_CONFIG_PATH` the file is `$XDG_CONFIG_HOME/scw/config.yaml`, or
/// `~/.config/scw/config.yaml` if that variable is not set either. It need not exist; `config.yml`
/// is tried next.
///
/// A variable that is set to the empty string counts as set: an empty region is refused. The
/// exceptions are `SCW_PROFILE`, `SCW_CONFIG_PATH`, `XDG_CONFIG_HOME`, `SCW_USER_AGENT`,
/// `KEYSEAL_INSECURE_HTTP_HOST` and the proxy variables, where empty means unset.
///
/// # Example
/// ```
/// use keyseal::kms::scaleway::{Environment, ScalewayClient};
///
/// let environment = Environment::from_pairs([
///     ("SCW_SECRET_KEY", "11111111-1111-4111-8111-111111111111"),
///     ("SCW_DEFAULT_REGION", "fr-par"),
/// ]);
/// let client = ScalewayClient::builder().environment(environment).build()?;
/// # Ok::<(), keyseal::KmsError>(())
/// ```
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<&'static str, Value>);

/// Text, which is wiped, or a value that is not Unicode, as a path may be.
#[derive(Clone)]
enum Value {
    Text(Zeroizing<String>),
    Other(OsString),
}

impl Environment {
    /// Reads the variables above, and no others, from the process's environment.
    #[must_use]
    pub fn of_process() -> Self {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// Uses `pairs` as the environment.
    #[must_use]
    pub fn from_pairs<N: AsRef<str>, V: Into<OsString>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut pairs: BTreeMap<_, _> = pairs
            .into_iter()
            .map(|(name, value)| (name.as_ref().to_owned(), value.into()))
            .collect();
        Self::from_lookup(|name| pairs.remove(name))
    }

    fn from_lookup(mut lookup: impl FnMut(&str) -> Option<OsString>) -> Self {
        let lists = [
            ACCESS_KEY,
            SECRET_KEY,
            ORGANIZATION_ID,
            PROJECT_ID,
            REGION,
            ZONE,
            API_URL,
            USER_AGENT,
            PROXY,
            NO_PROXY,
            HTTP_HOST,
        ];
        let single = [
            INSECURE,
            TLS_VERIFY,
            PROFILE,
            CONFIG_PATH,
            LAST_RESORT_PROJECT_ID,
            XDG_CONFIG_HOME,
            HOME,
        ];
        let mut values = BTreeMap::new();
        for name in lists.into_iter().flatten().copied().chain(single) {
            if values.contains_key(name) {
                continue;
            }
            if let Some(value) = lookup(name) {
                let text = value.into_string().map(Zeroizing::new);
                values.insert(name, text.map_or_else(Value::Other, Value::Text));
            }
        }
        Self(values)
    }

    pub(super) fn settings(&self, warnings: &mut Vec<String>) -> Result<Settings, KmsError> {
        let mut first_set = |names: &[&'static str]| self.first_set(names, warnings);
        Ok(Settings {
            access_key: first_set(ACCESS_KEY)?,
            secret_key: first_set(SECRET_KEY)?,
            organization_id: first_set(ORGANIZATION_ID)?,
            project_id: first_set(PROJECT_ID)?,
            region: first_set(REGION)?.map(current_name),
            zone: first_set(ZONE)?,
            api_url: first_set(API_URL)?,
            user_agent: first_set(USER_AGENT)?.filter(|agent| !agent.text.is_empty()),
            http_host: first_set(HTTP_HOST)?.filter(|host| !host.text.is_empty()),
            insecure: self.insecure(warnings)?,
        })
    }

    pub(super) fn profile(&self) -> Result<Option<Setting>, KmsError> {
        let profile = self.setting(PROFILE)?;
        Ok(profile.filter(|profile| !profile.text.is_empty()))
    }

    /// Returns the configured path of the file.
    pub(super) fn config_path(&self) -> Option<PathBuf> {
        self.path(CONFIG_PATH)
    }

    /// Returns the default paths of the file.
    pub(super) fn default_config_paths(&self) -> Vec<PathBuf> {
        let directory = self
            .path(XDG_CONFIG_HOME)
            .or_else(|| Some(self.path(HOME)?.join(".config")))
            .map(|directory| directory.join("scw"));
        let names = ["config.yaml", "config.yml"];
        directory
            .iter()
            .flat_map(|directory| names.map(|name| directory.join(name)))
            .collect()
    }

    /// No Scaleway tool reads it, but some of Scaleway's pages set it.
    pub(super) fn last_resort_project_id(&self) -> Result<Option<Setting>, KmsError> {
        self.setting(LAST_RESORT_PROJECT_ID)
    }

    /// Returns the proxy variable in use, and its value.
    pub(crate) fn proxy(&self) -> Result<Option<(&'static str, &str)>, KmsError> {
        self.first_filled(PROXY)
    }

    /// Returns the list of hosts that we call without a proxy.
    pub(crate) fn no_proxy(&self) -> Result<Option<&str>, KmsError> {
        Ok(self.first_filled(NO_PROXY)?.map(|(_, list)| list))
    }

    fn first_filled(
        &self,
        names: &[&'static str],
    ) -> Result<Option<(&'static str, &str)>, KmsError> {
        for name in names {
            if let Some(value) = self.text(name)?.map(|value| value.trim())
                && !value.is_empty()
            {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    }

    fn first_set(
        &self,
        names: &[&'static str],
        warnings: &mut Vec<String>,
    ) -> Result<Option<Setting>, KmsError> {
        for name in names {
            if let Some(value) = self.setting(name)? {
                if let Some(current) = names.first().filter(|current| *current != name) {
                    warnings.push(format!("{name} is an old name: use {current}"));
                }
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// A value that is neither true nor false leaves certificates checked, in either variable.
    fn insecure(&self, warnings: &mut Vec<String>) -> Result<Option<bool>, KmsError> {
        let (name, secure_is) = match self.text(INSECURE)? {
            Some(_) => (INSECURE, false),
            None => (TLS_VERIFY, true),
        };
        let Some(value) = self.text(name)? else {
            return Ok(None);
        };
        if name == TLS_VERIFY {
            warnings.push(format!("{TLS_VERIFY} is an old name: use {INSECURE}"));
        }
        let parsed = match value.as_str() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => true,
            "0" | "f" | "F" | "FALSE" | "false" | "False" => false,
            _ => {
                warnings.push(format!(
                    "{name} is neither true nor false: certificates are checked"
                ));
                secure_is
            }
        };
        Ok(Some(parsed != secure_is))
    }

    fn setting(&self, name: &'static str) -> Result<Option<Setting>, KmsError> {
        let text = self.text(name)?.cloned();
        Ok(text.map(|text| Setting {
            text,
            origin: Origin::Variable(name),
        }))
    }

    fn text(&self, name: &str) -> Result<Option<&Zeroizing<String>>, KmsError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Other(_)) => Err(KmsError::configuration(format!(
                "{name} is not valid Unicode"
            ))),
        }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        let path = match self.0.get(name)? {
            Value::Text(text) => PathBuf::from(text.as_str()),
            Value::Other(other) => PathBuf::from(other),
        };
        (path != Path::new("")).then_some(path)
    }
}

/// Reads the former names of regions.
fn current_name(region: Setting) -> Setting {
    let name = match region.text.as_str() {
        "par1" => "fr-par",
        "ams1" => "nl-ams",
        _ => return region,
    };
    Setting {
        text: Zeroizing::new(name.to_owned()),
        ..region
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Environment").field(&self.0.keys()).finish()
    }
}
