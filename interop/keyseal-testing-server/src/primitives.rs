//! What keysets are made into. A primitive is made for each call, as the tests want it.

use std::io::{Read as _, Write as _};

use keyseal::{
    DeterministicAead as _, KeyId, KeysetDeriver, KeysetDeterministicAead, KeysetMac, KeysetPrfSet,
    KeysetStreamingAead, Mac as _, RemoteAead as _,
};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    Answers,
    api::{
        self, CreationRequest, CreationResponse, aead_server::Aead,
        deterministic_aead_server::DeterministicAead, keyset_deriver_server, mac_server::Mac,
        prf_set_server::PrfSet, streaming_aead_server::StreamingAead,
    },
    open, read, refused, serialized, write,
};

/// Answers with a result or with an error, as every response has them.
macro_rules! answer {
    ($response:ident, $module:ident::$variant:ident, $result:expr) => {{
        let result = Some(match $result {
            Ok(made) => api::$module::Result::$variant(made),
            Err(text) => api::$module::Result::Err(text),
        });
        Ok(Response::new(api::$response { result }))
    }};
}

/// Answers whether a primitive can be made.
fn created<T>(made: Result<T, String>) -> Result<Response<CreationResponse>, Status> {
    let err = made.err().unwrap_or_default();
    Ok(Response::new(CreationResponse { err }))
}

#[async_trait]
impl Aead for Answers {
    async fn create(
        &self,
        request: Request<CreationRequest>,
    ) -> Result<Response<CreationResponse>, Status> {
        let keyset = serialized(request.into_inner().annotated_keyset);
        created(read(&keyset).and_then(|keyset| self.aead(&keyset)))
    }

    async fn encrypt(
        &self,
        request: Request<api::AeadEncryptRequest>,
    ) -> Result<Response<api::AeadEncryptResponse>, Status> {
        let request = request.into_inner();
        let made = async {
            let aead = self.aead(&read(&serialized(request.annotated_keyset))?)?;
            refused(
                aead.encrypt(&request.plaintext, &request.associated_data)
                    .await,
            )
        };
        answer!(
            AeadEncryptResponse,
            aead_encrypt_response::Ciphertext,
            made.await
        )
    }

    async fn decrypt(
        &self,
        request: Request<api::AeadDecryptRequest>,
    ) -> Result<Response<api::AeadDecryptResponse>, Status> {
        let request = request.into_inner();
        let made = async {
            let aead = self.aead(&read(&serialized(request.annotated_keyset))?)?;
            refused(
                aead.decrypt(&request.ciphertext, &request.associated_data)
                    .await,
            )
        };
        answer!(
            AeadDecryptResponse,
            aead_decrypt_response::Plaintext,
            made.await
        )
    }
}

#[async_trait]
impl DeterministicAead for Answers {
    async fn create(
        &self,
        request: Request<CreationRequest>,
    ) -> Result<Response<CreationResponse>, Status> {
        created(open::<KeysetDeterministicAead>(
            request.into_inner().annotated_keyset,
        ))
    }

    async fn encrypt_deterministically(
        &self,
        request: Request<api::DeterministicAeadEncryptRequest>,
    ) -> Result<Response<api::DeterministicAeadEncryptResponse>, Status> {
        let request = request.into_inner();
        let made = open(request.annotated_keyset).and_then(|daead: KeysetDeterministicAead| {
            let (plaintext, data) = (&request.plaintext, &request.associated_data);
            refused(daead.encrypt_deterministically(plaintext, data))
        });
        answer!(
            DeterministicAeadEncryptResponse,
            deterministic_aead_encrypt_response::Ciphertext,
            made
        )
    }

    async fn decrypt_deterministically(
        &self,
        request: Request<api::DeterministicAeadDecryptRequest>,
    ) -> Result<Response<api::DeterministicAeadDecryptResponse>, Status> {
        let request = request.into_inner();
        let made = open(request.annotated_keyset).and_then(|daead: KeysetDeterministicAead| {
            let (ciphertext, data) = (&request.ciphertext, &request.associated_data);
            refused(daead.decrypt_deterministically(ciphertext, data))
        });
        answer!(
            DeterministicAeadDecryptResponse,
            deterministic_aead_decrypt_response::Plaintext,
            made
        )
    }
}

#[async_trait]
impl StreamingAead for Answers {
    async fn create(
        &self,
        request: Request<CreationRequest>,
    ) -> Result<Response<CreationResponse>, Status> {
        created(open::<KeysetStreamingAead>(
            request.into_inner().annotated_keyset,
        ))
    }

    async fn encrypt(
        &self,
        request: Request<api::StreamingAeadEncryptRequest>,
    ) -> Result<Response<api::StreamingAeadEncryptResponse>, Status> {
        let request = request.into_inner();
        let made = open(request.annotated_keyset).and_then(|streaming: KeysetStreamingAead| {
            let data = &request.associated_data;
            let mut writer = refused(streaming.encrypting_writer(Vec::new(), data))?;
            refused(writer.write_all(&request.plaintext))?;
            refused(writer.finish())
        });
        answer!(
            StreamingAeadEncryptResponse,
            streaming_aead_encrypt_response::Ciphertext,
            made
        )
    }

    async fn decrypt(
        &self,
        request: Request<api::StreamingAeadDecryptRequest>,
    ) -> Result<Response<api::StreamingAeadDecryptResponse>, Status> {
        let request = request.into_inner();
        let made = open(request.annotated_keyset).and_then(|streaming: KeysetStreamingAead| {
            let data = &request.associated_data;
            let mut plaintext = Vec::new();
            let mut reader = streaming.decrypting_reader(&request.ciphertext[..], data);
            refused(reader.read_to_end(&mut plaintext))?;
            Ok(plaintext)
        });
        answer!(
            StreamingAeadDecryptResponse,
            streaming_aead_decrypt_response::Plaintext,
            made
        )
    }
}

#[async_trait]
impl Mac for Answers {
    async fn create(
        &self,
        request: Request<CreationRequest>,
    ) -> Result<Response<CreationResponse>, Status> {
        created(open::<KeysetMac>(request.into_inner().annotated_keyset))
    }

    async fn compute_mac(
        &self,
        request: Request<api::ComputeMacRequest>,
    ) -> Result<Response<api::ComputeMacResponse>, Status> {
        let request = request.into_inner();
        let made =
            open(request.annotated_keyset).map(|mac: KeysetMac| mac.compute_mac(&request.data));
        answer!(ComputeMacResponse, compute_mac_response::MacValue, made)
    }

    async fn verify_mac(
        &self,
        request: Request<api::VerifyMacRequest>,
    ) -> Result<Response<api::VerifyMacResponse>, Status> {
        let request = request.into_inner();
        let made = open(request.annotated_keyset)
            .and_then(|mac: KeysetMac| refused(mac.verify_mac(&request.mac_value, &request.data)));
        let err = made.err().unwrap_or_default();
        Ok(Response::new(api::VerifyMacResponse { err }))
    }
}

#[async_trait]
impl PrfSet for Answers {
    async fn create(
        &self,
        request: Request<CreationRequest>,
    ) -> Result<Response<CreationResponse>, Status> {
        created(open::<KeysetPrfSet>(request.into_inner().annotated_keyset))
    }

    async fn key_ids(
        &self,
        request: Request<api::PrfSetKeyIdsRequest>,
    ) -> Result<Response<api::PrfSetKeyIdsResponse>, Status> {
        let made = open(request.into_inner().annotated_keyset).map(|set: KeysetPrfSet| {
            api::prf_set_key_ids_response::Output {
                primary_key_id: set.primary_id().value(),
                key_id: set.iter().map(|(id, _)| id.value()).collect(),
            }
        });
        answer!(PrfSetKeyIdsResponse, prf_set_key_ids_response::Output, made)
    }

    async fn compute(
        &self,
        request: Request<api::PrfSetComputeRequest>,
    ) -> Result<Response<api::PrfSetComputeResponse>, Status> {
        let request = request.into_inner();
        let made = open(request.annotated_keyset).and_then(|set: KeysetPrfSet| {
            let id = KeyId::new(request.key_id);
            let prf = set.get(id).ok_or_else(|| format!("no key {id}"))?;
            let length = usize::try_from(request.output_length);
            refused(prf.compute_prf(&request.input_data, refused(length)?))
        });
        answer!(
            PrfSetComputeResponse,
            prf_set_compute_response::Output,
            made
        )
    }
}

#[async_trait]
impl keyset_deriver_server::KeysetDeriver for Answers {
    async fn create(
        &self,
        request: Request<CreationRequest>,
    ) -> Result<Response<CreationResponse>, Status> {
        created(open::<KeysetDeriver>(request.into_inner().annotated_keyset))
    }

    async fn derive_keyset(
        &self,
        request: Request<api::DeriveKeysetRequest>,
    ) -> Result<Response<api::DeriveKeysetResponse>, Status> {
        let request = request.into_inner();
        let made = open(request.annotated_keyset)
            .and_then(|deriver: KeysetDeriver| refused(deriver.derive_keyset(&request.salt)))
            .map(|derived| write(&derived));
        answer!(
            DeriveKeysetResponse,
            derive_keyset_response::DerivedKeyset,
            made
        )
    }
}
