//! Keyset files of either format: a keyset survives writing and reading, and the lint agrees with the
//! reader.

use keyseal::{
    KeysetHandle,
    keyset::{self, Format, KeysetFile, Protection, Severity, Status, TextForm},
};

use super::keys;

/// Holds for the bytes of a file of this format.
pub fn holds(bytes: &[u8], format: Format) {
    let read = KeysetHandle::read_cleartext(bytes, format, keys::ACCESS);
    let file = KeysetFile::detect(bytes);
    let without_secrets = KeysetHandle::read_no_secret(bytes, format);
    if Format::detect(bytes) == format {
        lint_agrees(bytes, read.as_ref().ok());
    }
    let Ok(read) = read else {
        assert!(
            without_secrets.is_err(),
            "a keyset is read without secrets alone"
        );
        return;
    };
    if Format::detect(bytes) == format {
        let file = file.expect("what is read is recognized");
        assert_eq!(
            (file.format(), file.protection()),
            (format, Protection::Cleartext)
        );
        assert_eq!(file.info(), Some(&read.info()));
    }
    if format == Format::Json {
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let parsed = serde_json::from_slice::<serde_json::Value>(text);
        assert!(parsed.is_ok(), "this is no JSON: {parsed:?}");
    }
    let write = |read: &KeysetHandle, format| read.write_cleartext(format, keys::ACCESS);
    for format in [Format::Binary, Format::Json] {
        let written = write(&read, format);
        let again =
            KeysetHandle::read_cleartext(written.expose(keys::ACCESS), format, keys::ACCESS);
        let again = again.expect("what was read can be written and read again");
        assert_eq!(again.info(), read.info());
        for format in [Format::Binary, Format::Json] {
            assert!(
                write(&again, format) == write(&read, format),
                "it changes when it is written"
            );
        }
    }
    // A keyset without secrets can be written as one.
    assert_eq!(
        without_secrets.is_ok(),
        read.write_no_secret(format).is_ok()
    );
}

/// The lint finds an error exactly if the reader refuses the file, or if no primitive uses the
/// keyset: an enabled key is of unknown type, or two are of different kinds.
fn lint_agrees(bytes: &[u8], read: Option<&KeysetHandle>) {
    let findings = keyset::lint(bytes);
    let errors: Vec<_> = findings
        .iter()
        .filter(|one| one.severity() == Severity::Error)
        .collect();
    let is_encrypted = Protection::guess(bytes) == Some(Protection::Encrypted);
    let is_useless = |read: &KeysetHandle| {
        let enabled = read
            .entries()
            .filter(|entry| entry.status() == Status::Enabled);
        let mut kinds = enabled.filter_map(|entry| Some(entry.key()?.kind()));
        let first = kinds.next().flatten();
        first.is_none() || kinds.any(|kind| kind != first)
    };
    let is_good = read.is_some_and(|read| !is_useless(read));
    if errors.is_empty() {
        assert!(
            is_good || is_encrypted,
            "the lint says nothing about a file that is refused"
        );
    }
    if is_good && TextForm::of(bytes).is_none() {
        assert!(
            errors.is_empty(),
            "the lint refuses a file that is read: {errors:?}"
        );
    }
}
