//! The primitives behind pointers: a `&T`, a `Box<T>` and an `Arc<T>` behave like the `T`, so you
//! can pass a `Box<dyn Aead>` as an `impl Aead`.

use std::sync::Arc;

use super::{Aead, DeterministicAead, Mac, Prf, StreamingAead};
use crate::{
    error::{DecryptError, EncryptError, PrfError, VerifyError},
    segment::{Opener, Sealer},
};

/// Forwards each method of a trait to the target of the pointer.
macro_rules! forward {
    ($pointer:ty: $($name:ident { $($method:ident($($argument:ident: $kind:ty),*) -> $output:ty;)* })*) => {$(
        impl<T: $name + ?Sized> $name for $pointer {$(
            #[inline]
            fn $method(&self, $($argument: $kind),*) -> $output {
                (**self).$method($($argument),*)
            }
        )*}
    )*};
}

/// The methods of all primitives, including those with a default, because the target may override
/// it.
macro_rules! forward_all {
    ($($pointer:ty),*) => {$(
        forward! { $pointer:
            Aead {
                encrypt_into(plaintext: &[u8], associated_data: &[u8], out: &mut Vec<u8>) -> Result<(), EncryptError>;
                decrypt_into(ciphertext: &[u8], associated_data: &[u8], out: &mut Vec<u8>) -> Result<(), DecryptError>;
                encrypt(plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, EncryptError>;
                decrypt(ciphertext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, DecryptError>;
                encrypt_in_place(buffer: &mut Vec<u8>, associated_data: &[u8]) -> Result<(), EncryptError>;
                decrypt_in_place(buffer: &mut Vec<u8>, associated_data: &[u8]) -> Result<(), DecryptError>;
            }
            DeterministicAead {
                encrypt_deterministically_into(plaintext: &[u8], associated_data: &[u8], out: &mut Vec<u8>) -> Result<(), EncryptError>;
                decrypt_deterministically_into(ciphertext: &[u8], associated_data: &[u8], out: &mut Vec<u8>) -> Result<(), DecryptError>;
                encrypt_deterministically(plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, EncryptError>;
                decrypt_deterministically(ciphertext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, DecryptError>;
                encrypt_deterministically_in_place(buffer: &mut Vec<u8>, associated_data: &[u8]) -> Result<(), EncryptError>;
                decrypt_deterministically_in_place(buffer: &mut Vec<u8>, associated_data: &[u8]) -> Result<(), DecryptError>;
            }
            Mac {
                compute_mac(data: &[u8]) -> Vec<u8>;
                verify_mac(tag: &[u8], data: &[u8]) -> Result<(), VerifyError>;
            }
            Prf {
                max_output_length() -> usize;
                compute_prf_into(input: &[u8], output: &mut [u8]) -> Result<(), PrfError>;
                compute_prf(input: &[u8], output_length: usize) -> Result<Vec<u8>, PrfError>;
            }
            StreamingAead {
                sealer(associated_data: &[u8]) -> Result<Sealer, EncryptError>;
                opener(associated_data: &[u8]) -> Opener;
            }
        }
    )*};
}

forward_all!(&T, Box<T>, Arc<T>);
