//! [`RemoteAead`]: encryption with a remote key; [`KmsClient`]: how to find one.

use std::{fmt, pin::Pin, sync::Arc};

use zeroize::Zeroizing;

use crate::error::{KmsError, KmsErrorKind};

/// A boxed future that can move between threads. It makes a trait with `async` methods usable as
/// `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Authenticated encryption with associated data, with a key that a service holds.
///
/// This trait is separate from [`Aead`](crate::Aead) because a call takes milliseconds, can fail
/// for reasons unrelated to the ciphertext, costs money, and has size limits (Scaleway Key Manager
/// takes 1 to 65,535 bytes of plaintext).
///
/// Anyone may implement it. There are three laws, which the suite in `kms::testkit` (feature
/// `testkit`) checks:
/// * `decrypt` returns the input of `encrypt` for the same associated data and for no other;
/// * decrypting an invalid ciphertext gives [`KmsErrorKind::DecryptionFailed`], never a plaintext;
/// * dropping a future cancels the call: nothing stays locked or half done on this side, whatever
///   the service did.
///
/// # Security
/// The plaintext is often a key. Return it in a `Vec` that was never reallocated, so that the
/// caller can wipe it. Put neither the plaintext nor the associated data into an error.
///
/// # Example
/// ```
/// use keyseal::{BoxFuture, KmsError, RemoteAead};
///
/// /// Keeps the associated data of all calls to `inner` apart from those of other tenants.
/// struct Tenant<R> {
///     inner: R,
///     name: String,
/// }
///
/// impl<R: RemoteAead> RemoteAead for Tenant<R> {
///     fn encrypt<'a>(
///         &'a self,
///         plaintext: &'a [u8],
///         associated_data: &'a [u8],
///     ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
///         Box::pin(async move {
///             let bound = [self.name.as_bytes(), b"/", associated_data].concat();
///             self.inner.encrypt(plaintext, &bound).await
///         })
///     }
///
///     fn decrypt<'a>(
///         &'a self,
///         ciphertext: &'a [u8],
///         associated_data: &'a [u8],
///     ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
///         Box::pin(async move {
///             let bound = [self.name.as_bytes(), b"/", associated_data].concat();
///             self.inner.decrypt(ciphertext, &bound).await
///         })
///     }
/// }
/// ```
///
/// [`KmsErrorKind::DecryptionFailed`]: crate::KmsErrorKind::DecryptionFailed
pub trait RemoteAead: Send + Sync {
    /// Encrypts `plaintext`.
    ///
    /// # Errors
    /// [`KmsError`] if an input is outside the service's limits or the call fails.
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>>;

    /// Decrypts `ciphertext`.
    ///
    /// # Errors
    /// [`KmsError`] of kind `DecryptionFailed` if the ciphertext is invalid, or another kind if the
    /// call fails.
    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>>;

    /// Decrypts `ciphertext`, and says whether the newest version of the key made it.
    ///
    /// It makes the same single call as [`decrypt`](Self::decrypt). Implement it if the service
    /// tells the version; otherwise the answer is [`Freshness::Unknown`].
    ///
    /// # Errors
    /// The errors of [`decrypt`](Self::decrypt).
    fn decrypt_with_refresh<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Decrypted, KmsError>> {
        let decrypted = self.decrypt(ciphertext, associated_data);
        Box::pin(async move { Ok(Decrypted::new(decrypted.await?, Freshness::Unknown)) })
    }
}

/// A plaintext, and how fresh its ciphertext is according to the service. The plaintext is wiped
/// when this is dropped.
///
/// # Example
/// ```
/// use keyseal::{Decrypted, Freshness};
///
/// let decrypted = Decrypted::new(b"attack at dawn".to_vec(), Freshness::Older)
///     .with_rewrapped(b"the same, under the newest version".to_vec());
/// if let Some(newer) = decrypted.rewrapped() {
///     // UPDATE letters SET body = newer WHERE id = 7 AND body = the old ciphertext
///     # assert!(newer.len() > 14);
/// }
/// assert_eq!(decrypted.into_plaintext(), b"attack at dawn");
/// ```
pub struct Decrypted {
    plaintext: Zeroizing<Vec<u8>>,
    freshness: Freshness,
    rewrapped: Option<Vec<u8>>,
    stale: bool,
}

/// Whether a ciphertext is under the version of a key that encrypts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Freshness {
    /// The service does not say.
    Unknown,
    /// It is under the version that encrypts now.
    Newest,
    /// It is under an older version.
    Older,
}

impl Decrypted {
    /// Takes a plaintext, and the freshness of its ciphertext.
    #[must_use]
    pub fn new(plaintext: Vec<u8>, freshness: Freshness) -> Self {
        Self {
            plaintext: Zeroizing::new(plaintext),
            freshness,
            rewrapped: None,
            stale: false,
        }
    }

    /// Adds the ciphertext to store instead, which the service made with its answer. The freshness
    /// becomes [`Freshness::Older`].
    #[must_use]
    pub fn with_rewrapped(self, rewrapped: Vec<u8>) -> Self {
        Self {
            rewrapped: Some(rewrapped),
            freshness: Freshness::Older,
            ..self
        }
    }

    /// Marks a plaintext that a cache decrypted while the service did not answer.
    #[must_use]
    pub fn with_stale(self, stale: bool) -> Self {
        Self { stale, ..self }
    }

    pub(crate) fn with_freshness(self, freshness: Freshness) -> Self {
        Self { freshness, ..self }
    }

    /// Replaces the re-wrapped ciphertext, for an AEAD around another one.
    pub(crate) fn map_rewrapped(self, map: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Self {
        Self {
            rewrapped: self.rewrapped.map(map),
            ..self
        }
    }

    /// Returns the plaintext.
    #[must_use]
    pub fn plaintext(&self) -> &[u8] {
        &self.plaintext
    }

    /// Returns the plaintext. If it is a secret, the caller must wipe it.
    #[must_use]
    pub fn into_plaintext(mut self) -> Vec<u8> {
        std::mem::take(&mut self.plaintext)
    }

    /// Returns whether the ciphertext is under the version of the key that encrypts now.
    #[must_use]
    pub const fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// Returns the same plaintext encrypted under the newest version of the key, with the same
    /// associated data, if the key was rotated since the ciphertext was made and the service
    /// provides it. For an envelope, only the wrapped key differs.
    ///
    /// Store it in place of the old one, unless that has changed meanwhile: you then no longer need
    /// the old version of the key.
    #[must_use]
    pub fn rewrapped(&self) -> Option<&[u8]> {
        self.rewrapped.as_deref()
    }

    /// Returns whether a cache provided the key past its age because the service did not answer, so
    /// that a revocation in the meantime was not noticed.
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        self.stale
    }
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decrypted")
            .field("plaintext_size", &self.plaintext.len())
            .field("freshness", &self.freshness)
            .field("rewrapped", &self.rewrapped.is_some())
            .field("stale", &self.stale)
            .finish()
    }
}

/// Finds the key that a URI names in one key management service.
///
/// Anyone may implement it, for the service of their choice; the suite in `kms::testkit` (feature
/// `testkit`) checks the result. [`KmsClients`](crate::kms::KmsClients) is a list of them.
pub trait KmsClient: Send + Sync {
    /// Returns the key that `key_uri` names, or `None` if the URI is for another service.
    ///
    /// Makes no network call: the credentials may only allow encrypting and decrypting with the
    /// key.
    ///
    /// # Errors
    /// [`KmsError`] if the URI is for this service, but malformed or not usable with this client.
    fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>>;
}

/// Returns the key that `key_uri` names, or an error if `kms` does not know its scheme.
pub(crate) fn find(kms: &dyn KmsClient, key_uri: &str) -> Result<Arc<dyn RemoteAead>, KmsError> {
    kms.remote_aead(key_uri).unwrap_or_else(|| {
        let message = match scheme_of(key_uri) {
            Some(scheme) => format!("its scheme is `{scheme}`"),
            None => "it has no scheme".to_owned(),
        };
        Err(KmsError::new(KmsErrorKind::UnsupportedUri).with_message(message))
    })
}

/// Returns the part of a key URI that is safe to show: in some schemes the rest is key material.
fn scheme_of(key_uri: &str) -> Option<&str> {
    let (scheme, _) = key_uri.split_once("://")?;
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    // A scheme is a short word. Anything longer may be a key pasted in its place.
    let shown = (1..=20).contains(&scheme.len()) && scheme.bytes().all(is_scheme);
    shown.then_some(scheme)
}

/// A key URI as `Debug` prints it: the scheme only.
pub(crate) struct SchemeOf<'u>(pub(crate) &'u str);

impl fmt::Debug for SchemeOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match scheme_of(self.0) {
            Some(scheme) => write!(f, "{scheme}://…"),
            None => f.write_str("…"),
        }
    }
}

/// Forwards to the target of the pointer.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<R: RemoteAead + ?Sized> RemoteAead for $pointer {
            fn encrypt<'a>(
                &'a self,
                plaintext: &'a [u8],
                associated_data: &'a [u8],
            ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
                (**self).encrypt(plaintext, associated_data)
            }

            fn decrypt<'a>(
                &'a self,
                ciphertext: &'a [u8],
                associated_data: &'a [u8],
            ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
                (**self).decrypt(ciphertext, associated_data)
            }

            fn decrypt_with_refresh<'a>(
                &'a self,
                ciphertext: &'a [u8],
                associated_data: &'a [u8],
            ) -> BoxFuture<'a, Result<Decrypted, KmsError>> {
                (**self).decrypt_with_refresh(ciphertext, associated_data)
            }
        }

        impl<R: KmsClient + ?Sized> KmsClient for $pointer {
            fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
                (**self).remote_aead(key_uri)
            }
        }
    )*};
}

forward!(&R, Box<R>, Arc<R>);
