//! Servers outside, for targets that are none of the process's own: hyper's where they behave, scripts where not.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use wharf_gateway::{Upstream, UpstreamSpec, UpstreamVersion};

use crate::support::Place;

pub(crate) type OutsideBody = UnsyncBoxBody<bytes::Bytes, std::convert::Infallible>;

/// A server, its address, and how many connections it has accepted.
pub(crate) struct Outside {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicU32>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Outside {
    /// Hands every connection to `serve`, with its number.
    pub(crate) async fn raw<S, F>(serve: S) -> Self
    where
        S: Fn(TcpStream, u32) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicU32::new(0));
        let count = accepted.clone();
        let serving = tokio::spawn(async move {
            // Ends its connections with itself.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(stream, number));
            }
        });
        Self {
            address,
            accepted,
            serving,
        }
    }

    /// HTTP/1.1, HTTP/2 and upgrades.
    pub(crate) async fn http<F, A>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response<OutsideBody>> + Send + 'static,
    {
        Self::raw(move |stream, _| serve(stream, answer.clone())).await
    }

    /// The same inside TLS, with a certificate for `localhost` and 127.0.0.1, which is returned.
    pub(crate) async fn https<F, A>(protocols: &[&str], answer: F) -> (Self, CertificateDer<'static>)
    where
        F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response<OutsideBody>> + Send + 'static,
    {
        Self::https_as(&["localhost", "127.0.0.1"], protocols, answer).await
    }

    /// The same with a certificate for these names.
    pub(crate) async fn https_as<F, A>(
        names: &[&str],
        protocols: &[&str],
        answer: F,
    ) -> (Self, CertificateDer<'static>)
    where
        F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response<OutsideBody>> + Send + 'static,
    {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let key = signing_key.serialize_der().try_into().unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let server = Self::raw(move |stream, _| {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, answer).await;
                }
            }
        })
        .await;
        (server, cert.der().clone())
    }

    pub(crate) fn accepted(&self) -> u32 {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn spec(&self) -> UpstreamSpec {
        UpstreamSpec::new(format!("http://{}", self.address).parse().unwrap())
    }

    pub(crate) fn target(&self) -> Arc<Upstream> {
        Upstream::new(self.spec()).unwrap()
    }

    pub(crate) fn speaking(&self, version: UpstreamVersion) -> Arc<Upstream> {
        let spec = UpstreamSpec {
            version,
            ..self.spec()
        };
        Upstream::new(spec).unwrap()
    }
}

async fn serve<S, F, A>(stream: S, answer: F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<OutsideBody>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await;
}

pub(crate) fn text(text: impl Into<bytes::Bytes>) -> Response<OutsideBody> {
    Response::new(http_body_util::Full::new(text.into()).boxed_unsync())
}

/// Reads a request's head, and whatever came with it.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    while !read.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(read).ok()
}

/// Answers one request with these bytes.
pub(crate) async fn answer(stream: &mut TcpStream, bytes: &str) -> Option<String> {
    let head = read_head(stream).await?;
    stream.write_all(bytes.as_bytes()).await.ok()?;
    Some(head)
}

/// A target where nobody listens, for as long as the place is held.
pub(crate) fn nowhere() -> (Place, Arc<Upstream>) {
    let place = Place::hold();
    let url = format!("http://{}", place.address).parse().unwrap();
    (place, Upstream::new(UpstreamSpec::new(url)).unwrap())
}

/// Silent for less than any test takes, and long enough for the slowest machine.
pub(crate) const SILENCE: Duration = Duration::from_millis(200);
