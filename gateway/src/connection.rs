//! One connection: tell the protocol, let hyper parse, answer every request, keep time, close in good order.
//!
//! All of it is one future on one task: hyper polls the requests of an HTTP/1 connection inline, so nothing is
//! spawned for them. (Those of HTTP/2 are tasks, so that the streams of one connection do not wait for each other.)

pub(crate) mod pace;
mod stream;

use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderValue;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::{HttpService, service_fn},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep},
};

use self::{
    pace::{Overdue, Pace},
    stream::{ClientStream, Protocol},
};
use crate::{
    config::Limits,
    forward,
    gateway::Shared,
    listener::{Opened, Phase},
};

/// Room for the request line's method and version and the blanks of its header lines, so that a head just over its
/// bound is still read and answered in our own form. Far beyond it hyper answers by itself, with a bare status.
const HEAD_SLACK: usize = 16 * 1024;

/// As [`HEAD_SLACK`], for the number of header lines: up to so many times the bound, the answer is our own.
const HEADER_LINES_SLACK: usize = 2;

/// What HTTP/2 counts for each header besides its name and value (RFC 9113 6.5.2).
const HTTP2_HEADER_OVERHEAD: usize = 32;

/// What HTTP/2 streams may send before the target has taken it: one connection's bound on buffered uploads.
const HTTP2_CONNECTION_WINDOW: u32 = 1024 * 1024;

/// The same for one stream: enough for 256 KiB per round trip.
const HTTP2_STREAM_WINDOW: u32 = 256 * 1024;

/// Response bytes buffered for one HTTP/2 stream whose client is slow.
const HTTP2_SEND_BUFFER: usize = 64 * 1024;

/// What the requests of a connection share.
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) client: SocketAddr,
    /// The client's address as `X-Forwarded-For` has it.
    pub(crate) forwarded_for: HeaderValue,
    pub(crate) pace: Arc<Pace>,
}

/// Serves a connection to its end.
pub(crate) async fn serve(stream: TcpStream, client: SocketAddr, shared: Arc<Shared>, opened: Opened) {
    let pace = opened.pace().clone();
    let mut stream = ClientStream::new(stream, pace.clone());
    if !begins(&mut stream, &shared.limits, &opened).await {
        return;
    }
    let client = SocketAddr::new(client.ip().to_canonical(), client.port());
    let forwarded_for = HeaderValue::from_maybe_shared(Bytes::from(client.ip().to_string()))
        .unwrap_or(HeaderValue::from_static("unknown"));
    let connection = Arc::new(Connection {
        shared: shared.clone(),
        client,
        forwarded_for,
        pace,
    });
    let protocol = stream.protocol();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let connection = connection.clone();
        async move { Ok::<_, Infallible>(forward::respond(request, connection).await) }
    });
    let io = TokioIo::new(stream);
    let ended = match protocol {
        Protocol::Http1 => {
            drive(
                http1(&shared.limits).serve_connection(io, service),
                &shared.limits,
                &opened,
            )
            .await
        }
        Protocol::Http2 => {
            drive(
                http2(&shared.limits).serve_connection(io, service),
                &shared.limits,
                &opened,
            )
            .await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%client, %error, "connection failed");
    }
}

/// Waits until the client has said enough to tell what it speaks; false when there is nothing to serve. A client
/// that says nothing at all, or leaves, is owed no answer.
async fn begins(stream: &mut ClientStream<TcpStream>, limits: &Limits, opened: &Opened) -> bool {
    let pace = opened.pace();
    let mut detecting = pin!(stream.detect());
    let mut alarm = pin!(tokio::time::sleep(limits.keep_alive_timeout));
    poll_fn(|cx| {
        pace.driver.register(cx.waker());
        if opened.phase() != Phase::Open {
            return Poll::Ready(false);
        }
        if let Poll::Ready(detected) = detecting.as_mut().poll(cx) {
            return Poll::Ready(detected.unwrap_or(false));
        }
        Poll::Ready(match ready!(poll_overdue(alarm.as_mut(), pace, limits, cx)) {
            Overdue::Head => {
                pace.refuse_head();
                true
            }
            Overdue::Idle | Overdue::Write | Overdue::Look => false,
        })
    })
    .await
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Kept by `Pace`, which can tell an idle connection from a slow head and answers the latter.
        .header_read_timeout(None)
        .max_headers(limits.header_lines * HEADER_LINES_SLACK)
        .max_buf_size(limits.header_block + limits.uri + HEAD_SLACK);
    builder
}

fn http2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let overhead = limits.header_lines * HEADER_LINES_SLACK * HTTP2_HEADER_OVERHEAD;
    let header_list = limits.header_block + limits.uri + HEAD_SLACK + overhead;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(header_list).unwrap_or(u32::MAX))
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .max_send_buf_size(HTTP2_SEND_BUFFER);
    builder
}

/// What both of hyper's connections can do.
trait Closing: Future<Output = hyper::Result<()>> {
    /// Takes no new requests, finishes those it has, then ends.
    fn close(self: Pin<&mut Self>);
}

impl<I, B, S> Closing for http1::Connection<I, S>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn close(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, B, S, E> Closing for http2::Connection<I, S, E>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn close(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Polls a connection to its end, and ends it when it is overdue or the gateway closes.
async fn drive(connection: impl Closing, limits: &Limits, opened: &Opened) -> hyper::Result<()> {
    let pace = opened.pace();
    let mut connection = pin!(connection);
    let mut alarm = pin!(tokio::time::sleep(limits.keep_alive_timeout));
    let mut closing = false;
    poll_fn(|cx| {
        pace.driver.register(cx.waker());
        match opened.phase() {
            Phase::Cut => return Poll::Ready(Ok(())),
            Phase::Draining if !closing => {
                closing = true;
                connection.as_mut().close();
            }
            Phase::Draining | Phase::Open => {}
        }
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            match ready!(poll_overdue(alarm.as_mut(), pace, limits, cx)) {
                Overdue::Idle if !closing => {
                    closing = true;
                    pace.closing();
                    connection.as_mut().close();
                }
                Overdue::Head if !pace.head_refused() => pace.refuse_head(),
                Overdue::Look => pace.ask_to_look(),
                Overdue::Idle | Overdue::Head | Overdue::Write => return Poll::Ready(Ok(())),
            }
        }
    })
    .await
}

/// One timer for the life of the connection, set anew when it goes off rather than at every change: all but the
/// start of a head only move the due time back.
fn poll_overdue(
    mut alarm: Pin<&mut Sleep>,
    pace: &Pace,
    limits: &Limits,
    cx: &mut Context<'_>,
) -> Poll<Overdue> {
    loop {
        let due = pace.due(limits);
        if let Some((at, _)) = due
            && at < alarm.deadline()
        {
            alarm.as_mut().reset(at);
        }
        ready!(alarm.as_mut().poll(cx));
        match due {
            Some((at, overdue)) if at <= Instant::now() => return Poll::Ready(overdue),
            Some((at, _)) => alarm.as_mut().reset(at),
            None => alarm.as_mut().reset(Instant::now() + limits.keep_alive_timeout),
        }
    }
}
