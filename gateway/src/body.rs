//! The body that passes between gateway and targets: boxed once, streamed, never collected.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};

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
        waited: std::time::Duration,
    },
    /// The client left, or broke the protocol, while it was sending.
    #[error("the client's request body broke off")]
    Client(#[source] hyper::Error),
    /// The target failed after the head of its response was out.
    #[error("{0}")]
    Target(TargetError),
}

/// A duration printed in seconds.
pub(crate) struct Seconds(pub(crate) std::time::Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
