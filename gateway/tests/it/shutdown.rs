//! Shutting down: nothing new, what is under way may end, then everything does.

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpStream, sync::Semaphore};
use wharf_gateway::Closed;

use crate::{
    headers::{get, http2},
    support::{Closure, Rig, ok, within},
};

const LONG: Duration = Duration::from_secs(60);

struct Slow {
    rig: Rig,
    gate: Arc<Semaphore>,
    target: Arc<Closure>,
}

/// `/slow` waits for a permit.
fn slow() -> Slow {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let rig = Rig::new();
    let target = Closure::new(move |request| {
        let gate = held.clone();
        async move {
            if request.uri().path() == "/slow" {
                gate.acquire().await.unwrap().forget();
            }
            Ok(ok("done"))
        }
    });
    rig.register("t1", &target);
    Slow { rig, gate, target }
}

impl Slow {
    async fn called(&self, calls: u32) {
        within("the call", async {
            while self.target.calls() < calls {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn requests_finish_and_idle_connections_close() {
    let slow = slow();
    let (mut idle, mut busy, mut http2) = (
        slow.rig.connect().await,
        slow.rig.connect().await,
        http2(&slow.rig).await,
    );
    assert_eq!(idle.get("/").await.status, 200);
    busy.send("GET /slow HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    let streaming = tokio::spawn(http2.send_request(get("/slow")));
    slow.called(3).await;

    let address = slow.rig.address();
    let closing = slow.rig.gateway.shutdown(LONG);
    let working = async {
        assert!(idle.is_closed().await);
        let refused = within("a refusal", async {
            while TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        refused.await;
        slow.gate.add_permits(2);
        let answer = busy.answer().await;
        assert_eq!(
            (answer.body.as_str(), answer.header("connection")),
            ("done", Some("close"))
        );
        assert!(busy.is_closed().await);
        let response = within("a response", streaming).await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
    };
    let (closed, ()) = within("the end", futures_util::future::join(closing, working)).await;
    assert_eq!(closed, Closed::Drained);
}

#[tokio::test]
async fn what_outlasts_the_grace_is_cut() {
    let slow = slow();
    let mut busy = slow.rig.connect().await;
    busy.send("GET /slow HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    slow.called(1).await;
    let closed = within("the end", slow.rig.gateway.shutdown(Duration::from_millis(10))).await;
    assert_eq!(closed, Closed::Cut { connections: 1 });
    assert!(busy.is_closed().await);
    let line = slow.rig.log.line().await;
    assert_eq!(line["clientLeft"], false);
    assert_eq!(
        line["reason"],
        "the gateway shut down before the response had ended"
    );
}

#[tokio::test]
async fn dropping_the_gateway_closes_everything() {
    let Slow { rig, .. } = slow();
    let mut client = rig.connect().await;
    assert_eq!(client.get("/").await.status, 200);
    let address = rig.address();
    drop(rig);
    assert!(client.is_closed().await);
    within("a refusal", async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_that_was_sent_before_the_end_is_answered() {
    use std::io::{Read as _, Write as _};
    let rig = Rig::answering(|_| async { Ok(ok("done")) });
    // Nothing of the gateway runs until the request lies in its socket.
    let mut client = std::net::TcpStream::connect(rig.address()).unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .unwrap();
    let closed = within("the end", rig.gateway.shutdown(LONG)).await;
    assert_eq!(closed, Closed::Drained);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}
