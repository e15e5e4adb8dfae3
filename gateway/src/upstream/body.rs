//! The body of a target's response. At its end the connection goes back to wait for the next request.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::{
    chain, failure,
    http1::{Connection, nobody},
    pool::Pool,
};
use crate::{body::BodyError, target::TargetErrorKind};

/// A body that moves its connection along when it is polled.
pub(super) struct UpstreamBody {
    incoming: Incoming,
    /// Until the body's end.
    connection: Option<Box<Connection>>,
    /// Where the connection is kept then, if it is.
    pool: Option<Arc<Pool>>,
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

impl UpstreamBody {
    pub(super) fn new(incoming: Incoming, connection: Box<Connection>, pool: Option<Arc<Pool>>) -> Self {
        Self {
            incoming,
            connection: Some(connection),
            pool,
        }
    }

    fn poll_incoming(&mut self) -> Polled {
        let polled = Pin::new(&mut self.incoming).poll_frame(&mut nobody());
        polled.map(|frame| frame.map(|frame| frame.map_err(|error| broken(&error))))
    }

    /// Lets go of the connection when nothing more will come.
    fn after(&mut self, polled: Polled) -> Polled {
        match &polled {
            Poll::Ready(Some(Err(_))) => self.connection = None,
            Poll::Ready(_) if self.incoming.is_end_stream() => self.give_back(),
            Poll::Ready(None) => self.give_back(),
            // Nothing follows them, and who passes them on asks no more.
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => self.give_back(),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }

    fn give_back(&mut self) {
        if let (Some(connection), Some(pool)) = (self.connection.take(), &self.pool) {
            pool.put(connection);
        }
    }
}

fn broken(error: &hyper::Error) -> BodyError {
    let reason = format!("the target's response broke off: {}", chain(error));
    BodyError::Target(failure(TargetErrorKind::Broken, reason))
}

impl HttpBody for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let mut polled = self.poll_incoming();
        if polled.is_pending()
            && let Some(connection) = &mut self.connection
        {
            connection.poll_driver(cx);
            polled = self.poll_incoming();
        }
        if polled.is_pending()
            && let Some(connection) = &mut self.connection
        {
            if connection.is_over() {
                let reason = "the target's response broke off: the connection is closed";
                let error = failure(TargetErrorKind::Broken, reason);
                polled = Poll::Ready(Some(Err(BodyError::Target(error))));
            } else {
                polled = connection
                    .poll_silence(cx)
                    .map(|error| Some(Err(BodyError::Target(error))));
            }
        }
        self.after(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
