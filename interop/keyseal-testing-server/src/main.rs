//! Answers Tink's cross-language tests with keyseal. See ../../README.md.

mod keysets;
mod primitives;
#[cfg(test)]
mod tests;
mod unanswered;

use std::{
    env,
    error::Error,
    ffi::OsString,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use keyseal::{
    KeysetHandle, KeysetRemoteAead, RemoteAead, SecretAccess,
    keyset::{self, Format},
    kms::{KmsClients, file::FileKmsClient, scaleway::ScalewayClient, testkit::FakeKmsClient},
};
use tokio::net::TcpListener;
use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};
use tonic::transport::Server;

/// The messages and services of `proto/testing_api.proto`.
#[allow(
    clippy::enum_variant_names,
    clippy::wrong_self_convention,
    reason = "generated"
)]
mod api {
    tonic::include_proto!("tink_testing_api");
}

const ACCESS: SecretAccess = SecretAccess::insecure();

/// Messages of the tests are larger than what gRPC allows unless it is told.
const LARGEST_MESSAGE: usize = 256 << 20;

/// What the tests' languages are called here, unless `--language` says otherwise.
const LANGUAGE: &str = "rust";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::of(env::args_os().skip(1))?;
    let answers = Answers {
        language: options.language.into(),
        kms: Arc::new(key_services()),
    };

    // On loopback alone: whoever reaches this server can have any keyset opened.
    let bound = (
        listener(Ipv6Addr::LOCALHOST.into(), options.port).await,
        listener(Ipv4Addr::LOCALHOST.into(), options.port).await,
    );
    let server = answers.server();
    match bound {
        (Ok(one), Ok(other)) => server.serve_with_incoming(one.merge(other)).await?,
        // A machine may be without one of the two; a port that is taken is another matter.
        (Ok(one), Err(error)) | (Err(error), Ok(one)) if error.kind() != ErrorKind::AddrInUse => {
            server.serve_with_incoming(one).await?;
        }
        (Err(error), _) | (_, Err(error)) => return Err(error.into()),
    }
    Ok(())
}

async fn listener(address: IpAddr, port: u16) -> io::Result<TcpListenerStream> {
    let listener = TcpListener::bind((address, port)).await?;
    println!("listening on {}", listener.local_addr()?);
    Ok(TcpListenerStream::new(listener))
}

/// What the command line says. Flags for other languages' servers are skipped with their values.
struct Options {
    port: u16,
    language: String,
}

impl Options {
    fn of(arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut port = None;
        let mut language = LANGUAGE.to_owned();
        let mut words = arguments.map(|word| word.to_string_lossy().into_owned());
        while let Some(word) = words.next() {
            let name = word.trim_start_matches('-');
            let (name, mut value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            if value.is_none() && matches!(name, "port" | "language") {
                value = words.next();
            }
            match (name, value) {
                ("port", Some(value)) => {
                    let number = value.parse();
                    port = Some(number.map_err(|_| format!("`{value}` is no port"))?);
                }
                ("language", Some(value)) => language = value,
                _ => {}
            }
        }
        let port = port.ok_or("usage: keyseal-testing-server --port N [--language NAME]")?;
        Ok(Self { port, language })
    }
}

/// The services whose keys are found by their URIs.
fn key_services() -> KmsClients {
    let services = KmsClients::new()
        .with(FakeKmsClient::new())
        .with(FileKmsClient::new(ACCESS));
    match ScalewayClient::from_env() {
        Ok(client) => services.with(client),
        Err(error) => {
            println!("no Key Manager: {}", with_causes(&error));
            services
        }
    }
}

/// Every service of the tests.
#[derive(Clone)]
struct Answers {
    language: Arc<str>,
    kms: Arc<KmsClients>,
}

macro_rules! served {
    ($server:expr, $answers:expr, $($module:ident::$service:ident),+ $(,)?) => {
        $server$(.add_service(
            api::$module::$service::new($answers.clone())
                .max_decoding_message_size(LARGEST_MESSAGE)
                .max_encoding_message_size(LARGEST_MESSAGE),
        ))+
    };
}

impl Answers {
    fn server(&self) -> tonic::transport::server::Router {
        served!(
            Server::builder(),
            self,
            metadata_server::MetadataServer,
            keyset_server::KeysetServer,
            aead_server::AeadServer,
            deterministic_aead_server::DeterministicAeadServer,
            streaming_aead_server::StreamingAeadServer,
            mac_server::MacServer,
            prf_set_server::PrfSetServer,
            keyset_deriver_server::KeysetDeriverServer,
            hybrid_server::HybridServer,
            signature_server::SignatureServer,
            jwt_server::JwtServer,
        )
    }

    /// The AEAD of a keyset, with keys of any service among its own.
    fn aead(&self, keyset: &KeysetHandle) -> Result<impl RemoteAead + use<>, String> {
        refused(KeysetRemoteAead::new(keyset, &*self.kms))
    }
}

/// The primitive of an annotated keyset.
fn open<P: keyset::Primitive>(keyset: Option<api::AnnotatedKeyset>) -> Result<P, String> {
    refused(read(&serialized(keyset))?.primitive())
}

fn serialized(keyset: Option<api::AnnotatedKeyset>) -> Vec<u8> {
    keyset.unwrap_or_default().serialized_keyset
}

fn read(keyset: &[u8]) -> Result<KeysetHandle, String> {
    refused(KeysetHandle::read_cleartext(keyset, Format::Binary, ACCESS))
}

fn write(keyset: &KeysetHandle) -> Vec<u8> {
    let written = keyset.write_cleartext(Format::Binary, ACCESS);
    written.expose(ACCESS).to_vec()
}

/// What the library refuses, as the tests want it: a text.
fn refused<T, E: Error>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| with_causes(&error))
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text += &format!(": {cause}");
        next = cause.source();
    }
    text
}
