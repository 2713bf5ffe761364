//! Data-encryption keys: one for each message of an envelope.

use bytes::Bytes;

use super::{
    Key, KeyGenerator, KeyId, KeyTemplate, KeyType, PrefixedAead, Variant,
    aes_ctr_hmac::AesCtrHmacKeyType, aes_eax::AesEaxKeyType, aes_gcm::AesGcmKeyType,
    aes_gcm_siv::AesGcmSivKeyType, chacha20_poly1305::ChaCha20Poly1305KeyType,
    xchacha20_poly1305::XChaCha20Poly1305KeyType,
};
use crate::{cipher::Provider, error::KeyError, wire::proto::key_data::KeyMaterialType};

/// The key types that some Tink takes in an envelope, each with the least bytes that any key of
/// the type makes of an empty plaintext.
const DEK_TYPES: &[(&dyn KeyType, usize)] = &[
    (&AesCtrHmacKeyType, 12 + 10),
    (&AesEaxKeyType, 12 + 16),
    (&AesGcmKeyType, 12 + 16),
    (&AesGcmSivKeyType, 12 + 16),
    (&ChaCha20Poly1305KeyType, 12 + 16),
    (&XChaCha20Poly1305KeyType, 24 + 16),
];

/// Makes data-encryption keys of one template, and reads those of its type.
#[derive(Clone)]
pub(crate) struct DekTemplate {
    key_type: &'static dyn KeyType,
    template: KeyTemplate,
    generate: KeyGenerator,
    /// The shortest payload of any key of the type, in bytes.
    min_payload_size: usize,
}

impl DekTemplate {
    /// Finds every fault of the template. Its output prefix type says nothing: a payload never has
    /// a prefix.
    pub(crate) fn new(template: &KeyTemplate) -> Result<Self, KeyError> {
        let known = DEK_TYPES
            .iter()
            .find(|(key_type, _)| key_type.type_url() == template.type_url());
        let Some((key_type, min_payload_size)) = known else {
            return Err(KeyError::DekType {
                type_url: template.type_url().to_owned(),
            });
        };
        let template = template.clone().with_variant(Variant::Raw);
        Ok(Self {
            key_type: *key_type,
            generate: key_type.generator(&template)?,
            template,
            min_payload_size: *min_payload_size,
        })
    }

    pub(crate) fn generate(&self) -> Result<Key, KeyError> {
        (self.generate)()
    }

    /// Reads a serialized key. Its parameters may be others than those of the template.
    pub(crate) fn read(&self, serialized: Bytes) -> Result<Key, KeyError> {
        let label = KeyMaterialType::Symmetric.into();
        self.key_type.read(serialized, label, Variant::Raw)
    }

    /// Makes the cipher of a key. A payload never has a prefix.
    pub(crate) fn aead(&self, dek: &Key, provider: Provider) -> Result<PrefixedAead, KeyError> {
        // The id is of no importance: a raw key writes none.
        dek.aead(KeyId::new(0), provider)
            .unwrap_or(Err(KeyError::Provider))
    }

    /// Returns the shortest payload of any key of the type, in bytes.
    pub(crate) const fn min_payload_size(&self) -> usize {
        self.min_payload_size
    }

    /// Returns what goes into a key of this template, as a message.
    pub(crate) const fn template(&self) -> &KeyTemplate {
        &self.template
    }
}
