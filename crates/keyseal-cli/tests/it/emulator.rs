//! `keyseal emulator`, as a process.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::support::Place;

/// A running emulator, and the variables that it printed.
struct Running {
    child: Child,
    variables: Vec<(String, String)>,
}

impl Running {
    /// Starts it, and reads what it prints until it says that this is all.
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut child = place
            .keyseal(&[&["emulator"], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let variables = stdout.lines().map(|line| {
            let line = line.unwrap();
            let (name, value) = line
                .strip_prefix("export ")
                .unwrap()
                .split_once('=')
                .unwrap();
            (name.to_owned(), value.to_owned())
        });
        Self {
            variables: variables.collect(),
            child,
        }
    }

    fn value(&self, name: &str) -> &str {
        let found = self.variables.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("{name} is not printed")).1
    }

    /// Sends a signal, and returns the exit code and all that was said.
    fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        (status.code(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.child.kill();
    }
}

#[test]
fn what_it_prints_leads_the_program_to_it() {
    let mut place = Place::new();
    let running = Running::start(&place, &["--seed-key", "a b", "--seed-key", "c"]);
    let names: Vec<&str> = running.variables.iter().map(|(name, _)| &**name).collect();
    assert_eq!(
        names,
        [
            "SCW_API_URL",
            "SCW_ACCESS_KEY",
            "SCW_SECRET_KEY",
            "SCW_DEFAULT_ORGANIZATION_ID",
            "SCW_DEFAULT_PROJECT_ID",
            "SCW_DEFAULT_REGION",
            "SCW_KM_KEY_ID",
            "SCW_KM_KEY_URI",
            "SCW_KM_KEY_ID_2",
            "SCW_KM_KEY_URI_2",
            "KEYSEAL_EMULATOR_PID",
        ]
    );
    assert!(
        running
            .value("SCW_API_URL")
            .starts_with("http://127.0.0.1:")
    );
    for (name, value) in &running.variables {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-:/.".contains(c);
        assert!(value.chars().all(plain), "{name}={value}");
        place.set(name, value);
    }
    for (uri, name) in [("SCW_KM_KEY_URI", "a b"), ("SCW_KM_KEY_URI_2", "c")] {
        let shown = place.done(&["kek", "show", running.value(uri)]).stdout;
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains(&format!(" {name}\n")), "{shown}");
    }
}

#[test]
fn a_signal_ends_it_cleanly_and_a_state_outlives_it() {
    let mut place = Place::new();
    let state = ["--state", "state", "--state-key-file", "state.key"];
    let arguments = [&state[..], &["--seed-key", "a&b"]].concat();
    let mut before = Vec::new();
    for signal in ["TERM", "INT"] {
        let running = Running::start(&place, &arguments);
        let mut now = running.variables.clone();
        // The port and the process are others each time.
        now.retain(|(name, _)| name != "SCW_API_URL" && name != "KEYSEAL_EMULATOR_PID");
        if before.is_empty() {
            before.clone_from(&now);
        }
        assert_eq!(now, before);
        let secret = running.value("SCW_SECRET_KEY").to_owned();
        let (code, said) = running.stop(signal);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.ends_with("stopped\n"), "{said}");
        assert!(!said.contains(&secret), "{said}");
        let sealed = fs::read(place.path("state")).unwrap();
        let text = String::from_utf8_lossy(&sealed);
        assert!(!text.contains(&secret));
    }
    place.set("KEYSEAL_EMULATOR_STATE_KEY_FILE", "state.key");
    let running = Running::start(&place, &["--state", "state"]);
    let second = place.keyseal(&["emulator", "--state", "state"]).output();
    let second = second.unwrap();
    assert_eq!(second.status.code(), Some(3));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("in use by another emulator"), "{said}");
    drop(running);
}

#[test]
fn a_fault_script_is_in_force_from_the_start() {
    let mut place = Place::new();
    place.write(
        "faults",
        r#"[{"fault": "rate-limited", "operation": "rotate-key", "times": 1}]"#,
    );
    let running = Running::start(&place, &["--faults", "faults", "--seed-key", "k"]);
    for (name, value) in &running.variables {
        place.set(name, value);
    }
    let uri = running.value("SCW_KM_KEY_URI");
    let rotate = ["kek", "rotate", uri, "--retries", "0"];
    let first = place.keyseal(&rotate).output().unwrap();
    assert_eq!(first.status.code(), Some(7));
    place.done(&rotate);
}

#[test]
fn a_command_is_ended_with_the_emulator() {
    let place = Place::new();
    let mut child = place
        .keyseal(&["emulator", "--", "sh", "-c"])
        .arg("trap 'exit 7' TERM; touch started; while :; do sleep 0.1; done")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !place.path("started").exists() {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", "TERM", &id]).status();
    assert!(sent.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
