//! [`Settings`]: the texts of one source, unchecked.

use std::{fmt, path::Path, sync::Arc};

use zeroize::Zeroizing;

use crate::error::KmsError;

/// An unchecked text and its origin. It is wiped, because it may be the secret key.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(super) text: Zeroizing<String>,
    pub(super) origin: Origin,
}

/// The origin of a setting.
#[derive(Clone)]
pub(super) enum Origin {
    Explicit,
    Variable(&'static str),
    Line(Arc<Path>, u64),
}

impl Setting {
    pub(crate) fn explicit(text: &str) -> Self {
        Self {
            text: Zeroizing::new(text.to_owned()),
            origin: Origin::Explicit,
        }
    }

    /// Makes an error about a setting. It omits the text, which may be a secret in the wrong place.
    pub(super) fn refused(&self, message: impl fmt::Display) -> KmsError {
        match &self.origin {
            Origin::Explicit => KmsError::configuration(message.to_string()),
            Origin::Variable(name) => KmsError::configuration(format!("{name}: {message}")),
            Origin::Line(file, line) => {
                KmsError::configuration(format!("{}, line {line}: {message}", file.display()))
            }
        }
    }

    /// Parses the text, or reports which `name` breaks which `rule`.
    pub(super) fn checked<T>(
        &self,
        name: &str,
        rule: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, KmsError> {
        let text = self.text.as_str();
        parse(text).ok_or_else(|| {
            let fault = match text {
                "" => "is empty",
                text if text.ends_with('\n') => "ends in a line feed",
                text if text.trim() != text => "begins or ends with white space",
                _ => rule,
            };
            self.refused(format!("the {name} {fault}"))
        })
    }
}

/// The settings of one source.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) access_key: Option<Setting>,
    pub(crate) secret_key: Option<Setting>,
    pub(crate) organization_id: Option<Setting>,
    pub(crate) project_id: Option<Setting>,
    pub(crate) region: Option<Setting>,
    pub(crate) zone: Option<Setting>,
    pub(crate) api_url: Option<Setting>,
    pub(crate) user_agent: Option<Setting>,
    pub(crate) insecure: Option<bool>,
    /// The host that we may call without TLS.
    pub(crate) http_host: Option<Setting>,
}

impl Settings {
    /// Merges `self` over `below`.
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

    /// Returns whether these settings alone suffice to use keys.
    pub(super) const fn suffices(&self) -> bool {
        self.secret_key.is_some() && (self.region.is_some() || self.zone.is_some())
    }
}
