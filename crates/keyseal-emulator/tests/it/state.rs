//! The state file: changes that survive, and files that are refused.

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
    assert!(refused(&[&good[..], &[0; 8]].concat()));
    assert!(!refused(&good));
    let other = StateKey::generate().unwrap();
    assert!(matches!(
        open(&path, &other),
        Err(StateError::DoesNotOpen { .. })
    ));
    // A refused file is left unchanged.
    assert!(open(&path, &key).is_ok());
}

#[test]
fn a_cut_takes_the_last_change_and_a_flipped_bit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let key = StateKey::generate().unwrap();
    let first = caller(&path, &key);
    let id = first.symmetric_key();
    let one = fs::metadata(&path).unwrap().len();
    first.ok(&id, "rotate", json!({}));
    let two = fs::metadata(&path).unwrap().len();
    first.ok(&id, "disable", json!({}));
    drop(first);
    let good = fs::read(&path).unwrap();
    assert!(one < two && two < good.len() as u64);
    for length in one..=good.len() as u64 {
        fs::write(&path, &good[..length as usize]).unwrap();
        let caller = caller(&path, &key);
        let seen = caller.get(&id);
        let (rotations, state) = match length {
            _ if length == good.len() as u64 => (2, "disabled"),
            _ if length >= two => (2, "enabled"),
            _ => (1, "enabled"),
        };
        assert_eq!(seen["rotation_count"], rotations, "{length} bytes");
        assert_eq!(seen["state"], state, "{length} bytes");
        // Later changes are kept, too.
        caller.ok(&id, "protect", json!({}));
        drop(caller);
        let again = self::caller(&path, &key).get(&id);
        assert_eq!(again["rotation_count"], rotations, "{length} bytes");
        assert_eq!(again["protected"], true, "{length} bytes");
    }
    for place in 0..good.len() {
        let mut changed = good.clone();
        changed[place] ^= 1 << (place % 8);
        fs::write(&path, changed).unwrap();
        let outcome = open(&path, &key);
        assert!(
            matches!(outcome, Err(StateError::DoesNotOpen { .. })),
            "byte {place}"
        );
    }
}

#[test]
fn changes_of_another_log_of_the_same_key_and_moved_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let key = StateKey::generate().unwrap();
    let grown = |changes: usize| {
        let caller = caller(&path, &key);
        let start = fs::read(&path).unwrap().len();
        let mut ends = vec![start];
        for _ in 0..changes {
            caller.symmetric_key();
            ends.push(fs::read(&path).unwrap().len());
        }
        (fs::read(&path).unwrap(), ends)
    };
    let (one, ends) = grown(2);
    let (other, other_ends) = grown(1);
    let last = &one[ends[1]..];
    for forged in [
        // Another log's change, the last change twice, and the second without the first.
        [&one[..], &other[other_ends[0]..]].concat(),
        [&one[..], last].concat(),
        [&one[..ends[0]], last].concat(),
    ] {
        fs::write(&path, forged).unwrap();
        let outcome = open(&path, &key);
        assert!(matches!(outcome, Err(StateError::DoesNotOpen { .. })));
    }
}

#[test]
fn a_state_of_the_first_form_is_read() {
    use chacha20poly1305::{
        KeyInit as _, XChaCha20Poly1305,
        aead::{AeadInOut as _, inout::InOutBuf},
    };

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let text = base64(&[7; 32]);
    let key = StateKey::parse(&text, SecretAccess::insecure()).unwrap();
    let mut state = br#"{"clock_offset":"86400s","identity":null,"keys":[]}"#.to_vec();
    let (magic, nonce) = (b"KSEMUST\x01", [9; 24]);
    let cipher = XChaCha20Poly1305::new_from_slice(&[7; 32]).unwrap();
    let buffer = InOutBuf::from(&mut *state);
    let tag = cipher.encrypt_inout_detached(&nonce.into(), magic, buffer);
    let file = [&magic[..], &nonce, &state, &tag.unwrap()].concat();
    fs::write(&path, file).unwrap();
    let caller = caller(&path, &key);
    let (_, created) = caller.create(json!({"usage": {"symmetric_encryption": "aes_256_gcm"}}));
    assert_eq!(created["created_at"], "2026-07-08T07:46:06.576401Z");
}

#[test]
fn the_file_is_written_afresh_before_it_is_much_larger_than_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let key = StateKey::generate().unwrap();
    let first = caller(&path, &key);
    let id = first.symmetric_key();
    let text = "x".repeat(50_000);
    let mut largest = 0;
    for number in 0..60 {
        let description = format!("{number}{text}");
        let body = json!({"description": description});
        assert_eq!(first.call("PATCH", &format!("keys/{id}"), body).0, 200);
        largest = largest.max(fs::metadata(&path).unwrap().len());
    }
    assert!(largest > 1 << 20, "{largest}");
    assert!(largest < 1 << 21, "{largest}");
    drop(first);
    let second = caller(&path, &key);
    let description = second.get(&id)["description"].clone();
    assert_eq!(description, format!("59{text}"));
}

#[test]
fn the_leftover_of_a_killed_emulator_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    fs::write(folder.path().join("state.new"), b"half of").unwrap();
    let emulator = open(&path, &StateKey::generate().unwrap()).unwrap();
    emulator.seed_key("k").unwrap();
    drop(emulator);
    let names = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["state", "state.lock"]);
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
