//! [`RawAead`]: one cipher under one key, and the providers of ciphers.

/// The code that computes the ciphers.
///
/// Ciphertexts do not depend on it: each provider decrypts the other's.
///
/// # Example
/// ```
/// use keyseal::{Aead, KeysetAead, KeysetHandle, Provider};
///
/// let keyset = KeysetHandle::generate("AES128_GCM")?;
/// let fastest: KeysetAead = keyset.primitive()?;
/// let portable: KeysetAead = keyset.primitive_with(Provider::RustCrypto)?;
/// let ciphertext = fastest.encrypt(b"plaintext", b"")?;
/// assert_eq!(portable.decrypt(&ciphertext, b"")?, b"plaintext");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// AWS-LC: AES-GCM, AES-GCM-SIV, ChaCha20-Poly1305, and XChaCha20-Poly1305 and X-AES-GCM on top
    /// of these. On x86-64 also HMAC, and HKDF on top of it, for hashes that the processor has no
    /// instructions for. The rest comes from RustCrypto.
    #[cfg(feature = "aws-lc-rs")]
    AwsLc,
    /// The RustCrypto crates: portable, pure Rust, every cipher.
    RustCrypto,
}

impl Provider {
    /// The fastest one in this build, cipher by cipher.
    #[cfg(feature = "aws-lc-rs")]
    pub const FASTEST: Self = Self::AwsLc;
    /// The fastest one in this build, cipher by cipher.
    #[cfg(not(feature = "aws-lc-rs"))]
    pub const FASTEST: Self = Self::RustCrypto;

    /// All providers in this build.
    pub const ALL: &'static [Self] = &[
        #[cfg(feature = "aws-lc-rs")]
        Self::AwsLc,
        Self::RustCrypto,
    ];
}

impl Default for Provider {
    fn default() -> Self {
        Self::FASTEST
    }
}

/// The longest nonce of all ciphers here, in bytes.
pub(crate) const MAX_NONCE: usize = 24;

/// One cipher under one key, for any nonce.
///
/// The caller must get the lengths right: `nonce` is `nonce_len()` bytes, a tag is `tag_len()`
/// bytes, and plaintext and associated data are within their limits.
pub trait RawAead: Send + Sync {
    /// Bytes that are drawn for each message: the nonce or IV, and a salt if there is one. 0 for a
    /// deterministic cipher.
    fn nonce_len(&self) -> usize;

    fn tag_len(&self) -> usize;

    /// The longest plaintext, in bytes.
    fn max_plaintext(&self) -> u64;

    /// The longest associated data, in bytes: most ciphers count its bits in 64.
    fn max_associated_data(&self) -> u64 {
        (1 << 61) - 1
    }

    /// Encrypts `plaintext` to `out`, which is as long as it and the tag together.
    fn seal(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused>;

    /// Decrypts `body`, which is ciphertext and tag, to `out`, which is shorter by the tag.
    ///
    /// When this fails, `out` may hold anything.
    fn open(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        body: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused>;

    /// Encrypts `buffer`, which is the plaintext and room for the tag.
    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused>;

    /// Decrypts `buffer`, which is ciphertext and tag; all but the tag is then plaintext.
    ///
    /// When this fails, `buffer` may hold anything.
    fn open_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused>;
}

/// The cipher did not do it: a tag that does not match, or a length over its limit.
#[derive(Clone, Copy, Debug)]
pub struct Refused;
