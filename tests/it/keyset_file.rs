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

#[cfg(unix)]
#[test]
fn a_link_to_a_file_that_is_missing_and_a_device_are_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("missing.json", &link).unwrap();
    assert_eq!(
        store(&link, b"keys").unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    assert!(link.is_symlink());
    assert_eq!(names(folder.path()), ["link"]);
    let error = store("/dev/null", b"keys").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("/dev/null"), "{error}");
}

/// Only root can give a file away, so nothing is shown where the tests run as another user.
#[cfg(unix)]
#[test]
fn a_stored_keyset_keeps_its_owner() {
    use std::os::unix::fs::{MetadataExt as _, chown};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.json");
    store(&path, b"old").unwrap();
    if chown(&path, Some(12), Some(34)).is_err() {
        return;
    }
    store(&path, b"new").unwrap();
    let owner = fs::metadata(&path).unwrap();
    assert_eq!((owner.uid(), owner.gid()), (12, 34));
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
