//! The state file: what survives, and what is refused.

use std::{fs, path::Path};

use keyseal::SecretAccess;
use keyseal_emulator::{Emulator, EmulatorError, ManualClock, Request, StateError, StateKey};
use serde_json::{Value, json};

use super::client::{Caller, DAY, SECRET_KEY, base64, start, unbase64};

fn caller(path: &Path, key: &StateKey) -> Caller {
    Caller::with(|builder| builder.state_file(path, key.clone()))
}

fn open(path: &Path, key: &StateKey) -> Result<Emulator, StateError> {
    match Emulator::builder().state_file(path, key.clone()).build() {
        Ok(emulator) => Ok(emulator),
        Err(EmulatorError::State(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn keys_rotations_and_the_clock_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let key = StateKey::generate().unwrap();
    let first = caller(&path, &key);
    let id = first.symmetric_key();
    let old = first.encrypt(&id, b"hello");
    first.ok(&id, "rotate", json!({}));
    let signing = first.key("asymmetric_signing", "ec_p256_sha256");
    let rsa = first.key("asymmetric_encryption", "rsa_oaep_2048_sha256");
    let digest = base64(&[3; 32]);
    let signature = first.ok(&signing, "sign", json!({"digest": digest}))["signature"].clone();
    let sealed = first.encrypt(&rsa, b"sealed");
    let external = first.external_key();
    first.emulator.advance_clock(DAY).unwrap();
    let before: Vec<Value> = [&id, &signing, &rsa, &external]
        .map(|id| first.get(id))
        .to_vec();
    drop(first);

    let second = caller(&path, &key);
    let after: Vec<Value> = [&id, &signing, &rsa, &external]
        .map(|id| second.get(id))
        .to_vec();
    assert_eq!(after, before);
    let answer = second.ok(&id, "decrypt", json!({"ciphertext": old}));
    assert_eq!(unbase64(&answer["plaintext"]), b"hello");
    assert_eq!(unbase64(&answer["ciphertext"])[..5], [1, 0, 0, 0, 2]);
    let body = json!({"digest": digest, "signature": signature});
    assert_eq!(second.ok(&signing, "verify", body)["valid"], true);
    let answer = second.ok(&rsa, "decrypt", json!({"ciphertext": sealed}));
    assert_eq!(unbase64(&answer["plaintext"]), b"sealed");
    assert_eq!(
        second.ok(&id, "protect", json!({}))["updated_at"],
        "2026-07-08T07:46:06.576401Z"
    );
}

#[test]
fn the_drawn_api_key_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let key = StateKey::generate().unwrap();
    let secret = |emulator: &Emulator| {
        let identity = emulator.identity();
        (
            identity.access_key().to_owned(),
            identity.secret_key(SecretAccess::insecure()).to_owned(),
        )
    };
    let first = open(&path, &key).unwrap();
    let (id, drawn) = (first.seed_key("orders").unwrap(), secret(&first));
    drop(first);
    let second = open(&path, &key).unwrap();
    assert_eq!(secret(&second), drawn);
    let path = format!("/key-manager/v1alpha1/regions/fr-par/keys/{id}");
    let request = Request::new("GET", &path).with_header("X-Auth-Token", &drawn.1);
    assert_eq!(second.handle(request).status(), 200);
}

#[test]
fn nothing_of_the_state_is_readable_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let caller = caller(&path, &StateKey::generate().unwrap());
    let id = caller.symmetric_key();
    let sealed = fs::read(&path).unwrap();
    for text in [SECRET_KEY, id.as_str(), "aes_256_gcm", "rotations", "keys"] {
        let found = sealed
            .windows(text.len())
            .any(|window| window == text.as_bytes());
        assert!(!found, "{text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[test]
fn every_flipped_bit_every_cut_and_every_other_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let key = StateKey::generate().unwrap();
    drop(open(&path, &key).unwrap());
    let good = fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        matches!(open(&path, &key), Err(StateError::DoesNotOpen { .. }))
    };
    for place in 0..good.len() {
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[place] ^= 1 << bit;
            assert!(refused(&changed), "byte {place} bit {bit}");
        }
    }
    for length in 0..good.len() {
        assert!(refused(&good[..length]), "{length} bytes");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert!(refused(&longer));
    assert!(!refused(&good));
    let other = StateKey::generate().unwrap();
    assert!(matches!(
        open(&path, &other),
        Err(StateError::DoesNotOpen { .. })
    ));
    // A refused file is left as it is.
    assert!(open(&path, &key).is_ok());
}

#[test]
fn two_emulators_do_not_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let key = StateKey::generate().unwrap();
    let first = open(&path, &key).unwrap();
    assert!(matches!(open(&path, &key), Err(StateError::InUse { .. })));
    let clone = first.clone();
    drop(first);
    assert!(matches!(open(&path, &key), Err(StateError::InUse { .. })));
    drop(clone);
    assert!(open(&path, &key).is_ok());
}

#[test]
fn a_change_that_cannot_be_saved_does_not_happen() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let caller = caller(&inner.join("state"), &StateKey::generate().unwrap());
    let id = caller.symmetric_key();
    fs::rename(&inner, folder.path().join("elsewhere")).unwrap();
    let (status, error) = caller.post(&id, "rotate", json!({}));
    assert_eq!((status, &error["type"]), (500, &json!("internal_error")));
    assert!(caller.emulator.advance_clock(DAY).is_err());
    fs::rename(folder.path().join("elsewhere"), &inner).unwrap();
    assert_eq!(caller.get(&id)["rotation_count"], 1);
    assert_eq!(caller.ok(&id, "rotate", json!({}))["rotation_count"], 2);
}

#[test]
fn a_path_that_cannot_be_written_is_noticed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("state");
    let error = open(&path, &StateKey::generate().unwrap()).unwrap_err();
    assert!(matches!(error, StateError::Io { .. }), "{error}");
}

#[test]
fn state_keys_come_from_private_files_and_exact_texts() {
    let folder = tempfile::tempdir().unwrap();
    let (key_path, path) = (folder.path().join("key"), folder.path().join("state"));
    let key = StateKey::create_file(&key_path).unwrap();
    drop(open(&path, &key).unwrap());
    assert!(matches!(
        StateKey::create_file(&key_path),
        Err(StateError::Io { .. })
    ));
    let read = StateKey::read_file(&key_path).unwrap();
    assert!(open(&path, &read).is_ok());
    let text = fs::read_to_string(&key_path).unwrap();
    let parsed = StateKey::parse(&text, SecretAccess::insecure()).unwrap();
    assert!(open(&path, &parsed).is_ok());
    assert!(!format!("{parsed:?}").contains(text.trim()));

    for text in [
        "",
        "AAAA",
        &base64(&[0; 31]),
        &base64(&[0; 33]),
        &base64(&[0; 64]),
        "not base64",
    ] {
        let error = StateKey::parse(text, SecretAccess::insecure()).unwrap_err();
        assert!(matches!(error, StateError::MalformedKey), "{text}");
    }
    fs::write(&key_path, [text.as_bytes(), &[b' '; 100]].concat()).unwrap();
    assert!(matches!(
        StateKey::read_file(&key_path),
        Err(StateError::MalformedKey)
    ));

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for mode in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(&key_path, fs::Permissions::from_mode(mode)).unwrap();
            let error = StateKey::read_file(&key_path).unwrap_err();
            assert!(matches!(error, StateError::NotPrivate { .. }), "{mode:o}");
        }
    }
}

#[test]
fn what_passed_while_nobody_looked_happens_at_the_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let key = StateKey::generate().unwrap();
    let first = caller(&path, &key);
    let usage = json!({"symmetric_encryption": "aes_256_gcm"});
    let policy = json!({"rotation_period": "86400s"});
    let (_, rotating) = first.create(json!({"usage": usage, "rotation_policy": policy}));
    let deleted = first.symmetric_key();
    first.call("DELETE", &format!("keys/{deleted}"), Value::Null);
    drop(first);
    let clock = ManualClock::new(start() + 8 * DAY);
    let second = Caller::with(|builder| builder.state_file(&path, key).clock(clock));
    assert_eq!(
        second.get(rotating["id"].as_str().unwrap())["rotation_count"],
        9
    );
    assert_eq!(
        second
            .call("GET", &format!("keys/{deleted}"), Value::Null)
            .0,
        404
    );
}
