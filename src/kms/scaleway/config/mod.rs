//! The sources of settings: explicit options, the environment, the configuration file.
//!
//! Each source is read as text into [`Settings`]. The sources are merged field by field, and the
//! result is checked once. The names, the order and the rules are those of Scaleway's Go SDK and
//! CLI. Every text keeps its origin, so that an error names the variable or the line.

mod environment;
mod file;
mod settings;

pub use environment::Environment;
pub(crate) use settings::{Setting, Settings};

use std::path::{Path, PathBuf};

use self::file::ConfigFile;
use super::{Region, Uuid, secret_key::SecretKey};
use crate::{
    error::{KmsError, KmsErrorKind},
    kms::client::base_url::BaseUrl,
};

/// The API of Scaleway itself.
const DEFAULT_API_URL: &str = "https://api.scaleway.com";
/// The longest user agent in bytes.
const MAX_USER_AGENT_SIZE: usize = 512;

/// Which sources to read besides the explicit options.
#[derive(Clone, Default)]
pub(crate) struct Sources {
    pub(crate) environment: Option<Environment>,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) profile: Option<String>,
}

/// Checked settings.
pub(crate) struct Resolved {
    pub(crate) secret_key: SecretKey,
    pub(crate) organization_id: Option<Uuid>,
    pub(crate) project_id: Option<Uuid>,
    pub(crate) region: Option<Region>,
    pub(crate) api_url: BaseUrl,
    pub(crate) user_agent: String,
    pub(crate) accept_any_certificate: bool,
    /// Warnings about the settings.
    pub(crate) warnings: Vec<String>,
}

/// Reads the sources, merges `explicit` over them, and checks the result.
pub(crate) fn resolve(explicit: Settings, sources: &Sources) -> Result<Resolved, KmsError> {
    let mut warnings = Vec::new();
    let none = Environment::default();
    let environment = sources.environment.as_ref().unwrap_or(&none);

    let above = explicit.over(environment.settings(&mut warnings)?);
    let file = find_file(sources, environment);
    let from_file = read_file(file.as_deref(), &above, sources, environment, &mut warnings)?;
    let mut settings = above.over(from_file);
    if settings.project_id.is_none() {
        settings.project_id = environment.last_resort_project_id()?;
    }
    let Some(secret_key) = &settings.secret_key else {
        return Err(no_secret_key(sources, environment, file.as_deref()));
    };
    check(secret_key, &settings, warnings)
}

/// Returns the configured configuration file, or else the first default that exists.
fn find_file(sources: &Sources, environment: &Environment) -> Option<PathBuf> {
    let named = sources.config_file.clone();
    named.or_else(|| environment.config_path()).or_else(|| {
        // A folder of this name exists too: that is an error, not a missing file.
        let mut usual = environment.default_config_paths().into_iter();
        usual.find(|path| path.exists())
    })
}

fn read_file(
    file: Option<&Path>,
    above: &Settings,
    sources: &Sources,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<Settings, KmsError> {
    let explicit = sources.profile.as_deref().map(Setting::explicit);
    let profile = match explicit {
        Some(profile) => Some(profile),
        None => environment.profile()?,
    };
    let Some(path) = file else {
        return match profile {
            Some(profile) if sources.profile.is_some() => {
                let why = no_file(environment).unwrap_or_else(|| "no file is named".to_owned());
                Err(KmsError::configuration(format!(
                    "there is no profile `{}`: {why}",
                    profile.text.as_str()
                )))
            }
            Some(profile) => {
                warnings.push(format!(
                    "SCW_PROFILE is `{}`, but there is no configuration file",
                    profile.text.as_str()
                ));
                Ok(Settings::default())
            }
            None => Ok(Settings::default()),
        };
    };
    match ConfigFile::read(path, warnings) {
        Ok(file) => file.select(profile.as_ref()),
        // Nobody asked for this particular file, and we need nothing from it.
        Err(error)
            if above.suffices() && sources.config_file.is_none() && sources.profile.is_none() =>
        {
            let why = error.message().unwrap_or_default();
            warnings.push(format!("left out, the other settings suffice: {why}"));
            Ok(Settings::default())
        }
        Err(error) => Err(error),
    }
}

fn no_secret_key(sources: &Sources, environment: &Environment, file: Option<&Path>) -> KmsError {
    let mut looked = Vec::new();
    if sources.environment.is_some() {
        looked.push("SCW_SECRET_KEY is not set".to_owned());
    }
    match file {
        Some(path) => looked.push(format!(
            "the selected profile of {} has none",
            path.display()
        )),
        None => looked.extend(no_file(environment)),
    }
    let text = match looked.is_empty() {
        true => "no source of settings has a secret key".to_owned(),
        false => format!("there is no secret key: {}", looked.join(", and ")),
    };
    KmsError::new(KmsErrorKind::MissingCredentials).with_message(text)
}

/// Reports which file is missing, if one was looked for.
fn no_file(environment: &Environment) -> Option<String> {
    let usual = environment.default_config_paths();
    let path = usual.first()?;
    Some(format!("there is no file {}", path.display()))
}

fn check(
    secret_key: &Setting,
    settings: &Settings,
    mut warnings: Vec<String>,
) -> Result<Resolved, KmsError> {
    // The access key names the API key in logs and is never sent. A malformed one suggests that
    // settings were mixed up.
    if let Some(access_key) = &settings.access_key {
        let rule = "must be SCW and 17 capital letters or digits";
        access_key.checked("access key", rule, |text| is_access_key(text).then_some(()))?;
    }
    if secret_key.text.is_empty() {
        // For example, the variable of a secret that a CI system withholds.
        let message = secret_key.refused("the secret key is empty");
        return Err(KmsError::new(KmsErrorKind::MissingCredentials)
            .with_message(message.message().unwrap_or_default()));
    }
    let rule = "must be a UUID (its text is not shown here)";
    let secret_key = secret_key.checked("secret key", rule, SecretKey::parse)?;
    let organization_id = uuid(settings.organization_id.as_ref(), "organization id")?;
    let project_id = uuid(settings.project_id.as_ref(), "project id")?;
    let zone = settings
        .zone
        .as_ref()
        .map(|zone| zone.checked("zone", "must have a name such as fr-par-1", region_of_zone));
    let zone_region = zone.transpose()?;
    let region = match &settings.region {
        Some(region) => {
            let rule = "must have a name such as fr-par or nl-ams";
            Some(region.checked("region", rule, Region::parse)?)
        }
        None => zone_region,
    };
    let api_url = api_url(settings.api_url.as_ref(), settings.http_host.as_ref())?;
    if api_url.is_exposed() {
        warnings.push(
            "the API is called without TLS: anyone on the network can read all secrets".to_owned(),
        );
    }
    Ok(Resolved {
        secret_key,
        organization_id,
        project_id,
        region,
        api_url,
        user_agent: user_agent(settings.user_agent.as_ref())?,
        accept_any_certificate: settings.insecure.unwrap_or_default(),
        warnings,
    })
}

fn is_access_key(text: &str) -> bool {
    let id = text.strip_prefix("SCW").unwrap_or_default();
    let letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    id.len() == 17 && id.bytes().all(letter)
}

fn uuid(setting: Option<&Setting>, name: &str) -> Result<Option<Uuid>, KmsError> {
    let parse = |setting: &Setting| setting.checked(name, "must be a UUID", Uuid::parse);
    setting.map(parse).transpose()
}

/// Reads a zone such as `fr-par-1`.
fn region_of_zone(zone: &str) -> Option<Region> {
    let (region, number) = zone.rsplit_once('-')?;
    let well_formed =
        (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    Region::parse(region).filter(|_| well_formed)
}

fn api_url(setting: Option<&Setting>, http_host: Option<&Setting>) -> Result<BaseUrl, KmsError> {
    let default = Setting::explicit(DEFAULT_API_URL);
    let setting = setting.unwrap_or(&default);
    let http_host = http_host.map(|host| host.text.as_str());
    match BaseUrl::parse(&setting.text, http_host) {
        Ok(url) => Ok(url),
        Err(reason) => setting.checked("API URL", reason, |_| None),
    }
}

fn user_agent(setting: Option<&Setting>) -> Result<String, KmsError> {
    let Some(setting) = setting.filter(|setting| !setting.text.is_empty()) else {
        return Ok(concat!("keyseal/", env!("CARGO_PKG_VERSION")).to_owned());
    };
    let rule = "must be up to 512 printable ASCII characters";
    setting.checked("user agent", rule, |text| {
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        (printable && text.len() <= MAX_USER_AGENT_SIZE).then(|| text.to_owned())
    })
}
