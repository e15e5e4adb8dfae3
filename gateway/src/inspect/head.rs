//! One head: found, bounded, classified, and written anew where it had two readings.
//!
//! The reference for the classes is ALB's documentation and AWS's http-desync-guardian. Where those let a request
//! through that has no reading at all (no URI, HTTP/0.9, Transfer-Encoding in HTTP/1.0), it is refused in every mode.

mod http2;
mod mend;
mod request_line;
mod verdict;

pub(crate) use self::{http2::judge_http2, mend::stand_in};
use self::{mend::mend, request_line::RequestLine, verdict::Verdict};
use super::{
    Body, Class, Reason,
    bytes::{is_blank, is_token, is_value, split, trim},
};
use crate::{
    config::{DesyncMode, Limits},
    error::Cause,
};

/// The end of a line.
const LINE_END: usize = 2;

/// What is known of the bytes at the front of a connection.
#[derive(Debug)]
pub(crate) enum Inspected {
    /// There is no whole head yet.
    Partial,
    /// A head that may go on to hyper.
    Passed(Passed),
    /// One that must not.
    Refused(Refused),
}

/// A head that is let through.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    /// How many bytes it has.
    pub(crate) length: usize,
    pub(crate) reason: Reason,
    /// What follows.
    pub(crate) body: Body,
    /// What to pass on in its stead.
    pub(crate) mended: Option<Vec<u8>>,
    pub(crate) afterwards: Afterwards,
}

/// What becomes of the connection when the request has been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// The next request.
    Next,
    /// ALB, defensive mode: closed, for whoever sent an ambiguous request may see another one in what follows.
    Close,
}

/// A head that is answered by the gateway.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) cause: Cause,
    pub(crate) reason: Reason,
}

impl Refused {
    fn too_large(cause: Cause) -> Self {
        Self {
            cause,
            reason: Reason::Compliant,
        }
    }
}

/// How far the end of a head has been looked for, so that no byte is looked at twice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {
    from: usize,
    first_line: Option<usize>,
}

impl Scan {
    /// The length of the head, the empty line included.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(at) = memchr::memchr(b'\n', bytes.get(self.from..)?) {
            let line_end = self.from + at;
            self.first_line.get_or_insert(line_end);
            match bytes.get(line_end + 1..)? {
                [b'\n', ..] => return Some(line_end + 2),
                [b'\r', b'\n', ..] => return Some(line_end + 3),
                [] | [b'\r'] => {
                    self.from = line_end;
                    return None;
                }
                _ => self.from = line_end + 1,
            }
        }
        self.from = bytes.len();
        None
    }
}

/// Looks at what a client has sent so far. `bytes` starts with a request line: empty lines before it are gone.
pub(crate) fn inspect(bytes: &[u8], scan: &mut Scan, limits: &Limits, mode: DesyncMode) -> Inspected {
    let Some(length) = scan.end(bytes) else {
        return match refuse_early(bytes, scan, limits) {
            Some(refused) => Inspected::Refused(refused),
            None => Inspected::Partial,
        };
    };
    match judge(bytes.get(..length).unwrap_or(bytes), limits, mode) {
        Ok(passed) => Inspected::Passed(passed),
        Err(refused) => Inspected::Refused(refused),
    }
}

/// What can be said of half a head.
fn refuse_early(bytes: &[u8], scan: &Scan, limits: &Limits) -> Option<Refused> {
    // TLS where HTTP is spoken, most often: it will never come to the end of a line.
    if bytes.first().is_some_and(|first| !is_token(&[*first])) {
        return Some(Refused {
            cause: Cause::Malformed(Reason::BadMethod.text()),
            reason: Reason::BadMethod,
        });
    }
    let too_long = scan.first_line.unwrap_or(bytes.len()) > limits.request_line + LINE_END;
    if too_long {
        return Some(request_line_too_long(limits));
    }
    if bytes.len() > limits.request_line + limits.header_block + 2 * LINE_END {
        return Some(headers_too_large(limits.header_block));
    }
    let line = scan.first_line.and_then(|end| bytes.get(..end))?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // Whoever speaks HTTP/0.9 waits for an answer now.
    let missing =
        matches!(RequestLine::parse(line), Err(refused) if matches!(refused.cause, Cause::VersionRefused));
    missing.then_some(Refused {
        cause: Cause::VersionRefused,
        reason: Reason::BadVersion,
    })
}

fn request_line_too_long(limits: &Limits) -> Refused {
    Refused::too_large(Cause::UriTooLong {
        limit: limits.request_line,
    })
}

fn headers_too_large(limit: usize) -> Refused {
    Refused::too_large(Cause::HeadersTooLarge { limit })
}

fn judge(head: &[u8], limits: &Limits, mode: DesyncMode) -> Result<Passed, Refused> {
    let (first, rest) = split(head, b'\n').unwrap_or((head, &[]));
    let first_line = first.strip_suffix(b"\r");
    let line = first_line.unwrap_or(first);
    if line.len() > limits.request_line {
        return Err(request_line_too_long(limits));
    }
    let mut verdict = Verdict::default();
    if first_line.is_none() {
        verdict.note(Reason::NonCrLfLineTermination);
    }
    let mut previous = Judged::Drop;
    for line in Lines::new(rest) {
        verdict.lines(&line, limits)?;
        previous = verdict.header(&line, previous);
    }
    let request = RequestLine::parse(line);
    if let Ok(request) = &request {
        verdict.request_line(request);
    }
    let framed = verdict.framing(request.as_ref().ok());
    let request = match (framed, request) {
        // What cannot be framed is the graver, whatever the request line.
        (Err(refused), _) | (Ok(_), Err(refused)) => return Err(refused),
        (Ok(body), Ok(request)) => (body, request),
    };
    let (body, request) = request;
    let class = verdict.reason.class();
    if !class.passes(mode) {
        return Err(Refused {
            cause: Cause::Malformed(verdict.reason.text()),
            reason: verdict.reason,
        });
    }
    Ok(Passed {
        length: head.len(),
        reason: verdict.reason,
        body,
        mended: verdict.mend.then(|| mend(&request, rest, body, &verdict)),
        afterwards: if class == Class::Ambiguous && mode == DesyncMode::Defensive {
            Afterwards::Close
        } else {
            Afterwards::Next
        },
    })
}

/// A line of the head behind the first.
struct Line<'h> {
    /// Without its end.
    bytes: &'h [u8],
    ending: Ending,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    CrLf,
    Lf,
}

/// The header lines of a head, up to the empty one.
struct Lines<'h> {
    rest: &'h [u8],
}

impl<'h> Lines<'h> {
    fn new(rest: &'h [u8]) -> Self {
        Self { rest }
    }
}

impl<'h> Iterator for Lines<'h> {
    type Item = Line<'h>;

    fn next(&mut self) -> Option<Line<'h>> {
        let (line, rest) = split(self.rest, b'\n')?;
        self.rest = rest;
        let (bytes, ending) = match line.strip_suffix(b"\r") {
            Some(bytes) => (bytes, Ending::CrLf),
            None => (line, Ending::Lf),
        };
        (!bytes.is_empty()).then_some(Line { bytes, ending })
    }
}

/// What becomes of a header line when the head is written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    /// It stays.
    Keep,
    /// It goes.
    Drop,
    /// It says where the body ends; what was made of all such lines is written instead.
    Framing(Field),
    /// It goes on with the line before it (RFC 9112 5.2) and is joined to it.
    Fold,
}

/// Which of the two headers that frame a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    TransferEncoding,
    ContentLength,
}

/// Judges a line, and says why it is not compliant if it isn't.
fn judge_line<'h>(line: &Line<'h>, previous: Judged) -> (Judged, Reason, &'h [u8]) {
    let bytes = line.bytes;
    let blank_first = bytes.first().is_some_and(|byte| is_blank(*byte));
    let Some((name, value)) = split(bytes, b':') else {
        return if blank_first {
            judge_fold(bytes, previous)
        } else {
            (Judged::Drop, Reason::BadHeader, bytes)
        };
    };
    let value = trim(value);
    if name.eq_ignore_ascii_case(b"transfer-encoding") {
        return (Judged::Framing(Field::TransferEncoding), Reason::Compliant, value);
    }
    if name.eq_ignore_ascii_case(b"content-length") {
        return (Judged::Framing(Field::ContentLength), Reason::Compliant, value);
    }
    if has_bad_byte(bytes) {
        return (Judged::Drop, Reason::BadHeader, value);
    }
    if resembles(name).is_some() {
        return (Judged::Drop, Reason::SuspiciousHeader, value);
    }
    if trim(name).is_empty() {
        return (Judged::Drop, Reason::EmptyHeader, value);
    }
    if blank_first {
        return judge_fold(bytes, previous);
    }
    if is_token(name) && is_value(value) {
        (Judged::Keep, Reason::Compliant, value)
    } else {
        (Judged::Drop, Reason::NonCompliantHeader, value)
    }
}

fn judge_fold(bytes: &[u8], previous: Judged) -> (Judged, Reason, &[u8]) {
    let text = trim(bytes);
    match previous {
        _ if has_bad_byte(bytes) => (Judged::Drop, Reason::BadHeader, text),
        // A length that goes on in the next line is a trick.
        Judged::Framing(_) => (Judged::Drop, Reason::BadHeader, text),
        Judged::Keep | Judged::Fold if is_value(text) => (Judged::Fold, Reason::MultilineHeader, text),
        Judged::Keep | Judged::Fold | Judged::Drop => (Judged::Drop, Reason::MultilineHeader, text),
    }
}

/// What no party must ever see inside a line.
fn has_bad_byte(bytes: &[u8]) -> bool {
    memchr::memchr2(b'\r', 0, bytes).is_some()
}

/// Whether a name that is neither could be taken for one of the two headers that frame a body, by somebody who cuts
/// off, skips or folds what should not be in it. ALB: `SuspiciousHeader`.
fn resembles(name: &[u8]) -> Option<Field> {
    // The shortest to be found has its thirteen letters.
    if name.len() < b"contentlength".len() {
        return None;
    }
    let word = trim(name)
        .split(|byte| is_blank(*byte))
        .next()
        .unwrap_or_default();
    [
        (Field::TransferEncoding, "transferencoding"),
        (Field::ContentLength, "contentlength"),
    ]
    .into_iter()
    .find(|(_, letters)| has_letters(name, letters) || has_letters(word, letters))
    .map(|(field, _)| field)
}

/// Whether these are the letters and digits of a name, case and all else aside.
fn has_letters(name: &[u8], letters: &str) -> bool {
    let mut rest = letters.as_bytes();
    let mut bytes = name;
    while let Some((byte, after)) = bytes.split_first() {
        let (letter, after) = match (byte, after) {
            // Letters that become s and i when they are made upper case: ſ and ı.
            (0xc5, [0xbf, after @ ..]) => (b's', after),
            (0xc4, [0xb1, after @ ..]) => (b'i', after),
            (byte, after) => (byte.to_ascii_lowercase(), after),
        };
        bytes = after;
        if !letter.is_ascii_alphanumeric() {
            continue;
        }
        match rest.split_first() {
            Some((expected, after)) if *expected == letter => rest = after,
            _ => return false,
        }
    }
    rest.is_empty()
}
