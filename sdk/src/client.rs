//! Outgoing HTTP requests, to the hosts that `egress` in `wharf.toml` allows.
//!
//! ```no_run
//! # #[derive(serde::Deserialize)] struct Repository { stars: u64 }
//! # async fn example() -> wharf::Result<()> {
//! let answer = wharf::client::get("https://api.example.com/repository")
//!     .query("name", "wharf")
//!     .bearer(&wharf::secret("API_KEY")?)
//!     .send()
//!     .await?;
//! if answer.status().is_success() {
//!     let repository: Repository = answer.json().await?;
//!     println!("{} stars", repository.stars);
//! }
//! # Ok(())
//! # }
//! ```

mod error;

pub use error::{Error, ErrorKind};

use crate::{Body, HeaderMap, HeaderName, HeaderValue, Method, Secret, StatusCode, Uri};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use wstd::future::FutureExt as _;

/// How long [`RequestBuilder::send`] waits if no timeout is set: a third of a task's default 30 s, so that
/// the handler can still answer.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Begins a GET request.
pub fn get(url: impl Into<String>) -> RequestBuilder {
    request(Method::GET, url)
}

/// Begins a POST request.
pub fn post(url: impl Into<String>) -> RequestBuilder {
    request(Method::POST, url)
}

/// Begins a request with any method.
pub fn request(method: Method, url: impl Into<String>) -> RequestBuilder {
    RequestBuilder {
        method,
        url: url.into(),
        headers: HeaderMap::new(),
        body: Body::empty(),
        timeout: DEFAULT_TIMEOUT,
        mistake: None,
    }
}

/// A request being put together. Mistakes in it come to light in [`send`](Self::send).
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Body,
    timeout: Duration,
    mistake: Option<String>,
}

impl RequestBuilder {
    /// Adds a query parameter; what needs encoding is encoded.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.url.push(if self.url.contains('?') { '&' } else { '?' });
        self.url.extend(form_urlencoded::byte_serialize(name.as_bytes()));
        self.url.push('=');
        self.url.extend(form_urlencoded::byte_serialize(value.as_bytes()));
        self
    }

    /// Sets a header; an earlier one of that name is replaced.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                self.headers.insert(name, value);
            }
            // The value may be confidential: the message has the name only.
            _ => self.mistake = Some(format!("the header `{name}` is not legal in HTTP")),
        }
        self
    }

    /// Sets `authorization: Bearer …` from a secret.
    pub fn bearer(mut self, secret: &Secret) -> Self {
        match HeaderValue::try_from(format!("Bearer {}", secret.expose())) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.headers.insert(AUTHORIZATION, value);
            }
            Err(_) => {
                self.mistake =
                    Some("the secret cannot be sent in a header: is there a line break in it?".into())
            }
        }
        self
    }

    /// Sends a value as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => {
                self.headers
                    .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                self.body = json.into();
            }
            Err(error) => self.mistake = Some(format!("the value has no JSON form: {error}")),
        }
        self
    }

    /// Sends that body.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// How long to wait for the answer's head, from the start, and then between two chunks of its body.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends the request and waits for the head of the answer. Any status is an answer, not an error.
    ///
    /// # Errors
    /// What went wrong, by [`ErrorKind`]. Neither header values nor the query are in the message.
    pub async fn send(self) -> Result<Response, Error> {
        let timeout = self.timeout;
        let request = self.build()?;
        let place = place_of(request.uri());
        let mut client = wstd::http::Client::new();
        client.set_between_bytes_timeout(timeout);
        let sending = client.send(request).timeout(wstd::time::Duration::from(timeout));
        match sending.await {
            Ok(Ok(answer)) => Ok(Response::new(answer, place)),
            Ok(Err(error)) => Err(Error::from_wasi(place, &error)),
            Err(_elapsed) => Err(Error::new(
                ErrorKind::Timeout,
                place,
                format!("no answer within {timeout:?}"),
            )),
        }
    }

    fn build(self) -> Result<http::Request<wstd::http::Body>, Error> {
        let uri: Uri = self.url.parse().map_err(|error| {
            Error::new(
                ErrorKind::Invalid,
                String::new(),
                format!("the URL cannot be read: {error}"),
            )
        })?;
        let invalid = |message: &str| Error::new(ErrorKind::Invalid, place_of(&uri), message.to_owned());
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.authority().is_none() {
            return Err(invalid("the URL must begin with http:// or https:// and a host"));
        }
        if let Some(mistake) = &self.mistake {
            return Err(invalid(mistake));
        }
        let length = self.body.length();
        let mut request = http::Request::new(self.body.into_wstd());
        *request.method_mut() = self.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers;
        if let Some(length @ 1..) = length {
            request
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        Ok(request)
    }
}

/// Scheme, host and port: what errors may tell about a URL whose query can hold a key.
fn place_of(uri: &Uri) -> String {
    match (uri.scheme_str(), uri.host(), uri.port_u16()) {
        (Some(scheme), Some(host), Some(port)) => format!("{scheme}://{host}:{port}"),
        (Some(scheme), Some(host), None) => format!("{scheme}://{host}"),
        _ => String::new(),
    }
}

/// The answer: its head is there, its body arrives as it is read.
#[derive(Debug)]
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    place: String,
}

impl Response {
    fn new(answer: http::Response<wstd::http::Body>, place: String) -> Self {
        let (head, body) = answer.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body: body.into(),
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
    /// [`ErrorKind::Answer`] if it is longer or ends early.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let collected = self.body.bytes().await;
        collected.map_err(|error| Error::new(ErrorKind::Answer, self.place, error.to_string()))
    }

    /// The whole body as text.
    ///
    /// # Errors
    /// [`ErrorKind::Answer`] as [`bytes`](Self::bytes), and if it isn't UTF-8.
    pub async fn text(self) -> Result<String, Error> {
        let collected = self.body.text().await;
        collected.map_err(|error| Error::new(ErrorKind::Answer, self.place, error.to_string()))
    }

    /// The whole body as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Answer`] as [`bytes`](Self::bytes), and if it isn't the JSON expected.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let place = self.place.clone();
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(
                ErrorKind::Answer,
                place,
                format!("the answer is not the JSON expected: {error}"),
            )
        })
    }
}

#[cfg(test)]
mod tests;
