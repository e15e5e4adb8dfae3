//! Requests that a target outside might read in two ways, whatever they came over.

use std::sync::{Arc, Mutex};

use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wharf_gateway::{Body, DesyncMode, ListenerSpec, body};

use crate::{
    headers::{get, http2},
    outside::Outside,
    support::{LISTENER, Rig, local, within},
};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// A server that thinks no GET has a body: what comes in one is its next request, which it gets to when more comes.
/// It answers with the path. Also what it was asked, as it came.
async fn mistaken() -> (Outside, Arc<Mutex<String>>) {
    let asked = Arc::new(Mutex::new(String::new()));
    let seen = asked.clone();
    let server = Outside::raw(move |mut stream, _| {
        let asked = asked.clone();
        async move {
            let mut read = Vec::new();
            while stream.read_buf(&mut read).await.is_ok_and(|count| count > 0) {
                let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
                    continue;
                };
                let head: Vec<u8> = read.drain(..end + 4).collect();
                let head = String::from_utf8(head).unwrap();
                let path = head.split(' ').nth(1).unwrap();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len());
                asked.lock().unwrap().push_str(&head);
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (server, seen)
}

fn rig(desync: DesyncMode) -> Rig {
    Rig::at(ListenerSpec {
        desync,
        ..local(LISTENER)
    })
}

/// ALB, defensive mode: both connections of an ambiguous request are closed.
#[tokio::test]
async fn the_connection_an_ambiguous_request_went_on_carries_no_other() {
    for over_http2 in [false, true] {
        let (server, asked) = mistaken().await;
        let rig = rig(DesyncMode::Defensive);
        rig.register_any("outside", server.target());
        assert_eq!(rig.get("/first").await.body, "/first");
        if over_http2 {
            let mut request = get("/s");
            *request.body_mut() = body::full(SMUGGLED);
            let mut client = http2(&rig).await;
            let response = within("a response", client.send_request(request)).await.unwrap();
            assert_eq!(response.status(), 200);
            drop(
                http_body_util::BodyExt::collect(response.into_body())
                    .await
                    .unwrap(),
            );
        } else {
            let mut client = rig.connect().await;
            let length = SMUGGLED.len();
            let head = format!("GET /s HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n");
            client.send(head + SMUGGLED).await;
            assert_eq!(client.answer().await.body, "/s");
        }
        assert_eq!(rig.get("/mine").await.body, "/mine", "over HTTP/2: {over_http2}");
        assert_eq!(server.accepted(), 2, "over HTTP/2: {over_http2}");
        let asked = asked.lock().unwrap().clone();
        assert_eq!(asked.matches("connection: close").count(), 1, "{asked}");
        let lines = rig.log.lines(3).await;
        assert_eq!(
            lines[1]["classificationReason"],
            "UndefinedContentLengthSemantics"
        );
    }
}

fn post(name: &str, value: &str) -> Request<Body> {
    let post = Request::post("http://app.test/").header(name, value);
    post.body(body::full("hello")).unwrap()
}

#[tokio::test]
async fn what_http2_must_not_tell_an_http1_target_is_taken_off_or_refused() {
    for (name, value, reason, refused_by) in [
        (
            "content_length",
            "5",
            "SuspiciousHeader",
            &[DesyncMode::Strictest][..],
        ),
        (
            "transfer_encoding",
            "chunked",
            "SuspiciousHeader",
            &[DesyncMode::Strictest],
        ),
        (
            "content_length",
            "0",
            "MultipleContentLength",
            &[DesyncMode::Monitor, DesyncMode::Defensive, DesyncMode::Strictest],
        ),
    ] {
        for mode in [DesyncMode::Monitor, DesyncMode::Defensive, DesyncMode::Strictest] {
            let (server, asked) = mistaken().await;
            let rig = rig(mode);
            rig.register_any("outside", server.target());
            let mut client = http2(&rig).await;
            let response = client.send_request(post(name, value));
            let status = within("a response", response).await.unwrap().status();
            let asked = asked.lock().unwrap().clone();
            let line = rig.log.line().await;
            assert_eq!(
                line["classificationReason"], reason,
                "{name}: {value} in {mode:?} mode"
            );
            if refused_by.contains(&mode) {
                assert_eq!(
                    (status.as_u16(), asked.as_str()),
                    (400, ""),
                    "{name}: {value} in {mode:?} mode"
                );
            } else {
                assert_eq!(status, 200, "{name}: {value} in {mode:?} mode");
                assert!(
                    asked.contains("content-length: 5") && !asked.contains(name),
                    "{asked}"
                );
            }
        }
    }
}
