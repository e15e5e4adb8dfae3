//! A component made with the SDK, in the server.

use std::path::Path;

use serde_json::{Value, json};

use crate::http::{Answer, Call};
use crate::project::{Guest, Project};
use crate::server::{Server, until};

/// A server with the guest at `sdk.localhost` and at any host under these paths.
fn serving() -> Server {
    let server = Server::start();
    let port = server.http.port();
    let manifest = format!(
        "name = \"sdk\"\n[task]\ncomponent = \"app.wasm\"\nisolation = \"task\"\ntimeout = \"1h\"\n\
         egress = [\"http://127.0.0.1:{port}\"]\n\
         [[route]]\nhost = [\"sdk.localhost\", \"127.0.0.1\"]\n"
    );
    server
        .wharf()
        .ok(["deploy", Project::new(Guest::Sdk, &manifest).path()]);
    server
}

fn get(server: &Server, path: &str) -> Answer {
    server.get("sdk.localhost", path)
}

fn post(server: &Server, path: &str, body: &[u8]) -> Answer {
    server.send(Call {
        method: "POST",
        body,
        ..Call::get("sdk.localhost", path)
    })
}

#[test]
fn the_sdks_router_answers() {
    let server = serving();
    assert_eq!(get(&server, "/items/7").json(), json!({ "id": 7 }));
    let refused = get(&server, "/items/x");
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (400, Some("path: `id`: expected a whole number from 0, found `x`"))
    );
    assert_eq!(get(&server, "/uri?a=b").body, "http://sdk.localhost/uri?a=b");
    assert_eq!(get(&server, "/nowhere").status, 404);
    let not_allowed = post(&server, "/items/7", b"");
    assert_eq!(
        (not_allowed.status, not_allowed.header("allow")),
        (405, Some("GET, HEAD"))
    );
    let head = server.send(Call {
        method: "HEAD",
        ..Call::get("sdk.localhost", "/items/7")
    });
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    // The host refuses the header, and the guest survives that.
    assert_eq!(get(&server, "/forbidden").status, 502);
    assert_eq!(get(&server, "/items/7").status, 200);
}

#[test]
fn the_sdks_bodies_stream() {
    let server = serving();
    let body = "wharf ".repeat(100_000);
    assert_eq!(post(&server, "/upper", body.as_bytes()).body, body.to_uppercase());
    assert_eq!(post(&server, "/echo", body.as_bytes()).body, body);
    let events = get(&server, "/events");
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    assert_eq!(events.body, "data: 1\n\ndata: 2\n\ndata: 3\n\n");
}

#[test]
fn the_sdks_client_sends_and_tries_again() {
    let server = serving();
    let origin = format!("http://127.0.0.1:{}", server.http.port());
    assert_eq!(get(&server, &format!("/fetch?url={origin}/busy")).body, "200 2");
    let sent = post(&server, &format!("/send?url={origin}/upper"), b"up and back");
    assert_eq!(sent.body, "UP AND BACK");
    // More than anything on the way holds: the answer has to be taken while the body is sent.
    let large = vec![b'a'; 8 << 20];
    let sent = post(&server, &format!("/send?url={origin}/upper"), &large);
    assert_eq!((sent.status, sent.body.len()), (200, large.len()));
    let denied = get(&server, "/fetch?url=http://127.0.0.2/");
    assert_eq!(
        (denied.status, denied.json()),
        (500, json!({ "error": "internal error" }))
    );
    logged(&server, |line| {
        let message = line["message"].as_str()?;
        message.contains("name it under `egress`").then_some(())
    });
}

#[test]
fn the_sdk_tells_the_log_and_the_time() {
    let server = serving();
    let left: u64 = get(&server, "/time").body.parse().expect("a number");
    assert!((1..=3_600_000).contains(&left), "{left}");
    let failed = server.send(Call::get("sdk.localhost", "/log").header("x-request-id", "r-1"));
    assert_eq!(failed.status, 500);
    let warned = logged(&server, |line| (line["level"] == "warn").then(|| line.clone()));
    assert_eq!(
        (
            &warned["message"],
            &warned["target"],
            &warned["fields"],
            &warned["requestId"]
        ),
        (
            &json!("slow"),
            &json!("guest_sdk"),
            &json!({ "city": "Oslo" }),
            &json!("r-1")
        )
    );
    assert_eq!(warned["traceId"].as_str().map(str::len), Some(32));
    let error = logged(&server, |line| (line["level"] == "error").then(|| line.clone()));
    assert_eq!(error["message"], "the shelf is empty");
    assert!(!server.wharf().ok(["logs", "sdk"]).contains("not told"));
}

#[test]
fn the_sdks_data_is_the_services() {
    let server = serving();
    let told = |visits: u64, log: &[u64]| {
        let listed: Vec<_> = log.iter().map(|n| json!([format!("log/{n}"), n])).collect();
        json!({
            "visits": visits,
            "is_first": visits == 1,
            "expired": null,
            "all": log,
            "listed": listed,
            "was_there": true,
            "too_large": "kv: the value of `large` has 1048576 bytes; 65536 are allowed",
            "no_number": "kv: what is stored there is no whole number, and can't be incremented",
        })
    };
    assert_eq!(get(&server, "/kv").json(), told(1, &[1]));
    assert_eq!(get(&server, "/kv").json(), told(2, &[1, 2]));
}

/// What `examples/hello` is to stay under, router included: small components start and travel fast.
const MAX_HELLO_BYTES: u64 = 280 * 1024;

#[test]
fn hello_is_small() {
    let built =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/target/wasm32-wasip2/release/hello.wasm");
    let size = std::fs::metadata(&built)
        .expect("built by `cargo xtask guests`")
        .len();
    assert!(size <= MAX_HELLO_BYTES, "{} KiB", size / 1024);
}

/// The first line of the log, as JSON, of which something is found.
fn logged<T>(server: &Server, find: impl Fn(&Value) -> Option<T>) -> T {
    until("the line is in the log", || {
        let log = server.wharf().ok(["logs", "sdk"]);
        let json = |line: &str| serde_json::from_str(line.get(line.find('{')?..)?).ok();
        log.lines().filter_map(json).find_map(|line: Value| find(&line))
    })
}
