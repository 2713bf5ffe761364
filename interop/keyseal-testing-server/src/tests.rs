//! The server over loopback: its answers, and refusals that do not end it.

use std::{env, ffi::OsString, path::Path, sync::Arc};

use keyseal::{KeyTypes, kms::KmsClients};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use crate::{
    Answers, FakeKmsClient, LARGEST_MESSAGE, Options,
    api::{
        self, AnnotatedKeyset, BytesValue, CreationRequest, ServerInfoRequest, UnansweredRequest,
        UnansweredResponse, aead_client::AeadClient,
        deterministic_aead_client::DeterministicAeadClient, hybrid_client::HybridClient,
        jwt_client::JwtClient, keyset_client::KeysetClient,
        keyset_deriver_client::KeysetDeriverClient, mac_client::MacClient,
        metadata_client::MetadataClient, prf_set_client::PrfSetClient,
        signature_client::SignatureClient, streaming_aead_client::StreamingAeadClient,
    },
    language_of,
};

async fn served() -> Channel {
    let endpoint = endpoint().await;
    endpoint.connect().await.unwrap()
}

async fn endpoint() -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers = Answers {
        language: "rust".into(),
        kms: Arc::new(KmsClients::new().with(FakeKmsClient::new())),
    };
    let incoming = TcpListenerStream::new(listener);
    tokio::spawn(async move { answers.server().serve_with_incoming(incoming).await });
    Channel::from_shared(format!("http://{address}")).unwrap()
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
    let mut keysets = KeysetClient::new(channel.clone());
    let answer = keysets.public(UnansweredRequest {}).await.unwrap();
    assert_eq!(answer.get_ref().err, "keyseal has no asymmetric keys");
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

/// Numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % end
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length)
            .map(|_| u8::try_from(self.next(256)).unwrap())
            .collect()
    }

    /// The same with a byte changed, some taken out, or some put in.
    fn spoiled(&mut self, data: &[u8]) -> Vec<u8> {
        let mut spoiled = data.to_vec();
        let at = self.next(data.len());
        match self.next(4) {
            0 => spoiled.truncate(at),
            1 => spoiled[at] = 0xff,
            2 => spoiled[at] ^= 1 << self.next(8),
            _ => {
                let length = self.next(12);
                drop(spoiled.splice(at..at, self.bytes(length)));
            }
        }
        spoiled
    }
}

#[tokio::test]
async fn garbage_is_answered_and_the_server_lives_on() {
    let channel = served().await;
    let mut numbers = Numbers(20_260_101);
    let mut garbage: Vec<_> = (0..40)
        .step_by(3)
        .map(|length| numbers.bytes(length))
        .collect();
    // Lengths of more than there is, of more than there can be, and of none that is a number.
    garbage.extend([
        b"\x12\xff\xff\xff\xff\x07".to_vec(),
        b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01".to_vec(),
        b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        vec![0x12; 1 << 20],
        b"[".repeat(1 << 20),
        b"{\"key\":[".repeat(1 << 17),
    ]);
    for name in [
        "AES256_GCM",
        "AES256_SIV",
        "AES128_CTR_HMAC_SHA256_4KB",
        "HMAC_SHA256_128BITTAG",
        "HKDF_SHA256",
        "HKDF_SHA256_DERIVES_AES128_GCM",
    ] {
        let keyset = generated(&channel, name).await;
        garbage.extend((0..20).map(|_| numbers.spoiled(&keyset)));
    }
    for bytes in &garbage {
        everywhere(&channel, bytes).await;
    }
    it_still_answers(channel).await;
}

/// Has every method read something that is no keyset, no template and no name.
async fn everywhere(channel: &Channel, bytes: &[u8]) {
    let creation = || CreationRequest {
        annotated_keyset: annotated(bytes),
    };
    let text = || String::from_utf8_lossy(bytes).into_owned();
    macro_rules! ask {
        ($client:ident.$method:ident, $request:ident { $($field:ident),* }) => {
            ask!($client.$method, api::$request {
                annotated_keyset: annotated(bytes),
                $($field: bytes.to_vec(),)*
            });
        };
        ($client:ident.$method:ident, $request:expr) => {
            // An error may repeat the request.
            let mut client =
                $client::new(channel.clone()).max_decoding_message_size(LARGEST_MESSAGE);
            let answer = client.$method($request).await;
            assert!(answer.is_ok(), "{bytes:?}: {answer:?}");
        };
    }
    ask!(
        KeysetClient.get_template,
        api::KeysetTemplateRequest {
            template_name: text()
        }
    );
    ask!(
        KeysetClient.generate,
        api::KeysetGenerateRequest {
            template: bytes.to_vec()
        }
    );
    ask!(
        KeysetClient.to_json,
        api::KeysetToJsonRequest {
            keyset: bytes.to_vec()
        }
    );
    ask!(
        KeysetClient.from_json,
        api::KeysetFromJsonRequest {
            json_keyset: text()
        }
    );
    let kek = generated(channel, "AES256_GCM").await;
    for number in [-1, 0, 1, 2, 3] {
        for master_keyset in [&kek[..], bytes] {
            ask!(
                KeysetClient.read_encrypted,
                api::KeysetReadEncryptedRequest {
                    encrypted_keyset: bytes.to_vec(),
                    master_keyset: master_keyset.to_vec(),
                    associated_data: None,
                    keyset_reader_type: number,
                }
            );
            ask!(
                KeysetClient.write_encrypted,
                api::KeysetWriteEncryptedRequest {
                    keyset: bytes.to_vec(),
                    master_keyset: master_keyset.to_vec(),
                    associated_data: None,
                    keyset_writer_type: number,
                }
            );
        }
    }
    ask!(AeadClient.create, creation());
    ask!(
        AeadClient.encrypt,
        AeadEncryptRequest {
            plaintext,
            associated_data
        }
    );
    ask!(
        AeadClient.decrypt,
        AeadDecryptRequest {
            ciphertext,
            associated_data
        }
    );
    ask!(DeterministicAeadClient.create, creation());
    ask!(
        DeterministicAeadClient.encrypt_deterministically,
        DeterministicAeadEncryptRequest {
            plaintext,
            associated_data
        }
    );
    ask!(
        DeterministicAeadClient.decrypt_deterministically,
        DeterministicAeadDecryptRequest {
            ciphertext,
            associated_data
        }
    );
    ask!(StreamingAeadClient.create, creation());
    ask!(
        StreamingAeadClient.encrypt,
        StreamingAeadEncryptRequest {
            plaintext,
            associated_data
        }
    );
    ask!(
        StreamingAeadClient.decrypt,
        StreamingAeadDecryptRequest {
            ciphertext,
            associated_data
        }
    );
    ask!(MacClient.create, creation());
    ask!(MacClient.compute_mac, ComputeMacRequest { data });
    ask!(MacClient.verify_mac, VerifyMacRequest { mac_value, data });
    ask!(PrfSetClient.create, creation());
    ask!(PrfSetClient.key_ids, PrfSetKeyIdsRequest {});
    ask!(
        PrfSetClient.compute,
        api::PrfSetComputeRequest {
            annotated_keyset: annotated(bytes),
            key_id: 1,
            input_data: bytes.to_vec(),
            output_length: 16,
        }
    );
    ask!(KeysetDeriverClient.create, creation());
    ask!(
        KeysetDeriverClient.derive_keyset,
        DeriveKeysetRequest { salt }
    );
}

#[tokio::test]
async fn what_is_no_message_is_a_status_and_the_server_lives_on() {
    let channel = served().await;
    // A field that is a message has bytes that are none.
    let value = vec![0xff; 100];
    for method in [
        "Aead/Encrypt",
        "Mac/VerifyMac",
        "Jwt/ToJwkSet",
        "Aead/None",
        "None/None",
    ] {
        let path = format!("/tink_testing_api.{method}");
        let mut client = Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let request = Request::new(BytesValue {
            value: value.clone(),
        });
        let codec = ProstCodec::<BytesValue, UnansweredResponse>::default();
        let path = PathAndQuery::try_from(path).unwrap();
        let answer = client.unary(request, path, codec).await;
        // Where nothing is read, nothing is refused.
        assert_eq!(answer.is_ok(), method == "Jwt/ToJwkSet", "{method}");
    }
    it_still_answers(channel).await;
}

#[tokio::test]
async fn a_client_that_speaks_something_else_does_not_end_the_server() {
    let endpoint = endpoint().await;
    let address = endpoint.uri().authority().unwrap().as_str();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for words in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        // A frame of HTTP/2 that is too long, and one of a type that is none.
        &[preface, &[0xff; 1000][..]].concat(),
        &[0; 100_000],
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The server may have closed it before all of that has come.
        _ = stream.write_all(words).await;
        _ = stream.shutdown().await;
        _ = stream.read_to_end(&mut Vec::new()).await;
    }
    it_still_answers(endpoint.connect().await.unwrap()).await;
}

async fn it_still_answers(channel: Channel) {
    assert!(!generated(&channel, "AES256_GCM").await.is_empty());
}

#[test]
fn flags_for_other_servers_are_ignored() {
    let options = |line: &str| Options::of(line.split(' ').map(OsString::from));
    for (line, port, language) in [
        ("--gcp_credentials_path a --port 7 --hcvault_token", 7, None),
        ("--language cc --port=8 --aws_key_uri=b", 8, Some("cc")),
        ("-port 9 -language=go", 9, Some("go")),
        // The suite's arguments: the value of the last may be empty.
        (
            "--port 10 --gcp_key_uri x --aws_key_uri y --hcvault_token ",
            10,
            None,
        ),
        // The values of flags, and words that are none.
        (
            "--port 11 --hcvault_token --port --aws_key_uri --language",
            11,
            None,
        ),
        (
            "--port 12 --hcvault_token port --aws_credentials_path language",
            12,
            None,
        ),
        ("--port 13 --logtostderr port 14 language go", 13, None),
        // The last of two.
        ("--port 15 --port 16", 16, None),
    ] {
        let found = options(line).unwrap();
        assert_eq!(
            (found.port, found.language.as_deref()),
            (port, language),
            "{line}"
        );
    }
    for line in [
        "",
        "port 7",
        "--port",
        "--port x",
        "--port 65536",
        "--port -1",
        "--hcvault_token --port 7",
    ] {
        assert!(options(line).is_err(), "{line}");
    }
}

#[test]
fn a_link_or_a_copy_takes_the_language_of_its_place() {
    for (program, language) in [
        ("/suite/cc/testing_server", "cc"),
        ("/suite/go/testing_server", "go"),
        ("/suite/java_src/testing_server", "java"),
        ("/python/suite/python/bazel-bin/testing_server", "python"),
        (
            "/python/suite/go/bazel-bin/testing_server_/testing_server",
            "go",
        ),
        ("/suite/rust/testing_server", "rust"),
        ("testing_server", "rust"),
        // Where the program itself is says nothing.
        ("/home/go/keyseal/interop/testing-server", "rust"),
        ("", "rust"),
    ] {
        assert_eq!(language_of(Path::new(program)), language, "{program}");
    }
}
