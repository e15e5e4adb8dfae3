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
//! | 413, 414, 431 | body, URI or headers too large; too long to compare with all the rules |
//! | 463 | more than thirty addresses in `X-Forwarded-For` |
//! | 464 | the target does not speak the request's protocol |
//! | 500 | what a rule's transform or redirect makes of the request is no URL, or too long |
//! | 501 | a Transfer-Encoding other than chunked |
//! | 502 | the target trapped, exited, gave no response or a broken one; it cannot be reached; its time to drain passed |
//! | 503 | no target, none healthy, or it is full, stopping, overloaded or without its secret; with `Retry-After` |
//! | 504 | the deadline passed, in the queue or in the target; the rule's timeout was over; the CPU time was used up; no connection, or silence, for too long |
//! | 505 | an HTTP version other than 1.0, 1.1 and 2 |
//! | 507 | out of memory |

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::ext::ReasonPhrase;

use crate::{
    body::Seconds,
    routing::{action::Unredirectable, work::MAX_STEPS},
    target::{TargetError, TargetErrorKind},
};

/// What a client is told to wait when nothing better is known: targets come up within a second.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// What a client is told whose request takes too much comparing.
const TOO_MUCH_WORK: &str = "the request is too long to compare with the rules";

/// ALB's own: the request's protocol is none of the target group's.
const PROTOCOL_MISMATCH: StatusCode = match StatusCode::from_u16(464) {
    Ok(status) => status,
    Err(_) => StatusCode::BAD_GATEWAY,
};

/// ALB's own: `X-Forwarded-For` has more addresses than it takes.
const TOO_MANY_FORWARDERS: StatusCode = match StatusCode::from_u16(463) {
    Ok(status) => status,
    Err(_) => StatusCode::BAD_REQUEST,
};

/// What HTTP/1.1 says beside a status of ALB's own, which the registry of statuses has no phrase for.
fn own_phrase(status: StatusCode) -> Option<ReasonPhrase> {
    match status {
        PROTOCOL_MISMATCH => Some(ReasonPhrase::from_static(b"Incompatible Protocol")),
        TOO_MANY_FORWARDERS => Some(ReasonPhrase::from_static(b"Too Many Forwarders")),
        _ => None,
    }
}

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
    TooManyForwarders {
        limit: usize,
    },
    /// Comparing it with the rules took more than it may.
    TooMuchWork,
    /// A Transfer-Encoding that is not spoken here.
    CodingRefused,
    /// An HTTP version that is not spoken here.
    VersionRefused,
    NoTarget,
    NoHealthyTarget,
    /// The group had no target, and none came in time.
    HeldTooLong {
        waited: Duration,
    },
    /// The group has no target, and too many requests wait for one already.
    TooManyHeld {
        limit: u32,
    },
    /// Says what does not fit.
    ProtocolMismatch(&'static str),
    /// The target was deregistered, and its time to finish is over.
    Deregistered,
    /// The rule's own timeout.
    RuleTimeout {
        timeout: Duration,
    },
    /// Says what was to be rewritten. ALB: 500.
    TransformFailed(&'static str),
    RedirectFailed(Unredirectable),
    Target(TargetError),
}

/// What a client gets to see of a cause.
struct Answer {
    status: StatusCode,
    text: &'static str,
    retry_after: Option<Duration>,
}

fn answer(status: StatusCode, text: &'static str) -> Answer {
    Answer {
        status,
        text,
        retry_after: None,
    }
}

fn retry(after: Duration, text: &'static str) -> Answer {
    Answer {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text,
        retry_after: Some(after),
    }
}

/// What a target's failure is to a client.
fn of_target(kind: TargetErrorKind) -> Answer {
    match kind {
        TargetErrorKind::QueueFull { retry_after } => retry(retry_after, "the service is busy"),
        TargetErrorKind::Overloaded => retry(RETRY_SOON, "the service is busy"),
        TargetErrorKind::Stopping | TargetErrorKind::Stopped => {
            retry(RETRY_SOON, "the service is restarting")
        }
        TargetErrorKind::SecretUnavailable => retry(RETRY_SOON, "the service is not ready"),
        TargetErrorKind::QueueDeadline
        | TargetErrorKind::Deadline
        | TargetErrorKind::CpuTimeout
        | TargetErrorKind::ConnectTimeout
        | TargetErrorKind::IdleTimeout => {
            answer(StatusCode::GATEWAY_TIMEOUT, "the service took too long to answer")
        }
        TargetErrorKind::Trapped
        | TargetErrorKind::Exited
        | TargetErrorKind::NoResponse
        | TargetErrorKind::InvalidResponse
        | TargetErrorKind::Unreachable
        | TargetErrorKind::Broken
        | TargetErrorKind::Stale => answer(StatusCode::BAD_GATEWAY, "the service failed to answer"),
        TargetErrorKind::OutOfMemory => {
            answer(StatusCode::INSUFFICIENT_STORAGE, "the service ran out of memory")
        }
    }
}

impl Cause {
    fn answer(&self) -> Answer {
        match self {
            Self::Malformed(text) => answer(StatusCode::BAD_REQUEST, text),
            Self::NoRule => answer(StatusCode::NOT_FOUND, "no rule matches this request"),
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
            Self::TooManyForwarders { .. } => answer(
                TOO_MANY_FORWARDERS,
                "the request's X-Forwarded-For has too many addresses",
            ),
            Self::TooMuchWork => answer(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_MUCH_WORK),
            Self::CodingRefused => answer(
                StatusCode::NOT_IMPLEMENTED,
                "the request's Transfer-Encoding is not supported: send it chunked",
            ),
            Self::VersionRefused => answer(
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                "this HTTP version is not supported: use 1.0, 1.1 or 2",
            ),
            Self::RuleTimeout { .. } => {
                answer(StatusCode::GATEWAY_TIMEOUT, "the service took too long to answer")
            }
            Self::TransformFailed(_) => answer(
                StatusCode::INTERNAL_SERVER_ERROR,
                "this request cannot be rewritten as its rule says",
            ),
            Self::RedirectFailed(_) => answer(
                StatusCode::INTERNAL_SERVER_ERROR,
                "this request cannot be redirected as its rule says",
            ),
            Self::NoTarget => retry(RETRY_SOON, "no target is available"),
            Self::NoHealthyTarget => retry(RETRY_SOON, "no target is healthy"),
            Self::HeldTooLong { .. } => retry(RETRY_SOON, "the service did not start in time"),
            Self::TooManyHeld { .. } => {
                retry(RETRY_SOON, "the service is starting, and too many wait for it")
            }
            Self::ProtocolMismatch(text) => answer(PROTOCOL_MISMATCH, text),
            Self::Deregistered => answer(StatusCode::BAD_GATEWAY, "the service is going away"),
            Self::Target(error) => of_target(error.kind),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.answer().status
    }

    /// A connection that was closing, which says nothing against its target.
    pub(crate) fn is_stale(&self) -> bool {
        matches!(self, Self::Target(error) if error.kind == TargetErrorKind::Stale)
    }

    /// A target that had no room, and did not begin.
    pub(crate) fn is_busy(&self) -> bool {
        let is_busy = |kind| {
            matches!(
                kind,
                TargetErrorKind::QueueFull { .. } | TargetErrorKind::Overloaded
            )
        };
        matches!(self, Self::Target(error) if is_busy(error.kind))
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
            Self::TooManyHeaders { limit } | Self::TooManyForwarders { limit } => {
                format!("{} (more than {limit})", self.answer().text).into()
            }
            Self::HeldTooLong { waited } => format!("no target came (waited {})", Seconds(*waited)).into(),
            Self::TooManyHeld { limit } => format!("{limit} requests wait for a target already").into(),
            Self::RuleTimeout { timeout } => {
                format!("the rule's timeout of {} was over", Seconds(*timeout)).into()
            }
            Self::TransformFailed(what) => {
                format!("the rule's transform made something that is no {what}").into()
            }
            Self::RedirectFailed(why) => format!("the rule's redirect made {why}").into(),
            Self::TooMuchWork => format!(
                "{} (more than {MAX_STEPS} steps of patterns and regular expressions)",
                self.answer().text
            )
            .into(),
            _ => self.answer().text.into(),
        }
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
        if let Some(phrase) = own_phrase(status) {
            response.extensions_mut().insert(phrase);
        }
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
