//! A server of a few lines that misbehaves in every way.

use std::{
    collections::VecDeque,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use keyseal::kms::scaleway::{RetryPolicy, ScalewayClient, ScalewayKey};

use super::scripted::{PROJECT_ID, SECRET_KEY, key_of};

/// The server's response to a request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Answers, and keeps the connection.
    Answer(String),
    /// Answers, and closes the connection.
    AnswerAndClose(String),
    /// Closes the connection without reading the request: a reset.
    Reset,
    /// Reads the request and closes the connection.
    Close,
    /// Reads the request and does nothing.
    Hang,
    /// Answers a byte at a time.
    Trickle(String),
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Server {
    pub(crate) fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let acts = Arc::new(Mutex::new(acts.into_iter().collect::<VecDeque<_>>()));
        let (log, count) = (Arc::clone(&requests), Arc::clone(&connections));
        thread::spawn(move || {
            for stream in listener.incoming() {
                *count.lock().unwrap() += 1;
                let (acts, log) = (Arc::clone(&acts), Arc::clone(&log));
                thread::spawn(move || serve(stream.unwrap(), &acts, &log));
            }
        });
        Self {
            address,
            requests,
            connections,
        }
    }

    pub(crate) fn client(&self, policy: RetryPolicy) -> ScalewayClient {
        ScalewayClient::builder()
            .secret_key(SECRET_KEY)
            .project_id(PROJECT_ID)
            .region("fr-par")
            .api_url(&format!("http://{}", self.address))
            .retry_policy(policy)
            .build()
            .unwrap()
    }

    pub(crate) fn key(&self) -> ScalewayKey {
        key_of(&self.client(once()))
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

pub(crate) fn once() -> RetryPolicy {
    RetryPolicy::new()
        .max_attempts(1)
        .attempt_timeout(Duration::from_millis(500))
}

fn serve(mut stream: TcpStream, acts: &Mutex<VecDeque<Act>>, log: &Mutex<Vec<String>>) {
    loop {
        let next = acts.lock().unwrap().front().cloned();
        if matches!(next, Some(Act::Reset)) {
            acts.lock().unwrap().pop_front();
            // With the request unread in the buffer, closing is a reset.
            let _ = stream.peek(&mut [0]);
            return;
        }
        let Some(request) = read_request(&mut stream) else {
            return;
        };
        log.lock().unwrap().push(request);
        let act = acts
            .lock()
            .unwrap()
            .pop_front()
            .expect("the script has no more acts");
        match act {
            Act::Answer(answer) => stream.write_all(answer.as_bytes()).unwrap(),
            Act::AnswerAndClose(answer) => {
                let _ = stream.write_all(answer.as_bytes());
                return;
            }
            Act::Hang => {
                // Until the client gives up.
                let _ = stream.read(&mut [0]);
                return;
            }
            Act::Trickle(answer) => {
                for byte in answer.bytes() {
                    if stream.write_all(&[byte]).is_err() {
                        return;
                    }
                    thread::sleep(Duration::from_millis(20));
                }
            }
            Act::Reset | Act::Close => return,
        }
    }
}

fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
    }
}

pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

pub(crate) fn json(body: &str) -> String {
    answer(
        "200 OK",
        "Content-Type: application/json\r\nX-Request-Id: req-7\r\n",
        body,
    )
}
