//! The emulator over loopback, tested with plain bytes and no HTTP library in between.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use keyseal_emulator::{Delivery, Emulator, Fault, FaultRule, Operation, ServeError, Server};
use serde_json::{Value, json};

use super::client::{Caller, SECRET_KEY, base64};

struct Connection(BufReader<TcpStream>);

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Connection {
    fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.addr()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self(BufReader::new(stream))
    }

    fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> std::io::Result<()> {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nx-auth-token: {SECRET_KEY}\r\n\
             Content-Length: {length}\r\n{headers}\r\n"
        );
        self.0
            .get_mut()
            .write_all(&[head.as_bytes(), body].concat())
    }

    fn receive(&mut self) -> std::io::Result<Answer> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let status = lines[0].strip_prefix("HTTP/1.1 ").unwrap()[..3]
            .parse()
            .unwrap();
        let headers: Vec<(String, String)> = lines[1..]
            .iter()
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, value)| value.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    fn call(&mut self, method: &str, path: &str, body: &str) -> Answer {
        self.send(method, path, "", body.as_bytes()).unwrap();
        self.receive().unwrap()
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn served() -> (Caller, String, Server) {
    let caller = Caller::new();
    let id = caller.symmetric_key();
    let server = caller
        .emulator
        .serve("127.0.0.1:0".parse().unwrap())
        .unwrap();
    (
        caller,
        format!("/key-manager/v1alpha1/regions/fr-par/keys/{id}"),
        server,
    )
}

#[test]
fn one_connection_serves_many_requests_in_the_forms_of_every_client() {
    let (_, key, server) = served();
    let mut connection = Connection::open(&server);
    for (method, path, headers, body, wanted) in [
        ("GET", "/metadata", "", "", 200),
        // Python sends a body with GET; curl labels every body as a form; Go asks for gzip.
        (
            "GET",
            key.as_str(),
            "accept: application/json\r\n",
            "{}",
            200,
        ),
        (
            "POST",
            &format!("{key}/encrypt"),
            "Content-Type: application/x-www-form-urlencoded\r\n",
            r#"{"plaintext":"aGVsbG8=","key_id":"x"}"#,
            200,
        ),
        (
            "POST",
            &format!("{key}/rotate"),
            "Accept-Encoding: gzip\r\n",
            "",
            200,
        ),
        (
            "POST",
            &format!("{key}/rotate"),
            "Content-Type: application/json; charset=utf-8\r\n",
            "{}",
            200,
        ),
        ("PATCH", key.as_str(), "", "{}", 200),
        ("GET", "/nowhere", "", "", 404),
        ("DELETE", key.as_str(), "", "{}", 204),
    ] {
        connection
            .send(method, path, headers, body.as_bytes())
            .unwrap();
        let answer = connection.receive().unwrap();
        assert_eq!(answer.status, wanted, "{method} {path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("x-request-id").unwrap().len(), 36);
        assert!(answer.header("date").is_some());
        assert_eq!(answer.header("transfer-encoding"), None);
        if wanted == 204 {
            assert!(answer.body.is_empty());
        } else {
            assert_eq!(
                answer.header("content-length"),
                Some(answer.body.len().to_string().as_str())
            );
        }
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn the_longest_valid_bodies_pass_and_longer_ones_get_an_answer() {
    let (_, key, server) = served();
    let mut connection = Connection::open(&server);
    let path = format!("{key}/decrypt");
    let long = json!({
        "ciphertext": base64(&vec![1; 131_071]), "associated_data": base64(&vec![1; 65_536]),
    });
    let answer = connection.call("POST", &path, &long.to_string());
    assert_eq!(answer.value()["details"][0]["argument_name"], "ciphertext");
    assert_eq!(
        connection.call("POST", &path, &" ".repeat(1 << 20)).status,
        400
    );
    let too_long = " ".repeat((1 << 20) + 1);
    assert_eq!(connection.call("POST", &path, &too_long).status, 413);
}

#[test]
fn chunked_bodies_and_expect_continue_are_understood() {
    let (_, key, server) = served();
    let mut connection = Connection::open(&server);
    let body = r#"{"plaintext":"aGVsbG8="}"#;
    let (one, other) = body.split_at(7);
    let head = format!(
        "POST {key}/encrypt HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: {SECRET_KEY}\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\n\r\n",
        one.len(),
        other.len(),
    );
    connection.0.get_mut().write_all(head.as_bytes()).unwrap();
    assert_eq!(connection.receive().unwrap().status, 200);
    let path = format!("{key}/encrypt");
    connection
        .send("POST", &path, "Expect: 100-continue\r\n", body.as_bytes())
        .unwrap();
    assert_eq!(connection.receive().unwrap().status, 100);
    assert_eq!(connection.receive().unwrap().status, 200);
}

#[test]
fn a_reset_is_a_reset_and_a_cut_is_an_early_end() {
    let (caller, key, server) = served();
    for (fault, delivery) in [
        (Fault::ResetBefore, Delivery::Reset),
        (Fault::ResetAfter, Delivery::Reset),
        (Fault::CutBody, Delivery::Cut { after: 0 }),
    ] {
        caller
            .emulator
            .inject(FaultRule::new(fault).on(Operation::GetKey).times(1));
        let mut connection = Connection::open(&server);
        connection.send("GET", &key, "", b"").unwrap();
        let error = connection.receive().err().unwrap();
        let wanted = match delivery {
            Delivery::Reset => ErrorKind::ConnectionReset,
            _ => ErrorKind::UnexpectedEof,
        };
        assert_eq!(error.kind(), wanted, "{delivery:?}");
        assert_eq!(Connection::open(&server).call("GET", &key, "").status, 200);
    }
}

#[test]
fn an_empty_429_has_neither_body_nor_content_type() {
    let (caller, key, server) = served();
    caller
        .emulator
        .inject(FaultRule::new(Fault::RateLimited).times(1));
    let mut connection = Connection::open(&server);
    let answer = connection.call("GET", &key, "");
    assert_eq!((answer.status, answer.body.len()), (429, 0));
    assert_eq!(answer.header("content-type"), None);
    assert_eq!(answer.header("x-envoy-ratelimited"), Some("true"));
    assert_eq!(connection.call("GET", &key, "").status, 200);
}

#[test]
fn latency_holds_up_one_request_and_no_other() {
    let (caller, key, server) = served();
    let latency = Duration::from_millis(400);
    caller
        .emulator
        .inject(FaultRule::new(Fault::Latency(latency)).on(Operation::GetKey));
    let start = Instant::now();
    let (mut slow, mut quick) = (Connection::open(&server), Connection::open(&server));
    slow.send("GET", &key, "", b"").unwrap();
    assert_eq!(quick.call("GET", "/metadata", "").status, 200);
    assert!(start.elapsed() < latency);
    assert_eq!(slow.receive().unwrap().status, 200);
    assert!(start.elapsed() >= latency);
}

#[test]
fn many_clients_at_once_lose_no_rotation_and_no_message() {
    const CLIENTS: usize = 16;
    const ROUNDS: usize = 20;
    let (caller, key, server) = served();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (key, server) = (&key, &server);
            scope.spawn(move || {
                let mut connection = Connection::open(server);
                for round in 0..ROUNDS {
                    let plaintext = base64(format!("{client} {round}").as_bytes());
                    let body = json!({"plaintext": plaintext}).to_string();
                    let sealed = connection
                        .call("POST", &format!("{key}/encrypt"), &body)
                        .value();
                    assert_eq!(
                        connection.call("POST", &format!("{key}/rotate"), "").status,
                        200
                    );
                    let body = json!({"ciphertext": sealed["ciphertext"]}).to_string();
                    let opened = connection
                        .call("POST", &format!("{key}/decrypt"), &body)
                        .value();
                    assert_eq!(opened["plaintext"], json!(plaintext));
                    assert!(opened["ciphertext"].is_string());
                }
            });
        }
    });
    let key = Connection::open(&server).call("GET", &key, "").value();
    assert_eq!(key["rotation_count"], 1 + CLIENTS * ROUNDS);
    assert_eq!(server.connections(), CLIENTS as u64 + 1);
    assert_eq!(caller.emulator.exchanges().len(), 2 + 3 * CLIENTS * ROUNDS);
}

#[test]
fn shutdown_lets_an_answer_under_way_end_and_takes_no_new_connection() {
    let (caller, key, server) = served();
    caller
        .emulator
        .inject(FaultRule::new(Fault::Latency(Duration::from_millis(300))));
    let address = server.addr();
    let mut connection = Connection::open(&server);
    connection.send("GET", &key, "", b"").unwrap();
    // So that the request is read before the server stops.
    while caller.emulator.exchanges().len() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    server.shutdown();
    assert_eq!(connection.receive().unwrap().status, 200);
    assert!(TcpStream::connect(address).is_err());
    // The emulator itself lives on, and can be served again.
    caller.emulator.clear_faults();
    let again = caller
        .emulator
        .serve("127.0.0.1:0".parse().unwrap())
        .unwrap();
    assert_eq!(Connection::open(&again).call("GET", &key, "").status, 200);
}

#[test]
fn only_loopback_addresses_are_served_unless_insecurity_is_asked_for() {
    let emulator = Emulator::new().unwrap();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = emulator.serve(address.parse().unwrap()).unwrap_err();
        assert!(matches!(error, ServeError::NotLoopback { .. }), "{address}");
    }
    let server = emulator.serve("127.0.0.1:0".parse().unwrap()).unwrap();
    assert_eq!(
        server.url(),
        format!("http://127.0.0.1:{}", server.addr().port())
    );
    let taken = emulator.serve(server.addr()).unwrap_err();
    assert!(matches!(taken, ServeError::Io { .. }));
}

#[test]
fn an_emulator_is_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    fn moved<T: Send + 'static>(_: &T) {}
    let (caller, _, server) = served();
    shared(&caller.emulator);
    moved(&server);
}
