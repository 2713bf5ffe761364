//! The server over loopback: what it answers, and what it refuses without ending.

use std::{ffi::OsString, sync::Arc};

use keyseal::{KeyTypes, kms::KmsClients};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Channel;

use crate::{
    Answers, FakeKmsClient, Options,
    api::{
        self, AnnotatedKeyset, BytesValue, CreationRequest, ServerInfoRequest, UnansweredRequest,
        aead_client::AeadClient, hybrid_client::HybridClient, jwt_client::JwtClient,
        keyset_client::KeysetClient, keyset_deriver_client::KeysetDeriverClient,
        mac_client::MacClient, metadata_client::MetadataClient, prf_set_client::PrfSetClient,
        signature_client::SignatureClient,
    },
};

async fn served() -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers = Answers {
        language: "rust".into(),
        kms: Arc::new(KmsClients::new().with(FakeKmsClient::new())),
    };
    let incoming = TcpListenerStream::new(listener);
    tokio::spawn(async move { answers.server().serve_with_incoming(incoming).await });
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}

async fn generated(channel: &Channel, name: &str) -> Vec<u8> {
    let mut client = KeysetClient::new(channel.clone());
    let request = api::KeysetTemplateRequest {
        template_name: name.into(),
    };
    let answer = client.get_template(request).await.unwrap().into_inner();
    let Some(api::keyset_template_response::Result::KeyTemplate(template)) = answer.result else {
        panic!("{name}: {answer:?}");
    };
    let request = api::KeysetGenerateRequest { template };
    let answer = client.generate(request).await.unwrap().into_inner();
    let Some(api::keyset_generate_response::Result::Keyset(keyset)) = answer.result else {
        panic!("{name}: {answer:?}");
    };
    keyset
}

fn annotated(keyset: &[u8]) -> Option<AnnotatedKeyset> {
    Some(AnnotatedKeyset {
        serialized_keyset: keyset.to_vec(),
    })
}

#[tokio::test]
async fn it_says_its_language_and_version() {
    let mut client = MetadataClient::new(served().await);
    let info = client.get_server_info(ServerInfoRequest {}).await.unwrap();
    assert_eq!(info.get_ref().language, "rust");
    assert_eq!(info.get_ref().tink_version, env!("KEYSEAL_VERSION"));
}

#[tokio::test]
async fn every_template_makes_a_keyset_that_goes_to_json_and_back() {
    let channel = served().await;
    let mut client = KeysetClient::new(channel.clone());
    for template in KeyTypes::default().templates() {
        let keyset = generated(&channel, template.name()).await;
        let request = api::KeysetToJsonRequest {
            keyset: keyset.clone(),
        };
        let answer = client.to_json(request).await.unwrap().into_inner();
        let Some(api::keyset_to_json_response::Result::JsonKeyset(json_keyset)) = answer.result
        else {
            panic!("{answer:?}");
        };
        let request = api::KeysetFromJsonRequest { json_keyset };
        let answer = client.from_json(request).await.unwrap().into_inner();
        let expected = api::keyset_from_json_response::Result::Keyset(keyset);
        assert_eq!(answer.result, Some(expected));
    }
}

#[tokio::test]
async fn an_aead_opens_what_it_sealed_and_nothing_else() {
    let channel = served().await;
    let keyset = generated(&channel, "XCHACHA20_POLY1305").await;
    let mut client = AeadClient::new(channel);
    let request = CreationRequest {
        annotated_keyset: annotated(&keyset),
    };
    assert_eq!(client.create(request).await.unwrap().get_ref().err, "");
    let request = api::AeadEncryptRequest {
        annotated_keyset: annotated(&keyset),
        plaintext: b"attack at dawn".to_vec(),
        associated_data: b"letter 7".to_vec(),
    };
    let answer = client.encrypt(request).await.unwrap().into_inner();
    let Some(api::aead_encrypt_response::Result::Ciphertext(ciphertext)) = answer.result else {
        panic!("{answer:?}");
    };
    for (associated_data, opens) in [(b"letter 7", true), (b"letter 8", false)] {
        let request = api::AeadDecryptRequest {
            annotated_keyset: annotated(&keyset),
            ciphertext: ciphertext.clone(),
            associated_data: associated_data.to_vec(),
        };
        let answer = client.decrypt(request).await.unwrap().into_inner().result;
        match answer.unwrap() {
            api::aead_decrypt_response::Result::Plaintext(opened) => {
                assert!(opens && opened == b"attack at dawn");
            }
            api::aead_decrypt_response::Result::Err(text) => assert!(!opens, "{text}"),
        }
    }
}

#[tokio::test]
async fn an_encrypted_keyset_opens_with_its_associated_data_alone() {
    let channel = served().await;
    let kek = generated(&channel, "AES256_GCM").await;
    let keyset = generated(&channel, "AES256_SIV").await;
    let mut client = KeysetClient::new(channel);
    for (writer, reader) in [(1, 1), (2, 2)] {
        let value = b"orders".to_vec();
        let request = api::KeysetWriteEncryptedRequest {
            keyset: keyset.clone(),
            master_keyset: kek.clone(),
            associated_data: Some(BytesValue { value }),
            keyset_writer_type: writer,
        };
        let answer = client.write_encrypted(request).await.unwrap().into_inner();
        let Some(api::keyset_write_encrypted_response::Result::EncryptedKeyset(encrypted)) =
            answer.result
        else {
            panic!("{answer:?}");
        };
        for (value, opens) in [(b"orders", true), (b"others", false)] {
            let value = value.to_vec();
            let request = api::KeysetReadEncryptedRequest {
                encrypted_keyset: encrypted.clone(),
                master_keyset: kek.clone(),
                associated_data: Some(BytesValue { value }),
                keyset_reader_type: reader,
            };
            let answer = client.read_encrypted(request).await.unwrap().into_inner();
            let found = api::keyset_read_encrypted_response::Result::Keyset(keyset.clone());
            assert_eq!(answer.result == Some(found), opens);
        }
    }
}

#[tokio::test]
async fn macs_prfs_and_derivation_are_offered() {
    let channel = served().await;
    let keyset = generated(&channel, "HMAC_SHA256_128BITTAG").await;
    let mut macs = MacClient::new(channel.clone());
    let request = api::ComputeMacRequest {
        annotated_keyset: annotated(&keyset),
        data: b"data".to_vec(),
    };
    let answer = macs.compute_mac(request).await.unwrap().into_inner();
    let Some(api::compute_mac_response::Result::MacValue(mac_value)) = answer.result else {
        panic!("{answer:?}");
    };
    for (data, is_right) in [(b"data", true), (b"atad", false)] {
        let request = api::VerifyMacRequest {
            annotated_keyset: annotated(&keyset),
            mac_value: mac_value.clone(),
            data: data.to_vec(),
        };
        let answer = macs.verify_mac(request).await.unwrap().into_inner();
        assert_eq!(answer.err.is_empty(), is_right);
    }

    let keyset = generated(&channel, "HKDF_SHA256").await;
    let mut prfs = PrfSetClient::new(channel.clone());
    let request = api::PrfSetKeyIdsRequest {
        annotated_keyset: annotated(&keyset),
    };
    let answer = prfs.key_ids(request).await.unwrap().into_inner();
    let Some(api::prf_set_key_ids_response::Result::Output(ids)) = answer.result else {
        panic!("{answer:?}");
    };
    assert_eq!(ids.key_id, [ids.primary_key_id]);
    for (output_length, length) in [(16, Some(16)), (-1, None), (i32::MAX, None)] {
        let request = api::PrfSetComputeRequest {
            annotated_keyset: annotated(&keyset),
            key_id: ids.primary_key_id,
            input_data: b"input".to_vec(),
            output_length,
        };
        let answer = prfs.compute(request).await.unwrap().into_inner();
        let found = match answer.result.unwrap() {
            api::prf_set_compute_response::Result::Output(output) => Some(output.len()),
            api::prf_set_compute_response::Result::Err(_) => None,
        };
        assert_eq!(found, length);
    }

    let keyset = generated(&channel, "HKDF_SHA256_DERIVES_AES128_GCM").await;
    let mut derivers = KeysetDeriverClient::new(channel);
    let request = api::DeriveKeysetRequest {
        annotated_keyset: annotated(&keyset),
        salt: b"salt".to_vec(),
    };
    let answer = derivers.derive_keyset(request).await.unwrap().into_inner();
    let derived = answer.result.unwrap();
    assert!(matches!(
        derived,
        api::derive_keyset_response::Result::DerivedKeyset(_)
    ));
}

#[tokio::test]
async fn what_is_not_offered_is_an_error_and_the_server_lives_on() {
    let channel = served().await;
    let keyset = generated(&channel, "AES128_GCM").await;
    let creation = || CreationRequest {
        annotated_keyset: annotated(&keyset),
    };
    let mut hybrid = HybridClient::new(channel.clone());
    let answer = hybrid.create_hybrid_encrypt(creation()).await.unwrap();
    assert_eq!(answer.get_ref().err, "keyseal has no Hybrid");
    let answer = hybrid.decrypt(UnansweredRequest {}).await.unwrap();
    assert_eq!(answer.get_ref().err, "keyseal has no Hybrid");
    let mut signature = SignatureClient::new(channel.clone());
    let answer = signature.verify(UnansweredRequest {}).await.unwrap();
    assert_eq!(answer.get_ref().err, "keyseal has no Signature");
    let mut jwt = JwtClient::new(channel.clone());
    let answer = jwt.to_jwk_set(UnansweredRequest {}).await.unwrap();
    assert_eq!(answer.get_ref().err, "keyseal has no Jwt");
    // A keyset of another primitive, and one that is none.
    let mut macs = MacClient::new(channel.clone());
    assert_ne!(macs.create(creation()).await.unwrap().get_ref().err, "");
    let request = CreationRequest {
        annotated_keyset: annotated(b"no keyset"),
    };
    assert_ne!(macs.create(request).await.unwrap().get_ref().err, "");
    it_still_answers(channel).await;
}

async fn it_still_answers(channel: Channel) {
    assert!(!generated(&channel, "AES256_GCM").await.is_empty());
}

#[test]
fn flags_for_other_servers_are_ignored() {
    let options = |line: &str| Options::of(line.split(' ').map(OsString::from));
    let found =
        options("--gcp_credentials_path a --port 7 --aws_key_uri=b --hcvault_token").unwrap();
    assert_eq!((found.port, &*found.language), (7, "rust"));
    let found = options("--language cc --port=8").unwrap();
    assert_eq!((found.port, &*found.language), (8, "cc"));
    for line in ["", "--port", "--port x", "--port 65536"] {
        assert!(options(line).is_err(), "{line}");
    }
}
