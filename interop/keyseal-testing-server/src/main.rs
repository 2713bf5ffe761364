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
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use keyseal::{
    KeysetHandle, KeysetRemoteAead, RemoteAead, SecretAccess, error_chain,
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

/// What the language is called in no other's place, unless `--language` says otherwise.
const LANGUAGE: &str = "rust";

/// The suite's folders for servers, and their languages.
const PLACES: [(&str, &str); 4] = [
    ("cc", "cc"),
    ("go", "go"),
    ("java_src", "java"),
    ("python", "python"),
];

/// The program that the suite starts in such a folder.
const PROGRAM: &str = "testing_server";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keyseal-testing-server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let mut words = env::args_os();
    let program = words.next().unwrap_or_default();
    let options = Options::of(words)?;
    let language = match options.language {
        Some(name) => name,
        None => language_of(program.as_ref()).into(),
    };
    let answers = Answers {
        language: language.into(),
        kms: Arc::new(key_services()),
    };

    // On loopback alone: this server opens any keyset for anyone who reaches it.
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
        (Err(error), _) | (_, Err(error)) => {
            return Err(format!("port {}: {error}", options.port).into());
        }
    }
    Ok(())
}

async fn listener(address: IpAddr, port: u16) -> io::Result<TcpListenerStream> {
    let listener = TcpListener::bind((address, port)).await?;
    println!("listening on {}", listener.local_addr()?);
    Ok(TcpListenerStream::new(listener))
}

/// The language in whose place a program was started, by a link or a copy, or ours: the suite holds
/// the two together.
fn language_of(program: &Path) -> &'static str {
    let place = |name: &Path| PLACES.iter().find(|(folder, _)| name == Path::new(folder));
    let mut folders = program.parent().into_iter().flat_map(Path::ancestors);
    let found = folders.find_map(|path| place(path.file_name()?.as_ref()));
    match found {
        Some((_, language)) if program.ends_with(PROGRAM) => language,
        _ => LANGUAGE,
    }
}

/// The command line. Flags for other languages' servers are skipped with their values.
struct Options {
    port: u16,
    language: Option<String>,
}

/// Flags of other languages' servers that have a value, whatever it looks like.
const IGNORED: [&str; 6] = [
    "gcp_credentials_path",
    "gcp_key_uri",
    "aws_credentials_path",
    "aws_key_uri",
    "hcvault_key_uri_prefix",
    "hcvault_token",
];

impl Options {
    fn of(arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut port = None;
        let mut language = None;
        let mut words = arguments.map(|word| word.to_string_lossy().into_owned());
        while let Some(word) = words.next() {
            // The suite's servers for Go take flags with one dash too.
            let Some(name) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
                continue;
            };
            let (name, mut value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            if value.is_none() && (["port", "language"].contains(&name) || IGNORED.contains(&name))
            {
                value = words.next();
            }
            match (name, value) {
                ("port", Some(value)) => {
                    let number = value.parse();
                    port = Some(number.map_err(|_| format!("`{value}` is no port"))?);
                }
                ("language", value @ Some(_)) => language = value,
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
            println!("without scw-kms:// URIs: {}", error_chain(&error));
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

/// A refusal of the library, as the tests want it: a text.
fn refused<T, E: Error>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| error_chain(&error))
}
