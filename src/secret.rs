//! Bytes that are wiped, and the token that gives access to them.

use std::{
    fmt,
    mem::MaybeUninit,
    ops::{Deref, DerefMut},
};

use subtle::ConstantTimeEq;
use zeroize::{Zeroize as _, Zeroizing};

/// Secret bytes on the heap: wiped when dropped, never printed, compared in constant time.
///
/// # Example
/// ```
/// use keyseal::{SecretAccess, SecretBytes};
///
/// let key = SecretBytes::copy_from(&[7; 32], SecretAccess::insecure());
/// assert_eq!(format!("{key:?}"), "SecretBytes(32 bytes)");
/// assert_eq!(key.expose(SecretAccess::insecure()), [7; 32]);
/// ```
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Box<[u8]>>);

impl SecretBytes {
    /// Copies `bytes`. You still hold the original, and should wipe it.
    #[must_use]
    pub fn copy_from(bytes: &[u8], _access: SecretAccess) -> Self {
        Self::copy_of(bytes)
    }

    /// Takes `bytes`. They are copied only if the vector has spare capacity.
    ///
    /// # Example
    /// ```
    /// use keyseal::{SecretAccess, SecretBytes};
    /// use zeroize::Zeroizing;
    ///
    /// let bytes = Zeroizing::new(vec![7; 32]);
    /// assert_eq!(SecretBytes::from_vec(bytes, SecretAccess::insecure()).len(), 32);
    /// ```
    #[must_use]
    pub fn from_vec(bytes: Zeroizing<Vec<u8>>, _access: SecretAccess) -> Self {
        Self::of_vec(bytes)
    }

    /// Shows the bytes.
    #[must_use]
    pub fn expose(&self, _access: SecretAccess) -> &[u8] {
        &self.0
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn copy_of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    pub(crate) fn of_vec(mut bytes: Zeroizing<Vec<u8>>) -> Self {
        if bytes.len() == bytes.capacity() {
            return Self(Zeroizing::new(
                std::mem::take(&mut *bytes).into_boxed_slice(),
            ));
        }
        // Shrinking would move the bytes and free the old block unwiped.
        Self::copy_of(&bytes)
    }

    /// Allocates `len` bytes and lets `fill` write them, so that no other copy exists.
    pub(crate) fn filled<E>(
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut bytes = Zeroizing::new(vec![0; len].into_boxed_slice());
        fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.len())
    }
}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretBytes {}

/// Proof, at the call site, that you mean to expose or pass in cleartext key material.
///
/// Every function that returns key bytes, or takes them from you, requires one. Search a program
/// for `SecretAccess::insecure` to see all of them. Where you want none, ban it with clippy's
/// `disallowed-methods`.
#[derive(Clone, Copy, Debug)]
pub struct SecretAccess(());

impl SecretAccess {
    /// Allows one access to cleartext key material.
    #[must_use]
    pub const fn insecure() -> Self {
        Self(())
    }
}

/// Plaintext in memory, wiped as a block when dropped.
///
/// `Zeroizing<Vec<u8>>` wipes byte by byte, which takes longer than decrypting the bytes did.
#[derive(Default)]
pub(crate) struct Wiped(Vec<u8>);

impl Wiped {
    /// Makes a buffer of `len` zero bytes, which cannot grow.
    pub(crate) fn zeros(len: usize) -> Self {
        Self(vec![0; len])
    }

    /// Makes an empty buffer with room for `capacity` bytes.
    #[cfg(any(feature = "blocking", feature = "cache", feature = "scaleway"))]
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Gives access to the buffer, for a caller who wipes it when it is reallocated.
    pub(crate) const fn as_mut_vec(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// Returns the bytes. The caller must wipe them.
    pub(crate) fn into_vec(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

impl Deref for Wiped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// Wipes all of `bytes`, including the spare capacity, and empties it.
///
/// `Vec::zeroize` does so byte by byte, which takes longer than decrypting the bytes did.
pub(crate) fn wipe(bytes: &mut Vec<u8>) {
    bytes.as_mut_slice().zeroize();
    bytes.spare_capacity_mut().zeroize();
    bytes.clear();
}

/// Bytes of stack that setting up a cipher may use below its caller.
pub(crate) const STACK_OF_KEYS: usize = if cfg!(unoptimized) {
    32 << 10
} else {
    16 << 10
};

/// The same for AWS-LC's ciphers, which are set up in assembly, or in C with small frames.
#[cfg(feature = "aws-lc-rs")]
pub(crate) const STACK_OF_AWS_LC_KEYS: usize = if cfg!(any(unoptimized, little_optimized)) {
    STACK_OF_KEYS
} else {
    2 << 10
};

/// Bytes of stack that processing one message may use below its cipher. With AVX-512, frames hold
/// registers of 64 bytes, so half as much is not enough.
pub(crate) const STACK_OF_MESSAGES: usize = if cfg!(unoptimized) { 16 << 10 } else { 8 << 10 };

/// The same below those whose frames are small once they are inlined: AES-CMAC, RustCrypto's HMAC and
/// HKDF with SHA-224 and SHA-256, AWS-LC's ChaCha20 and AES-GCM-SIV. Half as much is enough for each of them.
pub(crate) const STACK_OF_SMALL_FRAMES: usize = if cfg!(any(unoptimized, little_optimized)) {
    STACK_OF_MESSAGES
} else {
    2 << 10
};

/// The same below those that set AWS-LC's ciphers up for each message: XChaCha20 and X-AES-GCM. A
/// quarter of it is not enough.
#[cfg(feature = "aws-lc-rs")]
pub(crate) const STACK_OF_MESSAGE_KEYS: usize = if cfg!(any(unoptimized, little_optimized)) {
    STACK_OF_MESSAGES
} else {
    4 << 10
};

/// Bytes of stack that are wiped at once.
const WIPED_AT_ONCE: usize = 1 << 10;

/// Overwrites the stack that the caller's callees have used.
///
/// The compiler leaves copies of key schedules on the stack when it computes them, moves them or
/// runs out of registers. No `Drop` reaches these copies. From the stack they can get into the
/// unused bytes of later structures.
#[inline(never)]
fn wipe_stack<const DEPTH: usize>() {
    let mut below = [const { MaybeUninit::<u8>::uninit() }; DEPTH];
    // In pieces: from 2 KiB on, C libraries fill memory with one instruction, which takes as long
    // to start as four of these pieces take in all.
    for piece in below.chunks_mut(WIPED_AT_ONCE) {
        piece.zeroize();
    }
}

/// Runs `work` in a separate stack frame: inlined code would use the caller's, which is not
/// wiped.
#[inline(never)]
fn in_own_frame<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Runs `work`, which handles a key, and wipes the stack that it used.
///
/// Nothing wipes the stack before: each cipher wipes what it leaves, so the unused bytes of the next
/// one have no key to take from there.
#[inline(always)]
pub(crate) fn on_wiped_stack<const DEPTH: usize, T>(work: impl FnOnce() -> T) -> T {
    let made = in_own_frame(work);
    wipe_stack::<DEPTH>();
    made
}
