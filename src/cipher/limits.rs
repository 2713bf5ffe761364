//! How long the inputs of a cipher may be, whichever provider computes it.

/// The longest inputs of a cipher, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) plaintext: u64,
    pub(super) associated_data: u64,
}

/// A 32-bit block counter, and lengths in bits of 64 (SP 800-38D, section 5.2.1.1).
pub(super) const AES_GCM: Limits = Limits {
    plaintext: aes_gcm::P_MAX,
    associated_data: aes_gcm::A_MAX,
};

/// 2³⁶ bytes of each (RFC 8452, section 6).
pub(super) const AES_GCM_SIV: Limits = Limits {
    plaintext: aes_gcm_siv::P_MAX,
    associated_data: aes_gcm_siv::A_MAX,
};

pub(super) const CHACHA20: Limits = Limits {
    plaintext: CHACHA20_MAX,
    associated_data: aes_gcm::A_MAX,
};

/// A 32-bit block counter, whose first block makes the Poly1305 key (RFC 8439, section 2.8). Both
/// providers stop one byte short of that.
pub(crate) const CHACHA20_MAX: u64 = ((1 << 32) - 1) * 64 - 1;
