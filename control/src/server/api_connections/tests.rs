//! Clients that keep the API waiting, on a paused clock: it jumps when nobody has anything to do. No socket is in
//! between, of whose bytes on their way the clock would know nothing.

use axum::middleware::from_fn;
use axum::routing::post;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;

use super::*;

async fn ask(said: &[u8]) -> String {
    let (mut client, stream) = tokio::io::duplex(1024);
    let echo = Router::new().route("/echo", post(async |body: Bytes| body));
    let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
    let peer = Peer([127, 0, 0, 1].into());
    let place = Place::new(place);
    let serving = tokio::spawn(connection((stream, peer), place, echo, CancellationToken::new()));
    client.write_all(said).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    serving.await.unwrap();
    answer
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_end_its_head_is_let_go() {
    for head in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "POST /echo HTTP/1.1\r\nhost: x\r\n",
    ] {
        let answer = ask(head.as_bytes()).await;
        assert!(!answer.contains("200"), "{head:?}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_end_its_body_is_refused() {
    let answer = ask(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhel").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn who_is_done_is_answered() {
    let answer =
        ask(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_change_keeps_its_place_when_its_client_goes_away() {
    let (begun, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (says, opened) = (begun.clone(), gate.clone());
    let change = post(async move || {
        says.notify_one();
        opened.notified().await;
    });
    let router = Router::new()
        .route("/change", change)
        .layer(from_fn(crate::api::see_through));
    let places = Arc::new(Semaphore::new(1));
    let place = Place::new(places.clone().acquire_owned().await.unwrap());
    let (mut client, stream) = tokio::io::duplex(1024);
    let peer = Peer([127, 0, 0, 1].into());
    let serving = tokio::spawn(connection(
        (stream, peer),
        place,
        router,
        CancellationToken::new(),
    ));
    let head = b"POST /change HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    client.write_all(head).await.unwrap();
    begun.notified().await;
    drop(client);
    serving.await.unwrap();
    assert_eq!(places.available_permits(), 0, "the change goes on");
    gate.notify_one();
    let freed = tokio::time::timeout(Duration::from_secs(60), places.acquire());
    assert!(freed.await.is_ok(), "its place is free when it has ended");
}
