//! Runs the examples.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
};

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{AeadInOut as _, inout::InOutBuf},
};
use keyseal::{KeysetHandle, SecretAccess, keyset::Format};
use rusqlite::{Connection, params};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a key-encryption key, `kek.json`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let access = SecretAccess::insecure();
    let kek = KeysetHandle::generate("AES256_GCM").unwrap();
    let kek = kek.write_cleartext(Format::Json, access);
    fs::write(folder.path().join("kek.json"), kek.expose(access)).unwrap();
    folder
}

fn command(program: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments);
    command
}

fn run(program: &str, folder: &Path, arguments: &[&str]) -> Output {
    command(program, folder, arguments).output().unwrap()
}

fn succeeds(program: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = run(program, folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The users service in another process, which ends with this value.
struct Service {
    process: Child,
    address: String,
}

impl Service {
    fn start(folder: &Path) -> Self {
        let arguments = ["users.db", ".", "file-kms://kek.json", "127.0.0.1:0"];
        let mut process = command(env!("CARGO_BIN_EXE_users"), folder, &arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().to_owned();
        Self { process, address }
    }

    fn request(&self, method: &str, target: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {target} HTTP/1.1\r\nHost: users\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn add(&self, number: u32) -> (u16, Value) {
        let (email, card) = (email(number), card(number));
        let body = serde_json::json!({ "email": email, "card": card });
        self.request("POST", "/users", &body.to_string())
    }

    fn assert_found(&self, number: u32) {
        let (status, user) = self.request("GET", &format!("/users?email={}", email(number)), "");
        assert_eq!(status, 200, "{number}: {user}");
        assert_eq!(user["email"], email(number));
        assert_eq!(user["card"], card(number));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn email(number: u32) -> String {
    format!("user{number}@example.org")
}

fn card(number: u32) -> String {
    format!("4111-{number:08}")
}

#[test]
fn the_service_finds_its_users_while_keys_rotate() {
    const USERS: u32 = 250;
    let folder = folder();
    let service = Service::start(folder.path());
    for number in 0..USERS {
        assert_eq!(service.add(number).0, 201);
    }

    let (is_over, found) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for first in 0..3 {
            let (service, is_over, found) = (&service, &is_over, &found);
            scope.spawn(move || {
                for number in (first..USERS).step_by(3).cycle() {
                    service.assert_found(number);
                    found.fetch_add(1, Ordering::Relaxed);
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        let before = service.add(0);
        assert_eq!(service.request("POST", "/keys/rotate", "").0, 204);
        // An address of the old key is still taken.
        assert_eq!((before.0, service.add(0).0), (409, 409));
        assert_eq!(service.add(USERS).0, 201);
        let (status, retired) = service.request("POST", "/keys/retire", "");
        is_over.store(true, Ordering::Relaxed);
        assert_eq!((status, &retired["reencrypted"]), (200, &USERS.into()));
    });
    assert!(found.into_inner() > 0);

    // Only the new keys are enabled now, and they are in the files.
    drop(service);
    let service = Service::start(folder.path());
    for number in [0, 1, USERS - 1, USERS] {
        service.assert_found(number);
        assert_eq!(service.add(number).0, 409);
    }
    let (status, none) = service.request("GET", "/users?email=nobody@example.org", "");
    assert_eq!(status, 404, "{none}");
    let (_, retired) = service.request("POST", "/keys/retire", "");
    assert_eq!(retired["reencrypted"], 0);

    // Nothing is readable in the database, and no card number in another row.
    drop(service);
    let file = fs::read(folder.path().join("users.db")).unwrap();
    for text in ["example.org", "4111-"] {
        let mut windows = file.windows(text.len());
        assert!(!windows.any(|window| window == text.as_bytes()), "{text}");
    }
    let database = Connection::open(folder.path().join("users.db")).unwrap();
    let copy = "UPDATE users SET card = (SELECT card FROM users WHERE id = 2) WHERE id = 1";
    assert_eq!(database.execute(copy, []).unwrap(), 1);
    let service = Service::start(folder.path());
    let (status, answer) = service.request("GET", &format!("/users?email={}", email(0)), "");
    assert_eq!((status, &answer["error"]), (500, &"internal error".into()));
    service.assert_found(1);
}

const BACKUP: &str = env!("CARGO_BIN_EXE_backup");

#[test]
fn a_backup_gives_the_folder_back_and_nothing_if_it_was_cut() {
    let folder = folder();
    let path = folder.path();
    let photos = path.join("photos");
    fs::create_dir_all(photos.join("2026/empty")).unwrap();
    let large: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    fs::write(photos.join("large"), &large).unwrap();
    fs::write(photos.join("2026/small"), b"attack at dawn").unwrap();

    let kek = "file-kms://kek.json";
    succeeds(BACKUP, path, &["seal", "photos", "photos.sealed", kek]);
    let again = run(BACKUP, path, &["seal", "photos", "photos.sealed", kek]);
    assert!(!again.status.success(), "an archive was overwritten");
    succeeds(BACKUP, path, &["open", "photos.sealed", "back", kek]);
    assert_eq!(fs::read(path.join("back/large")).unwrap(), large);
    let small = fs::read(path.join("back/2026/small")).unwrap();
    assert_eq!(small, b"attack at dawn");
    assert!(path.join("back/2026/empty").is_dir());

    let archive = fs::read(path.join("photos.sealed")).unwrap();
    let mut changed = archive.clone();
    changed[archive.len() / 2] ^= 1;
    for bad in [&archive[..archive.len() - 1], &archive[..1 << 20], &changed] {
        fs::write(path.join("bad.sealed"), bad).unwrap();
        let opened = run(BACKUP, path, &["open", "bad.sealed", "bad", kek]);
        assert!(!opened.status.success());
        assert!(!path.join("bad").exists());
    }
    let left: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 5, "{left:?}");
}

const MIGRATE: &str = env!("CARGO_BIN_EXE_migrate");
const MIGRATION: [&str; 4] = ["cards.db", "old.key", ".", "file-kms://kek.json"];

/// A database as a program without keyseal wrote it.
fn hand_rolled(folder: &Path, rows: u32) -> Connection {
    let key = [7; 32];
    fs::write(folder.join("old.key"), key).unwrap();
    let mut database = Connection::open(folder.join("cards.db")).unwrap();
    database
        .execute_batch("CREATE TABLE cards (id INTEGER PRIMARY KEY, number BLOB NOT NULL)")
        .unwrap();
    let cipher = Aes256Gcm::new_from_slice(&key).unwrap();
    let transaction = database.transaction().unwrap();
    for id in 1..=rows {
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&id.to_be_bytes());
        let mut body = card(id).into_bytes();
        let tag = cipher
            .encrypt_inout_detached(&nonce.into(), b"", InOutBuf::from(&mut body[..]))
            .unwrap();
        let number = [&nonce[..], &body, &tag].concat();
        let insert = "INSERT INTO cards (id, number) VALUES (?, ?)";
        transaction.execute(insert, params![id, number]).unwrap();
    }
    transaction.commit().unwrap();
    database
}

#[test]
fn a_migration_that_is_killed_goes_on_where_it_ended() {
    const ROWS: u32 = 5000;
    let folder = folder();
    let database = hand_rolled(folder.path(), ROWS);
    let old: Vec<u8> = number_of(&database, 1);

    let mut first = command(MIGRATE, folder.path(), &MIGRATION).spawn().unwrap();
    let migrated = "SELECT count(*) FROM cards WHERE is_migrated";
    while first.try_wait().unwrap().is_none() {
        // Before the first batch there is no such column, and in a commit the file is locked.
        let rows = database.query_row(migrated, [], |row| row.get(0));
        if rows.is_ok_and(|rows: u32| rows > 0) {
            first.kill().unwrap();
        }
    }
    let before: u32 = database.query_row(migrated, [], |row| row.get(0)).unwrap();
    assert!(before > 0);

    let report = succeeds(MIGRATE, folder.path(), &MIGRATION);
    let rest = ROWS - before;
    assert_eq!(
        report,
        format!("{rest} rows migrated, {ROWS} rows checked\n")
    );
    let report = succeeds(MIGRATE, folder.path(), &MIGRATION);
    assert_eq!(report, format!("0 rows migrated, {ROWS} rows checked\n"));

    // Neither an old ciphertext nor that of another row passes for a new one.
    let new = number_of(&database, 1);
    let replace = "UPDATE cards SET number = ? WHERE id = 1";
    for wrong in [&old, &number_of(&database, 2)] {
        database.execute(replace, [wrong]).unwrap();
        let output = run(MIGRATE, folder.path(), &MIGRATION);
        assert!(!output.status.success());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("row 1: decryption failed"), "{text}");
    }
    database.execute(replace, [new]).unwrap();
    succeeds(MIGRATE, folder.path(), &MIGRATION);
}

#[test]
fn a_migration_changes_nothing_in_a_batch_with_a_damaged_row() {
    let folder = folder();
    let database = hand_rolled(folder.path(), 20);
    let damage = "UPDATE cards SET number = zeroblob(45) WHERE id = 13";
    database.execute(damage, []).unwrap();
    let output = run(MIGRATE, folder.path(), &MIGRATION);
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("row 13: decryption failed"), "{text}");
    let migrated = "SELECT count(*) FROM cards WHERE is_migrated";
    let rows: u32 = database.query_row(migrated, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0);
}

fn number_of(database: &Connection, id: u32) -> Vec<u8> {
    let select = "SELECT number FROM cards WHERE id = ?";
    database.query_row(select, [id], |row| row.get(0)).unwrap()
}
