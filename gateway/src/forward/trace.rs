//! Which trace a request belongs to: W3C Trace Context continued or begun, and ALB's `X-Amzn-Trace-Id` beside it.
//!
//! Both carry the same id where it is ours: four bytes of time and twelve of chance, as X-Ray wants it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::chance;
use crate::{access_log::TraceId, hex};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// ALB: beyond this the header is begun anew.
const MAX_AMZN_TRACE_ID: usize = 7 * 1024;

/// `traceparent` of version 00: version, trace id, parent id, flags.
const TRACEPARENT_LENGTH: usize = 55;

/// The flag that somebody records this trace: the access log does.
const SAMPLED: u8 = 1;

/// A request's place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trace {
    id: TraceId,
    /// The caller's flags.
    flags: u8,
    origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// It began with this request.
    Here,
    /// The client named it.
    Client,
}

impl Trace {
    /// The client's trace, if it names one, else a new one that begins now.
    pub(super) fn of(headers: &HeaderMap, now: Timestamp) -> Self {
        let mut sent = headers.get_all(TRACEPARENT).into_iter();
        let named = sent.next().filter(|_| sent.next().is_none());
        named
            .and_then(|value| read_traceparent(value.as_bytes()))
            .unwrap_or_else(|| Self::begin(now))
    }

    fn begin(now: Timestamp) -> Self {
        Self {
            id: TraceId(new_id(now)),
            flags: SAMPLED,
            origin: Origin::Here,
        }
    }

    /// For the log.
    pub(super) fn id(&self) -> TraceId {
        self.id
    }

    /// Tells the next hop, under a new span id: this hop is one of its own.
    pub(super) fn apply(&self, headers: &mut HeaderMap) {
        if self.origin == Origin::Here {
            // It belongs to a parent that could not be read (Trace Context 3.3.1).
            headers.remove(TRACESTATE);
        }
        let sent = headers.get(X_AMZN_TRACE_ID);
        let amzn = self.amzn(sent.and_then(|sent| sent.to_str().ok()).unwrap_or_default());
        for (name, text) in [(TRACEPARENT, self.traceparent()), (X_AMZN_TRACE_ID, amzn)] {
            if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(text)) {
                headers.insert(name, value);
            }
        }
    }

    fn traceparent(&self) -> Vec<u8> {
        let span = hex::digits::<16>((chance::number() | 1).into());
        let flags = hex::digits::<2>(self.flags.into());
        [b"00-".as_slice(), &self.id.digits(), b"-", &span, b"-", &flags].concat()
    }

    /// ALB: a header with a `Root` gets a new `Self`, one without gets a `Root`; other fields stay.
    fn amzn(&self, sent: &str) -> Vec<u8> {
        if sent.len() > MAX_AMZN_TRACE_ID {
            return amzn_field(b"Root=", self.id.0);
        }
        let fields = || sent.split(';').map(str::trim).filter(|field| !field.is_empty());
        let (key, id) = if fields().any(|field| field.starts_with("Root=")) {
            ("Self=", new_id(Timestamp::now()))
        } else {
            ("Root=", self.id.0)
        };
        let mut text = amzn_field(key.as_bytes(), id);
        for field in fields().filter(|field| !field.starts_with(key)) {
            text.push(b';');
            text.extend_from_slice(field.as_bytes());
        }
        text
    }
}

/// `<key>1-<time>-<chance>`.
fn amzn_field(key: &[u8], id: u128) -> Vec<u8> {
    let (time, chance) = (hex::digits::<8>(id >> 96), hex::digits::<24>(id));
    [key, b"1-", &time, b"-", &chance].concat()
}

fn new_id(now: Timestamp) -> u128 {
    // Four bytes of seconds last until 2106.
    let seconds = u64::try_from(now.as_second()).unwrap_or(0) & u64::from(u32::MAX);
    let chance = (u128::from(chance::number()) << 64) | u128::from(chance::number());
    (u128::from(seconds) << 96) | (chance & (u128::MAX >> 32))
}

/// Trace Context 3.2: later versions may have more behind, none may have zeros alone or capitals.
fn read_traceparent(value: &[u8]) -> Option<Trace> {
    let (known, more) = value.split_at_checked(TRACEPARENT_LENGTH)?;
    let text = std::str::from_utf8(known).ok()?;
    let mut parts = text.split('-');
    let (version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let fits = [(version, 2), (id, 32), (parent, 16), (flags, 2)]
        .iter()
        .all(|(part, length)| part.len() == *length && part.bytes().all(is_lower_hex));
    let ends = match version {
        "ff" => false,
        "00" => more.is_empty(),
        _ => more.is_empty() || more.starts_with(b"-"),
    };
    let id = u128::from_str_radix(id, 16).ok().filter(|id| *id != 0)?;
    let parent = u64::from_str_radix(parent, 16).ok()?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    (fits && ends && parent != 0).then_some(Trace {
        id: TraceId(id),
        flags,
        origin: Origin::Client,
    })
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests;
