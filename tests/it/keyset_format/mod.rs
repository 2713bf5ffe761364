//! The content of a keyset file: the rules for keys, ids, states and labels, in both formats.

use keyseal::{
    Aead as _, KeysetAead, KeysetError, KeysetHandle, Variant,
    keyset::{Format, Status},
};

use crate::support::{FORMATS, FileKey, Message, file, prefix, read, status, write};

/// What becomes of a file.
enum Becomes {
    /// It loads and makes an AEAD.
    Usable,
    /// It loads; an enabled key of it is no AEAD key.
    NotAnAead,
    Refused(fn(&KeysetError) -> bool),
}

use Becomes::{NotAnAead, Usable};

mod damage;
mod encrypted;
mod json;
mod labels;
mod protobuf;
mod states;

/// Refused, with an error of this form.
macro_rules! refused {
    ($($form:tt)+) => {
        Becomes::Refused(|error| matches!(error, $($form)+))
    };
}
use refused;

/// A row: the file's name, its primary key id, its keys, and the expected outcome.
type Row = (&'static str, u64, Vec<FileKey>, Becomes);

fn check(rows: Vec<Row>) {
    for (name, primary, keys, becomes) in rows {
        for format in FORMATS {
            let bytes = file(primary, &keys, format);
            match (read(&bytes, format), &becomes) {
                (Ok(keyset), Usable | NotAnAead) => {
                    check_loaded(name, &keyset, &keys, matches!(becomes, Usable));
                }
                (Err(error), Becomes::Refused(form)) => {
                    assert!(form(&error), "{name}, {format:?}: {error:?}");
                }
                (Ok(_), Becomes::Refused(_)) => panic!("{name}, {format:?}: was read"),
                (Err(error), _) => panic!("{name}, {format:?}: {error:?}"),
            }
            // The reader without secrets has no softer rules.
            assert!(
                KeysetHandle::read_no_secret(&bytes, format).is_err(),
                "{name}"
            );
        }
    }
}

fn check_loaded(name: &str, keyset: &KeysetHandle, keys: &[FileKey], usable: bool) {
    assert_eq!(keyset.len(), keys.len(), "{name}");
    for (entry, key) in keyset.entries().zip(keys) {
        assert_eq!(u64::from(entry.id().value()), key.id, "{name}");
        let status = match entry.status() {
            Status::Enabled => status::ENABLED,
            Status::Disabled => status::DISABLED,
            Status::Destroyed => status::DESTROYED,
        };
        assert_eq!(status, key.status, "{name}");
        let prefix = match entry.variant() {
            Variant::Tink => prefix::TINK,
            Variant::Legacy => prefix::LEGACY,
            Variant::Raw => prefix::RAW,
            Variant::Crunchy => prefix::CRUNCHY,
            Variant::WithIdRequirement => prefix::WITH_ID_REQUIREMENT,
        };
        assert_eq!(prefix, key.prefix, "{name}");
        assert_eq!(entry.key().is_none(), status == status::DESTROYED, "{name}");
    }
    match keyset.primitive::<KeysetAead>() {
        Ok(aead) if usable => {
            let ciphertext = aead.encrypt(b"plaintext", b"ad").unwrap();
            assert_eq!(aead.decrypt(&ciphertext, b"ad").unwrap(), b"plaintext");
        }
        Err(KeysetError::WrongPrimitive { .. }) if !usable => {}
        other => panic!("{name}: {other:?}"),
    }
    // The file written is the same keyset, including the remains of a destroyed key: a reader must
    // not lose them. Its key data is never absent.
    let kept: Vec<FileKey> = keys
        .iter()
        .map(|key| match key.data {
            None => key.clone().with_empty_data(),
            Some(_) => key.clone(),
        })
        .collect();
    let primary = u64::from(keyset.primary_id().value());
    let canonical = canonical(primary, &kept);
    assert_eq!(write(keyset, Format::Binary), canonical, "{name}");
}

/// A binary file as it is written: no field that is zero.
fn canonical(primary: u64, keys: &[FileKey]) -> Vec<u8> {
    let number = |message: Message, field, value| match value {
        0 => message,
        _ => message.number(field, value),
    };
    keys.iter()
        .fold(number(Message::new(), 1, primary), |keyset, key| {
            let data = key.data.as_ref().unwrap().to_message();
            let message = Message::new().message(1, data).number(2, key.status);
            let message = number(message, 3, key.id).number(4, key.prefix);
            keyset.message(2, message)
        })
        .0
}

fn good() -> FileKey {
    FileKey::aes_gcm(42)
}

fn other() -> FileKey {
    FileKey::aes_gcm(7)
}

fn unknown_type(id: u64) -> FileKey {
    FileKey::new(id, "NoSuchKey", [0xff; 40])
}

/// A good key of a type that is no AEAD.
fn hmac(id: u64) -> FileKey {
    let params = Message::new().number(1, 3).number(2, 16);
    let value = Message::new().message(2, params).bytes(3, [7; 32]);
    FileKey::new(id, "HmacKey", value.0)
}
