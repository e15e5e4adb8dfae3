//! Every bound a client can meet, and its answer; but for those on bodies.

use std::time::Duration;

use http_body_util::BodyExt as _;
use tokio::runtime::Runtime;
use wharf_gateway::{Limits, TargetErrorKind, Threads};

use crate::{
    headers::{get, http2},
    support::{Closure, Dropped, Rig, failure, ok, seen, within},
};

pub(crate) const SHORT: Duration = Duration::from_millis(50);

/// A rig whose one target reads bodies to their end, and that target.
pub(crate) fn reading(limits: Limits) -> Rig {
    let rig = Rig::with(limits);
    let target = Closure::new(|request| async move {
        match request.into_body().collect().await {
            Ok(body) => Ok(ok(body.to_bytes().len().to_string())),
            // A guest that fares as guests do when their input breaks off.
            Err(_) => Err(failure(TargetErrorKind::Trapped)),
        }
    });
    rig.register("t1", &target);
    rig
}

#[tokio::test]
async fn a_uri_too_long_is_414() {
    let rig = reading(Limits {
        request_line: 100,
        ..Limits::default()
    });
    let rest = 100 - "GET / HTTP/1.1".len();
    assert_eq!(rig.get(&format!("/{}", "x".repeat(rest))).await.status, 200);
    let answer = rig.get(&format!("/{}", "x".repeat(rest + 1))).await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (414, "the request's URI is too long")
    );
}

#[tokio::test]
async fn a_uri_too_long_for_hyper_once_it_is_mended_is_414() {
    let rig = reading(Limits {
        request_line: 60 * 1024,
        ..Limits::default()
    });
    for (count, status) in [(21_000, 200), (22_000, 414), (50_000, 414)] {
        let mut client = rig.connect().await;
        client.send("GET /").await;
        client.send(vec![0xff; count]).await;
        client.send(" HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status, "{count}: {answer:?}");
        if status == 414 {
            assert_eq!(answer.error(), "the request's URI is too long");
        }
    }
}

#[tokio::test]
async fn headers_too_large_are_431() {
    let rig = reading(Limits::default());
    let head = |count: usize, size: usize| {
        let lines: String = (0..count)
            .map(|n| format!("X-Big-{n}: {}\r\n", "x".repeat(size)))
            .collect();
        format!("GET / HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n")
    };
    let mut client = rig.connect().await;
    client.send(head(1, 16_000) + &head(6, 10_000)).await;
    assert_eq!(client.answer().await.status, 200, "one line of nearly 16 K");
    assert_eq!(client.answer().await.status, 200, "a block of nearly 64 K");
    for (count, size) in [(1, 16 * 1024), (7, 10_000)] {
        let mut client = rig.connect().await;
        client.send(head(count, size)).await;
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (431, "the request's headers are too large")
        );
        assert!(client.is_closed().await);
    }
    // Far beyond the bound nobody reads to the end.
    let mut bomb = rig.connect().await;
    let _ = bomb.try_send(head(1, 10 << 20)).await;
    assert_eq!(bomb.answer().await.status, 431);
}

#[tokio::test]
async fn headers_too_large_on_http2_are_431() {
    let rig = reading(Limits::default());
    let mut client = http2(&rig).await;
    let mut request = get("/");
    request
        .headers_mut()
        .insert("x-big", "x".repeat(66_000).parse().unwrap());
    assert_eq!(
        within("a response", client.send_request(request))
            .await
            .unwrap()
            .status(),
        431
    );
}

#[tokio::test]
async fn too_many_headers_are_431() {
    let rig = reading(Limits::default());
    // With Host.
    let head = |lines: usize| {
        let rest: String = (1..lines).map(|n| format!("X-{n}: {n}\r\n")).collect();
        format!("GET / HTTP/1.1\r\nHost: app.test\r\n{rest}\r\n")
    };
    let mut client = rig.connect().await;
    client.send(head(100)).await;
    assert_eq!(client.answer().await.status, 200);
    client.send(head(101)).await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (431, "the request has too many headers")
    );
    let reason = &rig.log.lines(2).await[1]["reason"];
    assert_eq!(reason, "the request has too many headers (more than 100)");
    let mut client = rig.connect().await;
    client.send(head(2001)).await;
    assert_eq!(client.answer().await.error(), "the request has too many headers");
}

#[tokio::test]
async fn too_many_headers_on_http2_are_431() {
    let rig = reading(Limits::default());
    let mut client = http2(&rig).await;
    // Without Host, which is no header there.
    for (lines, status) in [(100, 200), (101, 431)] {
        let mut request = get("/");
        for n in 0..lines {
            let name = http::HeaderName::try_from(format!("x-{n}")).unwrap();
            request.headers_mut().insert(name, n.into());
        }
        let response = within("a response", client.send_request(request)).await;
        assert_eq!(response.unwrap().status(), status, "{lines} lines");
    }
}

#[tokio::test]
async fn a_slow_head_is_408() {
    let rig = reading(Limits {
        header_read_timeout: SHORT,
        ..Limits::default()
    });
    for (before, part) in [
        ("", "GET / HT"),
        ("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n", "G"),
        ("", "PR"),
    ] {
        let mut client = rig.connect().await;
        if !before.is_empty() {
            client.send(before).await;
            client.answer().await;
        }
        client.send(part).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
        assert_eq!(answer.error(), "the request's head took too long to arrive");
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn connections_on_which_nothing_is_said_are_closed_without_a_word() {
    let rig = reading(Limits {
        keep_alive_timeout: SHORT,
        ..Limits::default()
    });
    assert!(rig.connect().await.is_closed().await);
}

#[tokio::test]
async fn idle_connections_are_closed_without_a_word() {
    // Long enough for a slow machine to connect and ask.
    let rig = reading(Limits {
        keep_alive_timeout: Duration::from_secs(2),
        ..Limits::default()
    });
    let http1 = async {
        let mut client = rig.connect().await;
        assert_eq!(client.get("/").await.status, 200);
        assert!(client.is_closed().await);
    };
    let http2 = async {
        let mut client = http2(&rig).await;
        assert_eq!(client.send_request(get("/")).await.unwrap().status(), 200);
        within("the connection's end", async {
            while client.ready().await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    };
    futures_util::future::join(http1, http2).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let rig = Rig::with(Limits {
        write_timeout: SHORT,
        ..Limits::default()
    });
    let (dropped, gone) = Dropped::new();
    let dropped = std::sync::Mutex::new(Some(dropped));
    let target = Closure::new(move |_| {
        let dropped = dropped.lock().unwrap().take();
        let pieces = futures_util::stream::repeat_with(move || {
            let _dropped = &dropped;
            Ok(http_body::Frame::data(bytes::Bytes::from_static(&[0; 16 * 1024])))
        });
        async {
            Ok(http::Response::new(wharf_gateway::Body::new(
                http_body_util::StreamBody::new(pieces),
            )))
        }
    });
    rig.register("t1", &target);
    let mut client = rig.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    seen("the body's end", gone, |gone| *gone).await;
    let line = rig.log.line().await;
    assert_eq!(line["clientLeft"], true);
    assert_eq!(
        line["reason"],
        "the client took nothing of the response for 0.05 s"
    );
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_a_place() {
    let rig = reading(Limits {
        connections: 1,
        ..Limits::default()
    });
    let mut first = rig.connect().await;
    assert_eq!(first.get("/first").await.status, 200);
    let mut second = rig.connect().await;
    second.ask("/second").await;
    // Time enough for the second to be let in, if it were.
    for _ in 0..20 {
        assert_eq!(first.get("/first").await.status, 200);
    }
    let open = || rig.gateway.listeners()[0].connections;
    assert_eq!(open(), 1, "it waits in the kernel");
    drop(first);
    assert_eq!(second.answer().await.status, 200);
    let lines = rig.log.lines(22).await;
    let paths: Vec<_> = lines.iter().map(|line| line["path"].as_str().unwrap()).collect();
    let (before, last) = paths.split_at(21);
    assert_eq!((before, last), (&["/first"; 21][..], &["/second"][..]));
    assert_eq!(open(), 1);
}

#[test]
fn connections_are_served_on_the_serve_runtime_and_accepted_on_the_control_runtime() {
    let runtime = |name: &str| -> Runtime {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(name)
            .enable_all()
            .build()
            .unwrap()
    };
    let (control, serve, client) = (runtime("control"), runtime("serve"), runtime("client"));
    let threads = Threads {
        control: control.handle().clone(),
        serve: serve.handle().clone(),
    };
    let rig = Rig::on(Limits::default(), threads);
    let target =
        Closure::new(|_| async { Ok(ok(std::thread::current().name().unwrap_or_default().to_owned())) });
    rig.register("t1", &target);
    assert_eq!(client.block_on(rig.get("/")).body, "serve");
}
