//! A proxy of TCP connections that keeps everything they carry.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};

type Recordings = Arc<Mutex<Vec<Arc<Mutex<Vec<u8>>>>>>;

pub(crate) struct Recorder {
    port: u16,
    recordings: Recordings,
}

impl Recorder {
    pub(crate) async fn start(target: u16) -> Self {
        Self::between(("127.0.0.1", 0), target).await
    }

    /// Listens at an address, and relays to a port of 127.0.0.1.
    pub(crate) async fn between(address: (&str, u16), target: u16) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let recordings = Recordings::default();
        let recorded = Arc::clone(&recordings);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // The scheduler may not have started: the client tries again.
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(relay(from_client, to_server, recording(&recorded)));
                tokio::spawn(relay(from_server, to_client, recording(&recorded)));
            }
        });
        Self { port, recordings }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns what each connection carried, each direction by itself.
    pub(crate) fn recordings(&self) -> Vec<Vec<u8>> {
        let recordings = self.recordings.lock().unwrap();
        recordings
            .iter()
            .map(|one| one.lock().unwrap().clone())
            .collect()
    }
}

fn recording(recordings: &Recordings) -> Arc<Mutex<Vec<u8>>> {
    let new = Arc::default();
    recordings.lock().unwrap().push(Arc::clone(&new));
    new
}

async fn relay(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, record: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        record.lock().unwrap().extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
}
