//! WebSocket and other upgrades, to targets outside.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{accept_async, client_async, tungstenite::Message};
use wharf_gateway::{Closed, Upstream, UpstreamSpec};

use crate::{
    outside::{Outside, SILENCE, answer, read_head, text},
    support::{Closure, Rig, ok, within},
};

/// Echoes messages until the client closes.
async fn web_socket() -> Outside {
    Outside::raw(|stream, _| async move {
        let Ok(mut socket) = accept_async(stream).await else {
            return;
        };
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() || socket.send(message).await.is_err() {
                return;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_web_socket_passes_messages_both_ways() {
    let server = web_socket().await;
    let rig = Rig::new();
    rig.register_any("socket", server.target());
    let stream = TcpStream::connect(rig.address()).await.unwrap();
    let url = format!("ws://{}/chat", rig.address());
    let (mut socket, response) = within("a handshake", client_async(url, stream)).await.unwrap();
    assert_eq!(response.status(), 101);
    assert!(response.headers().contains_key("x-request-id"));
    for text in ["one", "two", &"x".repeat(100_000)] {
        socket.send(Message::text(text)).await.unwrap();
        let echoed = within("an echo", socket.next()).await.unwrap().unwrap();
        assert_eq!(echoed, Message::text(text));
    }
    assert_eq!(rig.app.targets()[0].in_flight, 1);
    assert_eq!(rig.app.demand().in_flight, 1, "as long as the socket is open");
    socket.close(None).await.unwrap();
    while let Some(Ok(_)) = within("the end", socket.next()).await {}
    drop(socket);
    let line = rig.log.line().await;
    assert_eq!((&line["status"], &line["task"]), (&101.into(), &"socket".into()));
    assert!(line["requestBytes"].as_u64().unwrap() > 100_000, "{line}");
    assert!(line["responseBytes"].as_u64().unwrap() > 100_000, "{line}");
    assert_eq!(rig.app.targets()[0].in_flight, 0);
}

const ASK: &str =
    "GET /t HTTP/1.1\r\nHost: app.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: mine/1\r\n\r\n";
const GRANT: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: mine/1\r\n\r\n";

#[tokio::test]
async fn any_protocol_passes_with_what_either_side_says_first_and_last() {
    let server = Outside::raw(|mut stream, _| async move {
        let head = answer(&mut stream, &format!("{GRANT}early")).await.unwrap();
        assert!(head.contains("\r\nconnection: upgrade\r\n"), "{head}");
        assert!(head.contains("\r\nupgrade: mine/1\r\n"), "{head}");
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        // The client has ended, and still hears.
        stream
            .write_all(format!("you said {said}").as_bytes())
            .await
            .unwrap();
    })
    .await;
    let rig = Rig::new();
    rig.register_any("mine", server.target());
    let mut client = TcpStream::connect(rig.address()).await.unwrap();
    client
        .write_all(format!("{ASK}GET / HTTP/1.1 is mine").as_bytes())
        .await
        .unwrap();
    client.shutdown().await.unwrap();
    let mut heard = String::new();
    within("the end", client.read_to_string(&mut heard))
        .await
        .unwrap();
    let (head, rest) = heard.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(
        head.contains("upgrade: mine/1") && head.contains("connection: upgrade"),
        "{head}"
    );
    assert_eq!(rest, "earlyyou said GET / HTTP/1.1 is mine");
    let line = rig.log.line().await;
    assert_eq!(
        (&line["clientLeft"], &line["reason"]),
        (&false.into(), &().into())
    );
}

#[tokio::test]
async fn a_target_may_decline() {
    let server = Outside::http(|_| async { text("no") }).await;
    let rig = Rig::new();
    rig.register_any("plain", server.target());
    let mut client = rig.connect().await;
    client.send(ASK).await;
    assert_eq!(client.answer().await.body, "no");
    assert_eq!(client.get("/").await.body, "no", "the connection goes on");
}

#[tokio::test]
async fn tasks_are_not_asked_and_http_is_not_upgraded_to() {
    let upgrade = |request: &http::Request<wharf_gateway::Body>| {
        format!(
            "{:?} {:?}",
            request.headers().get("upgrade"),
            request.headers().get("connection")
        )
    };
    let rig = Rig::new();
    rig.register(
        "task",
        &Closure::new(move |request| {
            let seen = upgrade(&request);
            async move { Ok(ok(seen)) }
        }),
    );
    let mut client = rig.connect().await;
    client.send(ASK).await;
    assert_eq!(client.answer().await.body, "None None");

    let server =
        Outside::http(|request| async move { text(format!("{:?}", request.headers().get("upgrade"))) }).await;
    let rig = Rig::new();
    rig.register_any("outside", server.target());
    let mut client = rig.connect().await;
    for protocol in ["h2c", "websocket, h2c", "HTTP/2.0", "TLS/1.0"] {
        client
            .send(format!(
                "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\n\r\n"
            ))
            .await;
        assert_eq!(client.answer().await.body, "None", "{protocol}");
    }
}

/// A target that grants the upgrade and then waits for the end.
async fn patient() -> Outside {
    Outside::raw(|mut stream, _| async move {
        answer(&mut stream, GRANT).await;
        read_head(&mut stream).await;
    })
    .await
}

#[tokio::test]
async fn silence_ends_an_upgraded_connection() {
    let server = patient().await;
    let spec = UpstreamSpec {
        idle_timeout: SILENCE,
        ..server.spec()
    };
    let rig = Rig::new();
    rig.register_any("mine", Upstream::new(spec).unwrap());
    let mut client = rig.connect().await;
    client.send(ASK).await;
    client.until("\r\n\r\n").await;
    assert!(client.is_closed().await);
    assert_eq!(
        rig.log.line().await["reason"],
        "nothing was sent either way for 0.2 s"
    );
}

#[tokio::test]
async fn a_shutdown_waits_for_upgraded_connections_and_then_cuts_them() {
    let server = patient().await;
    let rig = Rig::new();
    rig.register_any("mine", server.target());
    let mut client = rig.connect().await;
    client.send(ASK).await;
    client.until("\r\n\r\n").await;
    let closed = within("the shutdown", rig.gateway.shutdown(Duration::from_millis(20))).await;
    assert_eq!(closed, Closed::Cut { connections: 1 });
    assert!(client.is_closed().await);
    let line = rig.log.line().await;
    assert_eq!(line["clientLeft"], false);
    assert!(line["reason"].as_str().unwrap().contains("shut down"), "{line}");

    let rig = Rig::new();
    rig.register_any("mine", server.target());
    let mut client = rig.connect().await;
    client.send(ASK).await;
    client.until("\r\n\r\n").await;
    let shutdown = rig.gateway.shutdown(Duration::from_secs(60));
    drop(client);
    assert_eq!(within("the shutdown", shutdown).await, Closed::Drained);
}

#[tokio::test]
async fn a_deregistered_targets_upgraded_connections_end_with_its_delay() {
    let server = patient().await;
    let rig = Rig::new();
    rig.register_any("mine", server.target());
    let mut client = rig.connect().await;
    client.send(ASK).await;
    client.until("\r\n\r\n").await;
    let drain = rig
        .app
        .deregister(&"mine".parse().unwrap(), Duration::ZERO)
        .unwrap();
    within("the drain", drain).await;
    assert!(client.is_closed().await);
    let line = rig.log.line().await;
    assert_eq!(
        line["reason"],
        "the target was deregistered, and its delay is over"
    );
}
