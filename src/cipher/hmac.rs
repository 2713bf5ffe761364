//! The implementations of HMAC, and which of them computes a hash fastest on this processor.

use hkdf::HmacImpl;
use hmac::Hmac;

use super::{Hash, Provider};
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
        Provider::AwsLc if !rustcrypto_has_instructions(hash) => with_aws_lc(hash, with),
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
        Hash::Sha1 => with.with::<AwsLcHmac<sha1::Sha1>, STACK_OF_MESSAGES>(),
        Hash::Sha224 => with.with::<AwsLcHmac<sha2::Sha224>, STACK_OF_MESSAGES>(),
        Hash::Sha256 => with.with::<AwsLcHmac<sha2::Sha256>, STACK_OF_MESSAGES>(),
        Hash::Sha384 => with.with::<AwsLcHmac<sha2::Sha384>, STACK_OF_MESSAGES>(),
        Hash::Sha512 => with.with::<AwsLcHmac<sha2::Sha512>, STACK_OF_MESSAGES>(),
    }
}

/// Returns whether RustCrypto has the processor compute the hash. If so, it is as fast as AWS-LC, and
/// faster for short messages; if not, AWS-LC's assembly takes half to three quarters of its time.
#[cfg(feature = "aws-lc-rs")]
fn rustcrypto_has_instructions(hash: Hash) -> bool {
    match hash {
        #[cfg(target_arch = "x86_64")]
        Hash::Sha1 | Hash::Sha224 | Hash::Sha256 => std::arch::is_x86_feature_detected!("sha"),
        #[cfg(target_arch = "x86_64")]
        Hash::Sha384 | Hash::Sha512 => false,
        #[cfg(target_arch = "aarch64")]
        Hash::Sha1 | Hash::Sha224 | Hash::Sha256 => std::arch::is_aarch64_feature_detected!("sha2"),
        #[cfg(target_arch = "aarch64")]
        Hash::Sha384 | Hash::Sha512 => std::arch::is_aarch64_feature_detected!("sha3"),
        // Nobody has measured it there.
        #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
        _ => true,
    }
}

/// Both implementations, whichever one is faster here.
#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Makes the same of every implementation.
    pub(in super::super) fn with_each<W: WithHmac + Clone>(hash: Hash, with: W) -> Vec<W::Made> {
        vec![
            with_rustcrypto(hash, with.clone()),
            #[cfg(feature = "aws-lc-rs")]
            with_aws_lc(hash, with),
        ]
    }
}
