//! A response on its way to the client: streamed as the client takes it, counted, logged at its end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{
    exchange::{Ending, Exchange},
    request_id::X_REQUEST_ID,
};
use crate::{
    body::{Body, BodyError},
    error::Cause,
    target::SharedProbe,
};

/// What hyper sends: a target's stream or an answer of the gateway's own. Dropping it half-way gives up the guest.
pub(crate) struct ResponseBody(Option<Streaming>);

struct Streaming {
    // Dropped before the exchange, which then reads what the request has cost in the end.
    source: Source,
    exchange: Box<Exchange>,
    /// Bytes after which nothing more will be asked for, if that is known.
    expected: Option<u64>,
    sent: u64,
}

enum Source {
    Own(Option<Bytes>),
    Target(Body),
}

/// Sends a target's response.
pub(super) fn stream(mut response: Response<Body>, mut exchange: Box<Exchange>) -> Response<ResponseBody> {
    let probe = response.extensions_mut().remove::<SharedProbe>();
    exchange.answered(response.status(), probe);
    if exchange.is_last() {
        say_last(response.headers_mut());
    }
    let expected = expected_length(&exchange.method, &response);
    response.map(|body| ResponseBody::new(Source::Target(body), exchange, expected))
}

/// Sends a whole response.
pub(super) fn own(mut response: Response<Bytes>, mut exchange: Box<Exchange>) -> Response<ResponseBody> {
    exchange.answered(response.status(), None);
    if exchange.is_last() {
        say_last(response.headers_mut());
    }
    let expected = if exchange.method == Method::HEAD {
        0
    } else {
        response.body().len() as u64
    };
    response.map(|body| ResponseBody::new(Source::Own(Some(body)), exchange, Some(expected)))
}

/// Sends the gateway's own error.
pub(super) fn refuse(cause: &Cause, mut exchange: Box<Exchange>) -> Response<ResponseBody> {
    exchange.refused(cause);
    let mut response = cause.response(exchange.request_id.to_str().unwrap_or_default());
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, exchange.request_id.clone());
    // With the rest of the body unread, or unclear where it ends, nothing can follow. HTTP/2 resets one stream.
    if exchange.version <= Version::HTTP_11 && response_is_last(cause) {
        say_last(response.headers_mut());
    }
    own(response, exchange)
}

/// No request follows on the connection.
fn say_last(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

fn response_is_last(cause: &Cause) -> bool {
    match cause {
        Cause::Malformed(_)
        | Cause::HeaderTooSlow
        | Cause::BodyTooSlow { .. }
        | Cause::BodyTooLarge { .. }
        | Cause::UriTooLong { .. }
        | Cause::HeadersTooLarge { .. }
        | Cause::TooManyHeaders { .. }
        | Cause::CodingRefused
        | Cause::VersionRefused => true,
        Cause::NoRule
        | Cause::TooManyForwarders { .. }
        | Cause::MethodRefused
        | Cause::NoTarget
        | Cause::NoHealthyTarget
        | Cause::HeldTooLong { .. }
        | Cause::TooManyHeld { .. }
        | Cause::ProtocolMismatch(_)
        | Cause::Deregistered
        | Cause::RuleTimeout { .. }
        | Cause::TooMuchWork
        | Cause::TransformFailed(_)
        | Cause::RedirectFailed(_)
        | Cause::Target(_) => false,
    }
}

fn expected_length(method: &Method, response: &Response<Body>) -> Option<u64> {
    let bodiless = matches!(
        response.status(),
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    if *method == Method::HEAD || bodiless {
        return Some(0);
    }
    content_length(response.headers()).or_else(|| response.body().size_hint().exact())
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl ResponseBody {
    /// Nothing: the connection is about to speak something else, and the exchange goes on there.
    pub(super) fn switching() -> Self {
        Self(None)
    }

    fn new(source: Source, mut exchange: Box<Exchange>, expected: Option<u64>) -> Self {
        if expected == Some(0) {
            exchange.ended(Ending::Complete);
        }
        exchange.offers();
        Self(Some(Streaming {
            source,
            exchange,
            expected,
            sent: 0,
        }))
    }
}

impl Streaming {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut frame = match &mut self.source {
            Source::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Target(body) => Pin::new(body).poll_frame(cx),
        };
        if frame.is_pending() && self.exchange.poll_cut(cx).is_ready() {
            frame = Poll::Ready(Some(Err(BodyError::Deregistered)));
        }
        match &frame {
            Poll::Ready(Some(Ok(_))) => self.exchange.offers(),
            Poll::Pending | Poll::Ready(_) => self.exchange.offers_nothing(),
        }
        match &frame {
            Poll::Pending => {}
            Poll::Ready(None) => self.exchange.ended(Ending::Complete),
            Poll::Ready(Some(Ok(frame))) => self.handed_over(frame),
            Poll::Ready(Some(Err(error))) => self.exchange.broke_off(error),
        }
        frame
    }

    /// hyper stops asking when it has all that was announced, or trailers, so the end may show in no other way.
    fn handed_over(&mut self, frame: &Frame<Bytes>) {
        self.sent += frame.data_ref().map_or(0, Bytes::len) as u64;
        self.exchange.response_bytes = self.sent;
        let is_all = self.expected.is_some_and(|expected| self.sent >= expected);
        if is_all || frame.is_trailers() || self.is_end_stream() {
            self.exchange.ended(Ending::Complete);
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Own(bytes) => bytes.is_none(),
            Source::Target(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Source::Target(body) => body.size_hint(),
        }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Some(streaming) => streaming.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Streaming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let nothing = || SizeHint::with_exact(0);
        self.0.as_ref().map_or_else(nothing, Streaming::size_hint)
    }
}
