//! What can answer a request: the one seam between the gateway and whatever stands behind it.
//!
//! The gateway knows no Wasm. Whoever owns the instances implements [`Target`] and registers it with a
//! [`crate::TargetGroup`].

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::{Request, Response};

use crate::body::Body;

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

    /// How busy it is now.
    fn load(&self) -> Load;

    /// Whether it should get requests at all, from what it has seen of itself. Must be cheap.
    fn condition(&self) -> Condition;
}

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
    /// It is going away and takes no more requests.
    Stopping,
    /// The host has nothing left to run it with.
    Overloaded,
}
