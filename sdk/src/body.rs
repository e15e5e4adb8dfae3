//! A body, coming in or going out.

use crate::{Error, Result, StatusCode};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use std::error::Error as StdError;
use wstd::http::BodyExt as _;
use wstd::http::body::util::combinators::UnsyncBoxBody;

/// A body. Made of bytes, of a text or of a stream; read whole or chunk by chunk; or passed on unread, and
/// then it never enters the guest's memory.
#[derive(Debug)]
pub struct Body(Inner);

#[derive(Debug)]
enum Inner {
    Untouched(wstd::http::Body),
    /// Reading has begun.
    Frames(UnsyncBoxBody<Bytes, wstd::http::Error>),
}

impl Body {
    /// The most that [`bytes`](Self::bytes), [`text`](Self::text) and the `json` methods collect: 8 MiB, a
    /// sixteenth of a task's default memory. Longer bodies are read with [`chunk`](Self::chunk) or
    /// [`bytes_up_to`](Self::bytes_up_to).
    pub const MAX_COLLECTED: usize = 8 * 1024 * 1024;

    /// Nothing.
    #[must_use]
    pub fn empty() -> Self {
        Bytes::new().into()
    }

    /// What a stream yields, sent as it comes. An error cuts the body short, which the client notices.
    pub fn from_stream<S, D, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<D, E>> + Send + 'static,
        D: Into<Bytes>,
        E: StdError + Send + Sync + 'static,
    {
        wstd::http::Body::from_try_stream(stream).into()
    }

    /// The next chunk, or None at the end.
    ///
    /// # Errors
    /// 400 if the body ends early.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let frames = self.frames();
        while let Some(frame) = frames.frame().await {
            // What isn't data is trailers.
            if let Ok(data) = frame.map_err(ended_early)?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// All of it, up to [`Body::MAX_COLLECTED`].
    ///
    /// # Errors
    /// 413 if it is longer, 400 if it ends early.
    pub async fn bytes(self) -> Result<Bytes> {
        self.bytes_up_to(Self::MAX_COLLECTED).await
    }

    /// All of it, up to a limit in bytes.
    ///
    /// # Errors
    /// 413 if it is longer, 400 if it ends early.
    pub async fn bytes_up_to(mut self, limit: usize) -> Result<Bytes> {
        let Some(first) = self.chunk().await? else {
            return Ok(Bytes::new());
        };
        check_length(first.len(), limit)?;
        let Some(second) = self.chunk().await? else {
            return Ok(first);
        };
        let mut all = BytesMut::from(first);
        let mut next = Some(second);
        while let Some(chunk) = next {
            check_length(all.len().saturating_add(chunk.len()), limit)?;
            all.extend_from_slice(&chunk);
            next = self.chunk().await?;
        }
        Ok(all.freeze())
    }

    /// All of it as text, up to [`Body::MAX_COLLECTED`].
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes); 400 if it isn't UTF-8.
    pub async fn text(self) -> Result<String> {
        String::from_utf8(self.bytes().await?.into())
            .map_err(|error| Error::new(StatusCode::BAD_REQUEST, format!("the body is not text: {error}")))
    }

    /// The length in bytes, where it is known beforehand.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match &self.0 {
            Inner::Untouched(body) => body.content_length(),
            Inner::Frames(_) => None,
        }
    }

    fn frames(&mut self) -> &mut UnsyncBoxBody<Bytes, wstd::http::Error> {
        if let Inner::Untouched(body) = &mut self.0 {
            let body = std::mem::replace(body, wstd::http::Body::empty());
            self.0 = Inner::Frames(body.into_boxed_body());
        }
        match &mut self.0 {
            Inner::Frames(frames) => frames,
            Inner::Untouched(_) => unreachable!("it was replaced above"),
        }
    }

    pub(crate) fn into_wstd(self) -> wstd::http::Body {
        match self.0 {
            Inner::Untouched(body) => body,
            Inner::Frames(frames) => wstd::http::Body::from_http_body(frames),
        }
    }
}

fn ended_early(error: wstd::http::Error) -> Error {
    Error::new(StatusCode::BAD_REQUEST, "the body ended early").with_cause(error)
}

fn check_length(length: usize, limit: usize) -> Result<()> {
    if length > limit {
        let message = format!("the body is longer than {limit} bytes");
        return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    Ok(())
}

impl From<wstd::http::Body> for Body {
    fn from(body: wstd::http::Body) -> Self {
        Self(Inner::Untouched(body))
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        wstd::http::Body::from(bytes).into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

#[cfg(test)]
mod tests;
