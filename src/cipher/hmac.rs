//! The implementations of HMAC, and which of them computes a hash fastest on this processor.

use hkdf::HmacImpl;
use hmac::Hmac;

use super::{Hash, Provider};
#[cfg(feature = "aws-lc-rs")]
use crate::secret::STACK_OF_KEYS;
use crate::secret::{STACK_OF_MESSAGES, STACK_OF_SMALL_FRAMES};

/// Makes something of an HMAC, of either implementation.
pub(super) trait WithHmac {
    type Made;

    /// Each message leaves parts of the keyed state in `DEPTH` bytes of stack.
    fn with<H: HmacImpl + Send + Sync + 'static, const DEPTH: usize>(self) -> Self::Made;
}

/// Makes something of the provider's HMAC.
pub(super) fn with_hmac<W: WithHmac>(provider: Provider, hash: Hash, with: W) -> W::Made {
    match provider {
        #[cfg(feature = "aws-lc-rs")]
        Provider::AwsLc if aws_lc_is_faster(hash) => with_aws_lc(hash, with),
        #[cfg(feature = "aws-lc-rs")]
        Provider::AwsLc => with_rustcrypto(hash, with),
        Provider::RustCrypto => with_rustcrypto(hash, with),
    }
}

fn with_rustcrypto<W: WithHmac>(hash: Hash, with: W) -> W::Made {
    match hash {
        Hash::Sha1 => with.with::<Hmac<sha1::Sha1>, STACK_OF_MESSAGES>(),
        Hash::Sha224 => with.with::<Hmac<sha2::Sha224>, STACK_OF_SMALL_FRAMES>(),
        Hash::Sha256 => with.with::<Hmac<sha2::Sha256>, STACK_OF_SMALL_FRAMES>(),
        Hash::Sha384 => with.with::<Hmac<sha2::Sha384>, STACK_OF_MESSAGES>(),
        Hash::Sha512 => with.with::<Hmac<sha2::Sha512>, STACK_OF_MESSAGES>(),
    }
}

#[cfg(feature = "aws-lc-rs")]
fn with_aws_lc<W: WithHmac>(hash: Hash, with: W) -> W::Made {
    use super::aws_lc_hmac::AwsLcHmac;

    match hash {
        Hash::Sha1 => with.with::<AwsLcHmac<sha1::Sha1>, STACK_OF_AWS_LC>(),
        Hash::Sha224 => with.with::<AwsLcHmac<sha2::Sha224>, STACK_OF_AWS_LC>(),
        Hash::Sha256 => with.with::<AwsLcHmac<sha2::Sha256>, STACK_OF_AWS_LC>(),
        Hash::Sha384 => with.with::<AwsLcHmac<sha2::Sha384>, STACK_OF_AWS_LC>(),
        Hash::Sha512 => with.with::<AwsLcHmac<sha2::Sha512>, STACK_OF_AWS_LC>(),
    }
}

/// Bytes of stack that a message may use below AWS-LC's HMAC. Its state is passed by value, and only the
/// last copy is wiped by AWS-LC.
#[cfg(feature = "aws-lc-rs")]
const STACK_OF_AWS_LC: usize = if cfg!(any(unoptimized, little_optimized)) {
    STACK_OF_KEYS
} else {
    STACK_OF_MESSAGES
};

/// Where the processor has instructions for a hash, both use them, and RustCrypto is faster for short
/// messages. Without them, AWS-LC's assembly takes half to three quarters of RustCrypto's time. On other
/// architectures, nobody has measured it.
#[cfg(feature = "aws-lc-rs")]
fn aws_lc_is_faster(hash: Hash) -> bool {
    #[cfg(target_arch = "x86_64")]
    return match hash {
        Hash::Sha1 | Hash::Sha224 | Hash::Sha256 => !std::arch::is_x86_feature_detected!("sha"),
        Hash::Sha384 | Hash::Sha512 => true,
    };
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = hash;
        false
    }
}

/// Makes the same of every implementation, whichever one is faster here.
#[cfg(test)]
pub(super) fn with_each<W: WithHmac + Clone>(hash: Hash, with: W) -> Vec<W::Made> {
    vec![
        with_rustcrypto(hash, with.clone()),
        #[cfg(feature = "aws-lc-rs")]
        with_aws_lc(hash, with),
    ]
}
