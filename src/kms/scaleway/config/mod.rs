//! Where settings come from: explicit options, the environment, the configuration file.
//!
//! Each source is read as text into [`Settings`]; they are laid over each other field by field;
//! what results is checked once. The names, the order and the rules are those of Scaleway's Go SDK
//! and CLI.

mod environment;
mod file;

pub use environment::Environment;

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::{Region, SecretKey, Uuid, http::ApiUrl};
use crate::error::{KmsError, KmsErrorKind};

/// The longest user agent in bytes.
const MAX_USER_AGENT_SIZE: usize = 512;

/// What one source says, unchecked. Wiped, for it may hold the secret key.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) access_key: Option<Zeroizing<String>>,
    pub(crate) secret_key: Option<Zeroizing<String>>,
    pub(crate) organization_id: Option<Zeroizing<String>>,
    pub(crate) project_id: Option<Zeroizing<String>>,
    pub(crate) region: Option<Zeroizing<String>>,
    pub(crate) zone: Option<Zeroizing<String>>,
    pub(crate) api_url: Option<Zeroizing<String>>,
    pub(crate) user_agent: Option<Zeroizing<String>>,
    pub(crate) insecure: Option<bool>,
    /// The host that may be called without TLS.
    pub(crate) http_host: Option<Zeroizing<String>>,
}

impl Settings {
    /// Lays `self` over `below`.
    pub(crate) fn over(self, below: Self) -> Self {
        Self {
            access_key: self.access_key.or(below.access_key),
            secret_key: self.secret_key.or(below.secret_key),
            organization_id: self.organization_id.or(below.organization_id),
            project_id: self.project_id.or(below.project_id),
            region: self.region.or(below.region),
            zone: self.zone.or(below.zone),
            api_url: self.api_url.or(below.api_url),
            user_agent: self.user_agent.or(below.user_agent),
            insecure: self.insecure.or(below.insecure),
            http_host: self.http_host.or(below.http_host),
        }
    }
}

/// Which sources to read besides the explicit options.
#[derive(Clone, Default)]
pub(crate) struct Sources {
    pub(crate) environment: Option<Environment>,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) profile: Option<String>,
}

/// Settings that were checked.
pub(crate) struct Resolved {
    pub(crate) secret_key: SecretKey,
    pub(crate) organization_id: Option<Uuid>,
    pub(crate) project_id: Option<Uuid>,
    pub(crate) region: Option<Region>,
    pub(crate) api_url: ApiUrl,
    pub(crate) user_agent: String,
    pub(crate) accept_any_certificate: bool,
    /// What the owner of the settings should know.
    pub(crate) warnings: Vec<String>,
}

/// Reads the sources, lays `explicit` over them, and checks the result.
pub(crate) fn resolve(explicit: Settings, sources: &Sources) -> Result<Resolved, KmsError> {
    let mut warnings = Vec::new();
    let none = Environment::default();
    let environment = sources.environment.as_ref().unwrap_or(&none);

    let from_environment = environment.settings(&mut warnings)?;
    let from_file = read_file(sources, environment, &mut warnings)?;
    let mut settings = explicit.over(from_environment).over(from_file);
    if settings.project_id.is_none() {
        settings.project_id = environment.last_resort_project_id()?;
    }
    check(&settings, warnings)
}

fn read_file(
    sources: &Sources,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<Settings, KmsError> {
    // A file that was named must be there; one that is merely looked for need not.
    let path = match (&sources.config_file, environment.config_path()) {
        (Some(path), _) => Some(path.clone()),
        (None, Some(path)) => Some(path),
        (None, None) => environment
            .default_config_paths()
            .into_iter()
            .find(|path| path.is_file()),
    };
    let Some(path) = path else {
        if let Some(profile) = &sources.profile {
            return Err(refused(format!(
                "there is no configuration file with a profile `{profile}`"
            )));
        }
        if let Some(profile) = environment.profile()? {
            warnings.push(format!(
                "SCW_PROFILE is `{profile}`, but no configuration file is there"
            ));
        }
        return Ok(Settings::default());
    };
    let profile = match &sources.profile {
        Some(profile) => Some(profile.clone()),
        None => environment.profile()?,
    };
    file::read(&path, profile.as_deref(), warnings)
}

fn check(settings: &Settings, mut warnings: Vec<String>) -> Result<Resolved, KmsError> {
    // The access key names the API key in logs and is never sent; one that is malformed is a sign
    // of settings that were mixed up.
    if let Some(access_key) = &settings.access_key {
        check_access_key(access_key)?;
    }
    let secret_key = settings
        .secret_key
        .as_ref()
        .ok_or_else(|| refused("there is no secret key"))?;
    let secret_key = SecretKey::parse(secret_key)
        .ok_or_else(|| refused("the secret key must be a UUID (its text is not shown here)"))?;
    let organization_id = uuid(settings.organization_id.as_ref(), "organization id")?;
    let project_id = uuid(settings.project_id.as_ref(), "project id")?;
    let zone_region = settings
        .zone
        .as_ref()
        .map(|zone| region_of_zone(zone))
        .transpose()?;
    let region = match &settings.region {
        Some(region) => Some(
            Region::parse(region)
                .ok_or_else(|| refused("the region must have a name such as fr-par or nl-ams"))?,
        ),
        None => zone_region,
    };
    let api_url = settings.api_url.as_ref().map_or(ApiUrl::DEFAULT, |url| url);
    let http_host = settings.http_host.as_ref().map(|host| host.as_str());
    let api_url = ApiUrl::parse(api_url, http_host)
        .map_err(|reason| refused(format!("the API URL: {reason}")))?;
    if api_url.is_exposed() {
        warnings.push(
            "the API is called without TLS: all secrets can be read on the network".to_owned(),
        );
    }

    Ok(Resolved {
        secret_key,
        organization_id,
        project_id,
        region,
        api_url,
        user_agent: user_agent(settings)?,
        accept_any_certificate: settings.insecure.unwrap_or_default(),
        warnings,
    })
}

fn check_access_key(access_key: &str) -> Result<(), KmsError> {
    let id = access_key.strip_prefix("SCW").unwrap_or_default();
    let letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if id.len() == 17 && id.bytes().all(letter) {
        return Ok(());
    }
    // Not shown: a secret key that was put into the wrong field would be.
    Err(refused(
        "the access key must be SCW and 17 capital letters or digits",
    ))
}

fn uuid(text: Option<&Zeroizing<String>>, name: &str) -> Result<Option<Uuid>, KmsError> {
    let parse = |text: &Zeroizing<String>| {
        Uuid::parse(text).ok_or_else(|| refused(format!("the {name} must be a UUID")))
    };
    text.map(parse).transpose()
}

/// Reads a zone such as `fr-par-1`.
fn region_of_zone(zone: &str) -> Result<Region, KmsError> {
    let parsed = zone.rsplit_once('-').and_then(|(region, number)| {
        let well_formed =
            (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        Region::parse(region).filter(|_| well_formed)
    });
    parsed.ok_or_else(|| refused("the zone must have a name such as fr-par-1"))
}

fn user_agent(settings: &Settings) -> Result<String, KmsError> {
    let Some(user_agent) = settings
        .user_agent
        .as_ref()
        .filter(|agent| !agent.is_empty())
    else {
        return Ok(concat!("keyseal/", env!("CARGO_PKG_VERSION")).to_owned());
    };
    let printable = user_agent.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !printable || user_agent.len() > MAX_USER_AGENT_SIZE {
        return Err(refused(
            "the user agent must be up to 512 printable ASCII characters",
        ));
    }
    Ok(user_agent.to_string())
}

/// Makes the error of a setting. Its value is in no text: it may be a secret in the wrong place.
fn refused(message: impl Into<String>) -> KmsError {
    KmsError::new(KmsErrorKind::Configuration).with_message(message)
}
