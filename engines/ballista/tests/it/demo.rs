//! The demonstration, with few orders.

use std::{fs, process::Stdio, time::Duration};

use keyseal_ballista::local::{Process, ProcessBuilder};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

use crate::nodes::PROGRAM;

fn start(folder: &TempDir, args: &[&str]) -> Process {
    ProcessBuilder::new(PROGRAM, &folder.path().join("demo.log"))
        .args(["demo", "--rows=20000"])
        .args(args)
        // Its folder is in here.
        .envs([("TMPDIR", folder.path())])
        .stdout(Stdio::piped())
        .start()
        .unwrap()
}

async fn whole(args: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = start(&folder, args);
    let mut out = String::new();
    let mut stdout = demo.child().stdout.take().unwrap();
    stdout.read_to_string(&mut out).await.unwrap();
    let status = demo.wait().await.unwrap();
    let log = fs::read_to_string(folder.path().join("demo.log")).unwrap();
    assert!(status.success(), "{out}\n{log}");
    for expected in [
        "after the rotation",
        "none failed",
        "  objects of the bucket",
        "  plans, as they travel",
        "the address in ",
        "all processes have ended and the folder is removed",
    ] {
        assert!(out.contains(expected), "{expected}\n{out}\n{log}");
    }
    assert_nothing_is_left(&folder).await;
    out
}

async fn assert_nothing_is_left(folder: &TempDir) {
    for _ in 0..100 {
        if processes_of(folder).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(processes_of(folder), Vec::<String>::new());
}

/// The command lines of processes that have the folder in them or in `TMPDIR`, which all inherit.
fn processes_of(folder: &TempDir) -> Vec<String> {
    let name = folder.path().to_str().unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let read = |file: &str| {
            let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let line = read("cmdline");
        if line.contains(name) || read("environ").contains(name) {
            found.push(line);
        }
    }
    found
}

#[tokio::test]
async fn the_demonstration_finds_nothing_in_folders() {
    let out = whole(&["--no-s3"]).await;
    assert!(out.contains("buckets: the local file system"), "{out}");
}

#[tokio::test]
#[ignore = "needs moto_server"]
async fn the_demonstration_finds_nothing_on_an_s3_server() {
    let out = whole(&[]).await;
    assert!(out.contains("buckets: S3 (moto_server)"), "{out}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn its_processes_end_with_it() {
    for is_killed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = start(&folder, &["--no-s3"]);
        // The scheduler and both executors are there.
        for _ in 0..1_200 {
            if processes_of(&folder).len() >= 4 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(processes_of(&folder).len() >= 4);
        if is_killed {
            demo.kill().await.unwrap();
        } else {
            let id = demo.id().unwrap().to_string();
            let told = std::process::Command::new("kill")
                .args(["-TERM", &id])
                .status();
            assert!(told.unwrap().success());
            assert_eq!(demo.wait().await.unwrap().code(), Some(130));
            let left = fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(left, 1, "its log");
        }
        assert_nothing_is_left(&folder).await;
    }
}
