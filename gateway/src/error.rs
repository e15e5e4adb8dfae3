//! What the gateway answers by itself: the one place where a cause becomes a status.
//!
//! The body is one JSON object with `error` and `requestId`. Its text comes from this file alone, never from a
//! target; the reason is for the access log.
//!
//! | status | cause |
//! |---|---|
//! | 400 | the request is malformed |
//! | 404 | no rule matches |
//! | 405 | TRACE, and CONNECT, which a reverse proxy has no use for |
//! | 408 | the client was too slow with head or body |
//! | 413, 414, 431 | body, URI or headers too large |
//! | 502 | the target trapped, exited, gave no response or a broken one |
//! | 503 | no target, or it is full, stopping, overloaded or without its secret; with `Retry-After` |
//! | 504 | the deadline passed, in the queue or in the target; the CPU time was used up |
//! | 507 | out of memory |

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::{
    body::Seconds,
    target::{TargetError, TargetErrorKind},
};

/// What a client is told to wait when nothing better is known: targets come up within a second.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// Why the gateway answers instead of a target.
#[derive(Debug)]
pub(crate) enum Cause {
    /// Says what is wrong with the request.
    Malformed(&'static str),
    NoRule,
    MethodRefused,
    HeaderTooSlow,
    BodyTooSlow {
        waited: Duration,
    },
    BodyTooLarge {
        limit: u64,
    },
    UriTooLong {
        limit: usize,
    },
    HeadersTooLarge {
        limit: usize,
    },
    TooManyHeaders {
        limit: usize,
    },
    NoTarget,
    Target(TargetError),
}

/// What a client gets to see of a cause.
struct Answer {
    status: StatusCode,
    text: &'static str,
    retry_after: Option<Duration>,
}

impl Cause {
    fn answer(&self) -> Answer {
        let answer = |status, text| Answer {
            status,
            text,
            retry_after: None,
        };
        let retry = |after, text| Answer {
            status: StatusCode::SERVICE_UNAVAILABLE,
            text,
            retry_after: Some(after),
        };
        match self {
            Self::Malformed(text) => answer(StatusCode::BAD_REQUEST, text),
            Self::NoRule => answer(StatusCode::NOT_FOUND, "no rule matches this host and path"),
            Self::MethodRefused => answer(StatusCode::METHOD_NOT_ALLOWED, "this method is not served"),
            Self::HeaderTooSlow => answer(
                StatusCode::REQUEST_TIMEOUT,
                "the request's head took too long to arrive",
            ),
            Self::BodyTooSlow { .. } => answer(
                StatusCode::REQUEST_TIMEOUT,
                "the request's body took too long to arrive",
            ),
            Self::BodyTooLarge { .. } => {
                answer(StatusCode::PAYLOAD_TOO_LARGE, "the request's body is too large")
            }
            Self::UriTooLong { .. } => answer(StatusCode::URI_TOO_LONG, "the request's URI is too long"),
            Self::HeadersTooLarge { .. } => answer(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "the request's headers are too large",
            ),
            Self::TooManyHeaders { .. } => answer(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "the request has too many headers",
            ),
            Self::NoTarget => retry(RETRY_SOON, "no target is available"),
            Self::Target(error) => match error.kind {
                TargetErrorKind::QueueFull { retry_after } => retry(retry_after, "the service is busy"),
                TargetErrorKind::Overloaded => retry(RETRY_SOON, "the service is busy"),
                TargetErrorKind::Stopping => retry(RETRY_SOON, "the service is restarting"),
                TargetErrorKind::SecretUnavailable => retry(RETRY_SOON, "the service is not ready"),
                TargetErrorKind::QueueDeadline | TargetErrorKind::Deadline | TargetErrorKind::CpuTimeout => {
                    answer(StatusCode::GATEWAY_TIMEOUT, "the service took too long to answer")
                }
                TargetErrorKind::Trapped
                | TargetErrorKind::Exited
                | TargetErrorKind::NoResponse
                | TargetErrorKind::InvalidResponse => {
                    answer(StatusCode::BAD_GATEWAY, "the service failed to answer")
                }
                TargetErrorKind::OutOfMemory => {
                    answer(StatusCode::INSUFFICIENT_STORAGE, "the service ran out of memory")
                }
            },
        }
    }

    /// For the access log.
    pub(crate) fn reason(&self) -> Cow<'static, str> {
        match self {
            Self::Target(error) => error.reason.clone().into(),
            Self::BodyTooSlow { waited } => {
                format!("{} (waited {})", self.answer().text, Seconds(*waited)).into()
            }
            Self::BodyTooLarge { limit } => {
                format!("{} (more than {limit} bytes)", self.answer().text).into()
            }
            Self::UriTooLong { limit } | Self::HeadersTooLarge { limit } => {
                format!("{} (more than {limit} bytes)", self.answer().text).into()
            }
            Self::TooManyHeaders { limit } => {
                format!("{} (more than {limit} lines)", self.answer().text).into()
            }
            _ => self.answer().text.into(),
        }
    }

    /// The response as HTTP/1.1 writes it, for a stream on which hyper has not got a request yet.
    pub(crate) fn closing_message(&self, request_id: &str) -> Vec<u8> {
        let (head, body) = self.response(request_id).into_parts();
        let mut message = format!("HTTP/1.1 {}\r\nconnection: close\r\n", head.status).into_bytes();
        for (name, value) in &head.headers {
            message.extend_from_slice(name.as_str().as_bytes());
            message.extend_from_slice(b": ");
            message.extend_from_slice(value.as_bytes());
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(b"\r\n");
        message.extend_from_slice(&body);
        message
    }

    /// The whole response. `request_id` is of characters that need no escaping in JSON.
    pub(crate) fn response(&self, request_id: &str) -> Response<Bytes> {
        let Answer {
            status,
            text,
            retry_after,
        } = self.answer();
        let body = format!("{{\"error\":\"{text}\",\"requestId\":\"{request_id}\"}}\n");
        let length = HeaderValue::from(body.len());
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_LENGTH, length);
        if let Some(after) = retry_after {
            // Whole seconds, rounded up: 0 would invite at once.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
            headers.insert(header::ALLOW, allowed);
        }
        response
    }
}
