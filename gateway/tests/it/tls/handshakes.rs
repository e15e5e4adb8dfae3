//! Clients that dawdle, or speak something else.

use std::time::Duration;

use wharf_gateway::Limits;

use super::*;

/// ALB: ten seconds for a handshake; the answers to hellos are bounded in number, too.
#[tokio::test]
async fn clients_that_do_not_shake_hands_hold_nobody_up() {
    let files = Files::new();
    files.ecdsa("a", &["a.test"]);
    let rig = rig(ListenerSpec {
        limits: Limits {
            tls_handshakes: 1,
            // Longer than anything here waits: they are let in, not cut.
            tls_handshake_timeout: Duration::from_secs(60),
            ..Limits::default()
        },
        ..files.spec(&["a"])
    });
    let _silent = rig.connect().await;
    let mut begun = rig.connect().await;
    begun.send(b"\x16\x03\x01").await;
    // Says hello, and nothing when it has its answer.
    let mut met = rig.connect().await;
    met.send(hello()).await;
    met.take(1).await;
    let mut stream = Client::asking("a.test").connect(&rig).await.unwrap();
    get(&mut stream).await;
}

/// A whole hello.
fn hello() -> Vec<u8> {
    let name = ServerName::try_from("a.test").unwrap();
    let mut client =
        rustls::ClientConnection::new(Arc::new(Client::asking("a.test").config()), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

#[tokio::test]
async fn a_client_that_does_not_shake_hands_is_cut() {
    let files = Files::new();
    files.ecdsa("a", &["a.test"]);
    let rig = rig(ListenerSpec {
        limits: Limits {
            tls_handshake_timeout: Duration::from_millis(50),
            ..Limits::default()
        },
        ..files.spec(&["a"])
    });
    // Who has said nothing that could be answered is told nothing.
    for said in [&b""[..], b"\x16\x03\x01"] {
        let mut client = rig.connect().await;
        client.send(said).await;
        assert!(client.is_closed().await);
    }
    let mut client = rig.connect().await;
    client.send(&hello()).await;
    client.rest().await;
}

#[tokio::test]
async fn plain_http_at_a_tls_listener_gets_no_answer() {
    let files = Files::new();
    files.ecdsa("a", &["a.test"]);
    let rig = rig(files.spec(&["a"]));
    let mut client = rig.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    let rest = client.rest().await;
    assert!(!rest.contains("HTTP"), "{rest}");
}
