//! The form of a key that is one byte string: what such key types would all write alike.

/// Defines a key of one byte string and `Copy` parameters, and the key type itself.
macro_rules! byte_key {
    ($(#[$doc:meta])* $key:ident($parameters:ident): $key_type:ident) => {
        #[doc = concat!(
            "The key type of [`", stringify!($key), "`], for a list of [`KeyTypes`](crate::KeyTypes)."
        )]
        #[derive(Clone, Copy, Debug)]
        #[allow(clippy::exhaustive_structs, reason = "a name, without fields for ever")]
        pub struct $key_type;

        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $key {
            parameters: $parameters,
            key: $crate::secret::SecretBytes,
        }

        impl $key {
            /// Returns the key itself.
            #[must_use]
            pub const fn key(&self) -> &$crate::secret::SecretBytes {
                &self.key
            }

            /// Returns the parameters.
            #[must_use]
            pub const fn parameters(&self) -> $parameters {
                self.parameters
            }
        }

        impl $crate::key::TypedKey for $key {
            type Spec = $key_type;
        }

        impl $crate::key::KeyParameters for $parameters {
            type Spec = $key_type;
        }
    };
}

/// Defines the items of `KeySpec` that follow from this form.
macro_rules! byte_key_spec {
    ($key:ident($parameters:ident)) => {
        type Key = $key;
        type Parameters = $parameters;

        fn parameters(key: &$key) -> $parameters {
            key.parameters
        }

        fn generate(
            parameters: &$parameters,
            source: $crate::key::KeySource<'_>,
        ) -> Result<$key, $crate::error::KeyError> {
            let size = Self::properties(parameters).key_size;
            Ok($key {
                parameters: *parameters,
                key: $crate::secret::SecretBytes::filled(size, source)?,
            })
        }

        fn material(key: &$key) -> Vec<&$crate::secret::SecretBytes> {
            vec![&key.key]
        }
    };
}

/// Defines parameters with nothing to choose: every key has the same size.
macro_rules! fixed_parameters {
    ($(#[$doc:meta])* $parameters:ident: $size:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $parameters;

        impl $parameters {
            /// The size of every key in bytes.
            pub const KEY_SIZE: usize = $size;

            /// Returns the only parameters there are.
            #[must_use]
            pub const fn new() -> Self {
                Self
            }

            const fn of_size(key_size: usize) -> Result<Self, $crate::error::KeyError> {
                match key_size {
                    Self::KEY_SIZE => Ok(Self),
                    _ => Err($crate::error::KeyError::parameter(
                        "key size",
                        key_size,
                        concat!($size, " bytes"),
                    )),
                }
            }
        }
    };
}

/// Defines parameters of which there is only the size of the key: that of an AES key.
macro_rules! aes_key_size {
    ($(#[$doc:meta])* $parameters:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $parameters {
            key_size: usize,
        }

        impl $parameters {
            /// Takes the size of the key in bytes: 16 or 32.
            ///
            /// # Errors
            /// [`KeyError::Parameter`](crate::KeyError::Parameter)
            pub const fn new(key_size: usize) -> Result<Self, $crate::error::KeyError> {
                match key_size {
                    16 | 32 => Ok(Self { key_size }),
                    _ => Err($crate::error::KeyError::parameter("key size", key_size, "16 or 32 bytes")),
                }
            }

            /// Returns the size of the key in bytes.
            #[must_use]
            pub const fn key_size(&self) -> usize {
                self.key_size
            }
        }
    };
}

pub(crate) use {aes_key_size, byte_key, byte_key_spec, fixed_parameters};
