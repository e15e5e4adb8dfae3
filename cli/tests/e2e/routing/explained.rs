//! `wharf route test`: which route a request meets, and why not another.

use super::File;
use crate::http::Call;
use crate::server::Server;

#[test]
fn route_test_says_which_route_matches_and_why_the_others_do_not() {
    let server = Server::start();
    let route = |name: &str, priority: u32, rest: &str| {
        format!(
            "[[route]]\nname = {name:?}\npriority = {priority}\nfixed = {{ status = 200, body = {name:?} }}\n{rest}\n"
        )
    };
    let file = File::new(
        &(route(
            "beta",
            10,
            "host = [\"shop.test\"]\nheader = { x-beta = [\"1\"] }",
        ) + &route("posts", 20, "host = [\"shop.test\"]\nmethod = [\"POST\"]")
            + &route("shop", 30, "host = [\"shop.test\"]\npath = [\"/cart*\"]")),
    );
    server.wharf().ok(["apply", "-f", &file.path()]);
    let test = ["route", "test", "--host", "shop.test", "--path", "/cart?x=1"];
    let text = server.wharf().ok(test);
    for words in [
        "shop matches (priority 30)",
        "answer 200",
        "beta",
        "posts",
        "header x-beta: the request has none; wanted is `1`",
        "method: it is `GET`; wanted is `POST`",
    ] {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
    let text = server
        .wharf()
        .ok(test.into_iter().chain(["--header", "x-beta: 1"]));
    assert!(text.starts_with("beta matches"), "{text}");
    // In another order, at once.
    server.wharf().ok(["route", "reorder", "beta=30", "shop=10"]);
    let twice = server.wharf().call(["route", "reorder", "shop=3", "shop=4"]);
    twice.failed_saying(2, &["`shop` is to have the priorities 3 and 4: name it once"]);
    assert_eq!(
        server
            .send(Call::get("shop.test", "/cart").header("x-beta", "1"))
            .body,
        "shop"
    );
    let text = server.wharf().ok(["route", "test", "--host", "nobody.test"]);
    assert!(text.starts_with("no route matches"), "{text}");
    assert!(
        text.contains("host: it is `nobody.test`; wanted is `shop.test`"),
        "{text}"
    );
    server.wharf().ok(["route", "delete", "shop"]);
    assert_eq!(server.get("shop.test", "/cart").status, 404);
}

#[test]
fn a_request_that_there_cannot_be_is_mistyped() {
    let server = Server::start();
    for (sample, said) in [
        (["a b", "/", "GET"], "`a b` is no host of a request"),
        (
            ["a.test", "cart", "GET"],
            "the path `cart` doesn't begin with `/`",
        ),
        (
            ["a.test", "/a b", "GET"],
            "the path `/a b` is none that a request has",
        ),
        (
            ["a.test", "/a#b", "GET"],
            "the path `/a#b` is none that a request has",
        ),
        (["a.test", "/", "G T"], "`G T` is not a method"),
    ] {
        let [host, path, method] = sample;
        let test = [
            "route", "test", "--host", host, "--path", path, "--method", method,
        ];
        server.wharf().call(test).failed_saying(2, &[said]);
    }
}
