//! Opens connections for a task: resolve, check every address, connect, with a cap on how many are open.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service;
use wasmtime_wasi_http::Error;

use super::metered::Metered;
use super::{CONNECT_TIMEOUT, Egress, destination};
use crate::egress;
use crate::task::Seconds;

/// Connections one task may have open.
const MAX_CONNECTIONS: usize = 256;

/// A task's places for connections.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_CONNECTIONS)))
    }
}

impl Places {
    pub(super) fn are_taken(&self) -> bool {
        self.0.available_permits() == 0
    }
}

/// Makes connections under a task's egress list.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    egress: Egress,
    places: Places,
    metered: Metered,
}

impl Connector {
    pub(super) fn new(egress: Egress, places: Places, metered: Metered) -> Self {
        Self {
            egress,
            places,
            metered,
        }
    }

    async fn connect(self, uri: Uri) -> Result<Socket, Refused> {
        let place = self.places.0.acquire_owned().await;
        let place = place.map_err(|_| Refused::TooManyConnections)?;
        let stream = open(&self.egress, &uri, &self.metered).await?;
        // Small writes should leave at once; a socket that can't be told so still works.
        let _ = stream.set_nodelay(true);
        Ok(Socket {
            stream: TokioIo::new(stream),
            _place: place,
        })
    }
}

tokio::task_local! {
    /// How long a connection may take that the request under way needs.
    static LIMIT: Duration;
}

/// Gives the connection that `request` may need so much time.
pub(super) fn within<F: Future>(limit: Duration, request: F) -> impl Future<Output = F::Output> {
    LIMIT.scope(limit, request)
}

/// Connects with TLS where the scheme asks for it, all within the request's limit.
#[derive(Debug, Clone)]
pub(super) struct TlsConnector {
    inner: HttpsConnector<Connector>,
    places: Places,
}

impl TlsConnector {
    /// Trusts the host's root certificates.
    pub(super) fn new(connector: Connector) -> Self {
        Self {
            places: connector.places.clone(),
            inner: with_tls(connector),
        }
    }
}

impl Service<Uri> for TlsConnector {
    type Response = MaybeHttpsStream<Socket>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // Asked here, in the request's own poll: the attempt may end in a task of its own.
        let limit = LIMIT.try_with(|limit| *limit).unwrap_or(CONNECT_TIMEOUT);
        let places = self.places.clone();
        let attempt = self.inner.call(uri);
        Box::pin(async move {
            match tokio::time::timeout(limit, attempt).await {
                Ok(connected) => connected,
                Err(_) if places.are_taken() => Err(Refused::TooManyConnections.into()),
                Err(_) => Err(Refused::Timeout(limit).into()),
            }
        })
    }
}

async fn open(by: &Egress, uri: &Uri, metered: &Metered) -> Result<TcpStream, Refused> {
    let to = destination(uri).ok_or(Refused::NoSuchHost)?;
    let found = resolve(to.host, to.port, metered).await?;
    let within_reach = |at: &SocketAddr| by.reach.allows(at.ip());
    let allowed: Vec<SocketAddr> = found
        .iter()
        .copied()
        .filter(|at| within_reach(at) && egress::allows_address(&by.rules, to, at.ip()))
        .collect();
    if allowed.is_empty() {
        return Err(match found.first() {
            Some(address) if !within_reach(address) => Refused::OwnAddress {
                host: to.host.to_owned(),
                address: *address,
            },
            Some(address) => Refused::PrivateAddress {
                host: to.host.to_owned(),
                address: *address,
            },
            None => Refused::NoSuchHost,
        });
    }
    TcpStream::connect(allowed.as_slice())
        .await
        .map_err(Refused::Connect)
}

/// Looks a name up on the blocking pool, few at a time: a resolver that doesn't answer holds a thread, and
/// those are shared with everybody.
async fn resolve(host: &str, port: u16, metered: &Metered) -> Result<Vec<SocketAddr>, Refused> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let place = Arc::clone(&LOOKUPS)
        .acquire_owned()
        .await
        .map_err(|_| Refused::NoSuchHost)?;
    let (host, metered) = (host.to_owned(), metered.clone());
    let lookup = tokio::task::spawn_blocking(move || {
        let look_up = || (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        let found = metered.charged(look_up);
        // Kept until the resolver answers, whether or not anybody still waits.
        drop(place);
        found
    });
    lookup
        .await
        .map_err(|_| Refused::NoSuchHost)?
        .map_err(|_| Refused::NoSuchHost)
}

/// Names looked up at once, over all tasks.
const MAX_LOOKUPS: usize = 32;

static LOOKUPS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(MAX_LOOKUPS)));

/// Wraps the connector with TLS against the host's root certificates, or those that `SSL_CERT_FILE` names.
fn with_tls(connector: Connector) -> HttpsConnector<Connector> {
    let roots = rustls_roots();
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(connector)
}

fn rustls_roots() -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    // Certificates that can't be read are the host's to repair; those that can are enough.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

impl Service<Uri> for Connector {
    type Response = Socket;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Socket, io::Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(uri).await.map_err(io::Error::other) })
    }
}

/// Why a connection was not made.
#[derive(Debug)]
pub(super) enum Refused {
    TooManyConnections,
    Timeout(Duration),
    NoSuchHost,
    OwnAddress { host: String, address: SocketAddr },
    PrivateAddress { host: String, address: SocketAddr },
    Connect(io::Error),
}

impl Refused {
    /// What the guest is told: WASI's error codes.
    pub(super) fn to_guest(&self) -> Error {
        match self {
            Self::TooManyConnections => Error::ConnectionLimitReached,
            Self::Timeout(_) => Error::ConnectionTimeout,
            Self::NoSuchHost => Error::DnsError {
                rcode: None,
                info_code: None,
            },
            Self::OwnAddress { .. } | Self::PrivateAddress { .. } => Error::DestinationIpProhibited,
            Self::Connect(_) => Error::ConnectionRefused,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyConnections => {
                write!(
                    f,
                    "the task has {MAX_CONNECTIONS} connections in use, which is the limit"
                )
            }
            Self::Timeout(limit) => write!(f, "no connection within {}", Seconds(*limit)),
            Self::NoSuchHost => f.write_str("the host name doesn't resolve"),
            Self::OwnAddress { host, address } => write!(
                f,
                "{host} is at {address}, which is on the server's own host: only namespace `default` reaches that"
            ),
            Self::PrivateAddress { host, address } => write!(
                f,
                "{host} is at {address}, which is not a public address: `egress` must name the address itself"
            ),
            Self::Connect(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Refused {}

/// An open connection and its place among the task's connections.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TokioIo<TcpStream>,
    _place: OwnedSemaphorePermit,
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        self.stream.inner().connected()
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}
