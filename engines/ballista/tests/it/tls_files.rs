//! Certificates and keys that cannot be used: the file, the mistake and the way out are named, and nothing
//! of a key is shown.

use std::{
    fs,
    path::{Path, PathBuf},
};

use keyseal_ballista::{
    ClientTls, ServerTls,
    local::{Needle, ProcessBuilder},
};

use crate::{
    certificates::{Authority, Issued},
    nodes::PROGRAM,
};

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn refusal(cert: &Path, key: &Path) -> String {
    ServerTls::read(cert, key, None).unwrap_err().to_string()
}

#[test]
fn the_file_and_the_mistake_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::new(folder, "ca");
    let Issued { cert, key } = authority.node("node");
    let other = authority.node("other");
    let pem = fs::read_to_string(&key).unwrap();
    let missing = folder.join("missing.pem");
    let empty = written(folder, "empty.pem", "");
    let broken = written(folder, "broken.pem", &pem.replace("END", "OUT"));
    let no_base64 = written(folder, "no.pem", &pem.replace('M', "?"));
    let locked = pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let locked = written(folder, "locked.pem", &locked);
    for (cert, key, at, problem) in [
        (&missing, &key, &missing, "cannot be read"),
        (&cert, &missing, &missing, "cannot be read"),
        (&empty, &key, &empty, "has no certificate"),
        (&key, &cert, &key, "has no certificate"),
        (&cert, &empty, &empty, "has no private key"),
        (&cert, &broken, &broken, "has no private key"),
        (&cert, &no_base64, &no_base64, "has no private key"),
        (&cert, &cert, &cert, "has a certificate and no private key"),
        (&cert, &locked, &locked, "has a key under a password"),
        (
            &cert,
            &other.key,
            &other.key,
            "is not the key of the first certificate",
        ),
    ] {
        let error = refusal(cert, key);
        let expected = format!("{}: {problem}", at.display());
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains("; "), "no way out: {error}");
        for line in pem.lines().filter(|line| !line.starts_with('-')) {
            assert!(!error.contains(&line[..16]), "{error}");
        }
    }
    let error = ClientTls::read(&empty).unwrap_err().to_string();
    assert!(error.contains("empty.pem: has no certificate"), "{error}");
    let debug = format!("{:?}", ServerTls::read(&cert, &key, None).unwrap());
    assert!(
        debug.contains("ca-node.crt") && debug.len() < 500,
        "{debug}"
    );
    assert!(!authority.key_of("node").is_in(debug.as_bytes()));
}

/// Runs a verb that must fail at once, with variables.
async fn said(folder: &Path, verb: &[&str], variables: &[(&str, &str)]) -> String {
    let log = folder.join("said.log");
    let _ = fs::remove_file(&log);
    let config = written(folder, "keyseal-engine.toml", "");
    let mut process = ProcessBuilder::new(PROGRAM, &log)
        .args(["--until-stdin-closes", "--config"])
        .args([config])
        .args(verb)
        .envs(variables.iter().copied())
        .start()
        .unwrap();
    let status = process.wait().await.unwrap();
    let said = fs::read_to_string(log).unwrap();
    assert!(!status.success(), "{verb:?}: {said}");
    said
}

#[tokio::test]
async fn options_that_need_others_say_so() {
    let folder = tempfile::tempdir().unwrap();
    for (verb, problem) in [
        (
            &["scheduler", "--tls-cert=x"][..],
            "--tls-cert: is without --tls-key",
        ),
        (
            &["scheduler", "--tls-key=x"],
            "--tls-key: is without --tls-cert",
        ),
        (
            &["scheduler", "--tls-client-ca=x"],
            "--tls-client-ca: is without a certificate",
        ),
        (
            &["executor", "--tls-ca=x"],
            "--tls-ca: is without --tls-cert and --tls-key",
        ),
        (
            &["sql", "--tls-cert=x", "--tls-key=y", "SELECT 1"],
            "--tls-cert: is without --tls-ca",
        ),
    ] {
        let error = said(folder.path(), verb, &[]).await;
        assert!(error.contains(problem), "{error}");
    }
    let authority = Authority::new(folder.path(), "ca");
    let node = authority.node("node");
    let (cert, key) = (node.cert.to_str().unwrap(), node.key.to_str().unwrap());
    let variables = [("KEYSEAL_TLS_CERT", cert), ("KEYSEAL_TLS_KEY", key)];
    let error = said(folder.path(), &["executor"], &variables).await;
    assert!(error.contains("--tls-cert: is without --tls-ca"), "{error}");
    let soon = ["scheduler", "--executor-timeout=4"];
    let error = said(folder.path(), &soon, &variables).await;
    assert!(
        error.contains("--executor-timeout must be at least 10"),
        "{error}"
    );
}

#[tokio::test]
async fn a_key_in_the_place_of_its_path_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "ca");
    let node = authority.node("node");
    let pem = fs::read_to_string(&node.key).unwrap();
    let cert = node.cert.to_str().unwrap();
    let bare: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    // Its lines joined to one, or with spaces, as `echo` prints a file.
    for key in [bare.clone(), format!("'{} {}'", &bare[..64], &bare[64..])] {
        let variables = [("KEYSEAL_TLS_CERT", cert), ("KEYSEAL_TLS_KEY", &key)];
        let error = said(folder.path(), &["scheduler"], &variables).await;
        assert!(error.contains("is the name of a file"), "{error}");
        assert!(!error.contains(&bare[..20]), "{error}");
    }
    let variables = [
        ("KEYSEAL_TLS_CERT", cert),
        ("KEYSEAL_TLS_KEY", pem.as_str()),
    ];
    let error = said(folder.path(), &["scheduler"], &variables).await;
    assert!(error.contains("is the name of a file"), "{error}");
    let line = Needle::new("a line", &pem.lines().nth(1).unwrap().as_bytes()[..20]);
    assert!(!line.is_in(error.as_bytes()), "{error}");
    // Not in the help either.
    let error = said(folder.path(), &["scheduler", "--nonsense"], &variables).await;
    assert!(!line.is_in(error.as_bytes()), "{error}");
}
