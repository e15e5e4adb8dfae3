use super::*;

#[test]
fn statuses_are_albs() {
    for (status, valid) in [
        (199, false),
        (200, true),
        (299, true),
        (301, false), // ALB: ^(2|4|5)\d\d$
        (399, false),
        (404, true),
        (503, true),
        (599, true),
        (600, false),
        (0, false),
    ] {
        assert_eq!(FixedResponse::new(status, None, "").is_ok(), valid, "{status}");
    }
}

#[test]
fn content_types_are_albs_and_every_other() {
    for (content_type, valid) in [
        ("text/plain", true), // ALB's list
        ("text/css", true),
        ("text/html", true),
        ("application/javascript", true),
        ("application/json", true),
        ("image/svg+xml", true), // and ours
        ("text/html; charset=utf-8", true),
        ("application/problem+json;a=\"b c\"", true),
        ("text", false),
        ("text/", false),
        ("/plain", false),
        ("te xt/plain", false),
        ("text/plain; charset", false),
        ("text/plain\r\nx: y", false),
        ("", false),
    ] {
        let made = FixedResponse::new(200, Some(content_type), "x");
        assert_eq!(made.is_ok(), valid, "{content_type}");
    }
}

#[test]
fn bodies_are_bounded_and_only_where_http_has_them() {
    assert!(FixedResponse::new(200, None, vec![b'x'; MAX_FIXED_BODY_BYTES]).is_ok());
    assert_eq!(
        FixedResponse::new(200, None, vec![b'x'; MAX_FIXED_BODY_BYTES + 1]).unwrap_err(),
        FixedError::TooLong(65_537)
    );
    assert_eq!(
        FixedResponse::new(204, None, "x").unwrap_err(),
        FixedError::Bodiless(204)
    );
    let empty = FixedResponse::new(204, None, "").unwrap().response();
    assert!(!empty.headers().contains_key(header::CONTENT_LENGTH));
}

#[test]
fn a_body_has_a_content_type() {
    let plain = FixedResponse::new(503, None, "later").unwrap().response();
    assert_eq!(plain.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(plain.headers()[header::CONTENT_LENGTH], "5");
    assert_eq!(plain.body(), "later");
    let empty = FixedResponse::new(404, None, "").unwrap().response();
    assert!(!empty.headers().contains_key(header::CONTENT_TYPE));
    assert_eq!(empty.headers()[header::CONTENT_LENGTH], "0");
}
