//! Whether a request is one to forward at all: its method, its sizes, its host.

use http::{HeaderMap, HeaderValue, Method, Version, header, request::Parts};
use http_body::Body;

use crate::{config::Limits, error::Cause};

/// What a header line takes besides name and value, in bytes: `: ` and the end of the line.
const LINE_OVERHEAD: usize = 4;

/// Refuses what must not reach a target.
pub(super) fn admit(
    head: &Parts,
    body: &impl Body,
    host: Option<&HeaderValue>,
    limits: &Limits,
) -> Result<(), Cause> {
    // ALB: 405 for TRACE. CONNECT asks for a forward proxy, which this isn't.
    if matches!(head.method, Method::TRACE | Method::CONNECT) {
        return Err(Cause::MethodRefused);
    }
    if head
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len())
        > limits.uri
    {
        return Err(Cause::UriTooLong { limit: limits.uri });
    }
    if block_size(&head.headers) > limits.header_block {
        return Err(Cause::HeadersTooLarge {
            limit: limits.header_block,
        });
    }
    if head.headers.len() > limits.header_lines {
        return Err(Cause::TooManyHeaders {
            limit: limits.header_lines,
        });
    }
    check_host(head, host)?;
    // What was announced is refused at once; what wasn't is counted as it streams.
    if body.size_hint().lower() > limits.request_body {
        return Err(Cause::BodyTooLarge {
            limit: limits.request_body,
        });
    }
    Ok(())
}

fn block_size(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + LINE_OVERHEAD)
        .sum()
}

/// RFC 9112 3.2: exactly one Host with HTTP/1.1. Anything else and two parties may see two hosts.
fn check_host(head: &Parts, host: Option<&HeaderValue>) -> Result<(), Cause> {
    if head.headers.get_all(header::HOST).iter().nth(1).is_some() {
        return Err(Cause::Malformed("the request has more than one Host header"));
    }
    match host {
        Some(host) if host.as_bytes().iter().all(is_authority_byte) => Ok(()),
        Some(_) => Err(Cause::Malformed("the request's host is not a valid host")),
        None if head.version < Version::HTTP_11 => Ok(()),
        None => Err(Cause::Malformed("the request has no Host header")),
    }
}

/// RFC 3986 3.2.2 and 3.2.3, without user information, which HTTP forbids (RFC 9110 4.2.4).
fn is_authority_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte)
}
