//! What is extracted, and how what can't be is refused.

use crate::routing::{any, get, post};
use crate::test::{Answer, Call, Host};
use crate::{
    Body, Bytes, Deadline, Form, HeaderMap, Html, IntoResponse, Json, Method, Path, Query, Redirect, Request,
    Result, Router, State, StatusCode, Uri, test,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

fn told(answer: &Answer) -> (u16, String) {
    let body: serde_json::Value = answer.json();
    (
        answer.status().as_u16(),
        body["error"].as_str().unwrap().to_owned(),
    )
}

fn check_path(router: Router, path: &str, expected: &str) {
    assert_eq!(
        Host::new().call(router, test::get(path)).text(),
        expected,
        "{path}"
    );
}

#[derive(Debug, Deserialize)]
struct Line {
    order: u64,
    line: String,
}

#[test]
fn a_path_gives_a_value_a_tuple_a_struct_or_a_map() {
    let one = |Path(id): Path<i8>| async move { format!("{id}") };
    check_path(Router::new().route("/{id}", get(one)), "/-7", "-7");
    let text = |Path(text): Path<String>| async move { text };
    check_path(
        Router::new().route("/{text}", get(text)),
        "/a%20%C3%A9%2Fb",
        "a é/b",
    );
    check_path(
        Router::new().route("/x/{*rest}", get(text)),
        "/x/a/b%2Fc",
        "a/b/c",
    );
    let tuple = |Path((a, b)): Path<(u8, bool)>| async move { format!("{a} {b}") };
    check_path(Router::new().route("/{a}/{b}", get(tuple)), "/1/true", "1 true");
    let fields = |Path(Line { order, line }): Path<Line>| async move { format!("{line} of {order}") };
    check_path(
        Router::new().route("/{order}/{line}", get(fields)),
        "/1/2",
        "2 of 1",
    );
    let map = |Path(map): Path<BTreeMap<String, f32>>| async move { format!("{map:?}") };
    check_path(
        Router::new().route("/{a}/{b}", get(map)),
        "/1/2",
        r#"{"a": 1.0, "b": 2.0}"#,
    );
    let list = |Path(list): Path<Vec<u8>>| async move { format!("{list:?}") };
    check_path(Router::new().route("/{a}/{b}", get(list)), "/1/2", "[1, 2]");
}

#[test]
fn a_path_that_does_not_parse_is_refused_by_name() {
    let app = || {
        let tuple = |Path((_, _)): Path<(u8, bool)>| async {};
        Router::new().route("/{level}/{on}", get(tuple))
    };
    let table = [
        (
            "/x/true",
            "path: `level`: expected a whole number from 0, found `x`",
        ),
        (
            "/300/true",
            "path: `level`: invalid value: integer `300`, expected u8",
        ),
        ("/1/yes", "path: `on`: expected `true` or `false`, found `yes`"),
        ("/%FF/true", "path: `level`: this is not UTF-8"),
    ];
    for (path, expected) in table {
        assert_eq!(
            told(&Host::new().call(app(), test::get(path))),
            (400, expected.to_owned())
        );
    }
}

#[test]
fn a_handler_that_does_not_fit_its_route_is_our_mistake() {
    let one = |Path(_): Path<u8>| async {};
    let three = |Path(_): Path<(u8, u8, u8)>| async {};
    let other = |Path(_): Path<Line>| async {};
    let table = [
        (get(one), "there are 2 values, and one is expected"),
        (get(three), "there are 2 values, and 3 are expected"),
        (get(other), "`line` is missing"),
    ];
    for (methods, expected) in table {
        let host = Host::new();
        let answer = host.call(Router::new().route("/{order}/{b}", methods), test::get("/1/2"));
        assert_eq!(told(&answer), (500, "internal error".to_owned()));
        let log = host.log().join("\n");
        assert!(log.contains(expected), "{log}");
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Up,
    Down,
}

#[derive(Debug, Deserialize)]
struct Search {
    text: String,
    page: Option<u32>,
    #[serde(default)]
    tag: Vec<String>,
    order: Option<Order>,
}

async fn search(Query(search): Query<Search>) -> String {
    let Search {
        text,
        page,
        tag,
        order,
    } = search;
    format!("{text} {page:?} {tag:?} {order:?}")
}

#[test]
fn a_query_is_read_by_its_fields() {
    let read = |target: &str| Host::new().call(search, test::get(target)).text().to_owned();
    assert_eq!(read("/?text=a+b%21"), "a b! None [] None");
    assert_eq!(
        read("/?tag=x&text=a&page=2&tag=y&order=down&more=1"),
        r#"a Some(2) ["x", "y"] Some(Down)"#
    );
    assert_eq!(read("/?text=a&order=up"), "a None [] Some(Up)");
}

#[test]
fn a_query_that_does_not_fit_is_refused_by_name() {
    let table = [
        ("/", "query: `text` is missing"),
        ("/?text=a&text=b", "query: `text`: it is given more than once"),
        (
            "/?text=a&page=-1",
            "query: `page`: expected a whole number from 0, found `-1`",
        ),
        (
            "/?text=a&order=left",
            "query: `order`: unknown variant `left`, expected `up` or `down`",
        ),
    ];
    for (target, expected) in table {
        assert_eq!(
            told(&Host::new().call(search, test::get(target))),
            (400, expected.to_owned())
        );
    }
}

async fn form(Form(Line { order, line }): Form<Line>) -> String {
    format!("{order} {line}")
}

#[test]
fn a_form_is_the_body_or_the_query() {
    let host = Host::new();
    let sent = test::post("/").form(&[("order", "1"), ("line", "a&b=é")]);
    assert_eq!(host.call(form, sent).text(), "1 a&b=é");
    assert_eq!(host.call(form, test::get("/?order=1&line=2")).text(), "1 2");
    let charset = test::post("/")
        .header("content-type", "Application/X-WWW-Form-Urlencoded; charset=utf-8")
        .body("order=1&line=2");
    assert_eq!(host.call(form, charset).text(), "1 2");
}

async fn lines(Json(lines): Json<Vec<Line>>) -> String {
    format!("{}", lines.len())
}

fn typed(content_type: &str, body: impl Into<Body>) -> Call {
    test::post("/").header("content-type", content_type).body(body)
}

#[test]
fn bodies_are_refused_by_what_is_wrong() {
    let host = Host::new();
    let refused = |status, message: &str| (status, message.to_owned());
    assert_eq!(
        told(&host.call(form, test::post("/").form(&[("order", "x"), ("line", "")]))),
        refused(422, "form: `order`: expected a whole number from 0, found `x`")
    );
    assert_eq!(
        told(&host.call(form, typed("text/plain", "order=1"))),
        refused(
            415,
            "the body is to be sent with `content-type: application/x-www-form-urlencoded`, not `text/plain`"
        )
    );
    assert_eq!(
        told(&host.call(lines, test::post("/").body("[]"))),
        refused(
            415,
            "the body is to be sent with `content-type: application/json`, not without one"
        )
    );
    assert_eq!(
        host.call(lines, typed("application/vnd.lines+json", "[]")).text(),
        "0"
    );
    let (status, message) = told(&host.call(lines, typed("application/json", "[{]")));
    assert_eq!(status, 400, "{message}");
    let wrong = r#"[{"order":1,"line":"a"},{"order":"2","line":"b"}]"#;
    let (status, message) = told(&host.call(lines, typed("application/json", wrong)));
    assert_eq!(status, 422);
    assert!(
        message.contains("`[1].order`: invalid type: string \"2\", expected u64"),
        "{message}"
    );
    let long = vec![b' '; Body::MAX_COLLECTED + 1];
    assert_eq!(host.call(lines, typed("application/json", long)).status(), 413);
    assert!(host.log().is_empty(), "the clients were told all of it");
}

#[test]
fn arguments_come_from_everywhere_at_once() {
    async fn all(
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        State(state): State<&'static str>,
        deadline: Deadline,
        body: Bytes,
    ) -> String {
        let kind = headers["x-kind"].to_str().unwrap();
        format!(
            "{method} {uri} {kind} {state} {:?} {}",
            deadline.remaining(),
            body.len()
        )
    }
    let host = Host::new().timeout(Duration::from_secs(7));
    let app = Router::new().route("/a", any(all)).with_state("state");
    let call = test::put("/a?b").header("x-kind", "kind").body("1234");
    assert_eq!(host.call(app, call).text(), "PUT /a?b kind state Some(7s) 4");
}

#[test]
fn a_state_that_was_not_given_is_our_mistake() {
    let host = Host::new();
    let answer = host.call(|State(_): State<u8>| async {}, test::get("/"));
    assert_eq!(answer.status(), 500);
    assert!(host.log()[0].contains("with_state"), "the log says what to do");
}

#[test]
fn a_handler_may_take_the_refusal() {
    async fn lenient(query: Result<Query<Search>>) -> String {
        query.map_or_else(|error| error.status().to_string(), |Query(search)| search.text)
    }
    let read = |target: &str| Host::new().call(lenient, test::get(target)).text().to_owned();
    assert_eq!(
        (read("/?text=a"), read("/")),
        ("a".to_owned(), "400 Bad Request".to_owned())
    );
}

#[test]
fn results_become_responses() {
    fn check(
        value: impl IntoResponse + Clone + 'static,
        status: u16,
        content_type: Option<&str>,
        body: &str,
    ) {
        let answer = Host::new().call(move || std::future::ready(value.clone()), test::get("/"));
        assert_eq!(answer.status().as_u16(), status, "{body}");
        assert_eq!(answer.header("content-type"), content_type, "{body}");
        assert_eq!(answer.text(), body);
    }
    let text = Some("text/plain; charset=utf-8");
    check("text", 200, text, "text");
    check("text".to_owned(), 200, text, "text");
    check(b"bytes".to_vec(), 200, Some("application/octet-stream"), "bytes");
    check((), 200, None, "");
    check(StatusCode::CREATED, 201, None, "");
    check((StatusCode::CREATED, "made"), 201, text, "made");
    check(Html("<p>"), 200, Some("text/html; charset=utf-8"), "<p>");
    check(Json([1, 2]), 200, Some("application/json"), "[1,2]");
    check(Err::<(), _>(StatusCode::GONE), 410, None, "");
    check(Redirect::permanent("/new"), 308, None, "");
    let answer = Host::new().call(async || Redirect::to("/a?b=c"), test::get("/"));
    assert_eq!(answer.header("location"), Some("/a?b=c"));
    let answer = Host::new().call(async || Redirect::to("/a\nb"), test::get("/"));
    assert_eq!(answer.status(), 500);
}

#[test]
fn the_whole_request_and_its_body_are_arguments_too() {
    let host = Host::new();
    let echo = async |request: Request| request.into_body();
    assert_eq!(host.call(echo, test::post("/").body("a")).text(), "a");
    let length = async |body: Body| format!("{:?}", body.length());
    assert_eq!(host.call(length, test::post("/").body("abc")).text(), "Some(3)");
    let upper = async |text: String| text.to_uppercase();
    assert_eq!(
        host.call(Router::new().route("/", post(upper)), test::post("/").body("ä"))
            .text(),
        "Ä"
    );
}
