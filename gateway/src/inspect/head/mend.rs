//! Heads written anew: the one reading of an ambiguous one, and what stands in for a refused one.

use super::{Judged, Lines, RequestLine, judge_line, verdict::Verdict};
use crate::inspect::{
    Body,
    bytes::{is_target, is_token, split, trim},
};

/// What is kept of a refused request's target, for the log.
const MAX_STAND_IN_TARGET: usize = 2048;

/// The longest method kept of a refused request.
const MAX_STAND_IN_METHOD: usize = 40;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The head with its one reading: what was judged ambiguous or not compliant is gone or rewritten, and one line at most
/// says where the body ends.
pub(super) fn mend(request: &RequestLine<'_>, lines: &[u8], body: Body, verdict: &Verdict) -> Vec<u8> {
    let version = match request.version {
        super::request_line::Version::Http10 => &b" HTTP/1.0\r\n"[..],
        super::request_line::Version::Http11 => b" HTTP/1.1\r\n",
    };
    let mut head = Vec::with_capacity(request.target.len() + lines.len() + 64);
    head.extend_from_slice(request.method);
    head.push(b' ');
    push_target(&mut head, request.target);
    head.extend_from_slice(version);
    let mut previous = Judged::Drop;
    for line in Lines::new(lines) {
        let (judged, _, value) = judge_line(&line, previous);
        previous = judged;
        match judged {
            Judged::Keep => {
                head.extend_from_slice(line.bytes);
                head.extend_from_slice(b"\r\n");
            }
            Judged::Fold => {
                // The line before is there, and ends: it was kept.
                head.truncate(head.len().saturating_sub(2));
                head.push(b' ');
                head.extend_from_slice(value);
                head.extend_from_slice(b"\r\n");
            }
            Judged::Drop | Judged::Framing(_) => {}
        }
    }
    match (body, verdict.length()) {
        (Body::Chunked(_), _) => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        (Body::Length(_), Some(length)) => {
            head.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
        }
        (Body::Length(_), None) => {}
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// A harmless head in place of one that hyper must not see, so that the request is answered, counted and logged like
/// any other: with what can be read of its method, target and host.
pub(crate) fn stand_in(refused: &[u8]) -> Vec<u8> {
    let line = refused.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut parts = line.split(|byte| byte.is_ascii_whitespace());
    let method = parts
        .next()
        .filter(|method| is_token(method) && method.len() <= MAX_STAND_IN_METHOD && *method != b"CONNECT")
        .unwrap_or(b"-");
    let target = parts
        .next()
        .filter(|target| target.starts_with(b"/"))
        .unwrap_or(b"/");
    let mut head = method.to_vec();
    head.push(b' ');
    push_target(&mut head, target.get(..MAX_STAND_IN_TARGET).unwrap_or(target));
    head.extend_from_slice(b" HTTP/1.1\r\n");
    let rest = split(refused, b'\n').map_or(&[][..], |(_, rest)| rest);
    let host = Lines::new(rest).find_map(|line| {
        let (name, value) = split(line.bytes, b':')?;
        let value = trim(value);
        let plain = value.iter().all(u8::is_ascii_graphic) && value.len() <= 255;
        (name.eq_ignore_ascii_case(b"host") && plain).then_some(value)
    });
    if let Some(host) = host {
        head.extend_from_slice(b"host: ");
        head.extend_from_slice(host);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// RFC 3986 2.1: what must not stand in a target is written as its number.
fn push_target(head: &mut Vec<u8>, target: &[u8]) {
    for byte in target {
        if is_target(*byte) {
            head.push(*byte);
        } else {
            let digit = |number: u8| HEX.get(usize::from(number)).copied().unwrap_or(b'0');
            head.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}
