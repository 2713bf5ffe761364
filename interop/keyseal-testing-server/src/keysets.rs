//! Metadata, and operations on keysets themselves.

use keyseal::{KeyTypes, KeysetHandle, Variant, key::KeyTemplate, keyset::Format};
use prost::Message;
use tonic::{Request, Response, Status, async_trait};

use crate::{
    ACCESS, Answers,
    api::{
        KeysetFromJsonRequest, KeysetFromJsonResponse, KeysetGenerateRequest,
        KeysetGenerateResponse, KeysetReadEncryptedRequest, KeysetReadEncryptedResponse,
        KeysetReaderType, KeysetTemplateRequest, KeysetTemplateResponse, KeysetToJsonRequest,
        KeysetToJsonResponse, KeysetWriteEncryptedRequest, KeysetWriteEncryptedResponse,
        KeysetWriterType, ServerInfoRequest, ServerInfoResponse, UnansweredRequest,
        UnansweredResponse, keyset_from_json_response as from_json,
        keyset_generate_response as generate, keyset_read_encrypted_response as read_encrypted,
        keyset_server::Keyset, keyset_template_response as template,
        keyset_to_json_response as to_json, keyset_write_encrypted_response as write_encrypted,
        metadata_server::Metadata,
    },
    read, refused, write,
};

/// `KeyTemplate` of Tink's `tink.proto`.
#[derive(Clone, PartialEq, Message)]
struct Template {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
    #[prost(int32, tag = "3")]
    output_prefix_type: i32,
}

/// `OutputPrefixType` of Tink's `tink.proto`.
const PREFIXES: [(i32, &str); 4] = [(1, "TINK"), (2, "LEGACY"), (3, "RAW"), (4, "CRUNCHY")];

fn named_template(name: &str) -> Result<Vec<u8>, String> {
    let found = refused(KeyTypes::default().template(name))?;
    let found = found.key_template();
    let prefix = PREFIXES
        .iter()
        .find(|(_, name)| *name == found.variant().name());
    let template = Template {
        type_url: found.type_url().to_owned(),
        value: found.value().to_vec(),
        output_prefix_type: prefix.ok_or("a prefix without a number")?.0,
    };
    Ok(template.encode_to_vec())
}

fn generated(template: &[u8]) -> Result<Vec<u8>, String> {
    let template = refused(Template::decode(template))?;
    let number = template.output_prefix_type;
    let variant = PREFIXES
        .iter()
        .find(|(known, _)| *known == number)
        .and_then(|(_, name)| Variant::ALL.into_iter().find(|v| v.name() == *name))
        .ok_or_else(|| format!("no prefix type {number}"))?;
    let template = KeyTemplate::new(template.type_url, template.value, variant);
    let key = refused(KeyTypes::default().generate_from(&template))?;
    Ok(write(&refused(KeysetHandle::new(key))?))
}

#[async_trait]
impl Metadata for Answers {
    async fn get_server_info(
        &self,
        _: Request<ServerInfoRequest>,
    ) -> Result<Response<ServerInfoResponse>, Status> {
        Ok(Response::new(ServerInfoResponse {
            tink_version: env!("KEYSEAL_VERSION").to_owned(),
            language: self.language.to_string(),
        }))
    }
}

#[async_trait]
impl Keyset for Answers {
    async fn get_template(
        &self,
        request: Request<KeysetTemplateRequest>,
    ) -> Result<Response<KeysetTemplateResponse>, Status> {
        let result = Some(match named_template(&request.into_inner().template_name) {
            Ok(found) => template::Result::KeyTemplate(found),
            Err(text) => template::Result::Err(text),
        });
        Ok(Response::new(KeysetTemplateResponse { result }))
    }

    async fn generate(
        &self,
        request: Request<KeysetGenerateRequest>,
    ) -> Result<Response<KeysetGenerateResponse>, Status> {
        let result = Some(match generated(&request.into_inner().template) {
            Ok(keyset) => generate::Result::Keyset(keyset),
            Err(text) => generate::Result::Err(text),
        });
        Ok(Response::new(KeysetGenerateResponse { result }))
    }

    async fn public(
        &self,
        _: Request<UnansweredRequest>,
    ) -> Result<Response<UnansweredResponse>, Status> {
        let err = "keyseal has no asymmetric keys".to_owned();
        Ok(Response::new(UnansweredResponse { err }))
    }

    async fn to_json(
        &self,
        request: Request<KeysetToJsonRequest>,
    ) -> Result<Response<KeysetToJsonResponse>, Status> {
        let json = read(&request.into_inner().keyset).and_then(|keyset| {
            let written = keyset.write_cleartext(Format::Json, ACCESS);
            refused(String::from_utf8(written.expose(ACCESS).to_vec()))
        });
        let result = Some(match json {
            Ok(json) => to_json::Result::JsonKeyset(json),
            Err(text) => to_json::Result::Err(text),
        });
        Ok(Response::new(KeysetToJsonResponse { result }))
    }

    async fn from_json(
        &self,
        request: Request<KeysetFromJsonRequest>,
    ) -> Result<Response<KeysetFromJsonResponse>, Status> {
        let json = request.into_inner().json_keyset;
        let keyset = KeysetHandle::read_cleartext(json.as_bytes(), Format::Json, ACCESS);
        let result = Some(match refused(keyset) {
            Ok(keyset) => from_json::Result::Keyset(write(&keyset)),
            Err(text) => from_json::Result::Err(text),
        });
        Ok(Response::new(KeysetFromJsonResponse { result }))
    }

    async fn read_encrypted(
        &self,
        request: Request<KeysetReadEncryptedRequest>,
    ) -> Result<Response<KeysetReadEncryptedResponse>, Status> {
        let result = Some(match self.opened(&request.into_inner()).await {
            Ok(keyset) => read_encrypted::Result::Keyset(keyset),
            Err(text) => read_encrypted::Result::Err(text),
        });
        Ok(Response::new(KeysetReadEncryptedResponse { result }))
    }

    async fn write_encrypted(
        &self,
        request: Request<KeysetWriteEncryptedRequest>,
    ) -> Result<Response<KeysetWriteEncryptedResponse>, Status> {
        let result = Some(match self.sealed(&request.into_inner()).await {
            Ok(keyset) => write_encrypted::Result::EncryptedKeyset(keyset),
            Err(text) => write_encrypted::Result::Err(text),
        });
        Ok(Response::new(KeysetWriteEncryptedResponse { result }))
    }
}

impl Answers {
    async fn opened(&self, request: &KeysetReadEncryptedRequest) -> Result<Vec<u8>, String> {
        let format = match request.keyset_reader_type() {
            KeysetReaderType::KeysetReaderBinary => Format::Binary,
            KeysetReaderType::KeysetReaderJson => Format::Json,
            KeysetReaderType::KeysetReaderUnknown => return Err("no reader of this type".into()),
        };
        let kek = self.aead(&read(&request.master_keyset)?)?;
        let associated_data = request.associated_data.clone().unwrap_or_default().value;
        let data = &request.encrypted_keyset;
        let keyset = KeysetHandle::read_encrypted_remote(data, format, &kek, &associated_data);
        Ok(write(&refused(keyset.await)?))
    }

    async fn sealed(&self, request: &KeysetWriteEncryptedRequest) -> Result<Vec<u8>, String> {
        let format = match request.keyset_writer_type() {
            KeysetWriterType::KeysetWriterBinary => Format::Binary,
            KeysetWriterType::KeysetWriterJson => Format::Json,
            KeysetWriterType::KeysetWriterUnknown => return Err("no writer of this type".into()),
        };
        let kek = self.aead(&read(&request.master_keyset)?)?;
        let associated_data = request.associated_data.clone().unwrap_or_default().value;
        let keyset = read(&request.keyset)?;
        refused(
            keyset
                .write_encrypted_remote(format, &kek, &associated_data)
                .await,
        )
    }
}
