//! Whether a request is one to forward at all: its method, its sizes, its host.

use http::{HeaderValue, Method, Version, header, request::Parts, uri::Authority};
use http_body::Body;

use super::exchange::Exchange;
use crate::{config::Limits, error::Cause, inspect};

/// What a header line takes besides name and value, in bytes: `: ` and the end of the line.
const LINE_OVERHEAD: usize = 4;

/// What a request line takes besides method and target: two blanks and the version.
const REQUEST_LINE_OVERHEAD: usize = " HTTP/1.1 ".len();

/// Refuses what must not reach a target.
pub(super) fn admit(head: &Parts, host: Option<&HeaderValue>, limits: &Limits) -> Result<(), Cause> {
    // ALB: 405 for TRACE. CONNECT asks for a forward proxy, which this isn't.
    if matches!(head.method, Method::TRACE | Method::CONNECT) {
        return Err(Cause::MethodRefused);
    }
    if head.version == Version::HTTP_2 {
        check_sizes(head, limits)?;
    }
    check_host(head, host)
}

/// Has an HTTP/2 head inspected as those of HTTP/1 were before they were parsed.
pub(super) fn inspect(head: &mut Parts, body: &impl Body, exchange: &mut Exchange) -> Result<(), Cause> {
    if head.version != Version::HTTP_2 {
        return Ok(());
    }
    let judged = inspect::judge_http2(head, body, exchange.connection.settings.desync);
    let (reason, admitted) = match judged {
        Ok(reason) => (reason, Ok(())),
        Err(refused) => (refused.reason, Err(refused.cause)),
    };
    exchange.classified(reason);
    admitted
}

/// Refuses at once a body that is announced as too large; what isn't announced is counted as it streams.
pub(super) fn admit_body(body: &impl Body, limit: u64) -> Result<(), Cause> {
    if body.size_hint().lower() > limit {
        return Err(Cause::BodyTooLarge { limit });
    }
    Ok(())
}

/// What the inspector checks of HTTP/1 heads. These come compressed, and are measured as if they had not.
fn check_sizes(head: &Parts, limits: &Limits) -> Result<(), Cause> {
    let target = head
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let request_line = head.method.as_str().len() + target + REQUEST_LINE_OVERHEAD;
    if request_line > limits.request_line {
        return Err(Cause::UriTooLong {
            limit: limits.request_line,
        });
    }
    if head.headers.len() > limits.header_lines {
        return Err(Cause::TooManyHeaders {
            limit: limits.header_lines,
        });
    }
    let lines = head.headers.iter();
    let sizes = lines.map(|(name, value)| name.as_str().len() + value.len() + LINE_OVERHEAD);
    let (block, longest) = sizes.fold((0, 0), |(block, longest), size| (block + size, size.max(longest)));
    for (size, limit) in [(longest, limits.header_line), (block, limits.header_block)] {
        if size > limit {
            return Err(Cause::HeadersTooLarge { limit });
        }
    }
    Ok(())
}

/// RFC 9112 3.2: exactly one Host with HTTP/1.1. Anything else and two parties may see two hosts.
fn check_host(head: &Parts, host: Option<&HeaderValue>) -> Result<(), Cause> {
    if head.headers.get_all(header::HOST).iter().nth(1).is_some() {
        return Err(Cause::Malformed("the request has more than one Host header"));
    }
    // RFC 9112 3.2.2: beside an absolute URI, too.
    if head.version == Version::HTTP_11 && !head.headers.contains_key(header::HOST) {
        return Err(Cause::Malformed("the request has no Host header"));
    }
    match host {
        Some(host) if is_authority(host.as_bytes()) => Ok(()),
        Some(_) => Err(Cause::Malformed("the request's host is not a valid host")),
        None if head.version < Version::HTTP_11 => Ok(()),
        None => Err(Cause::Malformed("the request has no Host header")),
    }
}

/// A host, and a port or none; or nothing, as HTTP/1 has it where a URI has no authority.
fn is_authority(host: &[u8]) -> bool {
    let is_plain = |host: &[u8]| {
        host.iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(byte))
    };
    let (name, port) = match host.iter().position(|byte| *byte == b':') {
        Some(colon) => host.split_at(colon),
        None => (host, &b":"[..]),
    };
    if is_plain(name) && port.iter().skip(1).all(u8::is_ascii_digit) {
        return true;
    }
    // Rare enough to let the library judge, which a request over HTTP/2 is made with.
    host.iter().all(is_authority_byte) && Authority::try_from(host).is_ok()
}

/// RFC 3986 3.2.2 and 3.2.3, without user information, which HTTP forbids (RFC 9110 4.2.4).
fn is_authority_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte)
}
