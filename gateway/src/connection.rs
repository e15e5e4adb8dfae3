//! One connection: tell the protocol, let hyper parse, answer every request, keep time, close in good order.
//!
//! All of it is one future on one task: hyper polls the requests of an HTTP/1 connection inline, so nothing is
//! spawned for them. (Those of HTTP/2 are tasks, so that the streams of one connection do not wait for each other.)

mod drive;
pub(crate) mod handoff;
pub(crate) mod pace;
mod stream;
pub(crate) mod taking;

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::HeaderValue;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use self::{
    drive::{begin, drive, unless_closing},
    pace::Pace,
    stream::{ClientStream, Protocol, Transport},
    taking::Streams,
};
use crate::{
    config::{ClientPort, Limits},
    forward::{self, upgrade::Tunnel},
    gateway::Shared,
    listener::{Listener, Settings, connections::Opened},
    tls::{self, Encryption},
};

/// Room for what is written into a head that is mended, so that hyper never finds one too large: the inspector has
/// judged that.
const HEAD_SLACK: usize = 16 * 1024;

/// Header lines that hyper has room for without asking for more.
const HYPER_HEADER_LINES: usize = 100;

/// As [`HEAD_SLACK`], for the number of header lines of HTTP/2: up to so many times the bound, the answer is our own.
const HEADER_LINES_SLACK: usize = 2;

/// What HTTP/2 counts for each header besides its name and value (RFC 9113 6.5.2).
const HTTP2_HEADER_OVERHEAD: usize = 32;

/// Headers that a map of them takes at least; it panics on more than it can.
const MAX_HEADERS: usize = 24_576;

/// What HTTP/2 streams may send before the target has taken it: one connection's bound on buffered uploads.
const HTTP2_CONNECTION_WINDOW: u32 = 1024 * 1024;

/// The same for one stream: enough for 256 KiB per round trip.
const HTTP2_STREAM_WINDOW: u32 = 256 * 1024;

/// Response bytes buffered for one HTTP/2 stream whose client is slow.
const HTTP2_SEND_BUFFER: usize = 64 * 1024;

/// What the requests of a connection share.
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) listener: Arc<Listener>,
    /// The listener's settings when the connection began.
    pub(crate) settings: Arc<Settings>,
    pub(crate) client: SocketAddr,
    /// The client's address as `X-Forwarded-For` has it.
    pub(crate) forwarded_for: HeaderValue,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) pace: Arc<Pace>,
    /// What the connection is for once it has left HTTP. It holds the connection in turn, so [`serve_stream`] takes it
    /// out whatever happens.
    tunnel: Mutex<Option<Box<Tunnel>>>,
}

impl Connection {
    /// What follows once the answer that is about to be given, a 101, is sent.
    pub(crate) fn switch_to(&self, tunnel: Tunnel) {
        self.pace.handoff.leave_http();
        *self.tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(tunnel));
    }

    fn take_tunnel(&self) -> Option<Box<Tunnel>> {
        self.tunnel.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.settings.limits
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    listener: Arc<Listener>,
    shared: Arc<Shared>,
    opened: Opened,
) {
    let settings = listener.settings().clone();
    let client = SocketAddr::new(client.ip().to_canonical(), client.port());
    let connection = Connection {
        shared,
        forwarded_for: forwarded_for(client, settings.forwarding.client_port),
        listener,
        client,
        encryption: None,
        pace: opened.pace().clone(),
        settings,
        tunnel: Mutex::default(),
    };
    if connection.settings.tls.is_some() {
        // Boxed, as everything that is large and that a plain HTTP/1 connection has no use for: there are many of those.
        Box::pin(serve_tls(stream, connection, &opened)).await;
    } else {
        serve_stream(stream, Arc::new(connection), &opened).await;
    }
}

/// Serves what a client says inside TLS.
async fn serve_tls(stream: TcpStream, connection: Connection, opened: &Opened) {
    let settings = connection.settings.clone();
    let Some(tls) = &settings.tls else { return };
    let handshake = tls::shake_hands(stream, tls, &settings.limits);
    match unless_closing(handshake, opened).await {
        None => {}
        Some(Ok(stream)) => {
            let encryption = Some(Encryption::of(&stream));
            let connection = Connection {
                encryption,
                ..connection
            };
            serve_stream(stream, Arc::new(connection), opened).await;
        }
        Some(Err(error)) => {
            connection.listener.counts.failed_handshakes.inc();
            let error = &error as &dyn std::error::Error;
            tracing::debug!(client = %connection.client, error, "connection refused");
        }
    }
}

fn forwarded_for(client: SocketAddr, port: ClientPort) -> HeaderValue {
    let text = match port {
        ClientPort::Omit => client.ip().to_string(),
        ClientPort::Include => client.to_string(),
    };
    HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(HeaderValue::from_static("unknown"))
}

/// Serves what a client says in the clear, or inside TLS.
async fn serve_stream<S: Transport>(stream: S, connection: Arc<Connection>, opened: &Opened) {
    let limits = connection.limits();
    let stream = ClientStream::new(stream, connection.pace.clone(), connection.settings.clone());
    let Some(stream) = begin(stream, limits, opened).await else {
        return;
    };
    let protocol = stream.protocol();
    let shared = connection.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        // Boxed: hyper keeps room for it as long as the connection lasts, and most connections have no request.
        Box::pin(forward::respond(request, shared.clone()).map(Ok::<_, Infallible>))
    });
    let io = TokioIo::new(stream);
    let ended = match protocol {
        Protocol::Http1 => {
            let connection = pin!(http1(limits).serve_connection(io, service).with_upgrades());
            drive(connection, protocol, limits, opened).await
        }
        Protocol::Http2 => {
            let mut connection = Box::pin(http2(limits).serve_connection(io, service));
            drive(connection.as_mut(), protocol, limits, opened).await
        }
    };
    let tunnel = connection.take_tunnel();
    match (ended, tunnel) {
        // Boxed: what copying needs is not to weigh on connections that never leave HTTP.
        (Ok(()), Some(tunnel)) => Box::pin(tunnel.run(opened)).await,
        (Ok(()), None) => {}
        (Err(error), _) => tracing::debug!(client = %connection.client, %error, "connection failed"),
    }
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Kept by `Pace`, which can tell an idle connection from a slow head and answers the latter.
        .header_read_timeout(None)
        // A byte of a request's target becomes three when it is mended.
        .max_buf_size(limits.header_block + 3 * limits.request_line + HEAD_SLACK);
    if limits.header_lines > HYPER_HEADER_LINES {
        builder.max_headers(limits.header_lines);
    }
    builder
}

fn http2(limits: &Limits) -> http2::Builder<Streams> {
    let overhead = limits.header_lines * HEADER_LINES_SLACK * HTTP2_HEADER_OVERHEAD;
    let header_list = limits.header_block + limits.request_line + HEAD_SLACK + overhead;
    let header_list = header_list.min(MAX_HEADERS * HTTP2_HEADER_OVERHEAD);
    let mut builder = http2::Builder::new(Streams {
        write_timeout: limits.write_timeout,
    });
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(header_list).unwrap_or(u32::MAX))
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .max_send_buf_size(HTTP2_SEND_BUFFER);
    builder
}
