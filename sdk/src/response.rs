//! A response, as the handler gives it.

mod into_response;

pub use into_response::{Html, IntoResponse, Redirect};

use crate::{Body, Error, HeaderMap, HeaderName, HeaderValue, Result, StatusCode};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::Serialize;

/// Headers about the connection, which is the server's: a response that had one would be refused.
const OF_THE_CONNECTION: [&str; 9] = [
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// A response: status, headers and a body.
///
/// ```
/// use wharf::{Response, StatusCode};
///
/// # fn main() -> wharf::Result<()> {
/// let made = Response::json(&[1, 2, 3])?.with_status(StatusCode::CREATED).with_header("location", "/lists/7")?;
/// # assert_eq!(made.status(), StatusCode::CREATED);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

impl Response {
    /// 200 with that body and no content type. A body that came in is passed on as it arrives.
    #[must_use]
    pub fn new(body: impl Into<Body>) -> Self {
        Self {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }

    /// 200 with a text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::typed("text/plain; charset=utf-8", text.into().into())
    }

    /// 200 with a value as JSON.
    ///
    /// # Errors
    /// 500 if the value has no JSON form, such as a map whose keys aren't texts.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Ok(Self::typed("application/json", serde_json::to_vec(value)?.into()))
    }

    pub(crate) fn typed(content_type: &'static str, body: Body) -> Self {
        let mut response = Self::new(body);
        response
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same with a header set; an earlier one of that name is replaced.
    ///
    /// # Errors
    /// 500 if the name or the value isn't legal in HTTP, or if the header is about the connection
    /// (`connection`, `transfer-encoding`, …), which is the server's.
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Result<Self>
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let name = name.try_into().map_err(Into::into)?;
        if OF_THE_CONNECTION.contains(&name.as_str()) {
            return Err(Error::internal(format!(
                "the header `{}` is the server's to set: leave it out",
                name.as_str()
            )));
        }
        self.headers.insert(name, value.try_into().map_err(Into::into)?);
        Ok(self)
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers set so far.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The headers set so far, to be changed: several of one name are `append`ed. One about the connection is not
    /// refused here, but when the response is sent, and costs the client its answer.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// The body.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.body
    }

    /// As it is sent. A body of known length declares it, so that it goes out unchunked.
    pub(crate) fn into_parts(mut self) -> (StatusCode, HeaderMap, Body) {
        // RFC 9110, 8.6: no content-length with 1xx and 204.
        let bodiless = self.status.is_informational() || self.status == StatusCode::NO_CONTENT;
        if let (false, Some(length)) = (bodiless, self.body.length()) {
            self.headers
                .entry(CONTENT_LENGTH)
                .or_insert_with(|| HeaderValue::from(length));
        }
        (self.status, self.headers, self.body)
    }
}

#[cfg(test)]
mod tests;
