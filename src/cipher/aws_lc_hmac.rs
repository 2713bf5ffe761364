//! AWS-LC's HMAC, in the place of RustCrypto's.
//!
//! AWS-LC wipes a state when it is dropped. It does not wipe the place that a state was moved from: the
//! caller wipes the stack.

use std::marker::PhantomData;

use aws_lc_rs::hmac::{
    Algorithm, Context, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA224, HMAC_SHA256, HMAC_SHA384,
    HMAC_SHA512, Key,
};
use hkdf::HmacImpl;
use hmac::digest::{Output, OutputSizeUser};

/// HMAC with the hash that RustCrypto calls `D`.
pub(super) struct AwsLcHmac<D> {
    context: Context,
    hash: PhantomData<fn() -> D>,
}

/// A hash that both providers have.
pub(super) trait AwsLcHash: OutputSizeUser {
    const HMAC: Algorithm;
}

impl AwsLcHash for sha1::Sha1 {
    const HMAC: Algorithm = HMAC_SHA1_FOR_LEGACY_USE_ONLY;
}

impl AwsLcHash for sha2::Sha224 {
    const HMAC: Algorithm = HMAC_SHA224;
}

impl AwsLcHash for sha2::Sha256 {
    const HMAC: Algorithm = HMAC_SHA256;
}

impl AwsLcHash for sha2::Sha384 {
    const HMAC: Algorithm = HMAC_SHA384;
}

impl AwsLcHash for sha2::Sha512 {
    const HMAC: Algorithm = HMAC_SHA512;
}

impl<D> Clone for AwsLcHmac<D> {
    fn clone(&self) -> Self {
        Self {
            context: self.context.clone(),
            hash: PhantomData,
        }
    }
}

impl<D: AwsLcHash> OutputSizeUser for AwsLcHmac<D> {
    type OutputSize = D::OutputSize;
}

impl<D: AwsLcHash> HmacImpl for AwsLcHmac<D> {
    fn new_from_slice(key: &[u8]) -> Self {
        Self {
            context: Context::with_key(&Key::new(D::HMAC, key)),
            hash: PhantomData,
        }
    }

    fn update(&mut self, data: &[u8]) {
        self.context.update(data);
    }

    fn finalize(self) -> Output<Self> {
        let mut output = Output::<Self>::default();
        output.copy_from_slice(self.context.sign().as_ref());
        output
    }
}
