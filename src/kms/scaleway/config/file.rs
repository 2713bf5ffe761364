//! The configuration file: YAML, with profiles.
//!
//! # Security
//! We wipe the text of the file and its settings, but not the YAML parser's own buffers: parts of
//! the file may remain in freed memory.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy, Spanned};
use zeroize::Zeroizing;

use super::settings::{Origin, Setting, Settings};
use crate::error::KmsError;

/// The largest file in bytes that is read.
const MAX_FILE_SIZE: usize = 1 << 20;
/// The name of the top level, which is also a profile.
const TOP_LEVEL: &str = "default";

/// A parsed configuration file.
pub(super) struct ConfigFile {
    path: PathBuf,
    top_level: Settings,
    active_profile: Option<Setting>,
    profiles: BTreeMap<String, Settings>,
}

/// A text of the file, with its line.
type Text = Option<Spanned<Secret>>;

struct Secret(Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// The settings of a profile, or of the top level.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Profile {
    access_key: Text,
    secret_key: Text,
    default_organization_id: Text,
    default_project_id: Text,
    default_region: Text,
    default_zone: Text,
    api_url: Text,
    user_agent: Text,
    insecure: Option<bool>,
}

/// The other fields of the top level.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Profiles {
    active_profile: Text,
    profiles: Option<BTreeMap<String, Option<Profile>>>,
}

impl ConfigFile {
    pub(super) fn read(path: &Path, warnings: &mut Vec<String>) -> Result<Self, KmsError> {
        Self::parse(path, &load(path, warnings)?)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, KmsError> {
        let origin: Arc<Path> = path.into();
        // The fields are repeated, because a flattened field would lose its line.
        let top_level: Profile = from_yaml(path, text)?;
        let rest: Profiles = from_yaml(path, text)?;
        let profiles = rest.profiles.unwrap_or_default();
        Ok(Self {
            path: path.to_owned(),
            top_level: top_level.settings(&origin),
            active_profile: setting(rest.active_profile, &origin),
            profiles: profiles
                .into_iter()
                .map(|(name, profile)| (name, profile.unwrap_or_default().settings(&origin)))
                .collect(),
        })
    }

    /// Merges the profile of this name, or else the file's active one, over the top level.
    pub(super) fn select(mut self, profile: Option<&Setting>) -> Result<Settings, KmsError> {
        let Some(chosen) = profile.or(self.active_profile.as_ref()) else {
            return Ok(self.top_level);
        };
        if chosen.text.as_str() == TOP_LEVEL {
            return Ok(self.top_level);
        }
        match self.profiles.remove(chosen.text.as_str()) {
            Some(profile) => Ok(profile.over(self.top_level)),
            None => Err(chosen.refused(format!(
                "there is no profile `{}` in {}, which has {}",
                chosen.text.as_str(),
                self.path.display(),
                names(self.profiles.keys())
            ))),
        }
    }
}

impl Profile {
    fn settings(self, file: &Arc<Path>) -> Settings {
        Settings {
            access_key: setting(self.access_key, file),
            secret_key: setting(self.secret_key, file),
            organization_id: setting(self.default_organization_id, file),
            project_id: setting(self.default_project_id, file),
            region: setting(self.default_region, file),
            zone: setting(self.default_zone, file),
            api_url: setting(self.api_url, file),
            user_agent: setting(self.user_agent, file),
            insecure: self.insecure,
            http_host: None,
        }
    }
}

fn setting(text: Text, file: &Arc<Path>) -> Option<Setting> {
    text.map(|text| Setting {
        origin: Origin::Line(Arc::clone(file), text.referenced.line()),
        text: text.value.0,
    })
}

/// Lists the profiles, which always include the top level.
fn names<'a>(profiles: impl Iterator<Item = &'a String>) -> String {
    let mut names = format!("`{TOP_LEVEL}`");
    for name in profiles {
        names.push_str(&format!(", `{name}`"));
    }
    names
}

/// Reads one document; an empty one has no settings. Unknown names are ignored.
fn from_yaml<T: DeserializeOwned + Default>(path: &Path, text: &str) -> Result<T, KmsError> {
    let options = serde_saphyr::options! {
        // Choosing one of the two would be a guess.
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Merge,
        with_snippet: false,
    };
    let parsed = serde_saphyr::from_str_with_options::<Option<T>>(text, options);
    // Report where, not what: the parser's own message may repeat the file's text.
    parsed.map(Option::unwrap_or_default).map_err(|error| {
        let line = error.location().map(|place| place.line());
        let line = line.map_or_else(String::new, |line| format!(", line {line}"));
        let why = match error {
            serde_saphyr::Error::DuplicateMappingKey { .. } => "a name is there twice",
            _ => "it is not YAML as scw writes it",
        };
        KmsError::configuration(format!("{}{line}: {why}", path.display()))
    })
}

fn load(path: &Path, warnings: &mut Vec<String>) -> Result<Zeroizing<String>, KmsError> {
    let failed = |error: std::io::Error| {
        KmsError::configuration(format!("the file {} cannot be read", path.display()))
            .with_source(error)
    };
    let mut file = fs::File::open(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
            warnings.push(format!(
                "{} is readable by others: chmod 600",
                path.display()
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = warnings;

    // Read it in one go, so that the text is not moved. The file may also be a pipe.
    let mut bytes = Zeroizing::new(vec![0; MAX_FILE_SIZE + 1]);
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest).map_err(failed)? {
            0 => break,
            read => filled += read,
        }
    }
    if filled > MAX_FILE_SIZE {
        return Err(KmsError::configuration(format!(
            "{} is longer than 1 MiB",
            path.display()
        )));
    }
    let text = bytes
        .get(..filled)
        .and_then(|bytes| std::str::from_utf8(bytes).ok());
    let text = text
        .ok_or_else(|| KmsError::configuration(format!("{} is not UTF-8 text", path.display())))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# Scaleway configuration file
access_key: SCW0123456789ABCDEFG
secret_key: \"11111111-1111-4111-8111-111111111111\"
default_region: fr-par
insecure: no
send_telemetry: true
unknown: {deep: [1, {er: 2}], more: ~}
active_profile: p2
profiles:
  p1:
  p2:
    default_region: 'nl-ams'
    default_project_id: ~
    api_url: https://gateway.example
";

    fn select(text: &str, profile: Option<&str>) -> Result<Settings, String> {
        let profile = profile.map(Setting::explicit);
        ConfigFile::parse(Path::new("file"), text)
            .and_then(|file| file.select(profile.as_ref()))
            .map_err(|error| error.message().unwrap_or_default().to_owned())
    }

    fn text(setting: Option<&Setting>) -> Option<&str> {
        setting.map(|setting| setting.text.as_str())
    }

    fn region(file: &str, profile: Option<&str>) -> Result<Option<String>, String> {
        select(file, profile).map(|found| text(found.region.as_ref()).map(str::to_owned))
    }

    #[test]
    fn the_profile_in_use_is_laid_over_the_top_level() {
        let settings = select(FILE, None).expect("the file is good");
        assert_eq!(text(settings.region.as_ref()), Some("nl-ams"));
        assert_eq!(
            text(settings.access_key.as_ref()),
            Some("SCW0123456789ABCDEFG")
        );
        assert_eq!(settings.insecure, Some(false));
        assert!(settings.project_id.is_none());
        assert_eq!(region(FILE, Some("p1")), Ok(Some("fr-par".to_owned())));
        assert_eq!(region(FILE, Some("default")), Ok(Some("fr-par".to_owned())));
        assert_eq!(
            region(FILE, Some("p3")),
            Err("there is no profile `p3` in file, which has `default`, `p1`, `p2`".to_owned())
        );
    }

    #[test]
    fn anchors_and_merge_keys_stand_for_what_they_name() {
        let file = "\
base: &base
  secret_key: 11111111-1111-4111-8111-111111111111
  default_region: fr-par
region: &region nl-ams
profiles:
  p1:
    <<: *base
  p2:
    <<: [*base]
    default_region: *region
";
        for (profile, wanted) in [("p1", "fr-par"), ("p2", "nl-ams")] {
            let settings = select(file, Some(profile)).expect("the file is good");
            assert_eq!(text(settings.region.as_ref()), Some(wanted));
            assert!(settings.secret_key.is_some());
        }
    }

    #[test]
    fn empty_files_have_no_settings() {
        for text in [
            "",
            "\u{feff}",
            "# nothing\n",
            "---\n",
            "{}",
            "~",
            "---\n...\n",
        ] {
            assert_eq!(region(text, None), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn values_of_any_scalar_are_texts() {
        for (file, wanted) in [
            ("default_region: 123", "123"),
            ("default_region: yes", "yes"),
            ("default_region: 1.50", "1.50"),
            ("{\"default_region\": \"fr-par\"}", "fr-par"),
            ("default_region: fr-par\r\n", "fr-par"),
        ] {
            assert_eq!(region(file, None), Ok(Some(wanted.to_owned())), "{file}");
        }
    }

    #[test]
    fn errors_name_the_line_and_never_a_value() {
        for (text, line) in [
            ("- secret_key: hidden-value", 1),
            ("hidden-value", 1),
            ("\nsecret_key: [hidden-value]", 2),
            ("\nsecret_key: {hidden-value: 1}", 2),
            ("secret_key: a\nsecret_key: hidden-value", 2),
            ("x: 1\nsecret_key: *a", 2),
            ("x: 1\nx2: &a hidden-value\n<<: *a", 2),
            ("insecure: hidden-value", 1),
            ("profiles: hidden-value", 1),
            ("profiles: {p: hidden-value}", 1),
        ] {
            let error = region(text, None).expect_err(text);
            assert!(!error.contains("hidden-value"), "{error}");
            assert!(
                error.starts_with(&format!("file, line {line}: ")),
                "{text}: {error}"
            );
        }
        for text in [
            "secret_key: 'hidden-value",
            "secret_key: \"hidden-value\n: x",
            "secret_key: %hidden-value: @",
            "active_profile: 'hidden-value",
        ] {
            let error = region(text, None).expect_err(text);
            assert!(!error.contains("hidden-value"), "{error}");
        }
        assert!(region("active_profile: ''", None).is_err());
    }

    #[test]
    fn hostile_files_end_in_an_error() {
        let mut bomb = "a0: &a0 [x, x]\n".to_owned();
        for level in 1..40 {
            let below = level - 1;
            bomb.push_str(&format!("a{level}: &a{level} [*a{below}, *a{below}]\n"));
        }
        for text in [
            format!("x: {}", "[".repeat(100_000)),
            format!("x: {}", "{a: ".repeat(100_000)),
            "? ".repeat(100_000),
            bomb,
        ] {
            assert!(region(&text, None).is_err());
        }
    }
}
