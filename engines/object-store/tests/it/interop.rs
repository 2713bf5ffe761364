//! Objects cross to the official Tinks and to the program `keyseal`, and back.
//!
//! `TINK_LANGUAGES` names those of Tink, such as `python go java`, and `KEYSEAL` is the program.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
};

use futures_util::TryStreamExt as _;
use keyseal::{KeysetHandle, SecretAccess, keyset::Format};
use keyseal_object_store::{Binding, ListSizes};
use object_store::{ObjectStore as _, ObjectStoreExt as _, memory::InMemory, path::Path};

use crate::support::{builder, bytes};

/// Around the edges of segments of 64 KiB and of 1 MiB, whose first holds 56 bytes less.
const SIZES: [usize; 9] = [
    0, 1, 65_480, 65_481, 131_000, 131_001, 1_048_520, 1_048_521, 3_000_000,
];

/// The sizes for a language. Each message starts its process, which takes Java a second.
fn sizes(language: &str) -> &'static [usize] {
    match language {
        "python" => &SIZES,
        _ => &[0, 65_480, 65_481, 3_000_000],
    }
}

struct Kek {
    folder: tempfile::TempDir,
    keyset: KeysetHandle,
}

impl Kek {
    fn new() -> Self {
        let access = SecretAccess::insecure();
        let keyset = KeysetHandle::generate("AES256_GCM").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let json = keyset.write_cleartext(Format::Json, access);
        std::fs::write(folder.path().join("kek.json"), json.expose(access)).unwrap();
        Self { folder, keyset }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("kek.json")
    }
}

/// As the specification of the store says: a fixed text, the context, and the path.
fn associated_data(binding: Binding) -> String {
    let mut associated_data = b"keyseal object 1\0\0\0\x04test".to_vec();
    if binding == Binding::Path {
        associated_data.extend(b"\0\0\0\x08lake/a b");
    }
    associated_data
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn program(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn pipe(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "{command:?}");
    output.stdout
}

fn languages() -> Vec<String> {
    let names = program("TINK_LANGUAGES");
    let names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
    assert!(!names.is_empty(), "TINK_LANGUAGES is empty");
    names
}

fn tink(language: &str, command: &str, kek: &Kek, binding: Binding, input: &[u8]) -> Vec<u8> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tink");
    let mut tink = Command::new(script);
    tink.args([language, command]).arg(kek.file());
    pipe(tink.arg(associated_data(binding)), input)
}

fn keyseal(kek: &Kek, binding: Binding, input: &[u8]) -> Vec<u8> {
    let mut keyseal = Command::new(program("KEYSEAL"));
    keyseal.args(["decrypt", "--quiet", "--insecure-cleartext", "--kek"]);
    keyseal.arg(format!("file-kms://{}", kek.file().display()));
    pipe(
        keyseal.args(["--aad-hex", &associated_data(binding)]),
        input,
    )
}

fn path() -> Path {
    Path::from("lake/a b")
}

#[tokio::test]
#[ignore = "needs the official Tinks and the program keyseal: engines/ci installs them"]
async fn objects_open_with_the_official_tinks_and_the_program() {
    for binding in [Binding::Path, Binding::Context] {
        let kek = Kek::new();
        let inner = Arc::new(InMemory::new());
        let aead = kek.keyset.primitive().unwrap();
        let builder = builder(inner.clone()).kek_keyset(aead).binding(binding);
        let store = builder.build().await.unwrap();
        for size in SIZES {
            store.put(&path(), bytes(size).into()).await.unwrap();
            let stored = inner.get(&path()).await.unwrap().bytes().await.unwrap();
            let languages = languages().into_iter();
            for language in languages.filter(|language| sizes(language).contains(&size)) {
                let opened = tink(&language, "open", &kek, binding, &stored);
                assert!(opened == bytes(size), "{language}, {size} bytes");
            }
            assert!(keyseal(&kek, binding, &stored) == bytes(size));
        }
    }
}

#[tokio::test]
#[ignore = "needs the official Tinks: engines/ci installs them"]
async fn objects_of_the_official_tinks_open_here() {
    for binding in [Binding::Path, Binding::Context] {
        let kek = Kek::new();
        let inner = Arc::new(InMemory::new());
        let aead = kek.keyset.primitive().unwrap();
        let builder = builder(inner.clone()).kek_keyset(aead).binding(binding);
        let store = builder.list_sizes(ListSizes::Exact).build().await.unwrap();
        let languages = languages();
        let cases = languages
            .iter()
            .flat_map(|language| sizes(language).iter().map(move |size| (language, *size)));
        for (language, size) in cases {
            let plaintext = bytes(size);
            let sealed = tink(language, "seal", &kek, binding, &plaintext);
            inner.put(&path(), sealed.into()).await.unwrap();
            let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
            assert_eq!(listed[0].size, size as u64);
            assert_eq!(
                store.get(&path()).await.unwrap().bytes().await.unwrap(),
                plaintext
            );
            if size > 10 {
                let part = store.get_range(&path(), 5..10).await.unwrap();
                assert_eq!(part, plaintext[5..10]);
                let end = size as u64;
                let parts = store
                    .get_ranges(&path(), &[0..1, end - 1..end])
                    .await
                    .unwrap();
                assert_eq!(parts, [&plaintext[..1], &plaintext[size - 1..]]);
            }
        }
    }
}
