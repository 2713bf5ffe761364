//! [`RemoteAead`]: encryption by a key that is somewhere else.

use std::{pin::Pin, sync::Arc};

use crate::error::KmsError;

/// A boxed future that can move between threads: what makes a trait with `async` methods usable
/// as `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Authenticated encryption with associated data, by a key that a service holds.
///
/// A trait of its own beside [`Aead`](crate::Aead): a call here takes milliseconds, can fail for
/// reasons that have nothing to do with the ciphertext, costs money, and has size limits (Scaleway
/// Key Manager takes 1 to 65,535 bytes of plaintext).
///
/// Everybody may implement it. Three laws, which the suite in `kms::testkit` (feature `testkit`)
/// checks:
/// * what `encrypt` gives, `decrypt` opens with the same associated data and with no other;
/// * a ciphertext that does not open is [`KmsErrorKind::DecryptionFailed`], never a plaintext;
/// * a future that is dropped is a call that is cancelled: nothing is left locked or half done
///   here, whatever the service made of it.
///
/// # Security
/// The plaintext is often a key. Give it out in a `Vec` that was never reallocated, so that
/// whoever receives it can wipe it, and put neither it nor the associated data into an error.
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
    /// [`KmsError`]: an input outside the service's limits, or what went wrong on the way.
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>>;

    /// Decrypts `ciphertext`.
    ///
    /// # Errors
    /// [`KmsError`] of kind `DecryptionFailed` when it does not open; other kinds when it could
    /// not be tried.
    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>>;
}

/// Forwards to what is behind the pointer.
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
    )*};
}

forward!(&R, Box<R>, Arc<R>);
