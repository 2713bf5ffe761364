//! A Key Manager on loopback, for clients in any language.
//!
//! ```sh
//! cargo run --example emulator --features emulator -- --seed-key orders
//! ```
//!
//! It prints the variables that Scaleway's clients read, as lines for `eval`, and serves until it
//! is stopped. Options:
//!
//! - `--listen ADDRESS` (default `127.0.0.1:0`: a free port)
//! - `--seed-key NAME` creates an AES-256-GCM key and prints its id as `SCW_KM_KEY_ID`
//! - `--state FILE` keeps the state in FILE, encrypted. The key is read from the file named by
//!   `KEYSEAL_EMULATOR_STATE_KEY_FILE`, which is made if it does not exist, or is the value of
//!   `KEYSEAL_EMULATOR_STATE_KEY`
//! - `--faults FILE` injects the faults of a script (see docs/emulator.md)
//! - `--strict` refuses what is not documented

use std::{
    env,
    error::Error,
    fs,
    io::{Write as _, stdout},
    path::Path,
};

use keyseal::{
    SecretAccess,
    emulator::{Emulator, FaultRule, Parsing, StateKey},
};
use zeroize::Zeroizing;

fn main() -> Result<(), Box<dyn Error>> {
    let mut listen = "127.0.0.1:0".to_owned();
    let mut seed_key = None;
    let mut rules = Vec::new();
    let mut builder = Emulator::builder();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--listen" => listen = value()?,
            "--seed-key" => seed_key = Some(value()?),
            "--state" => builder = builder.state_file(Path::new(&value()?), state_key()?),
            "--faults" => rules = FaultRule::parse_script(&fs::read_to_string(value()?)?)?,
            "--strict" => builder = builder.parsing(Parsing::Strict),
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    let emulator = builder.build()?;
    let key_id = seed_key.map(|name| emulator.seed_key(&name)).transpose()?;
    for rule in rules {
        emulator.inject(rule);
    }
    let server = emulator.serve(listen.parse()?)?;
    let mut out = stdout().lock();
    // Every value is made of letters, digits and `-:/.`, so nothing needs quoting.
    for (name, value) in emulator
        .identity()
        .environment(&server.url(), SecretAccess::insecure())
    {
        writeln!(out, "export {name}={}", *value)?;
    }
    if let Some(key_id) = key_id {
        writeln!(out, "export SCW_KM_KEY_ID={key_id}")?;
    }
    out.flush()?;
    drop(out);
    loop {
        std::thread::park();
    }
}

fn state_key() -> Result<StateKey, Box<dyn Error>> {
    if let Ok(text) = env::var("KEYSEAL_EMULATOR_STATE_KEY").map(Zeroizing::new) {
        return Ok(StateKey::parse(&text, SecretAccess::insecure())?);
    }
    let path = env::var_os("KEYSEAL_EMULATOR_STATE_KEY_FILE")
        .ok_or("--state needs KEYSEAL_EMULATOR_STATE_KEY_FILE or KEYSEAL_EMULATOR_STATE_KEY")?;
    let path = Path::new(&path);
    Ok(if path.exists() {
        StateKey::read_file(path)?
    } else {
        StateKey::create_file(path)?
    })
}
