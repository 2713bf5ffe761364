//! [`Envelope`]: the bytes of an envelope.

use std::fmt;

use crate::error::ParseError;

/// The parts of an envelope: `length(4, big-endian) ‖ wrapped key(1..=4096) ‖ payload`.
///
/// The wrapped key is a data-encryption key (DEK), encrypted under a key-encryption key (KEK). The
/// payload is `nonce ‖ ciphertext ‖ tag` under the DEK. The *head* is everything before the
/// payload. To move the message to another KEK, replace the head by another one for the same DEK,
/// which leaves the payload as it is. [`Rewrap`](crate::rewrap::Rewrap) makes such heads.
///
/// To encrypt and decrypt, use a [`KmsEnvelopeAead`](crate::KmsEnvelopeAead).
///
/// # Example
/// ```
/// use keyseal::Envelope;
///
/// # let wrapped_key = [7; 100];
/// let message = [&Envelope::head_of(&wrapped_key)?[..], &[9; 28]].concat();
/// let envelope = Envelope::parse(&message)?;
/// assert_eq!(envelope.wrapped_key(), wrapped_key);
/// assert_eq!(envelope.payload(), [9; 28]);
/// # Ok::<(), keyseal::ParseError>(())
/// ```
///
/// # Source
/// Tink's `KmsEnvelopeAead`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'e> {
    head: &'e [u8],
    payload: &'e [u8],
}

impl<'e> Envelope<'e> {
    /// Bytes of the length that precedes the wrapped key.
    pub const LENGTH_SIZE: usize = 4;

    /// The longest wrapped key in bytes. The shortest has one byte.
    pub const MAX_WRAPPED_KEY_SIZE: usize = 4096;

    /// The longest head in bytes.
    pub const MAX_HEAD_SIZE: usize = Self::LENGTH_SIZE + Self::MAX_WRAPPED_KEY_SIZE;

    /// The shortest payload in bytes that any type of DEK makes: a nonce of 12 bytes and a tag of
    /// 10 bytes, with AES-CTR-HMAC.
    pub const MIN_PAYLOAD_SIZE: usize = 12 + 10;

    /// Parses an envelope.
    ///
    /// # Errors
    /// [`ParseError`] if the length of the wrapped key is not 1 to 4,096, or the envelope is cut.
    pub fn parse(bytes: &'e [u8]) -> Result<Self, ParseError> {
        Self::parse_start(bytes, bytes.len() as u64)
    }

    /// Parses the first bytes of an envelope that is `size` bytes long.
    /// [`MAX_HEAD_SIZE`](Self::MAX_HEAD_SIZE) bytes are enough. [`payload`](Self::payload) is then
    /// the part of the payload that is in `start`.
    ///
    /// # Errors
    /// The errors of [`parse`](Self::parse).
    pub fn parse_start(start: &'e [u8], size: u64) -> Result<Self, ParseError> {
        let cut = || cut(start);
        let head_size = Self::head_size(start)?;
        if size < (head_size + Self::MIN_PAYLOAD_SIZE) as u64 {
            return Err(cut());
        }
        let (head, payload) = start.split_at_checked(head_size).ok_or_else(cut)?;
        Ok(Self { head, payload })
    }

    /// Returns the length of the head from its first bytes, so that you can fetch exactly the head.
    /// [`LENGTH_SIZE`](Self::LENGTH_SIZE) bytes are enough.
    ///
    /// # Errors
    /// [`ParseError`] if there are fewer bytes, or the wrapped key does not have 1 to 4,096.
    pub fn head_size(start: &[u8]) -> Result<usize, ParseError> {
        let length = start.first_chunk().ok_or_else(|| cut(start))?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        check_length(length)?;
        Ok(Self::LENGTH_SIZE + length)
    }

    /// Returns the length and the wrapped key as they are written: what comes before the payload.
    #[must_use]
    pub const fn head(&self) -> &'e [u8] {
        self.head
    }

    /// Returns the wrapped DEK: 1 to 4,096 bytes.
    #[must_use]
    pub fn wrapped_key(&self) -> &'e [u8] {
        self.head.get(Self::LENGTH_SIZE..).unwrap_or_default()
    }

    /// Returns the payload: `nonce ‖ ciphertext ‖ tag` under the DEK.
    #[must_use]
    pub const fn payload(&self) -> &'e [u8] {
        self.payload
    }

    /// Makes the head of a wrapped DEK.
    ///
    /// # Errors
    /// [`ParseError`] unless the wrapped DEK has 1 to 4,096 bytes.
    pub fn head_of(wrapped_key: &[u8]) -> Result<Vec<u8>, ParseError> {
        check_length(wrapped_key.len())?;
        let length = u32::try_from(wrapped_key.len()).unwrap_or_default();
        Ok([&length.to_be_bytes(), wrapped_key].concat())
    }

    /// Makes the envelope that has the same payload under another wrapping of the same DEK.
    ///
    /// # Errors
    /// [`ParseError`] unless the wrapped DEK has 1 to 4,096 bytes.
    pub fn with_wrapped_key(&self, wrapped_key: &[u8]) -> Result<Vec<u8>, ParseError> {
        let mut envelope = Self::head_of(wrapped_key)?;
        envelope.extend_from_slice(self.payload);
        Ok(envelope)
    }
}

const fn cut(start: &[u8]) -> ParseError {
    ParseError::new("the envelope is cut", start.len())
}

fn check_length(length: usize) -> Result<(), ParseError> {
    if (1..=Envelope::MAX_WRAPPED_KEY_SIZE).contains(&length) {
        return Ok(());
    }
    let reason = "the wrapped key of an envelope does not have 1 to 4096 bytes";
    Err(ParseError::new(reason, 0))
}

impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("wrapped_key_size", &self.wrapped_key().len())
            .field("payload_size", &self.payload.len())
            .finish()
    }
}
