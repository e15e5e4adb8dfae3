//! HTTP/1.1 to a target: a connection that is polled by whoever uses it.
//!
//! hyper splits a client's connection into a sender and a driver, and means the driver to be a task of its own. Here both
//! are polled by the request's task: a request then costs no spawn, no wake-up across threads, and a connection nobody
//! uses costs nothing but memory. What hyper's halves tell each other is polled with a waker that does nothing,
//! because the driver has just been polled or is about to be.

use std::{
    future::poll_fn,
    mem,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as _;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{task::coop::unconstrained, time::Instant};

use super::{
    UpstreamSpec,
    body::UpstreamBody,
    chain,
    connect::{Connector, Place},
    ensure_host, failure,
    pool::Pool,
    silence::Silence,
    stream::{Rewound, Stream},
};
use crate::{
    body::{self, Body, Upgraded},
    target::{LastOnConnection, TargetError, TargetErrorKind},
};

/// What a header line takes besides name and value, in bytes: `: ` and the end of the line.
const LINE_OVERHEAD: usize = 4;

/// The connections to one target.
pub(super) struct Http1 {
    connector: Connector,
    pool: Arc<Pool>,
    /// The target's own host and port.
    host: HeaderValue,
    idle_timeout: Duration,
    response_head: usize,
}

impl Http1 {
    pub(super) fn new(spec: &UpstreamSpec, connector: Connector) -> Self {
        Self {
            connector,
            pool: Pool::new(spec.keep_alive),
            host: spec.own_host(),
            idle_timeout: spec.idle_timeout,
            response_head: spec.response_head,
        }
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.connector.open_connections().saturating_sub(self.pool.len())
    }

    pub(super) async fn call(&self, mut request: Request<Body>) -> Result<Response<Body>, TargetError> {
        ensure_host(&mut request, &self.host);
        announce_body(&mut request);
        let pool = self.pool_after(&mut request);
        while let Some(kept) = self.pool.take() {
            match kept.send(request, pool, Age::Kept).await {
                Ok(response) => return Ok(response),
                // It closed before anything was written.
                Err(Unanswered::Unsent(back)) => request = *back,
                Err(Unanswered::Failed(error)) => return Err(error),
            }
        }
        let port = self.connector.url().port();
        let place = self.connector.place()?;
        let fresh = self.open(port, Some(place)).await?;
        let answered = fresh.send(request, pool, Age::Fresh).await;
        answered.map_err(Unanswered::into_error)
    }

    /// Where the connection goes after this request, if not away.
    fn pool_after(&self, request: &mut Request<Body>) -> Option<&Arc<Pool>> {
        if request.extensions_mut().remove::<LastOnConnection>().is_none() {
            return Some(&self.pool);
        }
        let headers = request.headers_mut();
        // A connection that is upgraded serves nobody else, and its header says something already.
        if !headers.contains_key(header::UPGRADE) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        None
    }

    /// One request on a connection that is closed after it. It needs no place: a target that is busy is not ill.
    pub(super) async fn probe(
        &self,
        mut request: Request<Body>,
        port: u16,
    ) -> Result<Response<Body>, TargetError> {
        ensure_host(&mut request, &self.host);
        let close = HeaderValue::from_static("close");
        request.headers_mut().insert(header::CONNECTION, close);
        let fresh = self.open(port, None).await?;
        let answered = fresh.send(request, None, Age::Fresh).await;
        answered.map_err(Unanswered::into_error)
    }

    async fn open(&self, port: u16, place: Option<Place>) -> Result<Box<Connection>, TargetError> {
        let stream = self.connector.connect(port).await?;
        let silence = Silence::new(stream.activity(), self.idle_timeout);
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(self.response_head)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failure(TargetErrorKind::Broken, chain(&error)))?;
        Ok(Box::new(Connection {
            sender,
            driver,
            is_over: false,
            silence,
            idle_since: Instant::now(),
            idle_timeout: self.idle_timeout,
            response_head: self.response_head,
            _place: place,
        }))
    }
}

/// Whether a connection has served a request before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Fresh,
    Kept,
}

/// Why there is no response.
enum Unanswered {
    /// The connection was closed; the request was not begun.
    Unsent(Box<Request<Body>>),
    Failed(TargetError),
}

impl Unanswered {
    fn into_error(self) -> TargetError {
        match self {
            Self::Failed(error) => error,
            Self::Unsent(_) => failure(
                TargetErrorKind::Unreachable,
                "the target closed the connection at once",
            ),
        }
    }
}

/// One connection. Dropping it closes it.
pub(super) struct Connection {
    sender: http1::SendRequest<Body>,
    driver: http1::Connection<TokioIo<Stream>, Body>,
    /// The driver has ended.
    is_over: bool,
    silence: Silence,
    idle_since: Instant,
    idle_timeout: Duration,
    response_head: usize,
    _place: Option<Place>,
}

impl Connection {
    async fn send(
        mut self: Box<Self>,
        request: Request<Body>,
        pool: Option<&Arc<Pool>>,
        age: Age,
    ) -> Result<Response<Body>, Unanswered> {
        self.silence.begin();
        // Unconstrained: a budget that is used up would be told to a waker that does nothing.
        let mut answer = pin!(unconstrained(self.sender.try_send_request(request)));
        let mut waited = false;
        let answered = poll_fn(|cx| {
            // Whoever waited was woken for the answer, most often. hyper's halves keep the waker for what comes after it, the
            // body, and would wake this very task for it: polled as for nobody, it is spared a round.
            if mem::replace(&mut waited, true) {
                self.poll_driver(&mut nobody());
                if let Poll::Ready(answered) = answer.as_mut().poll(&mut nobody()) {
                    return Poll::Ready(Ok(answered));
                }
            }
            self.poll_driver(cx);
            if let Poll::Ready(answered) = answer.as_mut().poll(&mut nobody()) {
                return Poll::Ready(Ok(answered));
            }
            self.silence.poll(cx).map(Err)
        })
        .await
        .map_err(Unanswered::Failed)?;
        match answered {
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                self.upgrade(response).await.map_err(Unanswered::Failed)
            }
            Ok(response) if head_size(&response) > self.response_head => {
                let reason = format!(
                    "the head of the response is larger than {} bytes",
                    self.response_head
                );
                Err(Unanswered::Failed(failure(
                    TargetErrorKind::InvalidResponse,
                    reason,
                )))
            }
            Ok(response) => Ok(self.stream(response, pool)),
            Err(mut error) => Err(match error.take_message() {
                Some(request) => Unanswered::Unsent(Box::new(request)),
                None => Unanswered::Failed(broken(&error.into_error(), age)),
            }),
        }
    }

    fn stream(self: Box<Self>, response: Response<Incoming>, pool: Option<&Arc<Pool>>) -> Response<Body> {
        let (head, incoming) = response.into_parts();
        if incoming.is_end_stream() {
            if let Some(pool) = pool {
                pool.put(self);
            }
            return Response::from_parts(head, body::empty());
        }
        let body = UpstreamBody::new(incoming, self, pool.cloned());
        Response::from_parts(head, Body::new(body))
    }

    /// Takes the connection out of HTTP.
    async fn upgrade(
        mut self: Box<Self>,
        response: Response<Incoming>,
    ) -> Result<Response<Body>, TargetError> {
        poll_fn(|cx| {
            self.poll_driver(cx);
            if self.is_over {
                return Poll::Ready(Ok(()));
            }
            self.silence.poll(cx).map(Err)
        })
        .await?;
        let Self {
            driver,
            idle_timeout,
            _place: place,
            ..
        } = *self;
        let parts = driver.into_parts();
        let stream = Rewound {
            first: parts.read_buf,
            rest: parts.io.into_inner(),
            _place: place,
        };
        let mut response = response.map(|_| body::empty());
        response
            .extensions_mut()
            .insert(Upgraded::new(stream, idle_timeout));
        Ok(response)
    }

    /// Moves bytes, and what hyper makes of them, as far as they go.
    pub(super) fn poll_driver(&mut self, cx: &mut Context<'_>) {
        if !self.is_over && self.driver.poll_without_shutdown(cx).is_ready() {
            // How it ended is told to the one who waits for the response or its body.
            self.is_over = true;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<TargetError> {
        self.silence.poll(cx)
    }

    /// Whether it can take a request now: the last one is over and done with, and the target has not closed.
    pub(super) fn is_ready(&mut self) -> bool {
        self.poll_driver(&mut nobody());
        !self.is_over && self.sender.is_ready()
    }

    pub(super) fn is_idle_since(&mut self, now: Instant) {
        self.idle_since = now;
    }

    pub(super) fn idle_since(&self) -> Instant {
        self.idle_since
    }
}

/// hyper takes a GET or HEAD that says nothing of its body for one that has none.
fn announce_body(request: &mut Request<Body>) {
    let has_body = !request.body().is_end_stream();
    let headers = request.headers_mut();
    if has_body && !headers.contains_key(header::CONTENT_LENGTH) {
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// hyper's bound is on what it reads at once, which may be a little more than the head's.
fn head_size(response: &Response<Incoming>) -> usize {
    let lines = response.headers().iter();
    lines
        .map(|(name, value)| name.as_str().len() + value.len() + LINE_OVERHEAD)
        .sum()
}

/// Nobody waits.
pub(super) fn nobody() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// What hyper's error means for the request.
fn broken(error: &hyper::Error, age: Age) -> TargetError {
    let kind = if error.is_parse() || error.is_parse_too_large() {
        TargetErrorKind::InvalidResponse
    } else if age == Age::Kept {
        TargetErrorKind::Stale
    } else {
        TargetErrorKind::Broken
    };
    failure(kind, format!("no response: {}", chain(error)))
}
