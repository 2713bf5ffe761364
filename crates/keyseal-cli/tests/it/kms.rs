//! Failures between the program and Key Manager: exit codes, and no secret in any message.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use keyseal::SecretAccess;
use keyseal_emulator::{ErrorBody, Fault, FaultRule, Identity, Lock, Operation, Permission};

use super::support::{Place, WithKms};

fn code(output: &Output) -> (Option<i32>, String) {
    let said = String::from_utf8_lossy(&output.stderr);
    let code = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("\"code\": "));
    let code = code.unwrap_or_default().trim_matches(['"', ',']);
    (output.status.code(), code.to_owned())
}

#[test]
fn two_outputs_that_are_one_file_are_refused_before_the_service_is_asked() {
    let mut kms = WithKms::new();
    // Nobody answers there.
    kms.place.set("SCW_API_URL", "http://127.0.0.1:1");
    for same in ["same", "./same"] {
        let output = kms
            .place
            .keyseal(&["dek", "generate", &kms.kek, "--ciphertext-out", "same"])
            .args(["--plaintext-out", same])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("are the same file"), "{said}");
        assert!(!kms.place.path("same").exists());
    }
}

#[test]
fn each_fault_has_its_exit_code() {
    let kms = WithKms::new();
    let server_error = |status, body| Fault::ServerError { status, body };
    let cases = [
        (Fault::DeniedAuthentication, 6, "kms_unauthenticated"),
        (Fault::PermissionsDenied, 6, "kms_permission_denied"),
        (Fault::NotFound, 6, "kms_not_found"),
        (Fault::RateLimited, 7, "kms_rate_limited"),
        (
            Fault::RateLimitedJson {
                retry_after: Duration::from_secs(1),
            },
            7,
            "kms_rate_limited",
        ),
        (server_error(500, ErrorBody::Json), 7, "kms_unavailable"),
        (server_error(502, ErrorBody::Html), 7, "kms_unavailable"),
        (server_error(503, ErrorBody::Empty), 7, "kms_unavailable"),
        (server_error(409, ErrorBody::Json), 6, "kms_conflict"),
        (server_error(418, ErrorBody::Json), 6, "kms_refused"),
        (Fault::ResetAfter, 7, "kms_interrupted"),
        (Fault::CutBody, 7, "kms_interrupted"),
        (Fault::Latency(Duration::from_secs(30)), 7, "kms_timed_out"),
        (Fault::TruncatedJson, 1, "kms_invalid_reply"),
        (
            Fault::WrongContentType("text/html".into()),
            1,
            "kms_invalid_reply",
        ),
        (Fault::WrongKeyId, 1, "kms_invalid_reply"),
    ];
    for (fault, exit, wanted) in cases {
        kms.emulator.inject(FaultRule::new(fault.clone()));
        let output = kms
            .place
            .keyseal(&["dek", "generate", &kms.kek, "--json"])
            .args(["--plaintext-out", "dek", "--ciphertext-out", "wrapped"])
            .args(["--retries", "0", "--timeout", "2s"])
            .output()
            .unwrap();
        kms.emulator.clear_faults();
        assert_eq!(code(&output), (Some(exit), wanted.into()), "{fault:?}");
        assert!(output.stdout.is_empty(), "{fault:?}");
        assert_eq!(kms.place.names("."), [""; 0], "{fault:?}");
    }
}

#[test]
fn a_locked_key_and_a_missing_permission_are_refusals() {
    let mut kms = WithKms::new();
    let id = kms.kek.rsplit('/').next().unwrap().to_owned();
    kms.emulator.set_locked(&id, Lock::Locked).unwrap();
    let rotate = ["kek", "rotate", &kms.kek, "--json"];
    let output = kms.place.keyseal(&rotate).output().unwrap();
    assert_eq!(code(&output), (Some(6), "kms_locked".into()));

    let reader = kms.emulator.identity().colleague().unwrap();
    let reader: Identity = reader.with_permissions([Permission::KeyManagerReadOnly]);
    let secret = reader.secret_key(SecretAccess::insecure()).to_owned();
    kms.emulator.add_identity(reader);
    kms.place.set("SCW_SECRET_KEY", &secret);
    kms.place.done(&["kek", "show", &kms.kek]);
    let output = kms.place.keyseal(&rotate).output().unwrap();
    assert_eq!(code(&output), (Some(6), "kms_permission_denied".into()));
}

#[test]
fn a_call_is_repeated_as_often_as_is_said_and_a_creation_never_once_it_was_sent() {
    let kms = WithKms::new();
    let sent = |operation: Operation| {
        let all = kms.emulator.exchanges();
        all.iter()
            .filter(|exchange| exchange.operation() == Some(operation))
            .count()
    };
    let fault = FaultRule::new(Fault::RateLimited).on(Operation::GetKey);
    kms.emulator.inject(fault);
    let show = ["kek", "show", &kms.kek, "--retries", "2", "--json"];
    let output = kms.place.keyseal(&show).output().unwrap();
    assert_eq!(code(&output), (Some(7), "kms_rate_limited".into()));
    assert_eq!(sent(Operation::GetKey), 3);

    kms.emulator
        .inject(FaultRule::new(Fault::ResetAfter).on(Operation::CreateKey));
    let create = ["kek", "create", "--name", "once"];
    let output = kms.place.keyseal(&create).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(
        said.contains("hint: the call may have taken effect"),
        "{said}"
    );
    assert_eq!(sent(Operation::CreateKey), 1);
    assert!(output.stdout.is_empty());
}

#[test]
fn no_message_shows_the_token_or_a_data_key() {
    let kms = WithKms::new();
    let place = &kms.place;
    let identity = kms.emulator.identity();
    let token = identity.secret_key(SecretAccess::insecure()).to_owned();
    let files = ["--plaintext-out", "dek", "--ciphertext-out", "wrapped"];
    let mut said = place.done(&[&["dek", "generate", &kms.kek, "-v"], &files[..]].concat());
    let dek = place.read("dek");
    let base64 = place.shell("base64 dek").output().unwrap().stdout;
    let base64 = String::from_utf8(base64).unwrap();
    let hex: String = dek.iter().map(|byte| format!("{byte:02x}")).collect();
    let debug = format!("{:?}", &dek[..8]);
    let secrets = [&*token, base64.trim(), &hex, debug.trim_matches(['[', ']'])];

    let check = |what: &str, output: &Output| {
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        for secret in secrets {
            assert!(!said.contains(secret), "{what} shows {secret}:\n{said}");
        }
        assert!(
            !said.as_bytes().windows(32).any(|part| part == dek),
            "{what}"
        );
    };
    check("dek generate", &said);
    let faults = [
        None,
        Some(Fault::DeniedAuthentication),
        Some(Fault::PermissionsDenied),
        Some(Fault::TruncatedJson),
        Some(Fault::CutBody),
        Some(Fault::WrongKeyId),
        Some(Fault::CorruptedCiphertext),
        Some(Fault::WrongContentType("text/html".into())),
        Some(Fault::ServerError {
            status: 500,
            body: ErrorBody::Html,
        }),
    ];
    let under = ["--keyset-kek", &kms.kek, "--keyset-aad", "a"];
    let create = [
        &["keyset", "create", "--template", "AES256_GCM"],
        &under[..],
    ]
    .concat();
    place.done(&[&create[..], &["-o", "k.json"]].concat());
    let decrypt = ["dek", "decrypt", &kms.kek, "--ciphertext-file"];
    let commands = [
        [&decrypt[..], &["wrapped", "-v"]].concat(),
        [&decrypt[..], &["dek", "-v"]].concat(),
        [&decrypt[..], &["wrapped", "--json"]].concat(),
        vec!["kek", "show", &kms.kek, "-v"],
        vec!["kek", "list", "--json"],
        vec!["kek", "create", "--name", "x", "-v"],
        vec!["kek", "import", &kms.kek, "--material-file", "dek"],
        vec!["kek", "list", "--region", "x"],
        vec!["kek", "list", "--credentials", "dek"],
        [&create[..], &["-o", "no.json", "-v"]].concat(),
        [&create[..], &["-o", "no.json", "--force", "--json"]].concat(),
        [&["keyset", "list", "k.json", "-v"], &under[..]].concat(),
        [&["keyset", "lint", "k.json", "--json"], &under[..]].concat(),
        [&["keyset", "list", "dek"], &under[..]].concat(),
        [
            &[
                "encrypt", "dek", "--keyset", "k.json", "-o", "no", "--force",
            ],
            &under[..],
        ]
        .concat(),
    ];
    for fault in faults {
        if let Some(fault) = &fault {
            kms.emulator.inject(FaultRule::new(fault.clone()));
        }
        for command in &commands {
            said = place
                .keyseal(command)
                .args(["--retries", "0"])
                .output()
                .unwrap();
            check(&format!("{command:?} {fault:?}"), &said);
        }
        kms.emulator.clear_faults();
    }
}

#[test]
fn a_keyset_is_written_whole_or_not_at_all() {
    let kms = WithKms::new();
    let place = &kms.place;
    let under = ["--keyset-kek", &kms.kek, "--retries", "0", "--json"];
    let create = ["keyset", "create", "--template", "AES256_GCM"];
    place.done(&[&create[..], &under, &["-o", "k.json"]].concat());
    let before = place.read("k.json");
    let rotate = ["keyset", "rotate", "k.json", "--template", "AES128_GCM"];
    for (fault, exit, wanted) in [
        (Fault::PermissionsDenied, 6, "kms_permission_denied"),
        (Fault::RateLimited, 7, "kms_rate_limited"),
        (Fault::ResetAfter, 7, "kms_interrupted"),
        (Fault::TruncatedJson, 1, "kms_invalid_reply"),
        (Fault::WrongKeyId, 1, "kms_invalid_reply"),
    ] {
        // Decryption comes before encryption: each of the two calls fails once.
        for operation in [Operation::Decrypt, Operation::Encrypt] {
            let rule = FaultRule::new(fault.clone()).on(operation);
            kms.emulator.inject(rule);
            let run = [&rotate[..], &under, &["--in-place"]].concat();
            let output = place.keyseal(&run).output().unwrap();
            assert_eq!(code(&output), (Some(exit), wanted.into()), "{fault:?}");
            if operation == Operation::Encrypt {
                let run = [&create[..], &under, &["-o", "new.json"]].concat();
                let output = place.keyseal(&run).output().unwrap();
                assert_eq!(code(&output), (Some(exit), wanted.into()), "{fault:?}");
            }
            kms.emulator.clear_faults();
            assert_eq!(place.read("k.json"), before);
            assert_eq!(place.names("."), ["k.json"]);
        }
    }
    place.done(&[&rotate[..], &under, &["--in-place"]].concat());
}

#[test]
fn an_interruption_while_waiting_for_the_service_leaves_nothing() {
    let kms = WithKms::new();
    let slow = Fault::Latency(Duration::from_secs(20));
    kms.emulator.inject(FaultRule::new(slow));
    let mut child = kms
        .place
        .keyseal(&["keyset", "create", "--template", "AES256_GCM"])
        .args(["--keyset-kek", &kms.kek, "-o", "k.json"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while kms.emulator.exchanges().is_empty() {
        assert_eq!(child.try_wait().unwrap(), None);
        thread::sleep(Duration::from_millis(5));
    }
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", "INT", &id]).status();
    assert!(sent.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert_eq!(said, "error: interrupted: nothing half-written is left\n");
    assert_eq!(kms.place.names("."), [""; 0]);
}

/// Answers each CONNECT with 407, and returns the address.
fn proxy_that_refuses() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            );
        }
    });
    address
}

#[test]
fn what_stands_between_is_named_and_not_asked_again() {
    let mut kms = WithKms::new();
    let proxy = format!("http://{}", proxy_that_refuses());
    let list = ["kek", "list", "--json", "--api-url", "https://127.0.0.1:9"];
    for (variable, value, exit, wanted) in [
        ("HTTPS_PROXY", &*proxy, 6, "kms_proxy"),
        (
            "HTTPS_PROXY",
            "socks5://127.0.0.1:1080",
            2,
            "kms_configuration",
        ),
        ("HTTPS_PROXY", "ht!tp://x y", 2, "kms_configuration"),
        // The empty one does not hide the other.
        ("HTTPS_PROXY", "", 6, "kms_proxy"),
    ] {
        kms.place.set("https_proxy", &proxy);
        kms.place.set(variable, value);
        let output = kms.place.keyseal(&list).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            code(&output),
            (Some(exit), wanted.into()),
            "{value}: {said}"
        );
        assert!(
            said.contains("HTTPS_PROXY") && !said.contains("retry"),
            "{said}"
        );
    }
}

#[test]
fn a_file_of_certificates_must_hold_some() {
    let kms = WithKms::new();
    kms.place.write("empty.pem", b"");
    for (file, exit, wanted) in [("empty.pem", 2, "ca_file"), ("none.pem", 3, "not_found")] {
        let list = ["kek", "list", "--json", "--ca-file", file];
        let output = kms.place.keyseal(&list).output().unwrap();
        assert_eq!(code(&output), (Some(exit), wanted.into()), "{file}");
    }
}

#[test]
fn a_change_whose_answer_is_unreadable_is_said_to_be_perhaps_done() {
    let kms = WithKms::new();
    let hint = "hint: the call may have taken effect";
    let id = kms.kek.rsplit('/').next().unwrap();
    for fault in [
        Fault::TruncatedJson,
        Fault::WrongContentType("text/html".into()),
    ] {
        for (arguments, is_change) in [
            (["kek", "create", "--name", "lost"], true),
            (["kek", "rotate", id, "--quiet"], true),
            (["kek", "disable", id, "--quiet"], true),
            (["kek", "show", id, "--quiet"], false),
            (["kek", "rotations", id, "--quiet"], false),
        ] {
            kms.emulator.inject(FaultRule::new(fault.clone()));
            let output = kms.place.keyseal(&arguments).output().unwrap();
            kms.emulator.clear_faults();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
            assert_eq!(said.contains(hint), is_change, "{arguments:?}: {said}");
        }
        kms.place.done(&["kek", "enable", id]);
    }
    let keys = String::from_utf8(kms.place.done(&["kek", "list"]).stdout).unwrap();
    assert_eq!(keys.matches("lost").count(), 2, "{keys}");
}

#[test]
fn a_malformed_uri_is_named_before_credentials_are_missed() {
    let place = Place::new();
    place.write("in", "text");
    for line in [
        "encrypt in --kek scw-kms://bad -o out",
        "rewrap in --kek scw-kms://bad --in-place",
        "rewrap in --kek scw-kms://6170692d-7363-7761-8000-000000000001 --to scw-kms://bad --in-place",
        "keyset convert in --keyset-kek scw-kms://6170692d-7363-7761-8000-000000000001 \
         --new-keyset-kek scw-kms://bad --in-place",
        "keyset migrate scw-kms://bad -o out",
        "kek show bad",
        "dek generate scw-kms://bad",
        "keyset create --template AES256_GCM --keyset-kek envelope+scw-kms://bad -o out",
    ] {
        let output = place.shell(&format!("keyseal {line} --json")).output();
        let output = output.unwrap();
        assert_eq!(code(&output), (Some(2), "kms_invalid_uri".into()), "{line}");
    }
}
