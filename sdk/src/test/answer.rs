//! What comes of a call, and what went out.

use crate::{Bytes, HeaderMap, Method, StatusCode, Uri};
use serde::de::DeserializeOwned;

/// A response, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    cut: bool,
}

impl Answer {
    pub(super) fn new(status: StatusCode, headers: HeaderMap, body: Bytes, cut: bool) -> Self {
        Self {
            status,
            headers,
            body,
            cut,
        }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The first header of that name, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "in native tests only, where it is the way to say it"
    )]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it isn't the JSON expected.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "in native tests only, where it is the way to say it"
    )]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).expect("the body is the JSON expected")
    }

    /// Whether the body broke off: by an error, or because the time was up.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.cut
    }
}

/// A request that went out to another service.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sent {
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub uri: Uri,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Sent {
    /// The first header of that name, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
