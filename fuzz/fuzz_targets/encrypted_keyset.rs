#![no_main]

#[allow(dead_code, reason = "each target has one of the laws")]
mod laws;

use std::sync::LazyLock;

use keyseal::{KeysetAead, KeysetHandle};

static AEAD: LazyLock<KeysetAead> = LazyLock::new(|| {
    let keyset = KeysetHandle::generate("AES256_GCM_RAW").expect("the system has randomness");
    keyset.primitive().expect("it is an AEAD keyset")
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::encrypted_keyset_is_refused(data, &AEAD));
