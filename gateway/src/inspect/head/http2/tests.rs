use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{Either, Empty, Full};

use super::*;
use crate::{
    config::Limits,
    inspect::{Inspected, Scan, inspect},
};

const MODES: [DesyncMode; 3] = [DesyncMode::Monitor, DesyncMode::Defensive, DesyncMode::Strictest];

type Fields = &'static [(&'static str, &'static str)];

const LENGTH: (&str, &str) = ("content-length", "5");

/// What a head of HTTP/2 is, and what the same is in HTTP/1.
fn judged(
    method: &str,
    target: &str,
    fields: Fields,
    body: &'static str,
    mode: DesyncMode,
) -> [Judgement; 2] {
    let uri = Uri::builder()
        .scheme("http")
        .authority("a")
        .path_and_query(target);
    let mut request = Request::builder().method(method).uri(uri.build().unwrap());
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let mut head = request.body(()).unwrap().into_parts().0;
    let frames: Either<_, Empty<Bytes>> = match body {
        "" => Either::Right(Empty::new()),
        body => Either::Left(Full::from(body)),
    };
    let http2 = judge_http2(&mut head, &frames, mode);
    let http2 = (
        http2
            .as_ref()
            .map_or_else(|refused| refused.reason, |reason| *reason),
        http2.is_ok(),
    );

    let mut lines: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    if !body.is_empty() && !fields.contains(&LENGTH) {
        lines.push_str("transfer-encoding: chunked\r\n");
    }
    let head1 = format!("{method} {target} HTTP/1.1\r\nhost: a\r\n{lines}\r\n");
    let http1 = match inspect(head1.as_bytes(), &mut Scan::default(), &Limits::default(), mode) {
        Inspected::Passed(passed) => (passed.reason, true),
        Inspected::Refused(refused) => (refused.reason, false),
        Inspected::Partial => panic!("{head1:?} is whole"),
    };
    if http2.1 {
        let left: Vec<_> = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let length = fields.iter().find(|(name, _)| *name == "content-length");
        assert_eq!(
            left,
            length.copied().into_iter().collect::<Vec<_>>(),
            "{fields:?}"
        );
    }
    [http2, http1]
}

/// The reason, and whether it passes.
type Judgement = (Reason, bool);

/// Method, target, headers, body, and what they make.
const ROWS: &[(&str, &str, Fields, &str, Reason)] = &[
    ("GET", "/", &[], "", Reason::Compliant),
    ("POST", "/", &[LENGTH], "hello", Reason::Compliant),
    ("POST", "/", &[], "hello", Reason::Compliant),
    (
        "POST",
        "/",
        &[LENGTH, ("content_length", "5")],
        "hello",
        Reason::SuspiciousHeader,
    ),
    (
        "POST",
        "/",
        &[LENGTH, ("content_length", "0")],
        "hello",
        Reason::MultipleContentLength,
    ),
    (
        "POST",
        "/",
        &[LENGTH, ("content_length", "x")],
        "hello",
        Reason::BadContentLength,
    ),
    (
        "POST",
        "/",
        &[LENGTH, ("transfer_encoding", "chunked")],
        "hello",
        Reason::SuspiciousHeader,
    ),
    (
        "POST",
        "/",
        &[("transfer_encoding", "x")],
        "hello",
        Reason::MultipleTransferEncodingChunked,
    ),
    (
        "POST",
        "/",
        &[LENGTH, LENGTH],
        "hello",
        Reason::DuplicateContentLength,
    ),
    (
        "POST",
        "/",
        &[LENGTH, ("content-length", "6")],
        "hello",
        Reason::MultipleContentLength,
    ),
    (
        "GET",
        "/",
        &[LENGTH],
        "hello",
        Reason::UndefinedContentLengthSemantics,
    ),
    (
        "HEAD",
        "/",
        &[],
        "hello",
        Reason::UndefinedTransferEncodingSemantics,
    ),
    (
        "GET",
        "/",
        &[("content-length", "0")],
        "",
        Reason::GetHeadZeroContentLength,
    ),
    ("OPTIONS", "*", &[], "", Reason::Compliant),
    ("GET", "*", &[], "", Reason::BadUri),
];

#[test]
fn a_head_is_what_it_would_be_in_http1() {
    for (method, target, fields, body, reason) in ROWS {
        for mode in MODES {
            let [http2, http1] = judged(method, target, fields, body, mode);
            assert_eq!(http2.0, *reason, "{method} {target} {fields:?}");
            assert_eq!(http2, http1, "{method} {target} {fields:?} in {mode:?} mode");
        }
    }
}
