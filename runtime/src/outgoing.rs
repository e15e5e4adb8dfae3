//! Outgoing HTTP for one task: a pooled client behind the egress list.
//!
//! The list is asked when the request is made, and again for every address a connection is opened to, so a
//! name can't be pointed at a private network later. Redirects are the guest's to follow, as requests of their own.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioTimer;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::capability::logging::TaskLog;
use crate::cpu::CpuAccount;
use crate::egress::{self, Destination, EgressRule, Reach, Scheme};
use crate::memory::{Charge, Envelope, UPSTREAM_CHARGE};

mod connector;
mod metered;
use connector::{Connector, Places, Refused, TlsConnector};
use metered::Metered;

/// Bytes of one piece of an outgoing body.
const BODY_CHUNK: usize = 64 * 1024;
/// Pieces that may wait for the reader.
const BODY_CHUNKS: usize = 1;
/// Bytes a connection buffers in either direction.
const CONNECTION_BUFFER: usize = 64 * 1024;
/// Bytes an HTTP/2 connection may receive before the guest has read them.
const CONNECTION_WINDOW: u32 = 128 * 1024;
/// Kept-alive connections per host.
const MAX_IDLE_PER_HOST: usize = 8;
/// How long an unused connection is kept. It may last twice as long, which is still less than a request waits for a
/// place: those that no one uses hold nobody up for good.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// The longest a connection may take, look-up and TLS included; a guest's own limit may be shorter (ALB: 10 s).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Applies when the guest sets no limit of its own; the task's own `timeout` usually ends the wait sooner.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(600);

type HttpClient = Client<TlsConnector, WasiBody>;

/// What one task may reach.
#[derive(Debug, Clone)]
pub(crate) struct Egress {
    pub(crate) rules: Arc<[EgressRule]>,
    pub(crate) reach: Reach,
}

/// What one task may reach, and its connections.
#[derive(Debug)]
pub(crate) struct Upstream {
    egress: Egress,
    envelope: Arc<Envelope>,
    log: TaskLog,
    metered: Metered,
    places: Places,
    /// Made by the first request: most tasks never send one, and reading the root certificates takes a while.
    client: Mutex<Option<HttpClient>>,
}

impl Upstream {
    pub(crate) fn new(
        egress: Egress,
        envelope: Arc<Envelope>,
        account: Arc<CpuAccount>,
        log: TaskLog,
    ) -> Self {
        Self {
            egress,
            envelope,
            log,
            metered: Metered::new(account),
            places: Places::default(),
            client: Mutex::default(),
        }
    }

    /// The client, without the connections it keeps where their places are needed: they close with it.
    fn client(&self) -> HttpClient {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let crowded = if self.places.are_taken() {
            client.take()
        } else {
            None
        };
        let current = client.get_or_insert_with(|| self.new_client()).clone();
        drop(client);
        drop(crowded);
        current
    }

    fn new_client(&self) -> HttpClient {
        let connector = Connector::new(self.egress.clone(), self.places.clone(), self.metered.clone());
        Client::builder(self.metered.clone())
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http1_max_buf_size(CONNECTION_BUFFER)
            .http2_initial_stream_window_size(CONNECTION_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_send_buf_size(CONNECTION_BUFFER)
            .build(TlsConnector::new(connector))
    }

    /// Whether a rule names where the request goes; the log says which rule is missing.
    fn check(&self, uri: &http::Uri) -> Result<(), Error> {
        let to = destination(uri).ok_or(Error::HttpRequestUriInvalid)?;
        if egress::allows(&self.egress.rules, to) {
            return Ok(());
        }
        let Destination { scheme, host, port } = to;
        let scheme = scheme.as_str();
        self.log.system(&format!(
            "outgoing request to {scheme}://{host}:{port} denied: add \"{scheme}://{host}:{port}\" to `egress`"
        ));
        Err(Error::HttpRequestDenied)
    }

    async fn send(
        self: Arc<Self>,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<http::Response<WasiBody>, Error> {
        self.check(request.uri())?;
        let charge = self
            .envelope
            .charge(UPSTREAM_CHARGE.get())
            .ok_or_else(|| self.no_memory())?;
        let RequestOptions {
            connect_timeout,
            first_byte_timeout,
            between_bytes_timeout,
        } = options.unwrap_or_default();
        let first_byte = first_byte_timeout.unwrap_or(FIRST_BYTE_TIMEOUT);
        let between_bytes = between_bytes_timeout.unwrap_or(FIRST_BYTE_TIMEOUT);
        let answered = connector::within(connect_limit(connect_timeout), self.client().request(request));
        let response = tokio::time::timeout(first_byte, self.metered.meter(answered))
            .await
            .map_err(|_| Error::HttpResponseTimeout)?
            .map_err(|error| self.explain(&error))?;
        Ok(response.map(|body| UpstreamBody::new(body, between_bytes, charge).boxed_unsync()))
    }

    fn no_memory(&self) -> Error {
        self.log
            .system("outgoing request failed: its buffers don't fit the task's memory");
        Error::InternalError(Some("the task's memory is full".into()))
    }

    fn explain(&self, error: &hyper_util::client::legacy::Error) -> Error {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(current) = cause {
            if let Some(refused) = current.downcast_ref::<Refused>() {
                self.log.system(&format!("outgoing request failed: {refused}"));
                return refused.to_guest();
            }
            if current.is::<rustls::Error>() {
                self.log.system(&format!("outgoing request failed: {current}"));
                return Error::TlsCertificateError;
            }
            // An I/O error made of another one does not name it as its source.
            let inner = current
                .downcast_ref::<std::io::Error>()
                .and_then(std::io::Error::get_ref);
            cause = match inner {
                Some(inner) => Some(inner),
                None => current.source(),
            };
        }
        if error.is_connect() {
            Error::ConnectionRefused
        } else {
            Error::ConnectionTerminated
        }
    }
}

/// How long a connection may take for a guest that asks for this.
fn connect_limit(asked: Option<Duration>) -> Duration {
    asked.map_or(CONNECT_TIMEOUT, |own| own.min(CONNECT_TIMEOUT))
}

fn destination(uri: &http::Uri) -> Option<Destination<'_>> {
    let scheme = match uri.scheme_str()? {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    // A user name before the host has no meaning here, and would travel on in the Host header.
    if uri.authority()?.as_str().contains('@') {
        return None;
    }
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    Some(Destination {
        scheme,
        host,
        port: uri.port_u16().unwrap_or_else(|| scheme.default_port()),
    })
}

/// The response's body: holds the charge for its buffers, and ends a stall.
struct UpstreamBody {
    body: hyper::body::Incoming,
    between_bytes: Duration,
    stall: Option<Pin<Box<tokio::time::Sleep>>>,
    _charge: Charge,
}

impl UpstreamBody {
    fn new(body: hyper::body::Incoming, between_bytes: Duration, charge: Charge) -> Self {
        Self {
            body,
            between_bytes,
            stall: None,
            _charge: charge,
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.stall = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        let limit = self.between_bytes;
        let stall = self
            .stall
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        stall
            .as_mut()
            .poll(cx)
            .map(|()| Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// One instance's way out.
pub(crate) struct OutgoingHooks {
    upstream: Option<Arc<Upstream>>,
}

impl OutgoingHooks {
    pub(crate) fn new(upstream: Arc<Upstream>) -> Self {
        Self {
            upstream: Some(upstream),
        }
    }

    pub(crate) fn deny_all() -> Self {
        Self { upstream: None }
    }
}

type Processing = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answer = Result<(http::Response<WasiBody>, Processing), Error>;

impl WasiHttpHooks for OutgoingHooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processing: Processing,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        let upstream = self.upstream.clone();
        Box::new(async move {
            let response = upstream
                .ok_or(Error::HttpRequestDenied)?
                .send(request, options)
                .await?;
            let nothing_left: Processing = Box::new(async { Ok(()) });
            Ok((response, nothing_left))
        })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        BODY_CHUNKS
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK
    }
}

#[cfg(test)]
mod tests;
