//! Calls the scheduler once, to report faulty certificates before there is a query.

use std::{
    error::Error,
    io,
    time::{Duration, Instant},
};

use ballista_core::serde::protobuf::{
    GetJobStatusParams, scheduler_grpc_client::SchedulerGrpcClient,
};
use keyseal::error_chain;
use rustls::{AlertDescription, CertificateError};
use tonic::transport::Endpoint;

use super::{
    client::ClientTls,
    error::{TlsError, shown},
    server::HANDSHAKE,
};

/// How long to wait between two calls.
const PAUSE: Duration = Duration::from_millis(200);
/// A server that closes so many connections in a row refuses us.
const REFUSALS: u32 = 5;

/// What came of a call.
enum Greeting {
    Answered,
    /// Nobody listens, or not yet.
    Unreachable(TlsError),
    /// The connection broke after the handshake. A server that restarts does that, and so does one that
    /// refuses our certificate.
    Closed(TlsError),
}

/// Calls a scheduler until it answers, for as long as the limit, and not again if either side
/// rejects the other.
pub(crate) async fn meet(
    tls: &ClientTls,
    host: &str,
    port: u16,
    limit: Duration,
) -> Result<(), TlsError> {
    let started = Instant::now();
    let mut closed = 0;
    loop {
        let error = match greet(tls, host, port).await? {
            Greeting::Answered => return Ok(()),
            Greeting::Unreachable(error) => {
                closed = 0;
                error
            }
            Greeting::Closed(error) => {
                closed += 1;
                error
            }
        };
        if closed == REFUSALS || started.elapsed() >= limit {
            return Err(error);
        }
        tracing::info!("the scheduler is called again: {error}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Calls a scheduler. A client with TLS 1.3 learns from the first answer alone that the server refuses its
/// certificate.
async fn greet(tls: &ClientTls, host: &str, port: u16) -> Result<Greeting, TlsError> {
    let server = format!("{host}:{port}");
    let failed = |error: &(dyn Error + 'static)| match explain(error, tls, &server) {
        Some(error) => Err(error),
        None => {
            let problem = format!("the scheduler does not answer: {}", error_chain(error));
            let help = "start it, or give its address";
            Ok(Greeting::Unreachable(TlsError::new(
                server.clone(),
                problem,
                help,
            )))
        }
    };
    let endpoint = Endpoint::from_shared(format!("https://{server}"))
        .map_err(Box::from)
        .and_then(|endpoint| tls.secure(endpoint.connect_timeout(HANDSHAKE)));
    let endpoint = match endpoint {
        Ok(endpoint) => endpoint,
        Err(error) => return failed(&*error),
    };
    let channel = match endpoint.connect().await {
        Ok(channel) => channel,
        Err(error) => return failed(&error),
    };
    let nothing = GetJobStatusParams {
        job_id: "none".to_owned(),
    };
    let mut scheduler = SchedulerGrpcClient::new(channel);
    let answer = tokio::time::timeout(HANDSHAKE, scheduler.get_job_status(nothing));
    let status = match answer.await {
        Ok(Ok(_)) => return Ok(Greeting::Answered),
        Ok(Err(status)) => status,
        Err(error) => return failed(&error),
    };
    match status.source() {
        // The scheduler says this itself.
        None => Ok(Greeting::Answered),
        Some(error) => match explain(error, tls, &server) {
            Some(error) => Err(error),
            None => Ok(Greeting::Closed(closed(tls, &server))),
        },
    }
}

/// Finds the error of TLS, if it is one, and says it in words.
fn explain(error: &(dyn Error + 'static), tls: &ClientTls, server: &str) -> Option<TlsError> {
    let ca = shown(tls.ca());
    let (problem, help) = match rustls_error(error)? {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => (
            format!("its certificate is not from a CA in {ca}"),
            "give the CA that issued it as --tls-ca".to_owned(),
        ),
        rustls::Error::InvalidCertificate(error) => (
            format!("its certificate cannot be accepted: {error}"),
            "call the server by a name in its certificate, or have the CA issue it again"
                .to_owned(),
        ),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            demanded("it demands a certificate")
        }
        rustls::Error::AlertReceived(
            alert @ (AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied),
        ) => refused(tls, &format!("{alert:?}")),
        rustls::Error::InvalidMessage(_) => (
            "it does not speak TLS".to_owned(),
            "start it with --tls-cert and --tls-key, or leave --tls-ca out to talk in clear"
                .to_owned(),
        ),
        error => (
            format!("the handshake of TLS failed: {error}"),
            "see the log of the server".to_owned(),
        ),
    };
    Some(TlsError::new(server, problem, help))
}

/// The server refused us. Its reason may come too late to be read.
fn closed(tls: &ClientTls, server: &str) -> TlsError {
    let (problem, help) = match tls.cert() {
        Some(_) => refused(tls, "it closed the connection"),
        None => demanded("it closed the connection, as servers do that demand a certificate"),
    };
    TlsError::new(server, problem, help)
}

fn demanded(problem: &str) -> (String, String) {
    let help = "give one with --tls-cert and --tls-key".to_owned();
    (problem.to_owned(), help)
}

fn refused(tls: &ClientTls, reason: &str) -> (String, String) {
    let cert = tls.cert().map_or_else(|| "none".to_owned(), shown);
    (
        format!("it does not accept the certificate in {cert}: {reason}"),
        "give one of a CA in its --tls-client-ca that has not expired and is for clients"
            .to_owned(),
    )
}

/// Looks through the causes. An I/O error does not name what it holds as its cause.
fn rustls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let held = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(found) = held.and_then(|held| rustls_error(held)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}
