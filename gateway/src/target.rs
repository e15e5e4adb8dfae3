//! What can answer a request: the one seam between the gateway and whatever stands behind it.
//!
//! The gateway knows no Wasm. Whoever owns the instances implements [`Target`] and registers it with a
//! [`crate::TargetGroup`].

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::{Request, Response};

use crate::{body::Body, health::HealthPort};

/// Something that answers requests.
///
/// The request has an origin-form URI (path and query), exactly one `Host` header (the authority the client
/// asked for; none only with HTTP/1.0), the client's HTTP version, no hop-by-hop headers, and the `X-Forwarded-*` and `X-Request-Id` headers of
/// this hop.
///
/// A response may carry an `Arc<dyn UsageProbe>` in its extensions: the access log reads it when the body has
/// ended.
pub trait Target: Send + Sync + 'static {
    /// Answers one request. Dropping the future, or the body of its response, gives the request up.
    ///
    /// It is polled on the connection's thread, so it must never hold it for long.
    fn call(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TargetError>>;

    /// What it speaks. A request that does not fit is answered 464 and never reaches it.
    fn protocol(&self) -> TargetProtocol {
        TargetProtocol::Any
    }

    /// Answers a health check. A target that has ports is asked on that one; a task has none, and is called.
    fn probe(
        &self,
        request: Request<Body>,
        _port: HealthPort,
    ) -> BoxFuture<'_, Result<Response<Body>, TargetError>> {
        self.call(request)
    }

    /// How busy it is now.
    fn load(&self) -> Load;

    /// Whether it should get requests at all, from what it has seen of itself. Must be cheap.
    fn condition(&self) -> Condition;
}

/// What a target speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetProtocol {
    /// Whatever the client does: a task, which sees requests, not bytes.
    Any,
    /// HTTP/1.1, upgrades (WebSocket) included: a 101 carries an [`crate::body::Upgraded`] in its extensions.
    Http1,
    /// HTTP/2.
    Http2,
    /// gRPC, over HTTP/2.
    Grpc,
}

/// In the extensions of a request: another party may see another request in what follows it, so the connection that it
/// goes to its target on is to carry nothing else. Only HTTP/1 knows such doubts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastOnConnection;

/// How busy a target is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Requests being answered.
    pub in_flight: u32,
    /// Requests waiting for their turn.
    pub queued: u32,
    /// What is left of its CPU allowance, from 0 (paused until it gets more) to 1.
    pub cpu_credit: f32,
}

/// A target's own verdict on itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Ready for requests.
    Fit,
    /// Not to be used while others are fit; the text says why.
    Unfit(String),
}

/// What a request cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time, in microseconds. None when it cannot be told apart from other requests'.
    pub cpu_us: Option<u64>,
    /// The most memory held at once, in bytes.
    pub peak_memory: Option<u64>,
}

/// Tells what a request has cost so far.
pub trait UsageProbe: Send + Sync {
    /// The cost up to now.
    fn usage(&self) -> Usage;
}

/// The form in which a response carries its probe: put it into the extensions as this very type.
pub type SharedProbe = Arc<dyn UsageProbe>;

/// Why a target gave no response, or not all of one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct TargetError {
    /// Decides the status ([`crate::error`] has the table).
    pub kind: TargetErrorKind,
    /// For the access log; the client never sees it.
    pub reason: String,
    /// What the request cost until then.
    pub usage: Usage,
}

/// The ways a target fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetErrorKind {
    /// Too many requests wait already.
    QueueFull {
        /// When to try again.
        retry_after: Duration,
    },
    /// The request's deadline passed while it waited its turn.
    QueueDeadline,
    /// The request's deadline passed while it was being answered.
    Deadline,
    /// The request used up its CPU time.
    CpuTimeout,
    /// The code stopped on a fault.
    Trapped,
    /// The code ended its own process.
    Exited,
    /// The code returned without a response.
    NoResponse,
    /// The response is not valid HTTP.
    InvalidResponse,
    /// The request needed more memory than the target has.
    OutOfMemory,
    /// A secret it needs cannot be had.
    SecretUnavailable,
    /// It is going away and takes no more requests; this one was not begun.
    Stopping,
    /// It went away with the request under way.
    Stopped,
    /// Nothing is left to answer the request with; it was not begun.
    Overloaded,
    /// There is no way to it: its name, its address, its port, TLS. Nothing was sent.
    Unreachable,
    /// No connection came about in time. Nothing was sent.
    ConnectTimeout,
    /// The connection ended, or said something that is no HTTP, before a response was there.
    Broken,
    /// The same on a connection that had served a request before: it may have been closing already.
    Stale,
    /// It was silent for too long.
    IdleTimeout,
}

/// Whether a request that ended in an error may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It never reached the target.
    Always,
    /// It may have done something: only if doing that twice is doing it once.
    IfHarmless,
    /// It was answered, in a way; another target would answer the same, or too late.
    Never,
}

impl TargetErrorKind {
    pub(crate) fn repeat(self) -> Repeat {
        match self {
            Self::QueueFull { .. }
            | Self::Stopping
            | Self::Overloaded
            | Self::Unreachable
            | Self::ConnectTimeout => Repeat::Always,
            Self::Stopped | Self::Broken | Self::Stale => Repeat::IfHarmless,
            Self::QueueDeadline
            | Self::Deadline
            | Self::CpuTimeout
            | Self::Trapped
            | Self::Exited
            | Self::NoResponse
            | Self::InvalidResponse
            | Self::OutOfMemory
            | Self::SecretUnavailable
            | Self::IdleTimeout => Repeat::Never,
        }
    }
}
