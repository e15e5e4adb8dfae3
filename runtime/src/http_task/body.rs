//! The body of an answer, and the guest that still writes it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::flight::RequestUsage;

/// A guest's answer. Dropped before its end, it drops the guest.
#[derive(Debug)]
pub struct GuestBody {
    body: HyperOutgoingBody,
    usage: RequestUsage,
    remainder: Option<Remainder>,
    /// Bytes still to come by the answer's own account, where it gave one.
    missing: Option<u64>,
    ended: bool,
}

/// The guest failed after it had sent its head: the body is not whole.
#[derive(Debug, thiserror::Error)]
#[error("the guest's answer ended early: {0}")]
pub struct BodyError(String);

impl GuestBody {
    pub(super) fn attach(
        response: Response<HyperOutgoingBody>,
        body_expected: bool,
        remainder: Option<Remainder>,
        usage: RequestUsage,
    ) -> Response<Self> {
        let (mut parts, body) = response.into_parts();
        let bodiless = !body_expected
            || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || parts.status.is_informational();
        let missing = declared_length(&parts.headers);
        let ended = bodiless || missing == Some(0) || body.is_end_stream();
        parts.extensions.insert(usage.clone());
        Response::from_parts(
            parts,
            Self {
                body,
                usage,
                remainder,
                missing,
                ended,
            },
        )
    }

    fn count(&mut self, frame: &Frame<Bytes>) {
        // Nothing follows trailers: nobody asks for more.
        self.ended |= frame.is_trailers();
        if let (Some(missing), Some(data)) = (self.missing.as_mut(), frame.data_ref()) {
            *missing = missing.saturating_sub(data.len() as u64);
            // Whoever knows the length stops reading here.
            self.ended |= *missing == 0;
        }
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Body for GuestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        Pin::new(&mut this.body).poll_frame(cx).map(|frame| match frame {
            None => match this.usage.failure() {
                // The guest went without finishing its body, which the engine takes for an end.
                Some(failure) if !this.ended => Some(Err(BodyError(failure))),
                _ => {
                    this.ended = true;
                    None
                }
            },
            Some(Ok(frame)) => {
                this.count(&frame);
                Some(Ok(frame))
            }
            Some(Err(error)) => Some(Err(BodyError(
                this.usage.failure().unwrap_or_else(|| error.to_string()),
            ))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for GuestBody {
    /// A guest whose answer was read to its end may finish what it does afterwards; one whose reader left may not.
    fn drop(&mut self) {
        if let Some(remainder) = self.remainder.take().filter(|_| self.ended) {
            remainder.let_go();
        }
    }
}

/// The rest of a guest's run, in a task of its own that ends at the request's deadline.
#[derive(Debug)]
pub(super) struct Remainder(Option<JoinHandle<()>>);

impl Remainder {
    pub(super) fn new(handle: JoinHandle<()>) -> Self {
        Self(Some(handle))
    }

    fn let_go(mut self) {
        self.0 = None;
    }
}

impl Drop for Remainder {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.abort();
        }
    }
}
