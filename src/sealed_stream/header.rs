//! [`SealedStreamHeader`]: the header that lets a stream be decrypted with only a KEK.

use std::{fmt, io, io::Read};

use crate::{
    error::{KeysetError, ParseError},
    key::{Key, KeyParameters, Variant},
    keyset::{Format, KeysetHandle},
    primitive::Aead,
    remote::RemoteAead,
    streaming::KeysetStreamingAead,
};

/// The header of a sealed stream: a streaming keyset, encrypted under a key-encryption key (KEK).
///
/// A sealed stream is one file: `magic(8) ‖ length(4, big-endian) ‖ encrypted keyset(1..=65,536) ‖
/// stream`. The keyset is made for the file, and encrypted with associated data that names the
/// format. The stream is Tink's streaming AEAD with your associated data.
///
/// The KEK is any [`Aead`], such as a [`KeysetAead`](crate::KeysetAead) or a
/// [`BlockingAead`](crate::kms::blocking::BlockingAead). The functions that end in `_remote` take a
/// [`RemoteAead`] and await it without blocking a thread.
///
/// # Example
/// ```
/// use std::io::{Read as _, Write as _};
///
/// use keyseal::{KeysetAead, KeysetHandle, SealedStreamHeader};
///
/// let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
///
/// let (header, aead) = SealedStreamHeader::generate(SealedStreamHeader::TEMPLATE, &kek)?;
/// let mut file = header.as_bytes().to_vec();
/// let mut writer = aead.encrypting_writer(&mut file, b"backup 7")?;
/// writer.write_all(b"a lot of data")?;
/// writer.finish()?;
///
/// let mut reader = file.as_slice();
/// let aead = SealedStreamHeader::read_from(&mut reader)?.open(&kek)?;
/// let mut plaintext = Vec::new();
/// aead.decrypting_reader(reader, b"backup 7").read_to_end(&mut plaintext)?;
/// assert_eq!(plaintext, b"a lot of data");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// `docs/sealed-stream.md` in the repository, which also has readers by other Tinks.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedStreamHeader {
    /// All of it.
    bytes: Vec<u8>,
}

/// The text, and the version.
const MAGIC: &[u8; 8] = b"keyseal\x01";

/// Bytes before the encrypted keyset.
const START_SIZE: usize = SealedStreamHeader::START_SIZE;

impl SealedStreamHeader {
    /// The template of the keys that the program `keyseal` writes with: segments of 1 MiB.
    pub const TEMPLATE: &'static str = "AES256_GCM_HKDF_1MB";

    /// The associated data of the encrypted keyset.
    pub const ASSOCIATED_DATA: &'static [u8] = b"keyseal sealed stream 1";

    /// Bytes of the header before the encrypted keyset. They include its length.
    pub const START_SIZE: usize = MAGIC.len() + 4;

    /// The longest encrypted keyset in bytes.
    pub const MAX_KEYSET_SIZE: usize = 65_536;

    /// The longest header in bytes.
    pub const MAX_SIZE: usize = START_SIZE + Self::MAX_KEYSET_SIZE;

    /// Makes a keyset of one key, by the name of its template, and its header.
    ///
    /// # Errors
    /// [`KeysetError::Template`]; [`KeysetError::WrongPrimitive`] if the template is not for
    /// streams; and those of [`wrap`](Self::wrap).
    pub fn generate(
        template: &str,
        kek: &dyn Aead,
    ) -> Result<(Self, KeysetStreamingAead), KeysetError> {
        let keyset = KeysetHandle::generate(template)?;
        let aead = keyset.primitive()?;
        Ok((Self::wrap(&keyset, kek)?, aead))
    }

    /// Like [`generate`](Self::generate), with a KEK that a service holds.
    ///
    /// # Errors
    /// The errors of [`generate`](Self::generate).
    pub async fn generate_remote(
        template: &str,
        kek: &dyn RemoteAead,
    ) -> Result<(Self, KeysetStreamingAead), KeysetError> {
        let keyset = KeysetHandle::generate(template)?;
        let aead = keyset.primitive()?;
        Ok((Self::wrap_remote(&keyset, kek).await?, aead))
    }

    /// Like [`generate`](Self::generate), with a key of any parameters, such as another segment
    /// size.
    ///
    /// # Errors
    /// [`KeysetError::Template`]; [`KeysetError::WrongPrimitive`] if the parameters are not for
    /// streams; and those of [`wrap`](Self::wrap).
    ///
    /// # Example
    /// ```
    /// use keyseal::key::aes_gcm_hkdf_streaming::AesGcmHkdfStreamingParameters;
    /// use keyseal::{KeysetAead, KeysetHandle, SealedStreamHeader};
    ///
    /// let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
    /// let parameters = AesGcmHkdfStreamingParameters::new(32, 64 << 10)?;
    /// let (_, aead) = SealedStreamHeader::generate_with(&parameters, &kek)?;
    /// assert_eq!(aead.layout().segment_size(), 64 << 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn generate_with<P: KeyParameters>(
        parameters: &P,
        kek: &dyn Aead,
    ) -> Result<(Self, KeysetStreamingAead), KeysetError> {
        let keyset = keyset_with(parameters)?;
        let aead = keyset.primitive()?;
        Ok((Self::wrap(&keyset, kek)?, aead))
    }

    /// Like [`generate_with`](Self::generate_with), with a KEK that a service holds.
    ///
    /// # Errors
    /// The errors of [`generate_with`](Self::generate_with).
    pub async fn generate_with_remote<P: KeyParameters + Sync>(
        parameters: &P,
        kek: &dyn RemoteAead,
    ) -> Result<(Self, KeysetStreamingAead), KeysetError> {
        let keyset = keyset_with(parameters)?;
        let aead = keyset.primitive()?;
        Ok((Self::wrap_remote(&keyset, kek).await?, aead))
    }

    /// Makes the header of a keyset.
    ///
    /// # Errors
    /// [`KeysetError::WrongPrimitive`] unless its enabled keys are for streams;
    /// [`KeysetError::Encrypt`]; [`KeysetError::Malformed`] for a keyset that is too large.
    ///
    /// # Security
    /// Use a keyset for one stream only: if two headers have the same keyset, somebody can exchange
    /// the streams.
    pub fn wrap(keyset: &KeysetHandle, kek: &dyn Aead) -> Result<Self, KeysetError> {
        keyset.primitive::<KeysetStreamingAead>()?;
        Self::of(&keyset.write_encrypted(Format::Binary, kek, Self::ASSOCIATED_DATA)?)
    }

    /// Like [`wrap`](Self::wrap), with a KEK that a service holds.
    ///
    /// # Errors
    /// The errors of [`wrap`](Self::wrap).
    pub async fn wrap_remote(
        keyset: &KeysetHandle,
        kek: &dyn RemoteAead,
    ) -> Result<Self, KeysetError> {
        keyset.primitive::<KeysetStreamingAead>()?;
        let encrypted = keyset
            .write_encrypted_remote(Format::Binary, kek, Self::ASSOCIATED_DATA)
            .await?;
        Self::of(&encrypted)
    }

    /// Like [`wrap`](Self::wrap), in exactly `size` bytes: if every header has the same size, the
    /// size of a file gives the size of its plaintext.
    ///
    /// The encrypted keyset is padded with a field that no Tink knows and every Tink skips.
    ///
    /// # Errors
    /// [`KeysetError::HeaderSize`] if the keyset does not fit, or `size` is more than
    /// [`MAX_SIZE`](Self::MAX_SIZE); those of [`wrap`](Self::wrap).
    ///
    /// # Example
    /// ```
    /// use keyseal::{KeysetAead, KeysetHandle, SealedStreamHeader};
    ///
    /// let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
    /// let keyset = KeysetHandle::generate(SealedStreamHeader::TEMPLATE)?;
    /// let header = SealedStreamHeader::wrap_sized(&keyset, &kek, 1024)?;
    /// assert_eq!(header.as_bytes().len(), 1024);
    /// assert!(header.open(&kek).is_ok());
    /// # Ok::<(), keyseal::KeysetError>(())
    /// ```
    pub fn wrap_sized(
        keyset: &KeysetHandle,
        kek: &dyn Aead,
        size: usize,
    ) -> Result<Self, KeysetError> {
        check_size(size, 0)?;
        Self::wrap(keyset, kek)?.filled(size)
    }

    /// Like [`wrap_sized`](Self::wrap_sized), with a KEK that a service holds.
    ///
    /// # Errors
    /// The errors of [`wrap_sized`](Self::wrap_sized).
    pub async fn wrap_sized_remote(
        keyset: &KeysetHandle,
        kek: &dyn RemoteAead,
        size: usize,
    ) -> Result<Self, KeysetError> {
        check_size(size, 0)?;
        Self::wrap_remote(keyset, kek).await?.filled(size)
    }

    /// Opens the keyset under its KEK, for the stream that follows.
    ///
    /// # Errors
    /// [`KeysetError::Decrypt`] if it does not decrypt, or an error that describes the fault in the
    /// keyset.
    pub fn open(&self, kek: &dyn Aead) -> Result<KeysetStreamingAead, KeysetError> {
        self.keyset(kek)?.primitive()
    }

    /// Like [`open`](Self::open), with a KEK that a service holds.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open).
    pub async fn open_remote(
        &self,
        kek: &dyn RemoteAead,
    ) -> Result<KeysetStreamingAead, KeysetError> {
        self.keyset_remote(kek).await?.primitive()
    }

    /// Wraps the same keyset with another KEK, or with a newer version of the same one. The stream
    /// stays as it is.
    ///
    /// # Errors
    /// [`KeysetError::Decrypt`] if it does not decrypt under `from`; those of [`wrap`](Self::wrap).
    pub fn rewrap(&self, from: &dyn Aead, to: &dyn Aead) -> Result<Self, KeysetError> {
        Self::wrap(&self.keyset(from)?, to)
    }

    /// Like [`rewrap`](Self::rewrap), with KEKs that services hold.
    ///
    /// # Errors
    /// The errors of [`rewrap`](Self::rewrap).
    pub async fn rewrap_remote(
        &self,
        from: &dyn RemoteAead,
        to: &dyn RemoteAead,
    ) -> Result<Self, KeysetError> {
        Self::wrap_remote(&self.keyset_remote(from).await?, to).await
    }

    /// Returns whether a file with this start is a sealed stream of a supported version. Eight
    /// bytes are enough.
    #[must_use]
    pub fn detect(start: &[u8]) -> bool {
        start.starts_with(MAGIC)
    }

    /// Returns the length of the header from its first bytes, so that you can fetch exactly the
    /// header. [`START_SIZE`](Self::START_SIZE) bytes are enough.
    ///
    /// # Errors
    /// [`ParseError`]: the bytes do not start a sealed stream, or are too few.
    ///
    /// # Example
    /// ```
    /// use keyseal::{KeysetAead, KeysetHandle, SealedStreamHeader};
    ///
    /// let kek: KeysetAead = KeysetHandle::generate("AES256_GCM")?.primitive()?;
    /// let (header, _) = SealedStreamHeader::generate(SealedStreamHeader::TEMPLATE, &kek)?;
    /// let (start, _) = header.as_bytes().split_at(SealedStreamHeader::START_SIZE);
    /// assert_eq!(SealedStreamHeader::size_of(start)?, header.as_bytes().len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn size_of(start: &[u8]) -> Result<usize, ParseError> {
        let (fixed, _) = start
            .split_first_chunk()
            .ok_or_else(|| unrecognized_or_cut(start))?;
        Ok(START_SIZE + keyset_size(fixed)?)
    }

    /// Reads the header from the start of `bytes`, and returns it with the rest of `bytes`.
    ///
    /// # Errors
    /// [`ParseError`]: `bytes` is not a sealed stream, or ends within the header.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let size = Self::size_of(bytes)?;
        let (header, stream) = bytes
            .split_at_checked(size)
            .ok_or_else(|| cut(bytes.len()))?;
        let bytes = header.to_vec();
        Ok((Self { bytes }, stream))
    }

    /// Reads the header, and leaves `reader` at the start of the stream. Reads exactly the header.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] with a [`ParseError`] if [`parse`](Self::parse) would return
    /// one, or the reader's error.
    pub fn read_from(reader: &mut impl Read) -> io::Result<Self> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let mut bytes = Vec::with_capacity(START_SIZE);
        take(reader, START_SIZE, &mut bytes)?;
        let size = Self::size_of(&bytes).map_err(invalid)?;
        // It grows as bytes come: the length is only a claim.
        take(reader, size - START_SIZE, &mut bytes)?;
        if bytes.len() < size {
            return Err(invalid(cut(bytes.len())));
        }
        Ok(Self { bytes })
    }

    /// Returns the header as written to a file: 13 to [`MAX_SIZE`](Self::MAX_SIZE) bytes, followed
    /// by the stream.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the encrypted keyset: Tink's binary form, which shows nothing.
    #[must_use]
    pub fn encrypted_keyset(&self) -> &[u8] {
        self.bytes.get(START_SIZE..).unwrap_or_default()
    }

    /// Opens the keyset under its KEK.
    ///
    /// # Errors
    /// [`KeysetError::Decrypt`] if it does not decrypt, or an error that describes the fault in the
    /// keyset.
    pub fn keyset(&self, kek: &dyn Aead) -> Result<KeysetHandle, KeysetError> {
        let encrypted = self.encrypted_keyset();
        KeysetHandle::read_encrypted(encrypted, Format::Binary, kek, Self::ASSOCIATED_DATA)
    }

    /// Like [`keyset`](Self::keyset), with a KEK that a service holds.
    ///
    /// # Errors
    /// The errors of [`keyset`](Self::keyset).
    pub async fn keyset_remote(&self, kek: &dyn RemoteAead) -> Result<KeysetHandle, KeysetError> {
        let encrypted = self.encrypted_keyset();
        KeysetHandle::read_encrypted_remote(encrypted, Format::Binary, kek, Self::ASSOCIATED_DATA)
            .await
    }

    fn filled(&self, size: usize) -> Result<Self, KeysetError> {
        let least = self.bytes.len();
        check_size(size, least)?;
        let needed = size + 1;
        let filling = filling(size - least).ok_or(KeysetError::HeaderSize { size, needed })?;
        Self::of(&[self.encrypted_keyset(), &filling].concat())
    }

    fn of(encrypted_keyset: &[u8]) -> Result<Self, KeysetError> {
        let length = u32::try_from(encrypted_keyset.len())
            .ok()
            .filter(|_| encrypted_keyset.len() <= Self::MAX_KEYSET_SIZE)
            .ok_or_else(|| {
                let reason = "the keyset is too large for the header of a sealed stream";
                KeysetError::Malformed(ParseError::new(reason, encrypted_keyset.len()))
            })?;
        let bytes = [MAGIC, &length.to_be_bytes()[..], encrypted_keyset].concat();
        Ok(Self { bytes })
    }
}

fn keyset_with<P: KeyParameters>(parameters: &P) -> Result<KeysetHandle, KeysetError> {
    KeysetHandle::new(Key::generate_with(parameters, Variant::Raw).map_err(KeysetError::Template)?)
}

/// Refuses a header of `size` bytes if that is less than `needed`, or more than the maximum.
fn check_size(size: usize, needed: usize) -> Result<(), KeysetError> {
    if (needed..=SealedStreamHeader::MAX_SIZE).contains(&size) {
        Ok(())
    } else {
        Err(KeysetError::HeaderSize { size, needed })
    }
}

/// Makes `size` bytes of a field that no Tink message has: number 15, all zero. `None` for one
/// byte, which is too short for a field.
fn filling(size: usize) -> Option<Vec<u8>> {
    const TAG: u8 = 15 << 3 | 2;
    if size == 0 {
        return Some(Vec::new());
    }
    for length_size in 1..=3 {
        let length = size.checked_sub(1 + length_size)?;
        let mut field = vec![TAG];
        prost::encoding::encode_varint(length as u64, &mut field);
        if field.len() == 1 + length_size {
            field.resize(size, 0);
            return Some(field);
        }
    }
    // Where one more byte of content would take one more of length, two fields do.
    Some([filling(62)?, filling(size - 62)?].concat())
}

/// Checks the bytes before the encrypted keyset, and returns the length of that.
fn keyset_size(start: &[u8; START_SIZE]) -> Result<usize, ParseError> {
    let length = start
        .strip_prefix(MAGIC)
        .and_then(|length| length.first_chunk())
        .ok_or_else(unrecognized)?;
    usize::try_from(u32::from_be_bytes(*length))
        .ok()
        .filter(|size| (1..=SealedStreamHeader::MAX_KEYSET_SIZE).contains(size))
        .ok_or_else(|| {
            let reason = "the length of the keyset is not one of a sealed stream";
            ParseError::new(reason, MAGIC.len())
        })
}

/// Appends up to `size` bytes, or fewer if the reader ends.
fn take(reader: &mut impl Read, size: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    reader.by_ref().take(size as u64).read_to_end(bytes)?;
    Ok(())
}

fn unrecognized() -> ParseError {
    ParseError::new("this is not the start of a sealed stream", 0)
}

fn unrecognized_or_cut(bytes: &[u8]) -> ParseError {
    let common = bytes.len().min(MAGIC.len());
    if bytes.get(..common) == MAGIC.get(..common) {
        cut(bytes.len())
    } else {
        unrecognized()
    }
}

fn cut(offset: usize) -> ParseError {
    ParseError::new("the header of the sealed stream is cut", offset)
}

impl fmt::Debug for SealedStreamHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedStreamHeader")
            .field("size", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
