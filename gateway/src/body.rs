//! The body that passes between gateway and targets: boxed once, streamed, never collected.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::target::TargetError;

/// A streamed body, of a request on its way to a target or of a response on its way back.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The request's body is larger than the gateway allows.
    #[error("the request body is larger than {limit} bytes")]
    TooLarge {
        /// The bound, in bytes.
        limit: u64,
    },
    /// The client did not send the next piece in time.
    #[error("the client sent nothing of its request body for {}", crate::body::Seconds(*waited))]
    TooSlow {
        /// How long the gateway waited.
        waited: Duration,
    },
    /// The client left, or broke the protocol, while it was sending.
    #[error("the client's request body broke off")]
    Client(#[source] hyper::Error),
    /// The target was deregistered, and its time to finish is over.
    #[error("the target was deregistered, and the delay it was given is over")]
    Deregistered,
    /// The target failed after the head of its response was out.
    #[error("{0}")]
    Target(TargetError),
}

/// Bytes both ways, whatever they mean.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// The connection to a target that has answered 101 and speaks something other than HTTP from now on. It travels in the
/// extensions of the response.
#[derive(Clone)]
pub struct Upgraded {
    stream: Arc<Mutex<Option<Box<dyn ByteStream>>>>,
    idle_timeout: Duration,
}

impl Upgraded {
    /// Hands over a connection, with whatever was read of it already in front. It is closed when neither side sends
    /// anything for `idle_timeout`.
    pub fn new(stream: impl ByteStream + 'static, idle_timeout: Duration) -> Self {
        Self {
            stream: Arc::new(Mutex::new(Some(Box::new(stream)))),
            idle_timeout,
        }
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        self.idle_timeout
    }

    /// The connection, for the first who asks.
    pub(crate) fn take(&self) -> Option<Box<dyn ByteStream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").finish_non_exhaustive()
    }
}

/// A duration printed in seconds.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

impl From<Infallible> for BodyError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A body without a byte. Boxing it allocates nothing: it has no size.
#[must_use]
pub fn empty() -> Body {
    Body::new(Nothing)
}

/// A body held in memory as a whole.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Body::new(Full::new(bytes.into()).map_err(BodyError::from))
}

struct Nothing;

impl HttpBody for Nothing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}
