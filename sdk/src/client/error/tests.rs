//! WASI's error codes in our words.

use super::{Error, ErrorKind};
use wasip2::http::types::{DnsErrorPayload, ErrorCode};

#[test]
fn codes_have_a_kind_and_words() {
    let dns = ErrorCode::DnsError(DnsErrorPayload {
        rcode: Some("NXDOMAIN".into()),
        info_code: None,
    });
    let table = [
        (
            ErrorCode::ConnectionRefused,
            ErrorKind::Unreachable,
            "connection refused",
        ),
        (dns, ErrorKind::Unreachable, "dns error"),
        (
            ErrorCode::HttpRequestUriTooLong,
            ErrorKind::Invalid,
            "http request uri too long",
        ),
        (
            ErrorCode::HttpResponseTimeout,
            ErrorKind::Timeout,
            "http response timeout",
        ),
        (
            ErrorCode::HttpProtocolError,
            ErrorKind::Answer,
            "http protocol error",
        ),
        (
            ErrorCode::InternalError(Some("pool closed".into())),
            ErrorKind::Answer,
            "pool closed",
        ),
        (
            ErrorCode::HttpRequestDenied,
            ErrorKind::Denied,
            "not allowed: name it under `egress` in wharf.toml",
        ),
    ];
    for (code, kind, reason) in table {
        let error = Error::from_code("http://host".into(), &code);
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.to_string(), format!("request to http://host: {reason}"));
    }
}
