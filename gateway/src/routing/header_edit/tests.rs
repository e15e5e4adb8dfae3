use super::*;

fn name(name: &str) -> HeaderName {
    name.parse().unwrap()
}

fn pair(of: &str, value: &str) -> (HeaderName, HeaderValue) {
    (name(of), value.parse().unwrap())
}

#[test]
fn headers_are_removed_then_set_then_added() {
    let edits = HeaderEdits::new(
        vec![pair("x-set", "new"), pair("x-absent", "set")],
        vec![pair("x-add", "2"), pair("x-gone", "added")],
        vec![name("x-gone"), name("x-never")],
    )
    .unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-set", "1"),
        ("x-set", "2"),
        ("x-add", "1"),
        ("x-gone", "1"),
        ("x-keep", "1"),
    ] {
        headers.append(name, value.parse().unwrap());
    }
    edits.apply(&mut headers);
    let values = |name| {
        headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(values("x-set"), ["new"]);
    assert_eq!(values("x-absent"), ["set"]);
    assert_eq!(values("x-add"), ["1", "2"]);
    assert_eq!(values("x-gone"), ["added"]);
    assert_eq!(values("x-keep"), ["1"]);
}

#[test]
fn what_frames_a_message_is_not_edited() {
    for framing in [
        "connection",
        "content-length",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "keep-alive",
        "proxy-connection",
        "http2-settings",
    ] {
        for edits in [
            HeaderEdits::new(vec![pair(framing, "x")], vec![], vec![]),
            HeaderEdits::new(vec![], vec![pair(framing, "x")], vec![]),
            HeaderEdits::new(vec![], vec![], vec![name(framing)]),
        ] {
            assert_eq!(edits.unwrap_err(), HeaderEditError::Framing(name(framing)));
        }
    }
    let error = HeaderEdits::new(vec![pair("host", "a")], vec![], vec![]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`host` cannot be edited as a header: rewrite it with a transform"
    );
}

#[test]
fn contradictions_and_excess_are_refused() {
    let twice = HeaderEdits::new(vec![pair("a", "1"), pair("a", "2")], vec![], vec![]);
    assert_eq!(
        twice.unwrap_err().to_string(),
        "`a` is set twice, or set and removed: choose one"
    );
    assert!(HeaderEdits::new(vec![pair("a", "1")], vec![], vec![name("a")]).is_err());
    assert!(HeaderEdits::new(vec![], vec![pair("a", "1"), pair("a", "2")], vec![]).is_ok());
    let many = |count| vec![pair("a", "1"); count];
    assert!(HeaderEdits::new(vec![], many(MAX_HEADER_EDITS), vec![]).is_ok());
    assert!(HeaderEdits::new(vec![], many(MAX_HEADER_EDITS + 1), vec![]).is_err());
    let long = |length| HeaderEdits::new(vec![pair("a", &"x".repeat(length))], vec![], vec![]);
    assert!(long(MAX_HEADER_VALUE_BYTES).is_ok() && long(MAX_HEADER_VALUE_BYTES + 1).is_err());
}
