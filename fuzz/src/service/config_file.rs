//! The configuration file of Scaleway's tools: any file gives settings, or an error that shows no
//! secret, and a file from known settings gives these settings.

use std::{
    env, fs,
    path::PathBuf,
    process,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use keyseal::{
    BoxFuture, KmsError,
    kms::{
        client::{HttpRequest, HttpResponse, RetryPolicy, Transport},
        scaleway::{Environment, ScalewayClient, Uuid},
    },
};

use super::{Input, keys, still_clock::StillClock};

const SECRET_KEYS: [&str; 4] = [
    "aaaaaaaa-0000-4000-8000-000000000000",
    "bbbbbbbb-0000-4000-8000-000000000000",
    "cccccccc-0000-4000-8000-000000000000",
    "no-uuid-but-a-password",
];
const REGIONS: [&str; 4] = ["fr-par", "nl-ams", "pl-waw", "no region"];
const PROFILES: [&str; 3] = ["p1", "p 2", "default"];

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| env::temp_dir().join(format!("keyseal-fuzz-{}.yaml", process::id())));

/// An input is a file, or a null byte followed by settings of the file, the environment and the
/// options, and by the notation of the file.
pub fn law(data: &[u8]) {
    match data.split_first() {
        Some((0, rest)) => written(&mut Input::new(rest)),
        _ => strange(data),
    }
}

fn strange(file: &[u8]) {
    match used(file, None, Vec::new()) {
        Ok((secret_key, region)) => {
            assert!(secret_key.parse::<Uuid>().is_ok());
            assert!(region.is_none_or(|region| is_region(&region)));
        }
        Err(error) => {
            // The values of secret keys, unless the same text is also something else.
            let text = String::from_utf8_lossy(file);
            let lines = text
                .lines()
                .filter_map(|line| line.trim().strip_prefix("secret_key:"));
            for secret in lines.map(|secret| secret.trim().trim_matches(['"', '\''])) {
                let is_telling = secret.len() >= 12 && text.matches(secret).count() == 1;
                assert!(
                    !is_telling || !error.contains(secret),
                    "the error shows a secret"
                );
            }
        }
    }
}

/// The settings of one source: places in the lists above.
#[derive(Clone, Copy, Debug)]
struct Source {
    secret_key: Option<&'static str>,
    region: Option<&'static str>,
}

impl Source {
    fn take(input: &mut Input<'_>) -> Self {
        let mut one_of = |list: &[&'static str; 4]| {
            let at = input.below(6);
            list.get(at).copied()
        };
        Self {
            secret_key: one_of(&SECRET_KEYS),
            region: one_of(&REGIONS),
        }
    }

    fn over(self, below: Self) -> Self {
        Self {
            secret_key: self.secret_key.or(below.secret_key),
            region: self.region.or(below.region),
        }
    }

    fn write(self, input: &mut Input<'_>, indent: &str, file: &mut String) {
        let settings = [
            ("secret_key", self.secret_key),
            ("default_region", self.region),
        ];
        for (name, value) in settings {
            if let Some(value) = value {
                file.push_str(&format!("{indent}{name}: {}\n", quoted(value, input)));
            }
        }
    }
}

fn quoted(text: &str, input: &mut Input<'_>) -> String {
    let escaped = || {
        text.bytes()
            .map(|byte| format!("\\x{byte:02x}"))
            .collect::<String>()
    };
    match input.below(5) {
        0 => text.to_owned(),
        1 => format!("'{text}'"),
        2 => format!("\"{text}\""),
        3 => format!("\"{}\" # a comment", escaped()),
        _ => format!("!!str {text}"),
    }
}

fn written(input: &mut Input<'_>) {
    let [top_level, first, second, environment, explicit] = [(); 5].map(|()| Source::take(input));
    let [active, of_environment, chosen] = [(); 3].map(|()| PROFILES.get(input.below(4)).copied());
    let mut file = String::from(if input.below(2) == 0 { "" } else { "---\n" });
    if let Some(active) = active {
        file.push_str(&format!("active_profile: {}\n", quoted(active, input)));
    }
    top_level.write(input, "", &mut file);
    file.push_str("profiles:\n");
    for (name, profile) in [("p1", first), ("p 2", second)] {
        file.push_str(&format!("  {name}:\n"));
        profile.write(input, "    ", &mut file);
    }
    let of_profile = match chosen.or(of_environment).or(active) {
        Some("p1") => first,
        Some("p 2") => second,
        _ => Source {
            secret_key: None,
            region: None,
        },
    };
    let wanted = explicit.over(environment).over(of_profile).over(top_level);

    let mut variables = Vec::new();
    variables.extend(environment.secret_key.map(|it| ("SCW_SECRET_KEY", it)));
    variables.extend(environment.region.map(|it| ("SCW_DEFAULT_REGION", it)));
    variables.extend(of_environment.map(|it| ("SCW_PROFILE", it)));
    let found = used(file.as_bytes(), Some((explicit, chosen)), variables);
    let secret_key = wanted
        .secret_key
        .filter(|secret_key| secret_key.parse::<Uuid>().is_ok());
    let is_good = secret_key.is_some() && wanted.region.is_none_or(is_region);
    match found {
        Ok((secret_key, region)) => {
            assert!(is_good, "{file}");
            assert_eq!(Some(secret_key.as_str()), wanted.secret_key, "{file}");
            assert_eq!(region.as_deref(), wanted.region, "{file}");
        }
        Err(error) => {
            assert!(!is_good, "{error}\n{file}");
            assert!(
                SECRET_KEYS.iter().all(|secret| !error.contains(secret)),
                "{error}"
            );
        }
    }
}

fn is_region(text: &str) -> bool {
    text.parse::<keyseal::kms::scaleway::Region>().is_ok()
}

/// Keeps the secret key of a request.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<String>>);

impl Transport for Listener {
    fn send<'a>(
        &'a self,
        request: &'a HttpRequest,
    ) -> BoxFuture<'a, Result<HttpResponse, KmsError>> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let token = request
            .headers()
            .iter()
            .find(|header| header.name() == "X-Auth-Token");
        let token = token.map_or(&b""[..], |token| token.expose(keys::ACCESS));
        *heard = String::from_utf8_lossy(token).into_owned();
        Box::pin(async { Ok(HttpResponse::new(503, Vec::new())) })
    }
}

/// Returns the secret key and the region that a client uses with a file, or the text of the error.
fn used(
    file: &[u8],
    options: Option<(Source, Option<&str>)>,
    variables: Vec<(&str, &str)>,
) -> Result<(String, Option<String>), String> {
    fs::write(&*FILE, file).expect("there is a folder for temporary files");
    let listener = Listener::default();
    let mut builder = ScalewayClient::builder()
        .environment(Environment::from_pairs(variables))
        .config_file(&*FILE)
        .transport(listener.clone())
        .timer(StillClock)
        .retry_policy(RetryPolicy::new().max_attempts(1));
    if let Some((explicit, profile)) = options {
        builder = match explicit.secret_key {
            Some(secret_key) => builder.secret_key(secret_key),
            None => builder,
        };
        builder = match explicit.region {
            Some(region) => builder.region(region),
            None => builder,
        };
        builder = match profile {
            Some(profile) => builder.profile(profile),
            None => builder,
        };
    }
    let client = builder.build();
    fs::remove_file(&*FILE).expect("it was just written");
    let client = client.map_err(|error| format!("{error} {error:?}"))?;
    let uri = "scw-kms://regions/fr-par/keys/11111111-2222-4333-8444-555555555555";
    let key = client.in_region(keyseal::kms::scaleway::Region::FR_PAR);
    let key = key
        .key(&uri.parse().expect("it is a URI"))
        .expect("the regions are the same");
    assert!(keys::now(key.get()).is_err());
    let heard = listener
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    Ok((heard, client.region().map(ToString::to_string)))
}
