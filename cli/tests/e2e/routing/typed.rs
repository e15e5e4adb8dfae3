//! Listeners, target groups and routes that are typed, one at a time.

use super::outside;
use crate::http::{self, Call};
use crate::server::{Server, address_of_its_own};

#[test]
fn what_is_typed_is_applied_as_a_file_is() {
    let server = Server::start();
    let wharf = server.wharf();
    let (legacy, inner) = (outside("legacy"), address_of_its_own());
    let targets = format!("targets=[\"http://{legacy}\"]");
    wharf.ok(["target-group", "set", "legacy", &targets, "health.path=/up"]);
    wharf.ok(["listener", "set", "inner", &format!("address={inner}")]);
    let route = |priority: &str| {
        let (host, forward) = ("host=[\"a.test\"]", "forward=[{ target_group = \"legacy\" }]");
        wharf.ok([
            "route",
            "set",
            "a",
            host,
            forward,
            "listener=[\"inner\"]",
            priority,
        ])
    };
    assert!(route("priority=10").starts_with("1 created, "));
    assert!(route("priority=10").starts_with("1 unchanged"));
    assert!(route("priority=11").contains("1 updated"));
    let answer = http::send(inner, Call::get("a.test", "/x"));
    assert!(answer.body.starts_with("legacy\nGET /x"), "{}", answer.body);
    wharf.ok(["route", "delete", "a"]);
    wharf.ok(["listener", "delete", "inner"]);
    wharf.ok(["target-group", "delete", "legacy"]);
}

#[test]
fn what_is_typed_wrong_is_said() {
    let server = Server::start();
    for (words, code, said) in [
        (["route", "set", "a", "host"], 2, "like address=127.0.0.1:8081"),
        (["route", "set", "a", "hosts=[\"a.test\"]"], 64, "hosts"),
        (["route", "set", "a", "host=[1]"], 64, "host"),
        (["route", "set", "a", "name=b"], 2, "`name` is given twice"),
        (["listener", "set", "a", "address=nowhere"], 64, "address"),
    ] {
        server.wharf().call(words).failed_saying(code, &[said]);
    }
}
