//! A body, coming in or going out.

mod generate;

pub use generate::Sender;

use crate::{Error, Result, StatusCode};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
pub(crate) use generate::Generated;
use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What ended a body early, or a response.
pub(crate) type Cause = Box<dyn StdError + Send + Sync>;

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Cause>>>>;

/// A body. Made of bytes, of a text, of a stream or by a function; read whole or chunk by chunk; or passed on
/// unread, and then it never enters the guest's memory.
pub struct Body(Inner);

enum Inner {
    Whole(Bytes),
    Stream(Chunks),
    #[cfg(target_family = "wasm")]
    Incoming(crate::host::Incoming),
}

impl Body {
    /// The most that [`bytes`](Self::bytes), [`text`](Self::text), `json` and the extractors collect: 8 MiB, a
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
        S: Stream<Item = Result<D, E>> + 'static,
        D: Into<Bytes>,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        Self(Inner::Stream(Box::pin(Converted(Box::pin(stream)))))
    }

    /// What a function sends, as it sends it. It runs as fast as the client takes what it sends. An error cuts the body
    /// short, which the client notices, and is in the log.
    ///
    /// ```
    /// use wharf::{Body, Request, Response};
    ///
    /// async fn shout(request: Request) -> Response {
    ///     let mut body = request.into_body();
    ///     Response::new(Body::generate(async move |out| {
    ///         while let Some(chunk) = body.chunk().await? {
    ///             out.send(chunk.to_ascii_uppercase()).await;
    ///         }
    ///         Ok(())
    ///     }))
    /// }
    /// # use wharf::test::{Host, post};
    /// # assert_eq!(Host::new().call(shout, post("/").body("what?")).text(), "WHAT?");
    /// ```
    pub fn generate<F>(function: F) -> Self
    where
        F: AsyncFnOnce(Sender<Bytes>) -> Result<()> + 'static,
    {
        Self::from_stream(Generated::new(function))
    }

    /// The next chunk, or None at the end.
    ///
    /// # Errors
    /// 400 if the body ends early.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        self.next()
            .await
            .map_err(|cause| Error::new(StatusCode::BAD_REQUEST, "the body ended early").with_cause(cause))
    }

    /// As [`chunk`](Self::chunk), with the plain cause if it ends early.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Cause> {
        let chunk = match &mut self.0 {
            Inner::Whole(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Inner::Stream(stream) => poll_fn(|cx| stream.as_mut().poll_next(cx)).await.transpose()?,
            #[cfg(target_family = "wasm")]
            Inner::Incoming(incoming) => incoming.chunk().await?,
        };
        if chunk.is_none() {
            // A stream is not asked again after its end.
            *self = Self::empty();
        }
        Ok(chunk)
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
        let mut collected = BytesMut::from(first);
        let mut next = Some(second);
        while let Some(chunk) = next {
            check_length(collected.len() + chunk.len(), limit)?;
            collected.extend_from_slice(&chunk);
            next = self.chunk().await?;
        }
        Ok(collected.freeze())
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
            Inner::Whole(bytes) => u64::try_from(bytes.len()).ok(),
            Inner::Stream(_) => None,
            #[cfg(target_family = "wasm")]
            Inner::Incoming(incoming) => incoming.length(),
        }
    }

    /// The same again, if it is whole.
    pub(crate) fn copy(&self) -> Option<Self> {
        match &self.0 {
            Inner::Whole(bytes) => Some(bytes.clone().into()),
            _ => None,
        }
    }

    #[cfg(target_family = "wasm")]
    pub(crate) fn incoming(incoming: crate::host::Incoming) -> Self {
        Self(Inner::Incoming(incoming))
    }

    /// What came in, to be passed on.
    #[cfg(target_family = "wasm")]
    pub(crate) fn into_incoming(self) -> Result<crate::host::Incoming, Self> {
        match self.0 {
            Inner::Incoming(incoming) => Ok(incoming),
            other => Err(Self(other)),
        }
    }
}

/// A stream whose items and errors become a body's.
struct Converted<S>(Pin<Box<S>>);

impl<S, D, E> Stream for Converted<S>
where
    S: Stream<Item = Result<D, E>>,
    D: Into<Bytes>,
    E: Into<Cause>,
{
    type Item = Result<Bytes, Cause>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.0.as_mut().poll_next(cx);
        next.map(|item| item.map(|item| item.map(Into::into).map_err(Into::into)))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length() {
            Some(length) => write!(f, "Body({length} bytes)"),
            None => f.write_str("Body(streamed)"),
        }
    }
}

fn check_length(length: usize, limit: usize) -> Result<()> {
    if length > limit {
        let message = format!("the body is longer than {limit} bytes");
        return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    Ok(())
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Inner::Whole(bytes))
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
