//! What comes back.

use super::Error;
use crate::extract::json;
use crate::{Body, HeaderMap, StatusCode};
use bytes::Bytes;
use serde::de::DeserializeOwned;

/// The answer: its head is there, its body arrives as it is read.
#[derive(Debug)]
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    place: String,
}

impl Response {
    pub(super) fn new(answer: http::Response<Body>, place: String) -> Self {
        let (head, body) = answer.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body,
            place,
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

    /// The body, to be read as it arrives or handed on.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.body
    }

    /// The whole body, up to [`Body::MAX_COLLECTED`].
    ///
    /// # Errors
    /// [`ErrorKind::Answer`](super::ErrorKind::Answer) if it is longer or ends early.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let collected = self.body.bytes().await;
        collected.map_err(|error| Error::unusable(self.place, &error.to_string()))
    }

    /// The whole body as text.
    ///
    /// # Errors
    /// [`ErrorKind::Answer`](super::ErrorKind::Answer) as [`bytes`](Self::bytes), and if it isn't UTF-8.
    pub async fn text(self) -> Result<String, Error> {
        let collected = self.body.text().await;
        collected.map_err(|error| Error::unusable(self.place, &error.to_string()))
    }

    /// The whole body as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Answer`](super::ErrorKind::Answer) as [`bytes`](Self::bytes), and if it isn't the JSON expected.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let place = self.place.clone();
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let told = json::told(&bytes, &error);
            Error::unusable(place, &format!("the answer is not the JSON expected: {told}"))
        })
    }
}
