//! A request, as the handler gets it.

use crate::{Body, Error, HeaderMap, Method, Result, StatusCode, Uri};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// A request: its head is there, its body arrives as it is read.
#[derive(Debug)]
pub struct Request {
    head: http::request::Parts,
    body: Body,
}

impl Request {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The target, with the query.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.head.uri
    }

    /// The host the client asked for, without the port: what other guests read from a `Host` header, which WASI
    /// has none of. With the port it is [`uri`](Self::uri)'s authority.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.head.uri.host()
    }

    /// The path, as it was sent: not percent-decoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// The first query parameter of that name, decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        self.queries()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// All query parameters in their order, decoded.
    pub fn queries(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.head.uri.query().unwrap_or_default().as_bytes())
    }

    /// The first header of that name, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The whole body, up to [`Body::MAX_COLLECTED`].
    ///
    /// # Errors
    /// 413 if the body is longer, 400 if it ends early.
    pub async fn bytes(self) -> Result<Bytes> {
        self.body.bytes().await
    }

    /// The whole body as text.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes); 400 if it isn't UTF-8.
    pub async fn text(self) -> Result<String> {
        self.body.text().await
    }

    /// The whole body as JSON.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes); 400 that says where the JSON departs from `T`.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T> {
        let bytes = self.body.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(
                StatusCode::BAD_REQUEST,
                format!("the body is not the JSON expected: {error}"),
            )
        })
    }

    /// The body, to be read as it arrives or handed on.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.body
    }
}

/// From the `http` crate's request: how a test makes one.
impl<B: Into<Body>> From<http::Request<B>> for Request {
    fn from(request: http::Request<B>) -> Self {
        let (head, body) = request.into_parts();
        Self {
            head,
            body: body.into(),
        }
    }
}

#[cfg(test)]
mod tests;
