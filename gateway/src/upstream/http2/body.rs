//! The bodies of requests and responses over HTTP/2: what moves them notes the time.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::Taken;
use crate::{
    body::{Body, BodyError},
    target::TargetErrorKind,
    upstream::{
        chain, failure,
        silence::{Activity, Silence},
    },
};

/// A request's body; its bytes count as something being said.
pub(super) struct Watched {
    pub(super) body: Body,
    pub(super) activity: Activity,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.activity.note();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response's body.
pub(super) struct Http2Body {
    incoming: Incoming,
    activity: Activity,
    allowed: Duration,
    /// Made when the target is waited for.
    silence: Option<Silence>,
    _taken: Taken,
}

impl Http2Body {
    pub(super) fn new(incoming: Incoming, activity: &Activity, allowed: Duration, taken: Taken) -> Self {
        Self {
            incoming,
            activity: activity.clone(),
            allowed,
            silence: None,
            _taken: taken,
        }
    }
}

impl HttpBody for Http2Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.activity.note();
                Poll::Ready(frame.map(|frame| {
                    frame.map_err(|error| {
                        let reason = format!("the target's response broke off: {}", chain(&error));
                        BodyError::Target(failure(TargetErrorKind::Broken, reason))
                    })
                }))
            }
            Poll::Pending => {
                let Self {
                    silence,
                    activity,
                    allowed,
                    ..
                } = &mut *self;
                let silence = silence.get_or_insert_with(|| Silence::new(activity.clone(), *allowed));
                silence.poll(cx).map(|error| Some(Err(BodyError::Target(error))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
