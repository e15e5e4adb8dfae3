//! Putting responses together.

use super::Response;
use crate::{Body, StatusCode};
use std::collections::HashMap;

#[test]
fn replies_have_their_content_types() {
    assert_eq!(
        Response::text("x").headers()["content-type"],
        "text/plain; charset=utf-8"
    );
    assert_eq!(
        Response::json(&1).unwrap().headers()["content-type"],
        "application/json"
    );
    assert!(Response::new("x").headers().is_empty());
}

#[test]
fn what_has_no_json_form_is_an_error_of_ours() {
    let error = Response::json(&HashMap::from([((1, 2), 3)])).unwrap_err();
    assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[test]
fn headers_are_set_or_refused() {
    let set = |name: &str, value: &str| Response::text("x").with_header(name, value);
    assert_eq!(
        set("x-a", "1")
            .unwrap()
            .with_header("x-a", "2")
            .unwrap()
            .headers()["x-a"],
        "2"
    );
    assert!(set("x a", "1").is_err());
    assert!(set("x-a", "1\r\nx-b: 2").is_err());
    let error = set("Transfer-Encoding", "chunked").unwrap_err();
    assert!(
        error.to_string().contains("`transfer-encoding` is the server's"),
        "{error}"
    );
}

#[test]
fn a_known_length_is_declared() {
    let length = |response: Response| response.into_parts().1.get("content-length").cloned();
    assert_eq!(length(Response::text("four")).unwrap(), "4");
    assert_eq!(length(Response::new(Body::empty())).unwrap(), "0");
    assert_eq!(
        length(Response::new(()).with_status(StatusCode::NO_CONTENT)),
        None
    );
}
