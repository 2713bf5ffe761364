//! Encrypts, rotates and decrypts, wherever WebAssembly runs.

use std::error::Error;

use keyseal::{Aead as _, Key, KeysetAead, KeysetHandle};

/// Encrypts under a key, and decrypts after the keyset was rotated.
pub fn example() -> Result<(), Box<dyn Error>> {
    for template in ["AES256_GCM", "XCHACHA20_POLY1305"] {
        let mut keyset = KeysetHandle::generate(template)?;
        let aead: KeysetAead = keyset.primitive()?;
        let ciphertext = aead.encrypt(b"4111 1111 1111 1111", b"customer 42")?;
        let again = aead.encrypt(b"4111 1111 1111 1111", b"customer 42")?;
        if ciphertext == again {
            return Err("two messages have one nonce".into());
        }
        keyset.rotate(Key::generate(template)?)?;
        let aead: KeysetAead = keyset.primitive()?;
        if aead.decrypt(&ciphertext, b"customer 42")? != b"4111 1111 1111 1111" {
            return Err("it decrypts to something else".into());
        }
        if aead.decrypt(&ciphertext, b"customer 43").is_ok() {
            return Err("other associated data decrypts".into());
        }
    }
    Ok(())
}

#[cfg(all(
    target_family = "wasm",
    target_os = "unknown",
    not(feature = "host-random")
))]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn roundtrip() -> Result<(), String> {
    example().map_err(|error| error.to_string())
}

/// What a host without JavaScript does: `RUSTFLAGS='--cfg getrandom_backend="custom"'`, and this.
#[cfg(all(target_family = "wasm", target_os = "unknown", feature = "host-random"))]
mod host {
    #[link(wasm_import_module = "host")]
    unsafe extern "C" {
        fn random(to: *mut u8, length: usize);
    }

    #[unsafe(no_mangle)]
    unsafe extern "Rust" fn __getrandom_v03_custom(
        to: *mut u8,
        length: usize,
    ) -> Result<(), getrandom::Error> {
        // SAFETY: the caller gives a buffer of this length, and the host fills it.
        unsafe { random(to, length) };
        Ok(())
    }

    /// Returns 0 if all went well.
    #[unsafe(no_mangle)]
    extern "C" fn roundtrip() -> u32 {
        u32::from(super::example().is_err())
    }
}
