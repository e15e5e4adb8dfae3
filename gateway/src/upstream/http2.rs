//! HTTP/2 to a target, gRPC included: few connections, many requests at once on each.

mod body;

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::{
    HeaderValue, Request, Response, Uri, Version, header,
    uri::{Authority, PathAndQuery, Scheme},
};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    sync::{Mutex as AsyncMutex, watch},
    time::{Instant, sleep},
};

use self::body::{Http2Body, Watched};
use super::{
    UpstreamSpec, chain,
    connect::{Connector, Place},
    failure,
    silence::{Activity, Silence},
};
use crate::{
    body::Body,
    target::{TargetError, TargetErrorKind},
};

/// Requests at once on one connection before another is opened. Most servers allow a hundred or more.
const STREAMS_PER_CONNECTION: u32 = 100;

/// What is taken for the target's bound on requests before it has told it; nobody would tell this one.
const UNTOLD: usize = 0x7fff_fffe;

/// How long to wait for a target's SETTINGS; without, it gets as many requests as any.
const SETTINGS_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections that may close before a request was begun on them, until it is given up.
const MAX_UNSENT: u32 = 3;

/// What a target may send before the client has taken it: one connection's bound on buffered responses.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// The same for one request.
const STREAM_WINDOW: u32 = 256 * 1024;

/// How often a target is asked whether it is still there, while it has requests: without, a machine that is gone would
/// hold them until they time out.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// The connections to one target.
pub(super) struct Http2 {
    connector: Connector,
    scheme: Scheme,
    /// The target's own host and port.
    host: HeaderValue,
    connections: Arc<Mutex<Vec<Connection>>>,
    /// Held while one connects, so that a burst of requests opens one connection and not one each. What the last
    /// attempt ended in, and when.
    connecting: AsyncMutex<Option<(Instant, TargetError)>>,
    idle_timeout: Duration,
    keep_alive: Duration,
    response_head: usize,
}

#[derive(Clone)]
struct Connection {
    sender: http2::SendRequest<Watched>,
    /// How many requests at once the target allows.
    streams: watch::Receiver<usize>,
    requests: Arc<AtomicU32>,
}

/// A request's place on its connection.
struct Taken(Arc<AtomicU32>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    /// How many more requests it takes.
    fn room(&self) -> u32 {
        let allowed = u32::try_from(*self.streams.borrow()).unwrap_or(u32::MAX);
        // Who allows none takes at least the one that the connection was opened for.
        let most = allowed.clamp(1, STREAMS_PER_CONNECTION);
        most.saturating_sub(self.requests.load(Ordering::Relaxed))
    }
}

impl Http2 {
    pub(super) fn new(spec: &UpstreamSpec, connector: Connector) -> Self {
        Self {
            connector,
            scheme: if spec.url.is_https() {
                Scheme::HTTPS
            } else {
                Scheme::HTTP
            },
            host: spec.own_host(),
            connections: Arc::default(),
            connecting: AsyncMutex::default(),
            idle_timeout: spec.idle_timeout,
            keep_alive: spec.keep_alive,
            response_head: spec.response_head,
        }
    }

    pub(super) fn in_flight(&self) -> u32 {
        let connections = self.lock();
        let requests = |connection: &Connection| connection.requests.load(Ordering::Relaxed);
        connections.iter().map(requests).sum()
    }

    pub(super) async fn call(&self, request: Request<Body>) -> Result<Response<Body>, TargetError> {
        let activity = Activity::new();
        let mut request = self.prepare(request)?.map(|body| Watched {
            body,
            activity: activity.clone(),
        });
        for _ in 0..MAX_UNSENT {
            let (mut connection, taken) = self.connection().await?;
            let sent = connection.sender.try_send_request(request);
            match wait(sent, &activity, self.idle_timeout).await? {
                Ok(response) => return Ok(stream(response, taken, &activity, self.idle_timeout)),
                // The connection closed before the request was begun.
                Err(mut error) => match error.take_message() {
                    Some(back) => request = back,
                    None => return Err(broken(&error.into_error())),
                },
            }
        }
        let reason = format!("the target closed {MAX_UNSENT} connections at once");
        Err(failure(TargetErrorKind::Unreachable, reason))
    }

    /// One request on a connection that is closed after it. It needs no place: a target that is busy is not ill.
    pub(super) async fn probe(
        &self,
        request: Request<Body>,
        port: u16,
    ) -> Result<Response<Body>, TargetError> {
        let activity = Activity::new();
        let request = self.prepare(request)?.map(|body| Watched {
            body,
            activity: activity.clone(),
        });
        let (mut connection, taken) = take(&self.open(port, None).await?);
        let sent = connection.sender.try_send_request(request);
        let answered = wait(sent, &activity, self.idle_timeout).await?;
        let response = answered.map_err(|error| broken(&error.into_error()))?;
        Ok(stream(response, taken, &activity, self.idle_timeout))
    }

    /// HTTP/2 has the host in the URI.
    fn prepare(&self, mut request: Request<Body>) -> Result<Request<Body>, TargetError> {
        let host = request.headers_mut().remove(header::HOST);
        let host = host
            .as_ref()
            .filter(|host| !host.is_empty())
            .unwrap_or(&self.host);
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Authority::try_from(host.as_bytes()).ok();
        parts
            .path_and_query
            .get_or_insert_with(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from_parts(parts).map_err(|error| {
            let reason = format!("the request cannot be made over HTTP/2: {error}");
            failure(TargetErrorKind::Unreachable, reason)
        })?;
        *request.version_mut() = Version::HTTP_2;
        Ok(request)
    }

    /// A connection with room for one more request.
    async fn connection(&self) -> Result<(Connection, Taken), TargetError> {
        if let Some(connection) = self.with_room() {
            return Ok(connection);
        }
        let asked = Instant::now();
        let mut last = self.connecting.lock().await;
        // Somebody else may have connected meanwhile, or found that nobody can.
        if let Some(connection) = self.with_room() {
            return Ok(connection);
        }
        if let Some((at, error)) = &*last
            && *at >= asked
        {
            return Err(error.clone());
        }
        match self.open_another().await {
            Ok(connection) => {
                let taken = take(&connection);
                self.lock().push(connection.clone());
                tokio::spawn(close_when_idle(
                    Arc::downgrade(&self.connections),
                    connection.requests,
                    self.keep_alive,
                ));
                Ok(taken)
            }
            Err(error) => {
                *last = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn with_room(&self) -> Option<(Connection, Taken)> {
        let mut connections = self.lock();
        connections.retain(|connection| !connection.sender.is_closed());
        let room = |connection: &&Connection| connection.room();
        let emptiest = connections.iter().max_by_key(room)?;
        (emptiest.room() > 0).then(|| take(emptiest))
    }

    /// A connection for as many requests as the target allows on one.
    async fn open_another(&self) -> Result<Connection, TargetError> {
        let place = self.connector.place()?;
        let mut connection = self.open(self.connector.url().port(), Some(place)).await?;
        // It is the first thing a target says, and who is beyond its bound would wait for those before.
        let told = connection.streams.wait_for(|streams| *streams != UNTOLD);
        let _ = tokio::time::timeout(SETTINGS_TIMEOUT, told).await;
        Ok(connection)
    }

    async fn open(&self, port: u16, place: Option<Place>) -> Result<Connection, TargetError> {
        let stream = self.connector.connect(port).await?;
        let (sender, driver) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW)
            .max_header_list_size(u32::try_from(self.response_head).unwrap_or(u32::MAX))
            .keep_alive_interval(PING_INTERVAL)
            .initial_max_send_streams(UNTOLD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failure(TargetErrorKind::Unreachable, chain(&error)))?;
        let (told, streams) = watch::channel(UNTOLD);
        tokio::spawn(drive(driver, told, place));
        Ok(Connection {
            sender,
            streams,
            requests: Arc::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends when the target closes, or all senders and requests are gone.
async fn drive(
    mut driver: http2::Connection<TokioIo<super::stream::Stream>, Watched, TokioExecutor>,
    streams: watch::Sender<usize>,
    _place: Option<Place>,
) {
    let ended = poll_fn(|cx| {
        let polled = Pin::new(&mut driver).poll(cx);
        // The target may change it at any time.
        let allowed = driver.current_max_send_streams();
        streams.send_if_modified(|known| std::mem::replace(known, allowed) != allowed);
        polled
    });
    if let Err(error) = ended.await {
        tracing::debug!(%error, "a connection to a target failed");
    }
}

/// Lets go of a connection that has had no request for as long as it may be kept.
async fn close_when_idle(
    connections: std::sync::Weak<Mutex<Vec<Connection>>>,
    requests: Arc<AtomicU32>,
    keep_alive: Duration,
) {
    let mut was_idle = false;
    loop {
        sleep(keep_alive).await;
        let Some(connections) = connections.upgrade() else {
            return;
        };
        let mut connections = connections.lock().unwrap_or_else(PoisonError::into_inner);
        let is_this = |connection: &Connection| Arc::ptr_eq(&connection.requests, &requests);
        if !connections.iter().any(is_this) {
            return;
        }
        // Requests are given their place under the lock.
        let is_idle = requests.load(Ordering::Relaxed) == 0;
        if is_idle && was_idle {
            connections.retain(|connection| !is_this(connection));
            return;
        }
        was_idle = is_idle;
    }
}

fn take(connection: &Connection) -> (Connection, Taken) {
    connection.requests.fetch_add(1, Ordering::Relaxed);
    (connection.clone(), Taken(connection.requests.clone()))
}

/// Waits for an answer, unless both sides fall silent.
async fn wait<T>(
    answer: impl Future<Output = T>,
    activity: &Activity,
    allowed: Duration,
) -> Result<T, TargetError> {
    let mut silence = Silence::new(activity.clone(), allowed);
    silence.begin();
    let mut answer = std::pin::pin!(answer);
    poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Ok(answer)),
        Poll::Pending => silence.poll(cx).map(Err),
    })
    .await
}

fn stream(
    response: Response<Incoming>,
    taken: Taken,
    activity: &Activity,
    allowed: Duration,
) -> Response<Body> {
    response.map(|incoming| Body::new(Http2Body::new(incoming, activity, allowed, taken)))
}

fn broken(error: &hyper::Error) -> TargetError {
    let reason = chain(error);
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(h2) = cause.downcast_ref::<h2::Error>() {
            // RFC 9113 8.7: nothing was done about it.
            if h2.reason() == Some(h2::Reason::REFUSED_STREAM) {
                return failure(
                    TargetErrorKind::Overloaded,
                    format!("the target refused the request: {reason}"),
                );
            }
        }
        source = cause.source();
    }
    failure(TargetErrorKind::Broken, format!("no response: {reason}"))
}
