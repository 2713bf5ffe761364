//! A stored keyset file is whole, whatever happens.

use std::{fs, io, path::Path};

use keyseal::keyset_file::store;

/// The names in a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_keyset_file_is_made_and_replaced_and_nothing_else_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.json");
    store(&path, b"old").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    store(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["orders.json"]);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_a_stored_keyset_even_if_the_old_file_was_open() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.json");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    store(&path, b"old").unwrap();
    assert_eq!(mode(), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    store(&path, b"new").unwrap();
    assert_eq!(mode(), 0o600);
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_to_the_stored_keyset() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("v1.json"), folder.path().join("link"));
    store(&path, b"old").unwrap();
    std::os::unix::fs::symlink("v1.json", &link).unwrap();
    store(&link, b"new").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn a_store_that_fails_names_the_file_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("file"), "text").unwrap();
    let error = store(&taken, b"keys").unwrap_err();
    assert!(error.to_string().contains("taken"), "{error}");
    assert_eq!(names(folder.path()), ["taken"]);
    let missing = folder.path().join("missing").join("orders.json");
    let error = store(missing, b"keys").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("orders.json"), "{error}");
    assert!(store("/", b"keys").is_err());
}
