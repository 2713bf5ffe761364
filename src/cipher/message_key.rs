//! Ciphers that derive a key for each message from the first part of a long nonce, so that a
//! random nonce is safe for any number of messages.

use aes::Aes256Enc;
use zeroize::Zeroizing;

use super::{Provider, RawAead, Refused, cmac::Cmac, wiping};
#[cfg(feature = "aws-lc-rs")]
use crate::secret::{STACK_OF_MESSAGE_KEYS, SecretBytes};
use crate::{
    error::KeyError,
    secret::{STACK_OF_KEYS, STACK_OF_MESSAGES},
};

/// XChaCha20-Poly1305: `nonce(24) = salt(16) ‖ rest(8)`, message key `HChaCha20(key, salt)`, then
/// ChaCha20-Poly1305 with the nonce `00000000 ‖ rest`.
///
/// # Source
/// draft-irtf-cfrg-xchacha-03.
pub(crate) fn xchacha20_poly1305(
    provider: Provider,
    key: &[u8],
) -> Result<Box<dyn RawAead>, KeyError> {
    match provider {
        #[cfg(feature = "aws-lc-rs")]
        Provider::AwsLc => boxed::<_, STACK_OF_MESSAGE_KEYS>(|| {
            Ok(XChaCha20Poly1305 {
                key: SecretBytes::copy_of(key),
            })
        }),
        // A direct implementation saves setting the inner cipher up for each message.
        Provider::RustCrypto => super::rustcrypto::xchacha20_poly1305(key),
    }
}

/// X-AES-GCM: `nonce = salt(8..=12) ‖ rest(12)`, message key
/// `CMAC(key, 00 01 58 00 ‖ salt padded to 12) ‖ CMAC(key, 00 02 58 00 ‖ salt padded to 12)`, then
/// AES-256-GCM with the nonce `rest`.
///
/// # Source
/// C2SP XAES-256-GCM; Tink's shorter salts are padded with zero bytes on the right.
pub(crate) fn x_aes_gcm(
    provider: Provider,
    key: &[u8],
    salt_size: usize,
) -> Result<Box<dyn RawAead>, KeyError> {
    match provider {
        #[cfg(feature = "aws-lc-rs")]
        Provider::AwsLc => boxed::<_, STACK_OF_MESSAGE_KEYS>(|| {
            XAesGcm::new(key, salt_size, super::aws_lc::aes_gcm)
        }),
        Provider::RustCrypto => boxed::<_, STACK_OF_MESSAGES>(|| {
            XAesGcm::new(key, salt_size, super::rustcrypto::aes_256_gcm)
        }),
    }
}

/// How a message key comes about.
trait Derive: Send + Sync {
    type Inner: RawAead;

    /// Bytes of the nonce that go into the message key.
    fn salt_len(&self) -> usize;

    /// Bytes of the nonce that are left for the inner cipher.
    fn rest_len(&self) -> usize;

    /// The inner cipher under the message key.
    fn inner(&self, salt: &[u8]) -> Result<Self::Inner, KeyError>;

    fn max_plaintext(&self) -> u64;
}

/// Each message leaves parts of its key in `DEPTH` bytes of stack.
fn boxed<D: Derive + 'static, const DEPTH: usize>(
    make: impl FnOnce() -> Result<D, KeyError>,
) -> Result<Box<dyn RawAead>, KeyError> {
    wiping::boxed::<_, STACK_OF_KEYS, DEPTH>(|| make().map(MessageKey))
}

struct MessageKey<D>(D);

/// Bytes of the inner ciphers' nonce.
const INNER_NONCE: usize = 12;
/// Bytes of the inner ciphers' tag.
const INNER_TAG: usize = 16;

impl<D: Derive> MessageKey<D> {
    fn split(&self, nonce: &[u8]) -> Result<(D::Inner, [u8; INNER_NONCE]), Refused> {
        let (salt, rest) = nonce.split_at_checked(self.0.salt_len()).ok_or(Refused)?;
        let mut inner_nonce = [0; INNER_NONCE];
        let (_, right) = inner_nonce.split_at_mut(INNER_NONCE - self.0.rest_len());
        right.copy_from_slice(rest);
        Ok((self.0.inner(salt).map_err(|_| Refused)?, inner_nonce))
    }
}

impl<D: Derive> RawAead for MessageKey<D> {
    fn nonce_len(&self) -> usize {
        self.0.salt_len() + self.0.rest_len()
    }

    fn tag_len(&self) -> usize {
        INNER_TAG
    }

    fn max_plaintext(&self) -> u64 {
        self.0.max_plaintext()
    }

    fn seal(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (inner, nonce) = self.split(nonce)?;
        inner.seal(&nonce, associated_data, plaintext, out)
    }

    fn open(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        body: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (inner, nonce) = self.split(nonce)?;
        inner.open(&nonce, associated_data, body, out)
    }

    fn seal_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        let (inner, nonce) = self.split(nonce)?;
        inner.seal_in_place(&nonce, associated_data, buffer)
    }

    fn open_in_place(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), Refused> {
        let (inner, nonce) = self.split(nonce)?;
        inner.open_in_place(&nonce, associated_data, buffer)
    }
}

#[cfg(feature = "aws-lc-rs")]
struct XChaCha20Poly1305 {
    key: SecretBytes,
}

#[cfg(feature = "aws-lc-rs")]
impl Derive for XChaCha20Poly1305 {
    type Inner = super::aws_lc::AwsLc;

    fn salt_len(&self) -> usize {
        16
    }

    fn rest_len(&self) -> usize {
        8
    }

    fn inner(&self, salt: &[u8]) -> Result<Self::Inner, KeyError> {
        let key = self
            .key
            .bytes()
            .try_into()
            .map_err(|_| KeyError::Provider)?;
        let salt = salt.try_into().map_err(|_| KeyError::Provider)?;
        let message_key: Zeroizing<[u8; 32]> =
            Zeroizing::new(chacha20::hchacha::<chacha20::R20>(key, salt).0);
        super::aws_lc::chacha20_poly1305(&*message_key)
    }

    fn max_plaintext(&self) -> u64 {
        super::CHACHA20_MAX
    }
}

struct XAesGcm<I> {
    cmac: Cmac<Aes256Enc>,
    salt_size: usize,
    aes_gcm: fn(&[u8]) -> Result<I, KeyError>,
}

impl<I> XAesGcm<I> {
    fn new(
        key: &[u8],
        salt_size: usize,
        aes_gcm: fn(&[u8]) -> Result<I, KeyError>,
    ) -> Result<Self, KeyError> {
        Ok(Self {
            cmac: Cmac::new(key)?,
            salt_size,
            aes_gcm,
        })
    }
}

impl<I: RawAead> Derive for XAesGcm<I> {
    type Inner = I;

    fn salt_len(&self) -> usize {
        self.salt_size
    }

    fn rest_len(&self) -> usize {
        INNER_NONCE
    }

    fn inner(&self, salt: &[u8]) -> Result<Self::Inner, KeyError> {
        let mut message_key = Zeroizing::new([0; 32]);
        for (half, counter) in message_key.chunks_exact_mut(16).zip(1..) {
            let mut block = [0, counter, b'X', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let (_, padded_salt) = block.split_at_mut(4);
            padded_salt
                .get_mut(..salt.len())
                .ok_or(KeyError::Provider)?
                .copy_from_slice(salt);
            half.copy_from_slice(&self.cmac.tag(&block));
        }
        (self.aes_gcm)(&*message_key)
    }

    fn max_plaintext(&self) -> u64 {
        aes_gcm::P_MAX
    }
}
