//! AES in counter mode, whose counter is a 128-bit big-endian number.
//!
//! # Source
//! NIST SP 800-38A.

use aes::cipher::{InnerIvInit as _, StreamCipher as _, StreamCipherCoreWrapper};
use aes_gcm::aead::inout::InOutBuf;
use ctr::{CtrCore, flavors::Ctr128BE};

use super::{
    Refused,
    cmac::{Aes, BLOCK},
};

/// Combines `text` with the keystream that starts at `counter`.
#[inline]
pub(super) fn apply_keystream<C: Aes>(
    aes: &C,
    counter: [u8; BLOCK],
    text: InOutBuf<'_, '_, u8>,
) -> Result<(), Refused> {
    // Borrows the cipher: a copy for each message would be one more to wipe.
    let core = CtrCore::<&C, Ctr128BE>::inner_iv_init(aes, &counter.into());
    StreamCipherCoreWrapper::from_core(core)
        .try_apply_keystream_inout(text)
        .map_err(|_| Refused)
}
