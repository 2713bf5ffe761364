//! Keys that are the same in every run, so that a failure can be repeated.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use keyseal::{
    Key, KeyId, KeyTypes, KeysetAead, KeysetHandle, SecretAccess, SecretBytes,
    key::{KeyKind, KeyTemplate},
};

/// The laws show key bytes to each other.
pub const ACCESS: SecretAccess = SecretAccess::insecure();

/// Makes the key of a template from bytes that depend on a number alone.
pub fn key_of(template: &KeyTemplate, size: usize, number: u8) -> Key {
    let bytes: Vec<u8> = (0..size).map(|at| at as u8 ^ number).collect();
    let bytes = SecretBytes::copy_from(&bytes, ACCESS);
    let key = KeyTypes::default().import(template, &bytes);
    key.expect("the bytes are as many as the template asks for")
}

/// Makes a key by the name of its template.
pub fn key(template: &str, number: u8) -> Key {
    let template = KeyTypes::default()
        .template(template)
        .expect("a stock template");
    let size = template.properties().key_size;
    key_of(template.key_template(), size, number)
}

/// Makes a keyset of one key by the name of its template.
pub fn keyset(template: &str, number: u8) -> KeysetHandle {
    KeysetHandle::with_id(
        key(template, number),
        KeyId::new(0x0102_0300 | u32::from(number)),
    )
}

/// Makes a keyset of one key for each stock template of a kind.
pub fn keysets(kind: KeyKind) -> Vec<KeysetHandle> {
    let types = KeyTypes::default();
    let templates = types.templates().filter(|template| template.kind() == kind);
    templates
        .map(|template| keyset(template.name(), 7))
        .collect()
}

/// The key-encryption key of the laws.
pub fn kek() -> KeysetAead {
    keyset("AES256_GCM", 1)
        .primitive()
        .expect("it is an AEAD keyset")
}

/// Runs a future that is ready at once.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits, and nobody would wake it"),
    }
}
