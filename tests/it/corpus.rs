//! A folder of test vectors with a manifest, of which every file must be read.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// The folder, and which of its files have been read.
pub(crate) struct Corpus {
    folder: PathBuf,
    used: BTreeSet<String>,
}

impl Corpus {
    pub(crate) fn open(name: &str) -> Self {
        Self {
            folder: Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/vectors")
                .join(name),
            used: BTreeSet::from(["README.md".to_owned()]),
        }
    }

    pub(crate) fn bytes(&mut self, name: &str) -> Vec<u8> {
        self.used.insert(name.to_owned());
        fs::read(self.folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn json(&mut self, name: &str) -> Value {
        serde_json::from_slice(&self.bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Fails when the manifest, read to its end, left files unread.
    pub(crate) fn assert_all_read(&self) {
        let mut unread = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&self.folder).unwrap().to_str().unwrap();
                let name = name.replace('\\', "/");
                if !self.used.contains(&name) {
                    unread.push(name);
                }
            }
        }
        assert!(unread.is_empty(), "nobody reads {unread:?}");
    }
}

pub(crate) fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member]
        .as_str()
        .unwrap_or_else(|| panic!("{member} is no text in {value}"))
}

pub(crate) fn list<'v>(value: &'v Value, member: &str) -> &'v [Value] {
    value[member]
        .as_array()
        .unwrap_or_else(|| panic!("{member} is no list in {value}"))
}
