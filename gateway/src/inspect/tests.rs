//! The classes of heads, row by row: ALB's reason codes, and cases of AWS's http-desync-guardian.

mod bodies;
mod properties;

use super::{
    Body, Class, Inspected, Passed, Reason, Refused, Scan, framing::Malformed, head::Afterwards, inspect,
    stand_in,
};
use crate::config::{DesyncMode, Limits};

fn in_mode(head: &[u8], mode: DesyncMode) -> Inspected {
    inspect(head, &mut Scan::default(), &Limits::default(), mode)
}

fn pass(head: &[u8]) -> Passed {
    match in_mode(head, DesyncMode::Monitor) {
        Inspected::Passed(passed) => passed,
        other => panic!("{:?}: {other:?}", head.escape_ascii().to_string()),
    }
}

fn refuse(head: &[u8], mode: DesyncMode) -> Refused {
    match in_mode(head, mode) {
        Inspected::Refused(refused) => refused,
        other => panic!("{:?}: {other:?}", head.escape_ascii().to_string()),
    }
}

/// What happens to a head in defensive mode.
#[derive(Debug, PartialEq)]
enum Fate {
    /// Goes on as it came.
    AsIs,
    /// Goes on like this.
    As(&'static str),
    /// Is answered with this status.
    Answered(u16),
}
use Fate::{Answered, As, AsIs};

struct Row {
    head: &'static [u8],
    reason: Reason,
    fate: Fate,
}

const fn row(head: &'static [u8], reason: Reason, fate: Fate) -> Row {
    Row { head, reason, fate }
}

/// ALB's access log, `classification_reason`: each code, with the class that the documentation gives it.
#[rustfmt::skip]
const ROWS: &[Row] = &[
        row(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Reason::Compliant, AsIs),
        row(b"GET /a%09b%20c?d=%0D%0A HTTP/1.1\r\nHost: a\r\n\r\n", Reason::Compliant, AsIs),
        row(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", Reason::Compliant, AsIs),
        row(b"POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:chunked\r\n\r\n", Reason::Compliant, AsIs),
        row(b"GET / HTTP/1.0\r\n\r\n", Reason::Compliant, AsIs),
        row(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Reason::Compliant, AsIs),
        row(b"GET http://a.test:80/p HTTP/1.1\r\nHost: b\r\n\r\n", Reason::Compliant, AsIs),
        row(b"QUERY / HTTP/1.1\r\nX: \xff\ty\r\nEmpty:\r\n\r\n", Reason::Compliant, AsIs),
        // Not written as RFC 3986 wants it, but with one meaning (http-desync-guardian: compliant).
        row(b"GET /<\xc3\xa9> HTTP/1.1\r\nHost: a\r\n\r\n", Reason::Compliant, As("GET /%3C%C3%A9%3E HTTP/1.1\r\nHost: a\r\n\r\n")),

        row(b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", Reason::GetHeadZeroContentLength, AsIs),
        row(b"HEAD / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", Reason::GetHeadZeroContentLength, AsIs),
        row(b"PUT / HTTP/1.1\r\nHost: a\r\nx-my-header : v\r\n\r\n", Reason::NonCompliantHeader, As("PUT / HTTP/1.1\r\nHost: a\r\n\r\n")),
        row(b"PUT / HTTP/1.1\r\n\x01X: v\r\nA: b\r\n\r\n", Reason::NonCompliantHeader, As("PUT / HTTP/1.1\r\nA: b\r\n\r\n")),
        row(b"PUT / HTTP/1.1\r\nX: v\x01\r\nA: b\r\n\r\n", Reason::NonCompliantHeader, As("PUT / HTTP/1.1\r\nA: b\r\n\r\n")),
        row(b"GET / HTTP/1.2\r\n\r\n", Reason::NonCompliantVersion, As("GET / HTTP/1.1\r\n\r\n")),
        row(b"GET / HTTP/1.1 \t\r\n\r\n", Reason::NonCompliantVersion, As("GET / HTTP/1.1\r\n\r\n")),
        row(b"GET / HTTP/1.1\nHost: a\r\n\r\n", Reason::NonCrLfLineTermination, As("GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
        row(b"GET / HTTP/1.1\r\nHost: a\n\n", Reason::NonCrLfLineTermination, As("GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
        row(b"GET /a?b=not escaped HTTP/1.1\r\n\r\n", Reason::SpaceInUri, As("GET /a?b=not%20escaped HTTP/1.1\r\n\r\n")),

        row(b"GET /a\tHTTP/1.1 HTTP/1.1\r\n\r\n", Reason::AmbiguousUri, As("GET /a%09HTTP/1.1 HTTP/1.1\r\n\r\n")),
        row(b"GET /a\x01b HTTP/1.1\r\n\r\n", Reason::AmbiguousUri, As("GET /a%01b HTTP/1.1\r\n\r\n")),
        row(b"GET /a#b HTTP/1.1\r\n\r\n", Reason::AmbiguousUri, As("GET /a%23b HTTP/1.1\r\n\r\n")),
        row(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 100\r\nA: b\r\n\r\n", Reason::BothTeClPresent,
            As("POST / HTTP/1.1\r\nA: b\r\ntransfer-encoding: chunked\r\n\r\n")),
        row(b"POST / HTTP/1.1\r\nContent-Length: 100\r\nTransfer-Encoding: identity\r\n\r\n", Reason::BothTeClPresent,
            As("POST / HTTP/1.1\r\ncontent-length: 100\r\n\r\n")),
        row(b"PUT / HTTP/1.1\r\nContent-Length: 7\r\nContent-Length: 7\r\n\r\n", Reason::DuplicateContentLength,
            As("PUT / HTTP/1.1\r\ncontent-length: 7\r\n\r\n")),
        row(b"POST / HTTP/1.1\r\n: chunked\r\nContent-Length: 7\r\n\r\n", Reason::EmptyHeader, As("POST / HTTP/1.1\r\ncontent-length: 7\r\n\r\n")),
        row(b"POST / HTTP/1.1\r\n \t : chunked\r\n\r\n", Reason::EmptyHeader, As("POST / HTTP/1.1\r\n\r\n")),
        row(b"POST / HTTP/1.1\r\n:A:B: chunked\r\n\r\n", Reason::EmptyHeader, As("POST / HTTP/1.1\r\n\r\n")),
        row(b"GET / HTTP/1.1\r\nX: a\r\n\t b\r\n\r\n", Reason::MultilineHeader, As("GET / HTTP/1.1\r\nX: a b\r\n\r\n")),
        row(b"GET / HTTP/1.1\r\nX: a\r\n b: c\r\n d\r\n\r\n", Reason::MultilineHeader, As("GET / HTTP/1.1\r\nX: a b: c d\r\n\r\n")),
        row(b"GET / HTTP/1.1\r\n X: a\r\nY: b\r\n\r\n", Reason::MultilineHeader, As("GET / HTTP/1.1\r\nY: b\r\n\r\n")),
        row(b"GET / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n", Reason::UndefinedContentLengthSemantics, AsIs),
        row(b"HEAD / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n", Reason::UndefinedContentLengthSemantics, AsIs),
        row(b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", Reason::UndefinedTransferEncodingSemantics, AsIs),
        row(b"HEAD / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", Reason::UndefinedTransferEncodingSemantics, AsIs),
        // Ambiguous, but there is no reading to let through (RFC 9112 6.1).
        row(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Reason::UndefinedTransferEncodingSemantics, Answered(400)),

        row(b"POST / HTTP/1.1\r\nContent-Length: 7,7\r\n\r\n", Reason::BadContentLength, Answered(400)),
        row(b"POST / HTTP/1.1\r\nContent-Length: 7 7\r\n\r\n", Reason::BadContentLength, Answered(400)),
        row(b"POST / HTTP/1.1\r\nContent-Length: +7\r\n\r\n", Reason::BadContentLength, Answered(400)),
        row(b"POST / HTTP/1.1\r\nContent-Length: 0x7\r\n\r\n", Reason::BadContentLength, Answered(400)),
        row(b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", Reason::BadContentLength, Answered(400)),
        row(b"POST / HTTP/1.1\r\nContent-Length: 7\x0b\r\n\r\n", Reason::BadContentLength, Answered(400)),
        row(b"POST / HTTP/1.1\r\nContent-Length: 18446744073709551614\r\n\r\n", Reason::BadContentLength, Answered(400)),
        row(b"POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n", Reason::BadContentLength, Answered(400)),
        row(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n 0\r\n\r\n", Reason::BadHeader, Answered(400)),
        row(b"GET / HTTP/1.1\r\nno colon\r\n\r\n", Reason::BadHeader, Answered(400)),
        row(b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", Reason::BadHeader, Answered(400)),
        row(b"GET / HTTP/1.1\r\nX\0: ab\r\n\r\n", Reason::BadHeader, Answered(400)),
        row(b"GET / HTTP/1.1\r\nX: a\rContent-Length: 5\r\n\r\n", Reason::BadHeader, Answered(400)),
        row(b"GET / HTTP/1.1\r\nX: a\r\r\n\r\n", Reason::BadHeader, Answered(400)),
        row(b"bad\x01method / HTTP/1.1\r\n\r\n", Reason::BadMethod, Answered(400)),
        row(b"G{T / HTTP/1.1\r\n\r\n", Reason::BadMethod, Answered(400)),
        row(b"GET\t/ HTTP/1.1\r\n\r\n", Reason::BadMethod, Answered(400)),
        row(b"POST / HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n", Reason::BadTransferEncoding, Answered(400)),
        row(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\x80\r\n\r\n", Reason::BadTransferEncoding, Answered(400)),
        row(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", Reason::BadTransferEncoding, Answered(400)),
        row(b"POST / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n", Reason::BadTransferEncoding, Answered(400)),
        row(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n", Reason::BadTransferEncoding, Answered(400)),
        row(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", Reason::BadTransferEncoding, Answered(400)),
        row(b"GET /a\0b HTTP/1.1\r\n\r\n", Reason::BadUri, Answered(400)),
        row(b"GET /a\rb HTTP/1.1\r\n\r\n", Reason::BadUri, Answered(400)),
        row(b"GET a HTTP/1.1\r\n\r\n", Reason::BadUri, Answered(400)),
        row(b"GET * HTTP/1.1\r\n\r\n", Reason::BadUri, Answered(400)),
        row(b"GET http://user@a/ HTTP/1.1\r\n\r\n", Reason::BadUri, Answered(400)),
        row(b"GET ftp://a/ HTTP/1.1\r\n\r\n", Reason::BadUri, Answered(400)),
        row(b"GET / HTTP/1.1 HTTP/1.1\r\n\r\n", Reason::BadVersion, Answered(400)),
        row(b"GET / http/1.1\r\n\r\n", Reason::BadVersion, Answered(400)),
        row(b"GET / HTTP/1.10\r\n\r\n", Reason::BadVersion, Answered(400)),
        row(b"GET HTTP/1.1\r\n\r\n", Reason::MissingUri, Answered(400)),
        row(b"GET  HTTP/1.1\r\n\r\n", Reason::MissingUri, Answered(400)),
        row(b"nonsense\r\n\r\n", Reason::MissingUri, Answered(400)),
        row(b"POST / HTTP/1.1\r\nContent-Length: 7\r\nContent-Length: 8\r\n\r\n", Reason::MultipleContentLength, Answered(400)),
        row(b"POST / HTTP/1.1\r\nContent-Length : 7\r\nContent-Length: 8\r\n\r\n", Reason::MultipleContentLength, Answered(400)),
        row(b"POST / HTTP/1.1\r\n Content-Length: 7\r\nContent-Length: 8\r\n\r\n", Reason::MultipleContentLength, Answered(400)),
        row(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", Reason::MultipleTransferEncodingChunked, Answered(400)),
        row(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", Reason::MultipleTransferEncodingChunked, Answered(400)),
        row(b"POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\nTransfer-Encoding: chunked\r\n\r\n", Reason::MultipleTransferEncodingChunked, Answered(400)),
        // ALB: 505 for an HTTP version it does not expect, 501 for a Transfer-Encoding other than chunked and identity.
        row(b"GET /\r\n\r\n", Reason::BadVersion, Answered(505)),
        row(b"GET / HTTP/0.9\r\n\r\n", Reason::BadVersion, Answered(505)),
        row(b"GET / HTTP/2.0\r\n\r\n", Reason::BadVersion, Answered(505)),
        row(b"GET / HTTP/3\r\n\r\n", Reason::BadVersion, Answered(505)),
        row(b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Reason::Compliant, Answered(501)),
        row(b"POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", Reason::Compliant, Answered(501)),
    ];

fn fate(head: &'static [u8], mode: DesyncMode) -> (Reason, Fate) {
    match in_mode(head, mode) {
        Inspected::Passed(passed) => {
            assert_eq!(passed.length, head.len());
            let mended = passed
                .mended
                .map(|mended| &*String::from_utf8(mended).unwrap().leak());
            (passed.reason, mended.map_or(AsIs, As))
        }
        Inspected::Refused(refused) => (
            refused.reason,
            Answered(refused.cause.response("").status().as_u16()),
        ),
        Inspected::Partial => panic!("{:?} is whole", head.escape_ascii().to_string()),
    }
}

#[test]
fn every_reason_has_its_rows_and_defensive_mode_its_fates() {
    for row in ROWS {
        let found = fate(row.head, DesyncMode::Defensive);
        assert_eq!(
            (found.0, &found.1),
            (row.reason, &row.fate),
            "{}",
            row.head.escape_ascii()
        );
    }
    for reason in Reason::ALL
        .iter()
        .filter(|reason| **reason != Reason::SuspiciousHeader)
    {
        assert!(
            ROWS.iter().any(|row| row.reason == *reason),
            "{reason:?} has no row"
        );
    }
}

#[test]
fn the_modes_let_through_what_albs_table_says() {
    for row in ROWS {
        let class = row.reason.class();
        let refused = |mode| matches!(in_mode(row.head, mode), Inspected::Refused(_));
        let head = row.head.escape_ascii();
        let readable = row.fate != Answered(400) && row.fate != Answered(501) && row.fate != Answered(505);
        assert_eq!(
            refused(DesyncMode::Strictest),
            class > Class::Compliant || !readable,
            "{head}"
        );
        assert_eq!(
            refused(DesyncMode::Defensive),
            class == Class::Severe || !readable,
            "{head}"
        );
        // What cannot be read cannot be let through; a line that is no header can be left out.
        let left_out = row.reason == Reason::BadHeader;
        assert_eq!(refused(DesyncMode::Monitor), !readable && !left_out, "{head}");
        let Inspected::Passed(passed) = in_mode(row.head, DesyncMode::Defensive) else {
            continue;
        };
        // ALB: ambiguous requests are let through, and both connections closed.
        let closes = passed.afterwards == Afterwards::Close;
        assert_eq!(closes, class == Class::Ambiguous, "{head}");
        assert_eq!(pass(row.head).afterwards, Afterwards::Next, "{head}");
    }
}

/// http-desync-guardian: `tests/ambiguous.yaml`.
#[test]
fn what_resembles_a_framing_header_is_suspicious_and_taken_off() {
    for name in [
        &b"Transfer-Encoding "[..],
        b"Transfer-Encoding\t",
        b" Transfer-Encoding",
        b"\x01Transfer-Encoding",
        b"Transfer-Encoding\x01",
        b"Transfer- Encoding",
        b"Transfer_Encoding",
        b"Transfer---Encoding",
        b"Transfer___Encoding",
        b"Transfer-Encoding x",
        b"transfer-encoding XY",
        b"Tran\xc5\xbffer-Encoding",
        b"Transfer-Encod\xc4\xb1ng",
        b"Transfer\xe2\x80\x95Encoding",
        b"\xe2\x80\x83Transfer-Encoding",
        b"Transfer-Encoding\x88",
        b"\xa0Content-Length",
        b"Content-Length\xa0",
        b"Content_Length",
        b"CONTENT LENGTH",
        b"\x01Content-Length",
        b"Content-Length ",
    ] {
        let head = [b"POST / HTTP/1.1\r\nA: b\r\n", name, b": 7\r\nC: d\r\n\r\n"].concat();
        let passed = pass(&head);
        let shown = name.escape_ascii();
        assert_eq!(passed.reason, Reason::SuspiciousHeader, "{shown}");
        assert_eq!(passed.body, Body::Length(0), "{shown}");
        let mended = passed.mended.unwrap();
        assert_eq!(mended, b"POST / HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n", "{shown}");
    }
    for name in [
        "X-Transfer-Encoding",
        "Content-Length-Hint",
        "Content-Language",
        "Transfer-Encodings",
    ] {
        let head = format!("POST / HTTP/1.1\r\n{name}: 7\r\n\r\n");
        assert_eq!(pass(head.as_bytes()).reason, Reason::Compliant, "{name}");
    }
}

#[test]
fn the_worst_reason_is_told() {
    let head = b"POST / HTTP/1.1\r\nX: \x11\r\nContent-Length: $9\r\n\r\n";
    assert_eq!(
        refuse(head, DesyncMode::Defensive).reason,
        Reason::BadContentLength
    );
    let head = b"GET /a\tb HTTP/1.1\r\nX: \x01\r\nContent-Length: 9\r\n\r\n";
    assert_eq!(pass(head).reason, Reason::AmbiguousUri);
    let head = b"GET /a b HTTP/1.2\r\nX: \x01\r\nContent-Length: 9\r\n\r\n";
    assert_eq!(pass(head).reason, Reason::UndefinedContentLengthSemantics);
}

#[test]
fn codes_and_numbers_are_albs() {
    for reason in Reason::ALL {
        assert_eq!(Reason::from_number(*reason as u8), *reason);
        assert_eq!(reason.code(), format!("{reason:?}"));
    }
    let labels = [
        Class::Compliant,
        Class::Acceptable,
        Class::Ambiguous,
        Class::Severe,
    ]
    .map(Class::label);
    assert_eq!(
        labels,
        [None, Some("Acceptable"), Some("Ambiguous"), Some("Severe")]
    );
}

/// The status for the shortest prefix of a head that is refused, and how long that is.
fn refused_at(head: &[u8], limits: &Limits) -> Option<(u16, usize)> {
    let mut scan = Scan::default();
    (1..=head.len()).find_map(
        |end| match inspect(&head[..end], &mut scan, limits, DesyncMode::Defensive) {
            Inspected::Refused(refused) => Some((refused.cause.response("").status().as_u16(), end)),
            Inspected::Passed(_) | Inspected::Partial => None,
        },
    )
}

#[test]
fn a_head_is_refused_as_soon_as_it_is_too_large() {
    let limits = Limits {
        request_line: 100,
        header_line: 50,
        header_block: 200,
        header_lines: 5,
        ..Limits::default()
    };
    let line = |length: usize| format!("A: {}\r\n", "x".repeat(length - 5));
    let head = |target: usize, lines: &[usize]| {
        let target = "x".repeat(target - "GET / HTTP/1.1".len());
        let lines: String = lines.iter().map(|length| line(*length)).collect();
        format!("GET /{target} HTTP/1.1\r\n{lines}\r\n")
    };
    for (head, refused) in [
        (head(100, &[50, 50, 50, 50]), None),
        (head(100, &[40, 40, 40, 40, 40]), None),
        (head(101, &[]), Some((414, 105))),
        (head(1000, &[]), Some((414, 103))),
        (head(20, &[51]), Some((431, 75))),
        (head(20, &[1000]), Some((431, 305))),
        (head(20, &[50, 50, 50, 51]), Some((431, 225))),
        (head(20, &[20, 20, 20, 20, 20, 20]), Some((431, 144))),
    ] {
        assert_eq!(refused_at(head.as_bytes(), &limits), refused, "{head:?}");
    }
}

#[test]
fn http_0_9_is_refused_as_soon_as_its_line_is_there() {
    assert_eq!(refused_at(b"GET /\r\n", &Limits::default()), Some((505, 7)));
}

#[test]
fn a_stand_in_keeps_what_the_log_wants_to_know() {
    let check = |refused: &[u8], stand_in_is: &str| {
        assert_eq!(
            String::from_utf8(stand_in(refused)).unwrap(),
            stand_in_is,
            "{}",
            refused.escape_ascii()
        );
    };
    check(
        b"PUT /a?b HTTP/9\r\nX: y\r\nHost:  h.test\r\n\r\n",
        "PUT /a?b HTTP/1.1\r\nhost: h.test\r\n\r\n",
    );
    check(
        b"HEAD /\0\xff HTTP/1.1\r\nHost: a b\r\n",
        "HEAD /%00%FF HTTP/1.1\r\n\r\n",
    );
    check(b"\x16\x03\x01\x02\0\x01\0", "- / HTTP/1.1\r\n\r\n");
    check(b"CONNECT a:80 HTTP/1.1\r\n", "- / HTTP/1.1\r\n\r\n");
    check(b"", "- / HTTP/1.1\r\n\r\n");
    let long = [b"GET /", "x".repeat(9000).as_bytes()].concat();
    assert_eq!(stand_in(&long).len(), "GET  HTTP/1.1\r\n\r\n".len() + 2048);
}
