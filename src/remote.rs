//! [`RemoteAead`]: encryption with a remote key; [`KmsClient`]: how to find one.

use std::{fmt, pin::Pin, sync::Arc};

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
        }

        impl<R: KmsClient + ?Sized> KmsClient for $pointer {
            fn remote_aead(&self, key_uri: &str) -> Option<Result<Arc<dyn RemoteAead>, KmsError>> {
                (**self).remote_aead(key_uri)
            }
        }
    )*};
}

forward!(&R, Box<R>, Arc<R>);
