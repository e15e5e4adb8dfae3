//! Why an outgoing request failed.

use std::fmt;
use wasip2::http::types::ErrorCode;

/// A failed outgoing request. It names scheme, host and port, never the path, the query or a header.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    /// Empty where the URL couldn't be read.
    place: String,
    reason: String,
}

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request itself is wrong: its URL, a header, the JSON.
    Invalid,
    /// The task definition's `egress` doesn't allow that host.
    Denied,
    /// There was no answer in time.
    Timeout,
    /// No connection came about: unknown name, refused, unroutable, TLS failed.
    Unreachable,
    /// The answer broke the protocol, ended early, was too long or wasn't what was expected.
    Answer,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, place: String, reason: String) -> Self {
        Self { kind, place, reason }
    }

    pub(crate) fn invalid(place: String, reason: &str) -> Self {
        Self::new(ErrorKind::Invalid, place, reason.to_owned())
    }

    pub(crate) fn unusable(place: String, reason: &str) -> Self {
        Self::new(ErrorKind::Answer, place, reason.to_owned())
    }

    pub(crate) fn denied(place: String) -> Self {
        let reason = "not allowed: name it under `egress` in wharf.toml".to_owned();
        Self::new(ErrorKind::Denied, place, reason)
    }

    #[cfg_attr(
        not(any(target_family = "wasm", test)),
        expect(dead_code, reason = "natively there is no WASI that answers with a code")
    )]
    pub(crate) fn from_code(place: String, code: &ErrorCode) -> Self {
        match kind_of(code) {
            ErrorKind::Denied => Self::denied(place),
            kind => Self::new(kind, place, reason_of(code)),
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => f.write_str("outgoing request")?,
            place => write!(f, "request to {place}")?,
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for Error {}

fn kind_of(code: &ErrorCode) -> ErrorKind {
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => ErrorKind::Denied,
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => ErrorKind::Timeout,
        ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => ErrorKind::Unreachable,
        ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_) => ErrorKind::Invalid,
        _ => ErrorKind::Answer,
    }
}

/// The code's name in words: `ErrorCode::ConnectionRefused` → `connection refused`.
fn reason_of(code: &ErrorCode) -> String {
    if let ErrorCode::InternalError(Some(text)) = code {
        return text.clone();
    }
    let name = format!("{code:?}");
    let name = name.rsplit_once("::").map_or(name.as_str(), |(_, name)| name);
    let mut words = String::new();
    for letter in name.chars().take_while(char::is_ascii_alphanumeric) {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests;
