//! The memory of a process after its last use of a secret: the content of a core file.
//!
//! A child does the work and waits; the parent reads its memory. The bytes to search for are sent
//! between them with every bit inverted, so that neither process's copy is found.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "tests"
)]

use std::{
    env,
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::FileExt as _,
    process::{Command, Stdio},
};

use keyseal::{BoxFuture, KeyTypes, KmsEnvelopeAead, KmsError, Provider, RemoteAead};
use zeroize::{Zeroize as _, Zeroizing};

/// Says to a process of this program that it is the child.
const CHILD: &str = "KEYSEAL_MEMORY_IMAGE_CHILD";

const TEMPLATES: [&str; 6] = [
    "AES128_GCM",
    "AES256_GCM_SIV",
    "AES256_CTR_HMAC_SHA256",
    "AES256_EAX",
    "CHACHA20_POLY1305",
    "XCHACHA20_POLY1305",
];

/// The planted plaintext, with every bit turned around.
fn turned_plaintext() -> Vec<u8> {
    b"planted plaintext, and not short"
        .iter()
        .map(|byte| !byte)
        .collect()
}

/// Prints the keys it wraps, with their bits inverted, and keeps nothing.
struct Telling;

fn tell(secret: &[u8]) {
    let digits: String = secret.iter().map(|byte| format!("{:02x}", !byte)).collect();
    println!("{digits}");
}

impl RemoteAead for Telling {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        _: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        tell(&plaintext[plaintext.len() - 16..]);
        let wrapped = plaintext.iter().map(|byte| !byte).collect();
        Box::pin(async { Ok(wrapped) })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        _: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        let opened = ciphertext.iter().map(|byte| !byte).collect();
        Box::pin(async { Ok(opened) })
    }
}

/// Seals and opens with every data-encryption key, tells them, and waits for its end.
fn child() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for template in TEMPLATES {
        for provider in Provider::ALL {
            let template = KeyTypes::default().template(template).unwrap();
            let template = template.key_template();
            let aead = KmsEnvelopeAead::with_provider(Telling, template, *provider).unwrap();
            let mut plaintext = Zeroizing::new(turned_plaintext());
            plaintext.iter_mut().for_each(|byte| *byte = !*byte);
            let sealed = runtime.block_on(aead.encrypt(&plaintext, b"data")).unwrap();
            let opened = runtime.block_on(aead.decrypt(&sealed, b"data")).unwrap();
            assert_eq!(*Zeroizing::new(opened), *plaintext);
            drop(aead);
            plaintext.zeroize();
        }
    }
    if env::var_os(CHILD).is_some_and(|planted| planted == "careless") {
        // A copy that nobody wipes: the search must find it.
        let mut careless = turned_plaintext();
        careless.iter_mut().for_each(|byte| *byte = !*byte);
        careless.leak();
    }
    println!("done");
    std::io::stdout().flush().unwrap();
    let _ = std::io::stdin().read(&mut [0]);
}

/// Runs the child; returns the secrets that are left in its memory, each by its number.
fn left_behind(mode: &str) -> Vec<usize> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "the_memory_of_a_process_holds_no_secret_of_the_past",
            "--nocapture",
        ])
        .env(CHILD, mode)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut secrets = vec![turned_plaintext()];
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines.by_ref() {
        let line = line.unwrap();
        if line == "done" {
            break;
        }
        secrets.extend(
            hex::decode(line.trim())
                .ok()
                .filter(|secret| secret.len() == 16),
        );
    }
    assert_eq!(secrets.len(), 1 + TEMPLATES.len() * Provider::ALL.len());

    let mut found = Vec::new();
    let maps = fs::read_to_string(format!("/proc/{}/maps", child.id())).unwrap();
    let memory = File::open(format!("/proc/{}/mem", child.id())).unwrap();
    let mut size = 0;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        // Memory that cannot be written holds no secrets: its content comes from a file.
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let start = u64::from_str_radix(start, 16).unwrap();
        let length = u64::from_str_radix(end, 16).unwrap() - start;
        let mut bytes = vec![0; length as usize];
        if memory.read_exact_at(&mut bytes, start).is_err() {
            continue;
        }
        size += bytes.len();
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
        for (number, secret) in secrets.iter().enumerate() {
            if bytes.windows(secret.len()).any(|window| window == secret) {
                found.push(number);
            }
        }
    }
    assert!(size > 100_000, "no memory was searched");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    found
}

#[test]
fn the_memory_of_a_process_holds_no_secret_of_the_past() {
    if env::var_os(CHILD).is_some() {
        child();
        return;
    }
    assert_eq!(left_behind("careful"), [0; 0]);
    // And the search would have found one.
    assert_eq!(left_behind("careless"), [0]);
}
