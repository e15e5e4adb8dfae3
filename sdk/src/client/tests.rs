//! Putting outgoing requests together; sending them needs a host.

use super::{Error, ErrorKind, Outgoing, RequestBuilder, get, post};
use crate::Secret;
use crate::environment::secret;

fn built(builder: RequestBuilder) -> Outgoing {
    builder.build().unwrap()
}

fn refused(builder: RequestBuilder) -> Error {
    let error = builder.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error
}

fn some_secret() -> Secret {
    secret("CARGO_PKG_NAME").unwrap()
}

#[test]
fn query_parameters_are_encoded() {
    let request = built(
        get("http://host/path")
            .query("city", "São Paulo")
            .query("a&b", "="),
    );
    assert_eq!(request.uri, "http://host/path?city=S%C3%A3o+Paulo&a%26b=%3D");
    assert_eq!(
        built(get("http://host/path?x=1").query("y", "2")).uri,
        "http://host/path?x=1&y=2"
    );
}

#[test]
fn a_secret_becomes_a_bearer_that_does_not_print() {
    let request = built(get("https://host").bearer(&some_secret()));
    assert_eq!(request.headers["authorization"], "Bearer wharf-sdk");
    assert!(!format!("{request:?}").contains("wharf-sdk"));
    assert!(!format!("{:?}", get("https://host").bearer(&some_secret())).contains("wharf-sdk"));
}

#[test]
fn json_is_sent_as_json() {
    let request = built(post("https://host").json(&[1, 2]));
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["content-length"], "5");
    assert!(!built(get("https://host")).headers.contains_key("content-length"));
}

#[test]
fn mistakes_are_told_without_values() {
    let error = refused(get("https://host:8443/p?key=hidden").header("x-key", "hid\nden"));
    assert_eq!(
        error.to_string(),
        "request to https://host:8443: the header `x-key` is not legal in HTTP"
    );
    for url in ["host/path", "/path", "ftp://host/", "http:///path", ""] {
        assert!(refused(get(url)).to_string().contains("URL"), "{url}");
    }
}
