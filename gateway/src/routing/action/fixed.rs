//! A response that is always the same.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// The largest body, in bytes. ALB: 1024.
pub const MAX_FIXED_BODY_BYTES: usize = 64 * 1024;

/// A response that is always the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedResponse {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Bytes,
}

/// Why a fixed response was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FixedError {
    /// Not a status that can be fixed.
    #[error("a fixed response has a status of 2xx, 4xx or 5xx, not {0}; for 3xx use a redirect")]
    Status(u16),
    /// More than [`MAX_FIXED_BODY_BYTES`].
    #[error("the body of a fixed response has at most {MAX_FIXED_BODY_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// A body where HTTP has none.
    #[error("a response with status {0} has no body: leave it out, or choose another status")]
    Bodiless(u16),
    /// Not a media type.
    #[error("`{}` is not a media type, such as `text/plain` or `application/json; charset=utf-8`", .0.escape_debug())]
    ContentType(String),
}

impl FixedResponse {
    /// A response with that status, body, and content type, which is `text/plain` where only a body is given.
    ///
    /// # Errors
    /// When one of them is out of its range, or they don't go together.
    pub fn new(status: u16, content_type: Option<&str>, body: impl Into<Bytes>) -> Result<Self, FixedError> {
        let body = body.into();
        // ALB: ^(2|4|5)\d\d$
        let status = StatusCode::from_u16(status)
            .ok()
            .filter(|status| status.is_success() || status.is_client_error() || status.is_server_error())
            .ok_or(FixedError::Status(status))?;
        if body.len() > MAX_FIXED_BODY_BYTES {
            return Err(FixedError::TooLong(body.len()));
        }
        let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
        if bodiless && !body.is_empty() {
            return Err(FixedError::Bodiless(status.as_u16()));
        }
        let content_type = match content_type {
            Some(text) => Some(media_type(text)?),
            None if body.is_empty() => None,
            None => Some(HeaderValue::from_static("text/plain; charset=utf-8")),
        };
        Ok(Self {
            status,
            content_type,
            body,
        })
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its content type, if it has one.
    #[must_use]
    pub fn content_type(&self) -> Option<&HeaderValue> {
        self.content_type.as_ref()
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    pub(crate) fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(self.body.clone());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(content_type) = &self.content_type {
            headers.insert(header::CONTENT_TYPE, content_type.clone());
        }
        // RFC 9110 8.6: none with 204.
        if self.status != StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        response
    }
}

/// RFC 9110 8.3.1: `type/subtype`, and parameters after semicolons.
fn media_type(text: &str) -> Result<HeaderValue, FixedError> {
    let refuse = || FixedError::ContentType(text.to_owned());
    let is_token = |part: &str| !part.is_empty() && part.bytes().all(is_token_byte);
    let is_parameter = |part: &str| {
        let plain = |value: &str| value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        part.trim()
            .split_once('=')
            .is_some_and(|(key, value)| is_token(key) && !value.is_empty() && plain(value))
    };
    let mut parts = text.split(';');
    let essence = parts.next().and_then(|essence| essence.trim().split_once('/'));
    let Some((kind, subtype)) = essence else {
        return Err(refuse());
    };
    if !is_token(kind) || !is_token(subtype) || !parts.all(is_parameter) {
        return Err(refuse());
    }
    HeaderValue::from_str(text).map_err(|_| refuse())
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
