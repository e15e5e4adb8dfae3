//! What a hop does to headers, and what the log says of a request.

use http::{HeaderMap, Request};
use wharf_gateway::{Body, SharedProbe, Usage, UsageProbe};

use crate::support::{Rig, ok, within};

/// Answers with the request it got: target, version, then headers, sorted. Its trace is another test's.
pub(crate) fn describe(request: &Request<Body>) -> String {
    let mut lines: Vec<_> = request
        .headers()
        .iter()
        .filter(|(name, _)| !["traceparent", "x-amzn-trace-id"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    format!("{} {:?}\n{}", request.uri(), request.version(), lines.join("\n"))
}

pub(crate) fn describing() -> Rig {
    Rig::answering(|request| async move { Ok(ok(describe(&request))) })
}

async fn described(rig: &Rig, head: &str) -> String {
    let mut client = rig.connect().await;
    client.send(format!("{head}\r\n\r\n")).await;
    client.answer().await.body
}

#[tokio::test]
async fn forwarding_headers_are_put_on_and_hop_by_hop_ones_taken_off() {
    let rig = describing();
    let port = rig.address().port();
    let seen = described(
        &rig,
        "GET /a%20b/?q=1 HTTP/1.1\r\nHost: App.test:81\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\
         X-Forwarded-For: 192.0.2.2\r\nX-Forwarded-Port: 443\r\nX-Request-Id: mine-1\r\nConnection: close, x-private\r\n\
         X-Private: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers, gzip\r\nUpgrade: h2c\r\nX-Kept: 1",
    )
    .await;
    let expected = format!(
        "/a%20b/?q=1 HTTP/1.1\nhost: App.test:81\nte: trailers\nx-forwarded-for: 192.0.2.1, 192.0.2.2, 127.0.0.1\n\
         x-forwarded-port: {port}\nx-forwarded-proto: http\nx-kept: 1\nx-request-id: mine-1"
    );
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn an_absolute_uris_host_wins() {
    let rig = describing();
    let seen = described(&rig, "GET http://first.test:82/p?q HTTP/1.1\r\nHost: second.test").await;
    assert!(seen.starts_with("/p?q HTTP/1.1\nhost: first.test:82\n"), "{seen}");
    let bare = described(&rig, "GET http://first.test HTTP/1.1\r\nHost: second.test").await;
    assert!(bare.starts_with("/ HTTP/1.1\nhost: first.test\n"), "{bare}");
    assert_eq!(rig.log.lines(1).await[0]["host"], "first.test:82");
}

#[tokio::test]
async fn responses_lose_hop_by_hop_headers_and_gain_the_request_id() {
    let rig = Rig::answering(|_| async {
        let mut response = ok("hi");
        for (name, value) in [
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=9"),
            ("x-own", "1"),
        ] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        Ok(response)
    });
    let answer = rig.get("/").await;
    assert_eq!(answer.header("x-own"), Some("1"));
    for name in ["connection", "keep-alive", "x-hop"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!(answer.header("x-request-id").unwrap().len(), 36);

    // hyper would drop these from HTTP/2 with a warning; ours are gone before.
    let mut http2 = http2(&rig).await;
    let response = within("a response", http2.send_request(get("/"))).await.unwrap();
    let names: Vec<_> = response.headers().keys().map(http::HeaderName::as_str).collect();
    assert_eq!(response.headers()["x-own"], "1");
    assert!(
        !names
            .iter()
            .any(|name| ["connection", "keep-alive", "x-hop"].contains(name)),
        "{names:?}"
    );
}

pub(crate) fn get(path: &str) -> Request<Body> {
    let uri = format!("http://app.test{path}");
    Request::builder()
        .uri(uri)
        .body(wharf_gateway::body::empty())
        .unwrap()
}

pub(crate) async fn http2(rig: &Rig) -> hyper::client::conn::http2::SendRequest<Body> {
    let stream = tokio::net::TcpStream::connect(rig.address()).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn http2_requests_reach_targets_in_the_same_form() {
    use http_body_util::BodyExt as _;
    let rig = describing();
    let mut client = http2(&rig).await;
    let mut request = get("/p?q");
    let crumbs = ["a=1", "b=2"].map(|crumb| ("cookie".parse().unwrap(), crumb.parse().unwrap()));
    request
        .headers_mut()
        .extend(HeaderMap::from_iter([crumbs[0].clone()]));
    request.headers_mut().append("cookie", crumbs[1].1.clone());
    let response = within("a response", client.send_request(request)).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let seen = String::from_utf8(body.to_vec()).unwrap();
    assert!(
        seen.starts_with("/p?q HTTP/2.0\ncookie: a=1; b=2\nhost: app.test\n"),
        "{seen}"
    );
    let line = rig.log.line().await;
    assert_eq!(
        (&line["protocol"], &line["host"]),
        (&"HTTP/2.0".into(), &"app.test".into())
    );
}

struct Probe;

impl UsageProbe for Probe {
    fn usage(&self) -> Usage {
        Usage {
            cpu_us: Some(120),
            peak_memory: Some(1 << 20),
        }
    }
}

#[tokio::test]
async fn the_log_line_says_it_all() {
    let rig = Rig::answering(|request| async move {
        http_body_util::BodyExt::collect(request.into_body())
            .await
            .unwrap();
        let mut response = ok("0123456789");
        response
            .extensions_mut()
            .insert::<SharedProbe>(std::sync::Arc::new(Probe));
        Ok(response)
    });
    let mut client = rig.connect().await;
    client
        .send("POST /p?secret=1 HTTP/1.1\r\nHost: app.test\r\nX-Request-Id: r-1\r\nContent-Length: 5\r\n\r\nhello")
        .await;
    assert_eq!(client.answer().await.status, 200);
    let mut line = rig.log.line().await;
    assert_eq!(line["traceId"].as_str().unwrap().len(), 32, "{line}");
    for timed in ["time", "durationMs", "headMs", "traceId"] {
        assert!(!line[timed].is_null(), "{line}");
        line.as_object_mut().unwrap().remove(timed);
    }
    let expected = serde_json::json!({
        "requestId": "r-1", "client": "127.0.0.1", "listener": "main", "method": "POST", "host": "app.test", "path": "/p",
        "protocol": "HTTP/1.1", "rule": "all", "service": "app", "task": "t1", "status": 200, "retries": 0,
        "requestBytes": 5, "responseBytes": 10, "cpuUs": 120, "peakMemory": 1 << 20,
        "clientLeft": false,
    });
    assert_eq!(line, expected);
}

#[tokio::test]
async fn responses_without_a_body_are_complete() {
    let rig = Rig::answering(|request| async move {
        Ok(if request.uri().path() == "/204" {
            crate::support::status(204)
        } else {
            ok("0123456789")
        })
    });
    let mut client = rig.connect().await;
    client.send("HEAD / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    let head = client.until("\r\n\r\n").await;
    assert!(head.contains("content-length: 10"), "{head}");
    assert_eq!(client.get("/204").await.status, 204);
    assert_eq!(
        client.get("/").await.body,
        "0123456789",
        "the connection is still in step"
    );
    for (line, bytes) in rig.log.lines(3).await.iter().zip([0, 0, 10]) {
        assert_eq!(
            (&line["clientLeft"], &line["responseBytes"]),
            (&false.into(), &bytes.into()),
            "{line}"
        );
    }
}
