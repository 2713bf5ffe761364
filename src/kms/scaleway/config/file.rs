//! The configuration file: YAML, with profiles.
//!
//! # Security
//! What is read is wiped, but the YAML parser's own buffers are not: parts of the file may stay in
//! freed memory.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::Read as _,
    path::Path,
};

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use zeroize::Zeroizing;

use super::{Settings, refused};
use crate::error::KmsError;

/// The largest file in bytes that is read.
const MAX_FILE_SIZE: usize = 1 << 20;
/// The name of the top level, which is a profile too.
const TOP_LEVEL: &str = "default";

/// Reads the profile of this name, else the file's active profile, else its top level.
pub(super) fn read(
    path: &Path,
    profile: Option<&str>,
    warnings: &mut Vec<String>,
) -> Result<Settings, KmsError> {
    let text = load(path, warnings)?;
    select(&text, profile)
        .map_err(|reason| refused(format!("the file {}: {reason}", path.display())))
}

fn load(path: &Path, warnings: &mut Vec<String>) -> Result<Zeroizing<String>, KmsError> {
    let failed = |error: std::io::Error| {
        refused(format!("the file {} cannot be read", path.display())).with_source(error)
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

    // All at once, so that the text is not moved about; it may come through a pipe, too.
    let mut bytes = Zeroizing::new(vec![0; MAX_FILE_SIZE + 1]);
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest).map_err(failed)? {
            0 => break,
            read => filled += read,
        }
    }
    if filled > MAX_FILE_SIZE {
        return Err(refused(format!("{} is longer than 1 MiB", path.display())));
    }
    let text = bytes
        .get(..filled)
        .and_then(|bytes| std::str::from_utf8(bytes).ok());
    let text = text.ok_or_else(|| refused(format!("{} is not UTF-8 text", path.display())))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Lays the profile that is in use over the top level.
fn select(text: &str, profile: Option<&str>) -> Result<Settings, String> {
    let Document {
        top_level,
        active_profile,
        mut profiles,
    } = Reader::new(text).document()?;
    let active_profile = active_profile.as_ref().map(|name| name.as_str());
    match profile.or(active_profile).unwrap_or(TOP_LEVEL) {
        TOP_LEVEL => Ok(top_level),
        name => match profiles.remove(name) {
            Some(chosen) => Ok(chosen.over(top_level)),
            None => Err(format!("there is no profile `{name}`")),
        },
    }
}

#[derive(Default)]
struct Document {
    top_level: Settings,
    active_profile: Option<Zeroizing<String>>,
    profiles: BTreeMap<String, Settings>,
}

/// Reads the events of a YAML text as far as this file needs them.
struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            events: Parser::new_from_str(text),
        }
    }

    fn document(mut self) -> Result<Document, String> {
        let mut document = Document::default();
        while matches!(self.peek()?, Event::StreamStart | Event::DocumentStart(_)) {
            self.next()?;
        }
        if matches!(self.peek()?, Event::StreamEnd) {
            return Ok(document);
        }
        self.mapping("the file", &mut |reader, name| match name {
            "active_profile" => {
                document.active_profile = reader.scalar(name)?;
                Ok(())
            }
            "profiles" => reader.mapping(name, &mut |reader, name| {
                let mut profile = Settings::default();
                reader.mapping(name, &mut |reader, name| reader.setting(&mut profile, name))?;
                document.profiles.insert(name.to_owned(), profile);
                Ok(())
            }),
            _ => reader.setting(&mut document.top_level, name),
        })?;
        Ok(document)
    }

    /// Reads a mapping, or null for an empty one, and gives each name to `value` to read on.
    fn mapping(
        &mut self,
        what: &str,
        value: &mut dyn FnMut(&mut Self, &str) -> Result<(), String>,
    ) -> Result<(), String> {
        match self.next()? {
            Event::MappingStart(..) => {}
            Event::Scalar(text, ScalarStyle::Plain, ..) if is_null(&text) => return Ok(()),
            _ => return Err(format!("{what} must be a mapping of names to values")),
        }
        let mut seen = HashSet::new();
        loop {
            match self.next()? {
                Event::MappingEnd => return Ok(()),
                Event::Scalar(name, ..) => {
                    if !seen.insert(name.to_string()) {
                        return Err(format!("`{name}` is there twice"));
                    }
                    value(self, &name)?;
                }
                _ => return Err(format!("a name in {what} is no text")),
            }
        }
    }

    fn setting(&mut self, settings: &mut Settings, name: &str) -> Result<(), String> {
        let field = match name {
            "access_key" => &mut settings.access_key,
            "secret_key" => &mut settings.secret_key,
            "default_organization_id" => &mut settings.organization_id,
            "default_project_id" => &mut settings.project_id,
            "default_region" => &mut settings.region,
            "default_zone" => &mut settings.zone,
            "api_url" => &mut settings.api_url,
            "user_agent" => &mut settings.user_agent,
            "insecure" => {
                settings.insecure = self.scalar(name)?.map(|text| boolean(&text)).transpose()?;
                return Ok(());
            }
            _ => return self.skip(),
        };
        *field = self.scalar(name)?;
        Ok(())
    }

    /// Reads text, or null for none.
    fn scalar(&mut self, name: &str) -> Result<Option<Zeroizing<String>>, String> {
        let Event::Scalar(text, style, ..) = self.next()? else {
            return Err(format!("the value of `{name}` must be one text"));
        };
        if style == ScalarStyle::Plain && is_null(&text) {
            return Ok(None);
        }
        Ok(Some(Zeroizing::new(text.into_owned())))
    }

    /// Leaves out a value that is none of ours, however deep.
    fn skip(&mut self) -> Result<(), String> {
        let mut depth = 0_usize;
        loop {
            match self.next()? {
                Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
                Event::MappingEnd | Event::SequenceEnd => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn peek(&mut self) -> Result<Event<'a>, String> {
        match self.events.peek() {
            Some(Ok((event, _))) => Ok(event.clone()),
            Some(Err(error)) => Err(not_yaml(&error)),
            None => Ok(Event::StreamEnd),
        }
    }

    /// What an alias or a merge stands for could be a setting: silence about it would mislead.
    fn next(&mut self) -> Result<Event<'a>, String> {
        match self.events.next() {
            Some(Ok((Event::Alias(_), _))) => Err("aliases are not supported".to_owned()),
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(not_yaml(&error)),
            None => Err("it ends too early".to_owned()),
        }
    }
}

/// Says where, and not what: the parser's own text repeats the file's.
fn not_yaml(error: &saphyr_parser::ScanError) -> String {
    format!("it is not YAML, see line {}", error.marker().line())
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Reads what YAML 1.1 calls a boolean, as Scaleway's tools do.
fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Ok(true),
        "false" | "no" | "off" | "n" => Ok(false),
        _ => Err("`insecure` must be true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# Scaleway configuration file
access_key: SCWXXXXXXXXXXXXXXXXX
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

    fn region(text: &str, profile: Option<&str>) -> Result<Option<String>, String> {
        select(text, profile).map(|found| found.region.map(|region| region.to_string()))
    }

    #[test]
    fn the_profile_in_use_is_laid_over_the_top_level() {
        let settings = select(FILE, None).expect("the file is good");
        assert_eq!(
            settings.region.as_deref().map(String::as_str),
            Some("nl-ams")
        );
        assert_eq!(
            settings.access_key.as_deref().map(String::as_str),
            Some("SCWXXXXXXXXXXXXXXXXX")
        );
        assert_eq!(settings.insecure, Some(false));
        assert!(settings.project_id.is_none());
        assert_eq!(region(FILE, Some("p1")), Ok(Some("fr-par".to_owned())));
        assert_eq!(region(FILE, Some("default")), Ok(Some("fr-par".to_owned())));
        assert_eq!(
            region(FILE, Some("p3")),
            Err("there is no profile `p3`".to_owned())
        );
    }

    #[test]
    fn empty_files_have_no_settings() {
        for text in ["", "# nothing\n", "---\n", "{}", "~", "---\n...\n"] {
            assert_eq!(region(text, None), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn what_would_mislead_is_refused_and_no_value_is_repeated() {
        for text in [
            "- secret_key: hidden-value",
            "hidden-value",
            "secret_key: [hidden-value]",
            "secret_key: {hidden-value: 1}",
            "secret_key: a\nsecret_key: hidden-value",
            "x: &a hidden-value\nsecret_key: *a",
            "x: &a {secret_key: hidden-value}\n<<: *a",
            "secret_key: 'hidden-value",
            "secret_key: \"hidden-value\n: x",
            "secret_key: %hidden-value: @",
            "insecure: hidden-value",
            "profiles: hidden-value",
            "profiles: {p: hidden-value}",
            "active_profile: ''",
            "? {a: b}\n: hidden-value",
        ] {
            let error = region(text, None).expect_err(text);
            assert!(!error.contains("hidden-value"), "{error}");
        }
    }

    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        let text = format!("x: {}", "[".repeat(100_000));
        assert!(region(&text, None).is_err());
    }
}
