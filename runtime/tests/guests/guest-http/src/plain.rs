//! Behaviours that only look: at the request, the environment, clocks and random numbers.

use crate::http::{Query, Reply, json_string};
use std::sync::atomic::{AtomicU64, Ordering};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::http::types::{IncomingRequest, Method, Scheme};

static REQUESTS: AtomicU64 = AtomicU64::new(0);

pub fn count_request() {
    REQUESTS.fetch_add(1, Ordering::Relaxed);
}

pub fn count(reply: Reply) {
    reply.text(200, &REQUESTS.load(Ordering::Relaxed).to_string());
}

pub fn request(request: &IncomingRequest, reply: Reply) {
    let method = match request.method() {
        Method::Other(name) => name,
        known => format!("{known:?}").trim_start_matches("Method::").to_uppercase(),
    };
    let scheme = match request.scheme() {
        Some(Scheme::Http) => "http".to_owned(),
        Some(Scheme::Https) => "https".to_owned(),
        Some(Scheme::Other(name)) => name,
        None => String::new(),
    };
    let headers = request.headers().entries();
    let headers = headers.iter().map(|(name, value)| {
        format!(
            "[{},{}]",
            json_string(name),
            json_string(&String::from_utf8_lossy(value))
        )
    });
    reply.json(&format!(
        r#"{{"method":{},"scheme":{},"authority":{},"target":{},"headers":[{}]}}"#,
        json_string(&method),
        json_string(&scheme),
        json_string(&request.authority().unwrap_or_default()),
        json_string(&request.path_with_query().unwrap_or_default()),
        headers.collect::<Vec<_>>().join(","),
    ));
}

pub fn environment(reply: Reply) {
    let pairs =
        std::env::vars().map(|(name, value)| format!("{}:{}", json_string(&name), json_string(&value)));
    reply.json(&format!("{{{}}}", pairs.collect::<Vec<_>>().join(",")));
}

pub fn arguments(reply: Reply) {
    let args = std::env::args().map(|arg| json_string(&arg));
    reply.json(&format!("[{}]", args.collect::<Vec<_>>().join(",")));
}

pub fn log(query: &Query, reply: Reply) {
    let line = "x".repeat(query.number("len") as usize);
    for _ in 0..query.number("lines") {
        if query.text("stream") == "err" {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }
    reply.text(200, "logged");
}

pub fn clock(reply: Reply) {
    let wall = wall_clock::now();
    reply.json(&format!(
        r#"{{"seconds":{},"nanoseconds":{},"monotonic":{}}}"#,
        wall.seconds,
        wall.nanoseconds,
        monotonic_clock::now()
    ));
}

pub fn random(query: &Query, reply: Reply) {
    let bytes = wasip2::random::random::get_random_bytes(query.number("n"));
    let hex: String = bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect();
    reply.text(200, &format!("{} {hex}", bytes.len()));
}
