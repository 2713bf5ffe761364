//! Which certificates are believed.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use keyseal::{
    KmsErrorKind,
    kms::scaleway::{Environment, RetryPolicy, ScalewayClient, ScalewayClientBuilder},
};
use rustls::{
    ServerConfig, ServerConnection, Stream,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::scripted::{SECRET_KEY, full_text, key_of, vector};

/// Starts a server with a certificate for `name`, and returns that of its authority as PEM.
pub(super) fn start(name: &str) -> (SocketAddr, String) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::from_params(&parameters, &authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, &issuer).unwrap();
    (serve(&certificate, &key), authority.pem())
}

/// Starts a server with a certificate that is its own authority, and returns it as PEM.
fn start_self_signed(is_ca: rcgen::IsCa) -> (SocketAddr, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    parameters.is_ca = is_ca;
    let certificate = parameters.self_signed(&key).unwrap();
    (serve(&certificate, &key), certificate.pem())
}

/// Answers with this certificate.
fn serve(certificate: &rcgen::Certificate, key: &rcgen::KeyPair) -> SocketAddr {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let body = vector("replies/key.json");
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = Stream::new(&mut connection, &mut stream);
            // A client that does not believe the certificate sends nothing.
            if tls.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                tls.write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    address
}

fn builder(address: SocketAddr) -> ScalewayClientBuilder {
    ScalewayClient::builder()
        .secret_key(SECRET_KEY)
        .region("fr-par")
        .api_url(&format!("https://{address}"))
        .retry_policy(RetryPolicy::new().max_attempts(1))
}

#[tokio::test]
async fn a_certificate_of_an_authority_that_was_added_is_believed() {
    let (address, authority) = start("127.0.0.1");
    let client = builder(address).ca_certificates(authority).build().unwrap();
    key_of(&client).get().await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_has_its_kind_and_is_not_tried_again() {
    let (address, _) = start("127.0.0.1");
    let (elsewhere, other_authority) = start("other.example");
    let untrusted = KmsErrorKind::UntrustedCertificate;
    let of_another = builder(address).ca_certificates(other_authority.as_str());
    let for_another = builder(elsewhere).ca_certificates(other_authority);
    for (builder, kind) in [
        (builder(address), untrusted),
        (of_another, untrusted),
        (for_another, KmsErrorKind::CertificateName),
    ] {
        // A machine without any root certificate says so at once.
        let Ok(client) = builder.retry_policy(RetryPolicy::new()).build() else {
            continue;
        };
        let error = key_of(&client).rotate().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", full_text(&error));
        assert_eq!((error.attempts(), error.is_retryable()), (1, false));
        assert!(full_text(&error).to_lowercase().contains("certificate"));
    }
}

/// `openssl req -x509` makes such a certificate, unless it is told otherwise.
#[tokio::test]
async fn a_self_signed_certificate_is_believed_unless_it_is_that_of_an_authority() {
    let authority = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let (address, pem) = start_self_signed(authority);
    let client = builder(address).ca_certificates(pem).build().unwrap();
    let error = key_of(&client).get().await.unwrap_err();
    let kind = KmsErrorKind::CaCertificate;
    assert_eq!(error.kind(), kind, "{}", full_text(&error));

    let (address, pem) = start_self_signed(rcgen::IsCa::ExplicitNoCa);
    let client = builder(address).ca_certificates(pem).build().unwrap();
    key_of(&client).get().await.unwrap();
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls_has_its_kind() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let error = key_of(&builder(address).build().unwrap()).get().await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::Tls, "{}", full_text(&error));
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn any_certificate_is_believed_only_on_demand() {
    let (address, _) = start("other.example");
    let explicit = builder(address).insecure_accept_any_certificate();
    let variable = Environment::from_pairs([("SCW_INSECURE", "true")]);
    for builder in [explicit, builder(address).environment(variable)] {
        let client = builder.build().unwrap();
        assert!(client.warnings()[0].contains("certificates are not checked"));
        key_of(&client).get().await.unwrap();
    }
}

#[test]
fn what_is_no_certificate_is_refused() {
    let (address, _) = start("127.0.0.1");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for pem in ["", "no PEM", broken] {
        let error = builder(address).ca_certificates(pem).build().unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::Configuration, "{pem}");
    }
}
