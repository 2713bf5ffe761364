//! `emulator`: a Key Manager on loopback.

mod address;
mod command;
mod requests;

use std::{
    env,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    process,
    sync::mpsc::RecvTimeoutError,
    time::Duration,
};

use clap::Args;
use keyseal::{SecretAccess, error_chain};
use keyseal_emulator::{
    Emulator, EmulatorError, FaultRule, Identity, Parsing, Request, ServeError, Server, StateError,
    StateKey,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use self::{address::PublicUrl, requests::Requests};
use crate::{
    context::Context,
    display::{Lines, printable},
    error::Failure,
    exit::Exit,
    input::FileArg,
};

/// The largest fault script that is read, in bytes.
const SCRIPT_LIMIT: u64 = 1 << 20;
/// The variable that names the key file of a state file, if no option does.
const STATE_KEY_FILE: &str = "KEYSEAL_EMULATOR_STATE_KEY_FILE";
/// The key of a state file itself, in base64.
const STATE_KEY: &str = "KEYSEAL_EMULATOR_STATE_KEY";
/// The API key, if it is not generated. Either all of them are set, or none.
const CREDENTIALS: [&str; 4] = [
    "KEYSEAL_EMULATOR_ACCESS_KEY",
    "KEYSEAL_EMULATOR_SECRET_KEY",
    "KEYSEAL_EMULATOR_ORGANIZATION_ID",
    "KEYSEAL_EMULATOR_PROJECT_ID",
];
/// How often we check for new requests to report.
const PAUSE: Duration = Duration::from_millis(50);
/// The variable with the id of the process that serves.
const PID: &str = "KEYSEAL_EMULATOR_PID";
/// The region of seeded keys.
const REGION: &str = "fr-par";

/// Run a Key Manager on this machine, for tests and for trying things out
///
/// Scaleway's own clients work with it, and so does this program. It prints the variables that they
/// read, as lines for a shell, and serves until you stop it. If you pass a command, it runs that
/// with these variables, and ends when the command ends. Keys are in memory, unless --state keeps
/// them. Do not use it in production: it speaks plain HTTP. With -v, it prints each request.
///
/// The API key is random, unless you set KEYSEAL_EMULATOR_ACCESS_KEY, KEYSEAL_EMULATOR_SECRET_KEY,
/// KEYSEAL_EMULATOR_ORGANIZATION_ID and KEYSEAL_EMULATOR_PROJECT_ID.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyseal emulator --seed-key orders -- cargo test

  eval \"$(keyseal emulator --seed-key orders &)\"
  keyseal kek show \"$SCW_KM_KEY_URI\"
  kill $KEYSEAL_EMULATOR_PID

  # In a container, for others that reach it as `kms`:
  keyseal emulator --listen 0.0.0.0:8080 --allow-remote --public-url http://kms:8080")]
pub(crate) struct EmulatorArgs {
    /// The address to listen on; port 0 takes a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Allow an address that other machines can connect to: anyone on the network can read all
    /// secrets
    #[arg(long)]
    allow_remote: bool,
    /// The value of SCW_API_URL, if clients reach the emulator at a different address
    #[arg(long, value_name = "URL")]
    public_url: Option<PublicUrl>,
    /// Make an AES-256-GCM key with this name in fr-par, unless the state has one; can be repeated
    ///
    /// Its id and URI are printed as SCW_KM_KEY_ID and SCW_KM_KEY_URI; those of the second key end
    /// in _2, and so on.
    #[arg(long, value_name = "NAME")]
    seed_key: Vec<String>,
    /// Keep keys, API key and clock in this file, encrypted
    ///
    /// The key that encrypts it is in the file that --state-key-file or the variable
    /// KEYSEAL_EMULATOR_STATE_KEY_FILE names, or else in the variable KEYSEAL_EMULATOR_STATE_KEY,
    /// as the base64 of 32 bytes.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The file with the key of the state; for a new state it is created, readable by its owner
    /// only
    #[arg(long, value_name = "FILE", requires = "state")]
    state_key_file: Option<PathBuf>,
    /// Inject the faults of this script: see docs/emulator.md
    #[arg(long, value_name = "FILE")]
    faults: Option<FileArg>,
    /// Refuse requests that the service is not documented to accept
    #[arg(long)]
    strict: bool,
    /// A command to run with the variables, instead of printing them
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) fn run(args: EmulatorArgs, context: &Context) -> Result<Exit, Failure> {
    // From here on, a signal is the expected end.
    let stopped = context.leftovers.stopped();
    // A script that is wrong leaves no state behind.
    let rules = rules(args.faults.as_ref(), context)?;
    let emulator = build(&args)?;
    let keys = args
        .seed_key
        .iter()
        .map(|name| seed(&emulator, name, args.state.is_some()))
        .collect::<Result<Vec<_>, _>>()?;
    for rule in rules {
        emulator.inject(rule);
    }
    let server = serve(&emulator, &args)?;
    let url = match &args.public_url {
        Some(url) => url.to_string(),
        None => server.url(),
    };
    let variables = variables(&emulator, &url, &keys);
    if args.command.is_empty() {
        announce(&variables, &keys, context)?;
        context.end_output()?;
    }
    context.note(&introduction(&args, &server.url()));
    let mut requests = Requests::of(&emulator);
    let ended = match args.command.split_first() {
        None => {
            // If the channel is closed, nobody can send any more: that is the end, too.
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                requests.tell(context);
            }
            Ok(None)
        }
        Some(command) => command::run(command, variables, &stopped, context, || {
            requests.tell(context);
        })
        .map(Some),
    };
    // The next signal ends this process at once.
    drop(stopped);
    server.shutdown();
    requests.tell(context);
    context.note("stopped");
    match ended? {
        Some(status) if !status.success() => command::end_like(status),
        Some(_) | None => Ok(Exit::Done),
    }
}

fn build(args: &EmulatorArgs) -> Result<Emulator, Failure> {
    let mut builder = Emulator::builder();
    if let Some(identity) = identity()? {
        builder = builder.identity(identity);
    }
    if args.strict {
        builder = builder.parsing(Parsing::Strict);
    }
    if let Some(path) = &args.state {
        builder = builder.state_file(path, state_key(path, args.state_key_file.as_deref())?);
    }
    builder.build().map_err(not_made)
}

/// Says how long it serves, and where its keys are.
fn introduction(args: &EmulatorArgs, url: &str) -> String {
    let end = match args.command.first() {
        Some(program) => format!("{} ends", printable(program.to_string_lossy())),
        None => "Ctrl-C".to_owned(),
    };
    let keys = match &args.state {
        Some(path) => format!("in {}", printable(path.display())),
        None => "in memory".to_owned(),
    };
    format!("a Key Manager on {url} until {end}; its keys are {keys}")
}

/// Reads the API key from the environment, if it is set there.
fn identity() -> Result<Option<Identity>, Failure> {
    let read = |name| {
        let value = env::var(name).ok().filter(|value| !value.is_empty());
        value.map(Zeroizing::new)
    };
    let values = CREDENTIALS.map(read);
    let what = "cannot take the API key from the environment";
    match &values {
        [None, None, None, None] => Ok(None),
        [
            Some(access_key),
            Some(secret_key),
            Some(organization),
            Some(project),
        ] => Identity::from_parts(access_key, secret_key, organization, project)
            .map(Some)
            .map_err(|error| Failure::usage("emulator_credentials", what, error.to_string())),
        _ => {
            let missing = CREDENTIALS.iter().zip(&values);
            let missing = missing.filter(|(_, value)| value.is_none());
            let missing: Vec<&str> = missing.map(|(name, _)| *name).collect();
            let why = format!("{} has no value", missing.join(", "));
            Err(Failure::usage("emulator_credentials", what, why)
                .hint("set all four or none; without them, the API key is random"))
        }
    }
}

/// A key that existed when the emulator started.
struct Seeded {
    name: String,
    id: String,
}

impl Seeded {
    fn uri(&self) -> String {
        format!("scw-kms://regions/{REGION}/keys/{}", self.id)
    }
}

fn serve(emulator: &Emulator, args: &EmulatorArgs) -> Result<Server, Failure> {
    let served = match args.allow_remote {
        true => emulator.serve_insecure_remote(args.listen),
        false => emulator.serve(args.listen),
    };
    served.map_err(|error| {
        let what = format!("cannot listen on {}", args.listen);
        match error {
            ServeError::NotLoopback { .. } => Failure::usage(
                "not_loopback",
                what,
                "other machines could connect, and HTTP is not encrypted",
            )
            .hint("--allow-remote allows it: anyone on the network can then read all secrets"),
            ServeError::Io { source, .. } => Failure::io(what, &source),
            other => Failure::new(Exit::Failed, "emulator", what, error_chain(&other)),
        }
    })
}

/// Returns the variables for clients. Every value consists of letters, digits and `-:/._`.
fn variables(emulator: &Emulator, url: &str, keys: &[Seeded]) -> Vec<(String, String)> {
    let access = SecretAccess::insecure();
    let environment = emulator.identity().environment(url, access);
    let mut variables: Vec<(String, String)> = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.to_string()))
        .collect();
    for (n, key) in keys.iter().enumerate() {
        let suffix = match n {
            0 => String::new(),
            _ => format!("_{}", n + 1),
        };
        variables.push((format!("SCW_KM_KEY_ID{suffix}"), key.id.clone()));
        variables.push((format!("SCW_KM_KEY_URI{suffix}"), key.uri()));
    }
    variables
}

/// Prints the variables. Nothing needs quoting.
fn announce(
    variables: &[(String, String)],
    keys: &[Seeded],
    context: &Context,
) -> Result<(), Failure> {
    if context.json {
        let environment: serde_json::Map<String, Value> = variables
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        let keys: Vec<Value> = keys
            .iter()
            .map(|key| json!({"id": key.id, "name": key.name, "uri": key.uri()}))
            .collect();
        return context.print_json_now(&json!({
            "environment": environment,
            "keys": keys,
            "process_id": process::id(),
        }));
    }
    let mut lines: String = variables
        .iter()
        .map(|(name, value)| format!("export {name}={value}\n"))
        .collect();
    lines.push_str(&format!("export {PID}={}\n", process::id()));
    context.print_data(Lines::of_text(&lines))
}

/// Makes a key, or finds the one with this name in a saved state.
fn seed(emulator: &Emulator, name: &str, kept: bool) -> Result<Seeded, Failure> {
    let known = if kept { find(emulator, name) } else { None };
    let id = match known {
        Some(id) => id,
        None => emulator.seed_key(name).map_err(not_made)?,
    };
    Ok(Seeded {
        name: name.to_owned(),
        id,
    })
}

fn find(emulator: &Emulator, name: &str) -> Option<String> {
    let mut encoded = String::new();
    for byte in name.bytes() {
        encoded.push_str(&format!("%{byte:02X}"));
    }
    let path = format!("/key-manager/v1alpha1/regions/{REGION}/keys?page_size=1&name={encoded}");
    let identity = emulator.identity();
    let token = identity.secret_key(SecretAccess::insecure());
    let response = emulator.handle(Request::new("GET", &path).with_header("X-Auth-Token", token));
    let list: Value = serde_json::from_slice(response.body()).ok()?;
    let id = list.get("keys")?.get(0)?.get("id")?.as_str()?;
    Some(id.to_owned())
}

fn rules(place: Option<&FileArg>, context: &Context) -> Result<Vec<FaultRule>, Failure> {
    let Some(place) = place else {
        return Ok(Vec::new());
    };
    let what = || format!("cannot use the faults in {}", place.name());
    let bad = |why: String| Failure::new(Exit::Failed, "fault_script", what(), why);
    let script = place.read_small(SCRIPT_LIMIT, context)?;
    let script = str::from_utf8(&script).map_err(|_| bad("it is not text".into()))?;
    FaultRule::parse_script(script)
        .map_err(|error| bad(printable(error)).hint("docs/emulator.md has the list of faults"))
}

/// Finds the key of the state file, or makes one with a new state.
fn state_key(state: &Path, file: Option<&Path>) -> Result<StateKey, Failure> {
    let named = file
        .map(Path::to_owned)
        .or_else(|| env::var_os(STATE_KEY_FILE).map(PathBuf::from));
    let found = match named {
        Some(path) if state.exists() || path.exists() => StateKey::read_file(&path),
        Some(path) => StateKey::create_file(&path),
        None => {
            let text = env::var(STATE_KEY).map(Zeroizing::new).map_err(|_| {
                Failure::usage(
                    "state_key_missing",
                    format!("cannot keep the state in {}", printable(state.display())),
                    "it is encrypted, but no key is named",
                )
                .hint("--state-key-file FILE names one, and creates it for a new state")
            })?;
            StateKey::parse(&text, SecretAccess::insecure())
        }
    };
    found.map_err(|error| state_failure(&error))
}

fn not_made(error: EmulatorError) -> Failure {
    match error {
        EmulatorError::State(error) => state_failure(&error),
        EmulatorError::NotSaved => Failure::new(
            Exit::InputOutput,
            "state_not_saved",
            "cannot keep the state",
            "its file cannot be written",
        ),
        other => Failure::new(
            Exit::Failed,
            "emulator",
            "cannot start the emulator",
            error_chain(&other),
        ),
    }
}

fn state_failure(error: &StateError) -> Failure {
    let why = printable(error);
    let failed = |exit, code| Failure::new(exit, code, "cannot use the state", why.clone());
    match error {
        StateError::Io { path, source } => Failure::file("use", path, source),
        StateError::NotPrivate { .. } => failed(Exit::InputOutput, "state_key_open")
            .hint("chmod 600 it; if others could read it, start with a new state"),
        StateError::MalformedKey => failed(Exit::Failed, "state_key_malformed"),
        StateError::DoesNotOpen { .. } => failed(Exit::NotDecrypted, "state_not_opened")
            .hint("use the key that it was written with; the file may also be damaged"),
        StateError::InUse { .. } => failed(Exit::InputOutput, "state_in_use"),
        other => Failure::new(
            Exit::Failed,
            "state",
            "cannot use the state",
            error_chain(other),
        ),
    }
}
