//! The emulator on a port: HTTP/1.1 with keep-alive, in its own thread.

use std::{
    fmt,
    future::{Future as _, poll_fn},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    thread::JoinHandle,
    time::Duration,
};

use http_body_util::BodyExt as _;
use hyper::{
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    service::service_fn,
};
use hyper_util::{
    rt::TokioIo,
    server::graceful::{GracefulConnection, GracefulShutdown},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::oneshot,
};
use zeroize::Zeroizing;

use super::{
    emulator::Emulator,
    http::{Delivery, MAX_BODY, Request, Response},
};

/// How long pending answers may take once the server stops.
const GRACE: Duration = Duration::from_secs(2);
/// Threads that handle requests: making an RSA key takes one for seconds.
const HANDLERS: usize = 8;

impl Emulator {
    /// Serves the emulator on a loopback address. Port 0 takes a free port.
    ///
    /// The server runs in its own thread, with up to eight more that handle requests. They
    /// end with the [`Server`]. The caller needs no runtime, but may be inside one.
    ///
    /// # Errors
    /// [`ServeError::NotLoopback`] when others could reach the address, [`ServeError::Io`] when it
    /// is taken.
    ///
    /// # Example
    /// ```
    /// use keyseal_emulator::Emulator;
    ///
    /// let server = Emulator::new()?.serve("127.0.0.1:0".parse()?)?;
    /// println!("export SCW_API_URL={}", server.url());
    /// server.shutdown();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn serve(&self, address: SocketAddr) -> Result<Server, ServeError> {
        if !address.ip().is_loopback() {
            return Err(ServeError::NotLoopback { address });
        }
        self.serve_insecure_remote(address)
    }

    /// Serves the emulator on any address, even one that others can reach.
    ///
    /// # Errors
    /// [`ServeError::Io`] when the address is taken.
    ///
    /// # Security
    /// It speaks plain HTTP: anyone who can watch the network sees tokens and plaintexts.
    pub fn serve_insecure_remote(&self, address: SocketAddr) -> Result<Server, ServeError> {
        Server::start(self.clone(), address).map_err(|source| ServeError::Io { address, source })
    }
}

/// An emulator that is being served. It stops when this value is dropped.
pub struct Server {
    address: SocketAddr,
    connections: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// An emulator could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Others than this machine could reach the address.
    #[error("{address} is not a loopback address")]
    NotLoopback {
        /// The address that you passed.
        address: SocketAddr,
    },
    /// The operating system refused the address or a thread.
    #[error("cannot listen on {address}")]
    Io {
        /// The address that you passed.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl Server {
    /// Returns the address, with the port that was taken.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the base URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns how many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Stops: accepts no more connections, gives pending answers up to two seconds, and waits for
    /// the threads.
    pub fn shutdown(mut self) {
        self.stop_and_wait();
    }

    fn start(emulator: Emulator, address: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(HANDLERS)
            .thread_name("keyseal-emulator-handler")
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let connections = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = oneshot::channel();
        let accepted = Arc::clone(&connections);
        let thread = std::thread::Builder::new()
            .name("keyseal-emulator".to_owned())
            .spawn(move || run(runtime, &emulator, &listener, stopped, &accepted))?;
        Ok(Self {
            address,
            connections,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    fn stop_and_wait(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that the thread has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic in that thread was already printed, so there is nothing to do here.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_and_wait();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

fn run(
    runtime: Runtime,
    emulator: &Emulator,
    listener: &TcpListener,
    mut stopped: oneshot::Receiver<()>,
    accepted: &AtomicU64,
) {
    let graceful = GracefulShutdown::new();
    runtime.block_on(async {
        loop {
            let next = poll_fn(|context| match pin!(&mut stopped).poll(context) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => listener.poll_accept(context).map(Some),
            });
            match next.await {
                None => break,
                Some(Ok((stream, _))) => {
                    accepted.fetch_add(1, Ordering::Relaxed);
                    let connection = connection(emulator.clone(), stream);
                    let connection = graceful.watch(connection);
                    // This ends with an error if the client disconnects or is disconnected.
                    tokio::spawn(async { drop(connection.await) });
                }
                // No file descriptors left, or a client that is gone already: both pass.
                Some(Err(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        // An error means that the time is over.
        let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    });
    runtime.shutdown_timeout(GRACE);
}

fn connection(
    emulator: Emulator,
    stream: TcpStream,
) -> impl GracefulConnection<Error = hyper::Error> + Send + 'static {
    // Small answers would wait for the acknowledgement of the ones before them.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let stream = Resettable {
        stream,
        reset: Arc::clone(&reset),
    };
    let service = service_fn(move |request| {
        let (emulator, reset) = (emulator.clone(), Arc::clone(&reset));
        async move { exchange(emulator, request, &reset).await }
    });
    hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
}

async fn exchange(
    emulator: Emulator,
    request: hyper::Request<Incoming>,
    reset: &AtomicBool,
) -> io::Result<hyper::Response<Outgoing>> {
    let request = received(request).await?;
    let response = tokio::task::spawn_blocking(move || emulator.handle(request))
        .await
        .map_err(io::Error::other)?;
    tokio::time::sleep(response.latency()).await;
    if response.delivery() == Delivery::Reset {
        reset.store(true, Ordering::Relaxed);
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    sent(&response)
}

/// Reads the whole request, or one byte more than the emulator accepts.
async fn received(request: hyper::Request<Incoming>) -> io::Result<Request> {
    let (head, mut body) = request.into_parts();
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let mut received = Request::new(head.method.as_str(), target);
    for (name, value) in &head.headers {
        if let Ok(value) = value.to_str() {
            received = received.with_header(name.as_str(), value);
        }
    }
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected.min(MAX_BODY + 1)));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(io::Error::other)?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        let room = MAX_BODY + 1 - bytes.len();
        bytes.extend_from_slice(data.get(..room).unwrap_or(data));
        if bytes.len() > MAX_BODY {
            break;
        }
    }
    Ok(received.with_body(std::mem::take(&mut *bytes)))
}

fn sent(response: &Response) -> io::Result<hyper::Response<Outgoing>> {
    let mut builder = hyper::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        builder = builder.header(name, value);
    }
    let whole = response.body();
    let (part, is_cut) = match response.delivery() {
        Delivery::Cut { after } => (whole.get(..after).unwrap_or(whole), true),
        Delivery::Whole | Delivery::Reset => (whole, false),
    };
    let body = Outgoing {
        part: (!part.is_empty()).then(|| Bytes::copy_from_slice(part)),
        length: whole.len() as u64,
        is_cut,
    };
    builder.body(body).map_err(io::Error::other)
}

/// A body that has the announced length, or breaks off.
struct Outgoing {
    part: Option<Bytes>,
    length: u64,
    is_cut: bool,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(match self.part.take() {
            Some(part) => Some(Ok(Frame::data(part))),
            None if self.is_cut => Some(Err(io::ErrorKind::UnexpectedEof.into())),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.part.is_none() && !self.is_cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// A connection that can end with a reset instead of an orderly close.
struct Resettable {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Resettable {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            // With a linger time of zero, closing resets the connection.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Resettable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset.load(Ordering::Relaxed) {
            // A shutdown would send an orderly end before the reset.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
