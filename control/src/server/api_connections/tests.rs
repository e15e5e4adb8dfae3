//! Clients that keep the API waiting, on a paused clock: it jumps when nobody has anything to do. No socket is in
//! between, of whose bytes on their way the clock would know nothing.

use axum::routing::post;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

async fn ask(said: &[u8]) -> String {
    let (mut client, stream) = tokio::io::duplex(1024);
    let echo = Router::new().route("/echo", post(async |body: Bytes| body));
    let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
    let peer = Peer([127, 0, 0, 1].into());
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
