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
mod response;
mod retry;

pub use error::{Error, ErrorKind};
pub use response::Response;
pub use retry::Retry;

use crate::{Body, Deadline, HeaderMap, HeaderName, HeaderValue, Method, Secret, Uri, host};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use retry::Verdict;
use serde::Serialize;
use std::time::Duration;

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

/// Begins a PUT request.
pub fn put(url: impl Into<String>) -> RequestBuilder {
    request(Method::PUT, url)
}

/// Begins a PATCH request.
pub fn patch(url: impl Into<String>) -> RequestBuilder {
    request(Method::PATCH, url)
}

/// Begins a DELETE request.
pub fn delete(url: impl Into<String>) -> RequestBuilder {
    request(Method::DELETE, url)
}

/// Begins a request with any method.
pub fn request(method: Method, url: impl Into<String>) -> RequestBuilder {
    RequestBuilder {
        method,
        url: url.into(),
        headers: HeaderMap::new(),
        body: Body::empty(),
        timeout: DEFAULT_TIMEOUT,
        deadline: None,
        retry: Retry::never(),
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
    deadline: Option<Deadline>,
    retry: Retry,
    mistake: Option<String>,
}

/// A request that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// For the head of the answer, and then between two chunks of its body.
    pub(crate) timeout: Duration,
}

impl Outgoing {
    /// Scheme, host and port: what errors may tell about a URL whose query can hold a key.
    pub(crate) fn place(&self) -> String {
        place_of(&self.uri)
    }

    /// The same again, if its body can be sent again.
    fn copy(&self) -> Option<Self> {
        Some(Self {
            method: self.method.clone(),
            uri: self.uri.clone(),
            headers: self.headers.clone(),
            body: self.body.copy()?,
            timeout: self.timeout,
        })
    }
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

    /// How long to wait for the answer's head, from the start, and then between two chunks of its body. Each try has
    /// this time anew.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Waits for the answer's head no longer than that, over all tries and the pauses between them: for the deadline of
    /// the request that is being answered.
    ///
    /// ```no_run
    /// # async fn example(request: wharf::Request) -> wharf::Result<()> {
    /// wharf::client::get("https://api.example.com/").until(request.deadline()).send().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn until(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Tries again where that may help. Without this, a request is tried once.
    ///
    /// ```no_run
    /// # use wharf::client::{self, Retry};
    /// # async fn example() -> wharf::Result<()> {
    /// client::get("https://api.example.com/").retry(Retry::times(2)).send().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sends the request and waits for the head of the answer. Any status is an answer, not an error.
    ///
    /// # Errors
    /// What went wrong, by [`ErrorKind`]. Neither header values nor the query are in the message.
    pub async fn send(self) -> Result<Response, Error> {
        let (retry, deadline) = (self.retry, self.deadline);
        let mut request = self.build()?;
        let mut tries = 0;
        loop {
            let again = request.copy().filter(|request| retry.covers(&request.method));
            let left = deadline.and_then(|deadline| deadline.remaining());
            let outcome = send_once(request, left).await;
            tries += 1;
            let (Some(next), Verdict::After(pause)) = (again, retry.verdict(tries, &outcome)) else {
                return outcome;
            };
            let left = deadline.and_then(|deadline| deadline.remaining());
            if left.is_some_and(|left| left <= pause) {
                return outcome;
            }
            // The connection is not needed while nothing is sent.
            drop(outcome);
            host::sleep(pause).await;
            request = next;
        }
    }

    fn build(self) -> Result<Outgoing, Error> {
        let uri: Uri = self
            .url
            .parse()
            .map_err(|error| Error::invalid(String::new(), &format!("the URL cannot be read: {error}")))?;
        let invalid = |message: &str| Error::invalid(place_of(&uri), message);
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.authority().is_none() {
            return Err(invalid("the URL must begin with http:// or https:// and a host"));
        }
        if let Some(mistake) = &self.mistake {
            return Err(invalid(mistake));
        }
        let mut headers = self.headers;
        if let Some(length @ 1..) = self.body.length() {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        Ok(Outgoing {
            method: self.method,
            uri,
            headers,
            body: self.body,
            timeout: self.timeout,
        })
    }
}

async fn send_once(request: Outgoing, left: Option<Duration>) -> Result<Response, Error> {
    let place = request.place();
    let limit = left.map_or(request.timeout, |left| left.min(request.timeout));
    match host::timeout(limit, host::send(request)).await {
        Some(sent) => Ok(Response::new(sent?, place)),
        None => Err(Error::new(
            ErrorKind::Timeout,
            place,
            format!("no answer within {limit:?}"),
        )),
    }
}

/// Scheme, host and port.
fn place_of(uri: &Uri) -> String {
    match (uri.scheme_str(), uri.host(), uri.port_u16()) {
        (Some(scheme), Some(host), Some(port)) => format!("{scheme}://{host}:{port}"),
        (Some(scheme), Some(host), None) => format!("{scheme}://{host}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
