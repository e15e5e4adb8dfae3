//! Reading a request's parts.

use super::Request;
use crate::test::{Host, post};
use crate::{Body, StatusCode};
use std::future::Future;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    Host::new().block_on(future)
}

fn request(uri: &str, body: impl Into<Body>) -> Request {
    post(uri)
        .header("x-kind", "test")
        .header("content-type", "application/json")
        .body(body)
        .into()
}

#[test]
fn the_host_is_the_uris() {
    assert_eq!(request("http://api.test:8080/a", ()).host(), Some("api.test"));
    assert_eq!(request("/a", ()).host(), None);
}

#[test]
fn the_head_is_read() {
    let request = request("/a%20b?q=one+two&q=three&empty=&flag&e=%C3%A9", ());
    assert_eq!(request.method(), crate::Method::POST);
    assert_eq!(request.path(), "/a%20b");
    assert_eq!(request.query("q").as_deref(), Some("one two"));
    assert_eq!(request.query("empty").as_deref(), Some(""));
    assert_eq!(request.query("flag").as_deref(), Some(""));
    assert_eq!(request.query("e").as_deref(), Some("é"));
    assert_eq!(request.query("none"), None);
    assert_eq!(request.queries().count(), 5);
    assert_eq!(request.header("X-Kind"), Some("test"));
    assert_eq!(request.header("x-none"), None);
}

#[test]
fn a_body_is_read_as_what_it_is() {
    assert_eq!(block_on(request("/", "text").text()).unwrap(), "text");
    assert_eq!(block_on(request("/", "[1,2]").json::<Vec<u8>>()).unwrap(), [1, 2]);
    assert_eq!(block_on(request("/", ()).bytes()).unwrap(), "");
}

#[test]
fn a_body_that_is_not_what_was_expected_is_the_clients_mistake() {
    let error = block_on(request("/", vec![0xff]).text()).unwrap_err();
    assert_eq!(error.status(), StatusCode::BAD_REQUEST);
}
