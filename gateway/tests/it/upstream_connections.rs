//! Connections to targets outside over HTTP/1.1: kept, lost and bounded; and the attempts that are made again.

use std::sync::{Arc, Mutex};

use http_body_util::BodyExt as _;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use wharf_gateway::{GroupSpec, RetrySpec, Upstream, UpstreamSpec};

use crate::{
    outside::{Outside, answer, nowhere, read_head, text},
    support::{Closure, Dropped, Rig, seen, within},
    upstream::{no_retries, post},
};

#[tokio::test]
async fn connections_are_used_again_and_grow_with_the_load() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let held = gate.clone();
    let server = Outside::http(move |request| {
        let gate = held.clone();
        async move {
            if request.uri().path() == "/wait" {
                gate.acquire().await.unwrap().forget();
            }
            text("done")
        }
    })
    .await;
    let rig = Rig::new();
    rig.register_any("outside", server.target());
    for _ in 0..5 {
        assert_eq!(rig.get("/").await.body, "done");
    }
    assert_eq!(server.accepted(), 1, "the clients were five");
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = rig.connect().await;
        client.send("GET /wait HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        clients.push(client);
    }
    within("three connections", async {
        while server.accepted() < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let status = &rig.app.targets()[0];
    assert_eq!((status.in_flight, status.load.in_flight), (3, 3));
    gate.add_permits(3);
    for mut client in clients {
        assert_eq!(client.answer().await.body, "done");
    }
    assert_eq!(server.accepted(), 3);
}

#[tokio::test]
async fn a_connection_is_not_kept_for_longer_than_it_may_be() {
    let server = Outside::http(|_| async { text("done") }).await;
    let rig = Rig::new();
    let spec = UpstreamSpec {
        // Over by the time the next request comes, however fast that is.
        keep_alive: std::time::Duration::from_nanos(1),
        ..server.spec()
    };
    rig.register_any("outside", Upstream::new(spec).unwrap());
    within("a second connection", async {
        while server.accepted() < 2 {
            assert_eq!(rig.get("/").await.body, "done");
        }
    })
    .await;
}

/// A server that closes a connection after `requests` answers.
async fn closing_after(requests: usize) -> Outside {
    Outside::raw(move |mut stream, _| async move {
        for _ in 0..requests {
            let told = answer(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            if told.is_none() {
                return;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_not_used() {
    let server = closing_after(1).await;
    let rig = Rig::new();
    no_retries(&rig);
    rig.register_any("outside", server.target());
    let mut client = rig.connect().await;
    for round in 1..5 {
        // The server has closed before it accepts: what it closed is known by the time the next request is made.
        assert_eq!(post(&mut client, "x").await.body, "ok", "{round}");
        let closed = || rig.app.targets()[0].load.in_flight == 0;
        within("the end", async {
            while !closed() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        // The end of the connection travels through the kernel.
        let mut gone = TcpStream::connect(server.address).await.unwrap();
        answer_of(&mut gone).await;
    }
}

/// Makes a request of its own, by which time what the server did before is done.
async fn answer_of(stream: &mut TcpStream) {
    use tokio::io::AsyncReadExt as _;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut read = Vec::new();
    within("an answer", stream.read_to_end(&mut read)).await.unwrap();
}

#[tokio::test]
async fn a_request_lost_with_a_kept_connection_is_made_again_only_if_it_is_harmless() {
    // The first connection answers once, swallows the next request, and closes.
    let server = Outside::raw(|mut stream, number| async move {
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        while answer(&mut stream, ok).await.is_some() {
            if number % 2 == 0 {
                read_head(&mut stream).await;
                return;
            }
        }
    })
    .await;
    for (method, status, retries) in [
        ("GET", 200, 1),
        ("DELETE", 200, 1),
        ("POST", 502, 0),
        ("PATCH", 502, 0),
    ] {
        let rig = Rig::new();
        rig.register_any("outside", server.target());
        let mut client = rig.connect().await;
        if server.accepted() % 2 == 1 {
            // To begin with an even number.
            drop(TcpStream::connect(server.address).await.unwrap());
            within("it", async {
                while server.accepted() % 2 == 1 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
        assert_eq!(client.get("/").await.status, 200);
        client
            .send(format!("{method} / HTTP/1.1\r\nHost: a.test\r\n\r\n"))
            .await;
        assert_eq!(client.answer().await.status, status, "{method}");
        let line = &rig.log.lines(2).await[1];
        assert_eq!(line["retries"], retries, "{method}: {line}");
    }
}

#[tokio::test]
async fn what_was_not_sent_is_sent_to_another_target_whatever_it_is() {
    let rig = Rig::new();
    let (_place, dead) = nowhere();
    rig.register_any("dead", dead);
    rig.register(
        "alive",
        &Closure::new(|request| async {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok(crate::support::ok(body))
        }),
    );
    let mut client = rig.connect().await;
    for _ in 0..4 {
        let answer = post(&mut client, "precious").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "precious"));
    }
    let lines = rig.log.lines(4).await;
    let retries: i64 = lines.iter().map(|line| line["retries"].as_i64().unwrap()).sum();
    assert!(
        retries >= 1 && lines.iter().all(|line| line["task"] == "alive"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn retries_end_with_their_number_and_with_the_budget() {
    let rig = Rig::new();
    let mut places = Vec::new();
    for at in 0..5 {
        let (place, dead) = nowhere();
        rig.register_any(&format!("dead{at}"), dead);
        places.push(place);
    }
    assert_eq!(rig.get("/").await.status, 502);
    assert_eq!(rig.log.lines(1).await[0]["retries"], 2, "two per request");

    rig.app.configure(GroupSpec {
        retry: RetrySpec::new(4, 0, 0).unwrap(),
        ..GroupSpec::default()
    });
    let mut client = rig.connect().await;
    // What the budget began with is spent by and by.
    let mut last = i64::MAX;
    for count in 2..12 {
        assert_eq!(client.get("/").await.status, 502);
        last = rig.log.lines(count).await[count - 1]["retries"].as_i64().unwrap();
    }
    assert_eq!(last, 0, "the budget is empty, and nothing is earned");
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_connection_with_it() {
    let (dropped, gone) = Dropped::new();
    let dropped = Mutex::new(Some(dropped));
    let (began, begun) = tokio::sync::watch::channel(false);
    let server = Outside::raw(move |mut stream, _| {
        let dropped = dropped.lock().unwrap().take();
        let began = began.clone();
        async move {
            let _dropped = dropped;
            read_head(&mut stream).await;
            began.send_replace(true);
            // Ends when the gateway closes.
            read_head(&mut stream).await;
        }
    })
    .await;
    let rig = Rig::new();
    rig.register_any("slow", server.target());
    let mut client = rig.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    seen("the request", begun, |begun| *begun).await;
    drop(client);
    seen("the end of its connection", gone, |gone| *gone).await;
    let line = rig.log.line().await;
    assert_eq!(
        (&line["status"], &line["clientLeft"]),
        (&460.into(), &true.into())
    );
}

#[tokio::test]
async fn connections_beyond_the_bound_are_503() {
    let server = Outside::raw(|mut stream, _| async move {
        read_head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let spec = UpstreamSpec {
        connections: 1,
        ..server.spec()
    };
    let rig = Rig::new();
    rig.register_any("small", Upstream::new(spec).unwrap());
    let mut first = rig.connect().await;
    first.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    within("the connection", async {
        while server.accepted() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let answer = rig.get("/").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
}
