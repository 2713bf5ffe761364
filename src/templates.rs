//! The names of all key templates as constants: a misspelled one does not compile.
//!
//! Every function that takes the name of a template also takes it as a string, so that it can come
//! from a configuration file. `docs/key-types.md` in the repository lists the templates, and the
//! Tink libraries that support each.
//!
//! # Example
//! ```
//! use keyseal::{KeysetHandle, templates};
//!
//! let keyset = KeysetHandle::generate(templates::AES256_GCM)?;
//! let error = KeysetHandle::generate("AES_256_GCM").unwrap_err();
//! let reason = std::error::Error::source(&error).unwrap().to_string();
//! assert_eq!(reason, "no key template is named `AES_256_GCM`, did you mean `AES256_GCM`?");
//! # Ok::<(), keyseal::KeysetError>(())
//! ```

macro_rules! names {
    ($($kind:literal: $($name:ident)+;)+) => {
        $($(
            #[doc = concat!("For ", $kind, ": `", stringify!($name), "`.")]
            pub const $name: &str = stringify!($name);
        )+)+

        /// Every name, grouped by the primitive of its keys.
        pub const ALL: &[&str] = &[$($($name),+),+];
    };
}

names! {
    "an [`Aead`](crate::Aead)":
        AES128_GCM AES128_GCM_RAW AES256_GCM AES256_GCM_RAW
        AES128_GCM_SIV AES128_GCM_SIV_RAW AES256_GCM_SIV AES256_GCM_SIV_RAW
        AES128_CTR_HMAC_SHA256 AES128_CTR_HMAC_SHA256_RAW
        AES256_CTR_HMAC_SHA256 AES256_CTR_HMAC_SHA256_RAW
        AES128_EAX AES128_EAX_RAW AES256_EAX AES256_EAX_RAW
        CHACHA20_POLY1305 CHACHA20_POLY1305_RAW XCHACHA20_POLY1305 XCHACHA20_POLY1305_RAW
        XAES_256_GCM_192_BIT_NONCE XAES_256_GCM_192_BIT_NONCE_NO_PREFIX
        XAES_256_GCM_160_BIT_NONCE_NO_PREFIX X_AES_GCM_8_BYTE_SALT_NO_PREFIX;
    "a [`DeterministicAead`](crate::DeterministicAead)":
        AES256_SIV AES256_SIV_RAW;
    "a [`StreamingAead`](crate::StreamingAead)":
        AES128_GCM_HKDF_4KB AES128_GCM_HKDF_1MB AES256_GCM_HKDF_4KB AES256_GCM_HKDF_1MB
        AES128_CTR_HMAC_SHA256_4KB AES128_CTR_HMAC_SHA256_1MB
        AES256_CTR_HMAC_SHA256_4KB AES256_CTR_HMAC_SHA256_1MB;
    "a [`Mac`](crate::Mac)":
        HMAC_SHA256_128BITTAG HMAC_SHA256_128BITTAG_RAW
        HMAC_SHA256_256BITTAG HMAC_SHA256_256BITTAG_RAW
        HMAC_SHA512_128BITTAG HMAC_SHA512_128BITTAG_RAW
        HMAC_SHA512_256BITTAG HMAC_SHA512_256BITTAG_RAW
        HMAC_SHA512_512BITTAG HMAC_SHA512_512BITTAG_RAW
        AES_CMAC AES256_CMAC AES256_CMAC_RAW;
    "a [`Prf`](crate::Prf)":
        HKDF_SHA256 HMAC_SHA256_PRF HMAC_SHA512_PRF AES_CMAC_PRF AES256_CMAC_PRF;
    "a [`KeysetDeriver`](crate::KeysetDeriver)":
        HKDF_SHA256_DERIVES_AES128_GCM HKDF_SHA256_DERIVES_AES256_GCM
        HKDF_SHA256_DERIVES_AES256_GCM_HKDF_1MB HKDF_SHA256_DERIVES_AES256_SIV
        HKDF_SHA256_DERIVES_HMAC_SHA256_128BITTAG HKDF_SHA256_DERIVES_HMAC_SHA256_PRF
        HKDF_SHA256_DERIVES_XCHACHA20_POLY1305;
}
