//! `keyseal emulator`, as a process.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::Duration,
};

use super::support::Place;

/// A running emulator, and the variables that it printed.
struct Running {
    child: Child,
    variables: Vec<(String, String)>,
}

impl Running {
    /// Starts it, and reads its output to the end.
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

    /// Sends a signal, and returns the exit code and all messages.
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
        // The port and the process id differ each time.
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

/// Asks for a key of this name, and returns its id if that was answered.
fn create_key(running: &Running, name: &str) -> Option<String> {
    let body = format!(
        r#"{{"project_id":"{}","name":"{name}","usage":{{"symmetric_encryption":"aes_256_gcm"}}}}"#,
        running.value("SCW_DEFAULT_PROJECT_ID")
    );
    let head = format!(
        "POST /key-manager/v1alpha1/regions/fr-par/keys HTTP/1.1\r\nHost: kms\r\n\
         X-Auth-Token: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        running.value("SCW_SECRET_KEY"),
        body.len()
    );
    let address = running
        .value("SCW_API_URL")
        .strip_prefix("http://")
        .unwrap();
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, id) = answer.split_once(r#"{"id":""#)?;
    Some(id.split_once('"')?.0.to_owned())
}

#[test]
fn every_change_that_was_answered_outlives_kill_9_and_no_file_is_left() {
    let mut place = Place::new();
    let state = ["--state", "state", "--state-key-file", "state.key"];
    let answered = Mutex::new(Vec::new());
    for round in 0..5 {
        // The file that an emulator leaves when it is killed while it rewrites the state.
        place.write("state.new", b"half of a state");
        let mut running = Running::start(&place, &state);
        thread::scope(|scope| {
            for client in 0..8 {
                let (running, answered) = (&running, &answered);
                scope.spawn(move || {
                    let name = |number| format!("{round}-{client}-{number}");
                    let ids = (0..).map_while(|number| create_key(running, &name(number)));
                    ids.for_each(|id| answered.lock().unwrap().push(id));
                });
            }
            let known = answered.lock().unwrap().len();
            while answered.lock().unwrap().len() < known + 40 {
                thread::sleep(Duration::from_millis(2));
            }
            let id = running.child.id().to_string();
            let sent = Command::new("kill").args(["-s", "KILL", &id]).status();
            assert!(sent.unwrap().success());
        });
        running.child.wait().unwrap();
    }
    let running = Running::start(&place, &state);
    for (name, value) in &running.variables {
        place.set(name, value);
    }
    let listed = place.done(&["kek", "list", "-q"]).stdout;
    let listed = String::from_utf8(listed).unwrap();
    let answered = answered.into_inner().unwrap();
    assert!(answered.len() >= 200, "{}", answered.len());
    for id in &answered {
        assert!(listed.contains(id.as_str()), "{id} of {}", answered.len());
    }
    assert_eq!(place.names("."), ["state", "state.key", "state.lock"]);
}

#[test]
fn its_url_and_its_api_key_can_be_those_that_a_container_is_told() {
    let mut place = Place::new();
    let credentials = [
        ("ACCESS_KEY", "SCWABCDEFGHIJKLMNOPQ"),
        ("SECRET_KEY", "11111111-1111-4111-8111-111111111111"),
        ("ORGANIZATION_ID", "22222222-2222-4222-8222-222222222222"),
        ("PROJECT_ID", "33333333-3333-4333-8333-333333333333"),
    ];
    for (name, value) in &credentials[..3] {
        place.set(&format!("KEYSEAL_EMULATOR_{name}"), value);
    }
    let output = place.keyseal(&["emulator"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("KEYSEAL_EMULATOR_PROJECT_ID"), "{said}");
    assert!(!said.contains(credentials[1].1), "{said}");

    place.set("KEYSEAL_EMULATOR_PROJECT_ID", credentials[3].1);
    let running = Running::start(
        &place,
        &["--public-url", "http://kms:8080", "--seed-key", "k"],
    );
    for (name, value) in [
        ("SCW_API_URL", "http://kms:8080"),
        ("SCW_ACCESS_KEY", credentials[0].1),
        ("SCW_SECRET_KEY", credentials[1].1),
        ("SCW_DEFAULT_ORGANIZATION_ID", credentials[2].1),
        ("SCW_DEFAULT_PROJECT_ID", credentials[3].1),
    ] {
        assert_eq!(running.value(name), value);
    }
    drop(running);

    place.set("KEYSEAL_EMULATOR_SECRET_KEY", "hunter2");
    let output = place.keyseal(&["emulator"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    let public = ["emulator", "--public-url", "http://kms:8080/path"];
    let output = place.keyseal(&public).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
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

/// Starts the emulator with a shell, which makes the file `started` once it waits for signals.
fn start_shell(place: &Place, traps: &str) -> Child {
    let _ = fs::remove_file(place.path("started"));
    let mut child = place
        .keyseal(&["emulator", "-q", "--", "sh", "-c"])
        .arg(format!(
            "{traps}; touch started; while :; do sleep 0.05; done"
        ))
        .spawn()
        .unwrap();
    while !place.path("started").exists() {
        assert_eq!(child.try_wait().unwrap(), None);
        thread::sleep(Duration::from_millis(10));
    }
    child
}

fn send(signal: &str, child: &Child) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &id]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_command_gets_the_signals_and_decides_about_the_exit_code() {
    let place = Place::new();
    for (signal, code) in [("TERM", 7), ("INT", 0), ("HUP", 200)] {
        let mut child = start_shell(&place, &format!("trap 'exit {code}' {signal}"));
        send(signal, &child);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
    }
    // A second signal of the same kind reaches it like the first.
    let traps = "trap 'n=$((n+1)); touch got-$n; test $n = 3 && exit 33' TERM";
    let mut child = start_shell(&place, traps);
    for n in 1..=3 {
        send("TERM", &child);
        while !place.path(&format!("got-{n}")).exists() {
            thread::sleep(Duration::from_millis(10));
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(33));
}

#[cfg(unix)]
#[test]
fn a_signal_that_ends_the_command_ends_the_emulator_too() {
    use std::os::unix::process::ExitStatusExt as _;

    let place = Place::new();
    for (signal, number) in [("TERM", 15), ("HUP", 1), ("INT", 2)] {
        let mut child = start_shell(&place, ":");
        send(signal, &child);
        assert_eq!(child.wait().unwrap().signal(), Some(number), "{signal}");
    }
    for (signal, number) in [("KILL", 9), ("USR1", 10), ("ABRT", 6)] {
        let line = format!("kill -s {signal} $$");
        let status = place
            .keyseal(&["emulator", "-q", "--", "sh", "-c", &line])
            .status();
        assert_eq!(status.unwrap().signal(), Some(number), "{signal}");
    }
}

/// Waits for a process to end, and kills it if it does not.
fn ends(child: &mut Child) -> Option<std::process::ExitStatus> {
    for _ in 0..600 {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    None
}

fn is_alive(pid: &str) -> bool {
    let sent = Command::new("kill")
        .args(["-0", pid])
        .stderr(Stdio::null())
        .status();
    sent.unwrap().success()
}

#[test]
fn no_signal_ends_it_before_its_command() {
    let place = Place::new();
    // The command ends at its third signal.
    let script = "n=0; trap 'n=$((n+1))' TERM; echo ready; while [ $n -lt 3 ]; do sleep 0.02; done";
    let mut child = place
        .keyseal(&["emulator", "--", "sh", "-c", &format!("{script}; exit 7")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut ready)
        .unwrap();
    assert_eq!(ready, "ready\n");
    // Signals in quick succession may come as one. As long as the command runs, we do.
    let mut status = None;
    for _ in 0..600 {
        send("TERM", &child);
        send("TERM", &child);
        thread::sleep(Duration::from_millis(50));
        status = child.try_wait().unwrap();
        if status.is_some() {
            break;
        }
    }
    assert_eq!(status.and_then(|status| status.code()), Some(7));
}

#[test]
fn a_signal_while_it_starts_leaves_no_command_behind() {
    for wait in [0, 1, 2, 4, 8, 12, 16, 24, 32, 50] {
        let place = Place::new();
        let script = "echo $$ > pid.new; mv pid.new pid; exec sleep 600";
        let mut child = place
            .keyseal(&["emulator", "-q", "--", "sh", "-c", script])
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(wait));
        send("TERM", &child);
        let status = ends(&mut child);
        let pid = fs::read_to_string(place.path("pid")).unwrap_or_default();
        let is_orphan = !pid.is_empty() && is_alive(pid.trim());
        if is_orphan {
            let _ = Command::new("kill").arg(pid.trim()).status();
        }
        assert!(!is_orphan, "{wait} ms: {status:?}");
        assert!(status.is_some(), "{wait} ms: it did not end");
    }
}
