//! [`KeyRing`]: finds the keyset that an argument means.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use keyseal::{
    KeysetError, KeysetHandle, KmsErrorKind, RemoteAead, SecretAccess, error_chain,
    keyset::{Format, KeysetFile},
    kms::{KmsClients, blocking::Worker},
};
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    key_use::KeyUse,
    parsed::ParsedKeyset,
    reference::Reference,
    source::{KeptKeyset, WrappedKeysetSource},
};

const REFUSED: &str = "keysets in cleartext are refused here: use KEYS.KEYSET_CHAIN or keyset(name), \
                       or allow them with KeyRing::cleartext_keysets";

/// The keysets and key management services that SQL may use.
///
/// A function takes a keyset in one of three forms: the name of a keyset in this ring
/// (`keyset('pii')`), a wrapped keyset with the URI of its key (`KEYS.KEYSET_CHAIN(uri, wrapped)`),
/// or, if you allow it, the bytes of a keyset in cleartext. The first two hold no secret: plans,
/// `EXPLAIN` and logs may show them.
///
/// Keysets stay parsed: 1,001 unwrapped ones for 5 minutes, and the last 1,001 cleartext ones.
/// `Debug` shows names only.
///
/// # Example
/// ```
/// use std::sync::Arc;
///
/// use keyseal::{KeysetHandle, kms::KmsClients};
/// use keyseal_datafusion::KeyRing;
///
/// let ring = KeyRing::new()
///     .kms(KmsClients::new()) // add ScalewayClient::from_env()?
///     .keyset("pii", KeysetHandle::generate("AES256_GCM")?);
/// let functions = keyseal_datafusion::functions(&Arc::new(ring));
/// # assert!(!functions.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyRing {
    kms: KmsClients,
    names: HashMap<String, Named>,
    /// Names that are not here may be used for everything.
    allowed: HashMap<String, Vec<KeyUse>>,
    takes_cleartext: bool,
    /// The caches find a keyset by the SHA-256 of its argument.
    unwrapped: Cache<[u8; 32], Arc<ParsedKeyset>>,
    refused: Cache<[u8; 32], Arc<Unopened>>,
    cleartext: Cache<[u8; 32], Arc<ParsedKeyset>>,
    worker: OnceLock<Worker>,
}

enum Named {
    Parsed(Arc<ParsedKeyset>),
    Wrapped { uri: String, wrapped: Vec<u8> },
    Kept { uri: String, kept: KeptKeyset },
}

/// Why a service did not unwrap a keyset.
struct Unopened {
    text: String,
    /// Whether the next call may do better.
    is_retryable: bool,
}

const ENTRIES: u64 = 1_001;
const TIME_TO_LIVE: Duration = Duration::from_secs(5 * 60);
/// How long a refusal is remembered: the tasks of one query ask the service once.
const REFUSED_FOR: Duration = Duration::from_secs(5);

impl KeyRing {
    /// Makes a ring without keysets and services, which refuses cleartext keysets.
    #[must_use]
    pub fn new() -> Self {
        Self {
            kms: KmsClients::new(),
            names: HashMap::new(),
            allowed: HashMap::new(),
            takes_cleartext: false,
            unwrapped: Cache::builder()
                .max_capacity(ENTRIES)
                .time_to_live(TIME_TO_LIVE)
                .build(),
            refused: Cache::builder()
                .max_capacity(ENTRIES)
                .time_to_live(REFUSED_FOR)
                .build(),
            cleartext: Cache::new(ENTRIES),
            worker: OnceLock::new(),
        }
    }

    /// Sets the services that unwrap keysets. They bring their own credentials: none may be in a
    /// query or its configuration.
    #[must_use]
    pub fn kms(mut self, kms: KmsClients) -> Self {
        self.kms = kms;
        self
    }

    /// Adds a keyset that this process holds, as `keyset('name')`.
    #[must_use]
    pub fn keyset(mut self, name: impl Into<String>, keyset: KeysetHandle) -> Self {
        let parsed = Arc::new(ParsedKeyset::new(keyset));
        self.names.insert(name.into(), Named::Parsed(parsed));
        self
    }

    /// Adds a keyset that the key `uri` wraps, as `keyset('name')`. It is unwrapped when a query
    /// first uses it.
    ///
    /// `wrapped` is the service's ciphertext of a binary keyset, without associated data, as BigQuery
    /// makes it; or a file of Tink's encrypted keysets, binary or JSON, without associated data.
    #[must_use]
    pub fn wrapped_keyset(
        mut self,
        name: impl Into<String>,
        uri: impl Into<String>,
        wrapped: impl Into<Vec<u8>>,
    ) -> Self {
        let (uri, wrapped) = (uri.into(), wrapped.into());
        self.names
            .insert(name.into(), Named::Wrapped { uri, wrapped });
        self
    }

    /// Adds a keyset that the key `uri` wraps, kept by `source`, as `keyset('name')`.
    ///
    /// The source is read when a query first uses the keyset, and again after 5 minutes. It is read
    /// again too if a ciphertext names a key that the keyset lacks, ten times a second at most: no
    /// process has to be told of a rotation. Encryption may use the old primary key for 5 minutes, so
    /// disable an old key later than that. Ciphertexts of RAW keys name no key: rotate such keysets by
    /// adding the new key first.
    #[must_use]
    pub fn wrapped_keyset_from(
        mut self,
        name: impl Into<String>,
        uri: impl Into<String>,
        source: impl WrappedKeysetSource + 'static,
    ) -> Self {
        let (uri, kept) = (uri.into(), KeptKeyset::new(source));
        self.names.insert(name.into(), Named::Kept { uri, kept });
        self
    }

    /// Restricts what functions may do with the keyset `name` in this process. Without it, they may
    /// do everything.
    ///
    /// # Security
    /// It restricts the name. Someone who has the wrapped keyset can give it to
    /// `KEYS.KEYSET_CHAIN`, if this process may use its key: permissions of the KMS restrict that.
    #[must_use]
    pub fn allow(mut self, name: impl Into<String>, uses: impl Into<Vec<KeyUse>>) -> Self {
        self.allowed.insert(name.into(), uses.into());
        self
    }

    /// Allows keysets in cleartext as arguments and results, as for BigQuery's `KEYS.NEW_KEYSET` and
    /// for a table that holds a keyset per row.
    ///
    /// # Security
    /// Such keysets are in the batches, shuffles and spills of the engine, and in the plan if they
    /// are literals.
    #[must_use]
    pub const fn cleartext_keysets(mut self, _access: SecretAccess) -> Self {
        self.takes_cleartext = true;
        self
    }

    /// Finds the keyset of an argument, for a use or to describe it.
    pub(crate) fn resolve(
        &self,
        argument: &[u8],
        wanted: Option<KeyUse>,
    ) -> Result<Arc<ParsedKeyset>, String> {
        match Reference::parse(argument) {
            Some(Ok(Reference::Chain { uri, wrapped })) => self.unwrapped(uri, wrapped),
            Some(Ok(Reference::Name(name))) => {
                self.check_use(name, wanted)?;
                match self.names.get(name) {
                    Some(Named::Parsed(parsed)) => Ok(Arc::clone(parsed)),
                    Some(Named::Wrapped { uri, wrapped }) => self.unwrapped(uri, wrapped),
                    Some(Named::Kept { uri, kept }) => {
                        let now = Instant::now();
                        let since = now.checked_sub(TIME_TO_LIVE).unwrap_or(now);
                        self.kept(uri, kept, since).map(|(keyset, _)| keyset)
                    }
                    None => Err(format!("no keyset is named {name:?} in the key ring")),
                }
            }
            Some(Err(error)) => Err(error.to_owned()),
            None => self.cleartext(argument),
        }
    }

    /// Finds a newer keyset of an argument, if its source has another than `current`. Reads the source
    /// unless it was read at `since` or later.
    pub(crate) fn newer(
        &self,
        argument: &[u8],
        current: &Arc<ParsedKeyset>,
        since: Instant,
    ) -> Result<Option<Arc<ParsedKeyset>>, String> {
        let Some(Ok(Reference::Name(name))) = Reference::parse(argument) else {
            return Ok(None);
        };
        let Some(Named::Kept { uri, kept }) = self.names.get(name) else {
            return Ok(None);
        };
        let (newest, unread) = self.kept(uri, kept, since)?;
        match (Arc::ptr_eq(&newest, current), unread) {
            (false, _) => Ok(Some(newest)),
            (true, None) => Ok(None),
            // Without the newer keyset, it is not known whether the ciphertext is good.
            (true, Some(error)) => Err(format!("keyset {name:?} cannot be read again: {error}")),
        }
    }

    fn check_use(&self, name: &str, wanted: Option<KeyUse>) -> Result<(), String> {
        let (Some(wanted), Some(allowed)) = (wanted, self.allowed.get(name)) else {
            return Ok(());
        };
        match allowed.contains(&wanted) {
            true => Ok(()),
            false => Err(format!(
                "keyset {name:?} may not be used to {wanted} in this process"
            )),
        }
    }

    fn kept(
        &self,
        uri: &str,
        kept: &KeptKeyset,
        since: Instant,
    ) -> Result<(Arc<ParsedKeyset>, Option<String>), String> {
        let (wrapped, unread) = kept.wrapped(since, |source| {
            let read = self.run(source.read())?;
            read.map_err(|error| error_chain(&*error))
        })?;
        Ok((self.unwrapped(uri, &wrapped)?, unread))
    }

    /// Parses a keyset in cleartext, if they are allowed.
    pub(crate) fn cleartext(&self, keyset: &[u8]) -> Result<Arc<ParsedKeyset>, String> {
        let access = self.cleartext_access()?;
        if Reference::parse(keyset).is_some() {
            return Err(
                "this function returns keys in cleartext and takes no reference to a keyset: use \
                 KEYS.ROTATE_WRAPPED_KEYSET or KEYS.REWRAP_KEYSET"
                    .to_owned(),
            );
        }
        let parse = || {
            let handle = KeysetHandle::read_cleartext(keyset, Format::Binary, access);
            let handle = handle.map_err(|error| error_chain(&error))?;
            Ok(Arc::new(ParsedKeyset::new(handle)))
        };
        let key = Sha256::digest(keyset).into();
        let parsed = self.cleartext.try_get_with(key, parse);
        parsed.map_err(|error: Arc<String>| error.to_string())
    }

    /// Returns the token if cleartext keysets are allowed.
    pub(crate) fn cleartext_access(&self) -> Result<SecretAccess, String> {
        match self.takes_cleartext {
            true => Ok(SecretAccess::insecure()),
            false => Err(REFUSED.to_owned()),
        }
    }

    fn unwrapped(&self, uri: &str, wrapped: &[u8]) -> Result<Arc<ParsedKeyset>, String> {
        let mut hash = Sha256::new();
        hash.update((uri.len() as u64).to_be_bytes());
        hash.update(uri);
        hash.update(wrapped);
        let key = hash.finalize().into();
        if let Some(refused) = self.refused.get(&key) {
            return Err(refused.text.clone());
        }
        let unwrap = || {
            let handle = self.ask_to_unwrap(uri, wrapped)?;
            Ok(Arc::new(ParsedKeyset::new(handle)))
        };
        let parsed = self.unwrapped.try_get_with(key, unwrap);
        parsed.map_err(|error: Arc<Unopened>| {
            if !error.is_retryable {
                self.refused.insert(key, Arc::clone(&error));
            }
            error.text.clone()
        })
    }

    /// Asks the service to unwrap a keyset.
    pub(crate) fn unwrap_keyset(&self, uri: &str, wrapped: &[u8]) -> Result<KeysetHandle, String> {
        self.ask_to_unwrap(uri, wrapped).map_err(|error| error.text)
    }

    fn ask_to_unwrap(&self, uri: &str, wrapped: &[u8]) -> Result<KeysetHandle, Unopened> {
        let retryable = |text| Unopened {
            text,
            is_retryable: true,
        };
        let kek = self.kek(uri).map_err(retryable)?;
        let unwrapped = self.run(unwrap(&*kek, wrapped)).map_err(retryable)?;
        unwrapped.map_err(|error| Unopened {
            text: format!("{uri}: {}", error_chain(&error)),
            is_retryable: error.is_retryable(),
        })
    }

    /// Asks the service to wrap a keyset, as BigQuery does.
    pub(crate) fn wrap_keyset(&self, uri: &str, keyset: &KeysetHandle) -> Result<Vec<u8>, String> {
        let kek = self.kek(uri)?;
        let access = SecretAccess::insecure();
        let keyset = keyset.write_cleartext(Format::Binary, access);
        self.run(kek.encrypt(keyset.expose(access), b""))?
            .map_err(|error| format!("{uri}: {}", error_chain(&error)))
    }

    fn kek(&self, uri: &str) -> Result<Arc<dyn RemoteAead>, String> {
        let kek = self.kms.find(uri);
        kek.map_err(|error| format!("{uri}: {}", error_chain(&error)))
    }

    /// Waits on the worker's thread, so that the call progresses even if all threads of the engine's
    /// runtime wait.
    fn run<F: Future>(&self, future: F) -> Result<F::Output, String> {
        let worker = match self.worker.get() {
            Some(worker) => worker,
            None => {
                let started = Worker::new()
                    .map_err(|error| format!("no thread for the key service: {error}"))?;
                self.worker.get_or_init(|| started)
            }
        };
        Ok(worker.run(future))
    }
}

async fn unwrap(kek: &dyn RemoteAead, wrapped: &[u8]) -> Result<KeysetHandle, KeysetError> {
    let tink = || async {
        let format = Format::detect(wrapped);
        KeysetHandle::read_encrypted_remote(wrapped, format, kek, b"").await
    };
    // A file of Tink in JSON: no service's ciphertext looks so, and a call is saved.
    if wrapped.first() == Some(&b'{') && KeysetFile::detect(wrapped).is_ok() {
        return tink().await;
    }
    match kek.decrypt(wrapped, b"").await {
        Ok(keyset) => {
            let keyset = Zeroizing::new(keyset);
            let access = SecretAccess::insecure();
            KeysetHandle::read_cleartext(&keyset, Format::Binary, access)
        }
        // A file of Tink: it starts with its first field, or is JSON.
        Err(error) if is_refusal(error.kind()) && matches!(wrapped.first(), Some(0x12 | b'{')) => {
            tink().await
        }
        Err(error) => Err(KeysetError::Decrypt(error.into())),
    }
}

/// Returns whether a service said no to a ciphertext, rather than nothing.
const fn is_refusal(kind: KmsErrorKind) -> bool {
    matches!(
        kind,
        KmsErrorKind::DecryptionFailed | KmsErrorKind::InvalidInput | KmsErrorKind::Refused
    )
}

impl Default for KeyRing {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.names.keys().collect();
        names.sort_unstable();
        f.debug_struct("KeyRing")
            .field("kms", &self.kms)
            .field("names", &names)
            .field("takes_cleartext", &self.takes_cleartext)
            .finish_non_exhaustive()
    }
}
