//! What all lines of a head together say.

use super::{
    Ending, Field, Judged, Line, Refused, headers_too_large, judge_line,
    request_line::{RequestLine, Version},
    resembles,
};
use crate::{
    config::Limits,
    error::Cause,
    inspect::{
        Body, Reason,
        bytes::{is_token, split, trim},
    },
};

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// The worst; the first of its class.
    pub(super) reason: Reason,
    /// Whether the head has to be written anew.
    pub(super) mend: bool,
    count: usize,
    block: usize,
    coding: Coding,
    length: Option<u64>,
    /// Lines that only resemble a Transfer-Encoding.
    false_codings: u32,
    false_lengths: Vec<u64>,
}

/// What the Transfer-Encoding lines say, taken as one list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Coding {
    /// There are none.
    #[default]
    None,
    /// As if there were none.
    Identity,
    Chunked,
    /// Chunked, and then something else or again.
    ChunkedTwice,
    ChunkedInside,
    /// One that is not spoken here.
    Unknown,
    Malformed,
}

impl Verdict {
    pub(super) fn note(&mut self, reason: Reason) {
        if reason != Reason::Compliant {
            self.mend = true;
        }
        if reason.class() > self.reason.class() {
            self.reason = reason;
        }
    }

    /// Counts a line.
    pub(super) fn lines(&mut self, line: &Line<'_>, limits: &Limits) -> Result<(), Refused> {
        let size = line.bytes.len() + 2;
        self.count += 1;
        self.block += size;
        if size > limits.header_line {
            return Err(headers_too_large(limits.header_line));
        }
        if self.block > limits.header_block {
            return Err(headers_too_large(limits.header_block));
        }
        if self.count > limits.header_lines {
            return Err(Refused::too_large(Cause::TooManyHeaders {
                limit: limits.header_lines,
            }));
        }
        Ok(())
    }

    /// Takes a line into account.
    pub(super) fn header(&mut self, line: &Line<'_>, previous: Judged) -> Judged {
        let (judged, reason, value) = judge_line(line, previous);
        self.note(reason);
        if line.ending == Ending::Lf {
            self.note(Reason::NonCrLfLineTermination);
        }
        match judged {
            Judged::Framing(Field::TransferEncoding) => self.coding = self.coding.and(value),
            Judged::Framing(Field::ContentLength) => self.content_length(value),
            Judged::Drop if reason == Reason::SuspiciousHeader => self.suspicious(line, value),
            Judged::Drop | Judged::Keep | Judged::Fold => {}
        }
        judged
    }

    pub(super) fn content_length(&mut self, value: &[u8]) {
        match (read_length(value), self.length) {
            (None, _) => self.note(Reason::BadContentLength),
            (Some(length), None) => self.length = Some(length),
            (Some(length), Some(before)) if length == before => self.note(Reason::DuplicateContentLength),
            (Some(_), Some(_)) => self.note(Reason::MultipleContentLength),
        }
    }

    fn suspicious(&mut self, line: &Line<'_>, value: &[u8]) {
        let name = split(line.bytes, b':').map_or(line.bytes, |(name, _)| name);
        if let Some(field) = resembles(name) {
            self.imitation(field, value);
        }
    }

    /// There is a line that only resembles one of these.
    pub(super) fn imitation(&mut self, field: Field, value: &[u8]) {
        match field {
            Field::TransferEncoding => self.false_codings += 1,
            Field::ContentLength => match read_length(value) {
                Some(length) => self.false_lengths.push(length),
                None => self.note(Reason::BadContentLength),
            },
        }
    }

    /// The body is sent in chunks.
    pub(super) fn chunked(&mut self) {
        self.coding = Coding::Chunked;
    }

    pub(super) fn request_line(&mut self, line: &RequestLine<'_>) {
        self.mend |= line.mend;
        if line.reason.class() > self.reason.class() {
            self.reason = line.reason;
        }
    }

    /// Where the body ends, if there is an answer at all.
    pub(super) fn framing(&mut self, request: Option<&RequestLine<'_>>) -> Result<Body, Refused> {
        self.imitations();
        let refused = |reason: Reason, cause| Err(Refused { cause, reason });
        match self.coding {
            Coding::Malformed | Coding::ChunkedInside => self.note(Reason::BadTransferEncoding),
            Coding::ChunkedTwice => self.note(Reason::MultipleTransferEncodingChunked),
            Coding::Unknown => return refused(self.reason, Cause::CodingRefused),
            Coding::None | Coding::Identity | Coding::Chunked => {}
        }
        if is_frameless(self.reason) {
            return refused(self.reason, Cause::Malformed(self.reason.text()));
        }
        let version = request.map_or(Version::Http11, |request| request.version);
        if self.coding != Coding::None && version == Version::Http10 {
            let reason = Reason::UndefinedTransferEncodingSemantics;
            return refused(reason, Cause::Malformed(reason.text()));
        }
        if self.coding != Coding::None && self.length.is_some() {
            self.note(Reason::BothTeClPresent);
        }
        if self.coding == Coding::Identity {
            self.mend = true;
        }
        let body = match (self.coding, self.length) {
            (Coding::Chunked, _) => Body::CHUNKED,
            (_, length) => Body::Length(length.unwrap_or(0)),
        };
        if request.is_some_and(|request| matches!(request.method, b"GET" | b"HEAD")) {
            self.without_body(body);
        }
        Ok(body)
    }

    /// What only resembles a header that frames counts as one beside a real one: some party will take it so.
    fn imitations(&mut self) {
        if self.false_codings > 0 && self.coding == Coding::Chunked {
            self.note(Reason::MultipleTransferEncodingChunked);
        }
        let first = self.length.or(self.false_lengths.first().copied());
        if self.false_lengths.iter().any(|length| Some(*length) != first) {
            self.note(Reason::MultipleContentLength);
        }
    }

    /// A body that has no meaning (RFC 9110 9.3.1). Nothing has to be written anew: it has one reading here.
    fn without_body(&mut self, body: Body) {
        let reason = match body {
            Body::Chunked(_) => Reason::UndefinedTransferEncodingSemantics,
            Body::Length(0) if self.length.is_none() => return,
            Body::Length(0) => Reason::GetHeadZeroContentLength,
            Body::Length(_) => Reason::UndefinedContentLengthSemantics,
        };
        if reason.class() > self.reason.class() {
            self.reason = reason;
        }
    }

    /// The length to write when there are no chunks.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }
}

/// Reasons that leave no telling where the body ends, in whatever mode.
fn is_frameless(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::BadContentLength
            | Reason::MultipleContentLength
            | Reason::BadTransferEncoding
            | Reason::MultipleTransferEncodingChunked
    )
}

impl Coding {
    /// With one more line.
    fn and(self, value: &[u8]) -> Self {
        value.split(|byte| *byte == b',').fold(self, |before, coding| {
            let coding = trim(coding);
            let this = if coding.eq_ignore_ascii_case(b"chunked") {
                Self::Chunked
            } else if coding.eq_ignore_ascii_case(b"identity") {
                Self::Identity
            } else if is_token(coding) {
                Self::Unknown
            } else {
                Self::Malformed
            };
            before.then(this)
        })
    }

    fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::Malformed, _) | (_, Self::Malformed) => Self::Malformed,
            (Self::Chunked | Self::ChunkedTwice, Self::Chunked) => Self::ChunkedTwice,
            (Self::ChunkedTwice, _) => Self::ChunkedTwice,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Chunked | Self::ChunkedInside, _) => Self::ChunkedInside,
            (Self::None | Self::Identity, next) => next,
        }
    }
}

/// The largest length hyper takes: the two numbers above stand for something else there.
const MAX_LENGTH: u64 = u64::MAX - 2;

/// RFC 9110 8.6: digits alone.
fn read_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    let length = value.iter().try_fold(0u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })?;
    (length <= MAX_LENGTH).then_some(length)
}
