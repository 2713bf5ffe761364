//! Which proxy is used, and what its failures are called.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use keyseal::{
    KmsError, KmsErrorKind,
    kms::scaleway::{Environment, ScalewayClient},
};

use super::{
    scripted::{SECRET_KEY, full_text, key_of, vector},
    server::{Act, Server, json},
    tls,
};

/// A proxy that answers each CONNECT with `status`, and tunnels after 200.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, log) = (stream.unwrap(), Arc::clone(&log));
                thread::spawn(move || serve(stream, status, &log));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn serve(mut client: TcpStream, status: &str, log: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    log.lock().unwrap().push(head);
    if !status.starts_with("200") {
        let _ = write!(client, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let mut server = TcpStream::connect(target).unwrap();
    write!(client, "HTTP/1.1 {status}\r\n\r\n").unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
}

fn client(
    api_url: &str,
    variables: &[(&str, &str)],
    authority: Option<String>,
) -> Result<ScalewayClient, KmsError> {
    let builder = ScalewayClient::builder()
        .secret_key(SECRET_KEY)
        .region("fr-par")
        .api_url(api_url)
        .environment(Environment::from_pairs(variables.iter().copied()));
    match authority {
        Some(authority) => builder.ca_certificates(authority),
        None => builder.insecure_accept_any_certificate(),
    }
    .build()
}

async fn fails(api_url: &str, variables: &[(&str, &str)]) -> KmsError {
    let client = client(api_url, variables, None).unwrap();
    key_of(&client).get().await.unwrap_err()
}

#[tokio::test]
async fn calls_go_through_the_proxy_that_the_environment_names() {
    let (server, authority) = tls::start("127.0.0.1");
    let api_url = format!("https://{server}");
    let proxy = Proxy::start("200 OK");
    let (url, bare) = (proxy.url(), proxy.address.to_string());
    for (calls, variables) in (1..).zip([
        &[("HTTPS_PROXY", &*url)][..],
        &[("https_proxy", &url)],
        &[("ALL_PROXY", &url)],
        &[("all_proxy", &bare)],
        // An empty variable hides no other.
        &[("HTTPS_PROXY", ""), ("https_proxy", &url)],
        &[("HTTPS_PROXY", " "), ("ALL_PROXY", &url)],
    ]) {
        let client = client(&api_url, variables, Some(authority.clone())).unwrap();
        key_of(&client).get().await.unwrap();
        assert_eq!(proxy.asked(), calls, "{variables:?}");
    }
    let log = proxy.asked.lock().unwrap().join("");
    assert!(log.contains(&format!("CONNECT {server}")) && !log.contains(SECRET_KEY));
}

#[tokio::test]
async fn hosts_of_no_proxy_and_this_machine_without_tls_are_called_directly() {
    let (server, authority) = tls::start("127.0.0.1");
    let proxy = Proxy::start("407 Proxy Authentication Required");
    let url = proxy.url();
    let direct = [("HTTPS_PROXY", &*url), ("NO_PROXY", "127.0.0.0/8")];
    let empty = [("HTTPS_PROXY", ""), ("ALL_PROXY", "")];
    for variables in [direct, empty] {
        let api_url = format!("https://{server}");
        let client = client(&api_url, &variables, Some(authority.clone())).unwrap();
        key_of(&client).get().await.unwrap();
    }

    let plain = Server::start([Act::Answer(json(&vector("replies/key.json")))]);
    let api_url = format!("http://{}", plain.address);
    let client = client(&api_url, &[("HTTPS_PROXY", &url)], None).unwrap();
    key_of(&client).get().await.unwrap();
    assert_eq!(proxy.asked(), 0);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_and_not_asked_again() {
    let (server, _) = tls::start("127.0.0.1");
    for status in [
        "407 Proxy Authentication Required",
        "403 Forbidden",
        "502 Bad Gateway",
    ] {
        let proxy = Proxy::start(status);
        let variables = [("https_proxy", &*proxy.url())];
        let error = fails(&format!("https://{server}"), &variables).await;
        assert_eq!(error.kind(), KmsErrorKind::Proxy, "{}", full_text(&error));
        assert!(error.to_string().contains("https_proxy"), "{error}");
        assert!(!error.is_retryable() && proxy.asked() == 1);
    }
}

#[tokio::test]
async fn names_that_cannot_be_resolved_are_not_tried_again() {
    let error = fails("https://api.invalid", &[]).await;
    assert_eq!(
        error.kind(),
        KmsErrorKind::UnknownHost,
        "{}",
        full_text(&error)
    );
    assert_eq!((error.attempts(), error.is_retryable()), (1, false));

    let variables = [("HTTPS_PROXY", "http://gateway.invalid:3128")];
    let error = fails("https://api.scaleway.com", &variables).await;
    assert_eq!(error.kind(), KmsErrorKind::Proxy, "{}", full_text(&error));
    assert_eq!(error.attempts(), 1);
}

#[test]
fn a_variable_that_names_no_proxy_is_an_error_that_hides_its_value() {
    for bad in [
        "ht!tp://x y",
        "socks5://user:hunter2@127.0.0.1:1080",
        "ftp://user:hunter2@proxy",
        "http://",
        "http://user:hunter2@",
        "http://proxy:port",
        "http://[::1",
        "://proxy",
    ] {
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            let error = client("https://api.scaleway.com", &[(name, bad)], None);
            let error = error.expect_err(bad);
            assert_eq!(error.kind(), KmsErrorKind::Configuration, "{bad}");
            let text = full_text(&error);
            assert!(text.contains(name) && !text.contains("hunter2"), "{text}");
        }
    }
}
