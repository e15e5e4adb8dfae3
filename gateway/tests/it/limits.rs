//! Every bound a client can meet, and its answer.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::runtime::Runtime;
use wharf_gateway::{Body, BodyError, Limits, TargetError, TargetErrorKind, Threads};

use crate::{
    headers::{get, http2},
    support::{Closure, Dropped, Rig, failure, ok, seen, within},
};

const SHORT: Duration = Duration::from_millis(50);

/// A rig whose one target reads bodies to their end, and that target.
fn reading(limits: Limits) -> Rig {
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
async fn a_body_announced_too_large_is_413_at_once() {
    let rig = reading(Limits {
        request_body: 10,
        ..Limits::default()
    });
    let post =
        |length: usize| format!("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {length}\r\n\r\n");
    let mut client = rig.connect().await;
    client.send(post(10) + &"x".repeat(10)).await;
    assert_eq!(client.answer().await.body, "10");
    client.send(post(11)).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    assert_eq!(answer.error(), "the request's body is too large");
    assert!(client.is_closed().await);
    assert_eq!(rig.log.lines(2).await[1]["requestBytes"], 0);
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_413_and_its_sender_gets_to_know() {
    let rig = reading(Limits {
        request_body: 100_000,
        ..Limits::default()
    });
    let mut client = rig.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let chunk = format!("{:x}\r\n{}\r\n", 50_000, "x".repeat(50_000));
    for _ in 0..400 {
        // Were the connection closed under it, sending would fail, and elsewhere than on Linux the answer be lost.
        client.send(&chunk).await;
    }
    let answer = client.answer().await;
    assert_eq!(answer.status, 413, "{answer:?}");
    let line = rig.log.line().await;
    assert_eq!(
        line["reason"],
        "the request's body is too large (more than 100000 bytes)"
    );
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_413_whatever_the_target_makes_of_it() {
    let rig = Rig::with(Limits {
        request_body: 10,
        ..Limits::default()
    });
    let target = Closure::new(|request| async move {
        let _ = request.into_body().collect().await;
        std::future::pending().await
    });
    rig.register("t1", &target);
    let mut client = rig.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\nb\r\neleven byte\r\n")
        .await;
    assert_eq!(client.answer().await.status, 413);
}

/// Sends the request's body back as it comes, fails when it does.
async fn failing(request: Request<Body>) -> Result<Response<Body>, TargetError> {
    let failed = |_| BodyError::Target(failure(TargetErrorKind::Trapped));
    Ok(Response::new(Body::new(request.into_body().map_err(failed))))
}

/// As [`failing`], but ends as if it were whole.
async fn ending(request: Request<Body>) -> Result<Response<Body>, TargetError> {
    let data = request.into_body().into_data_stream();
    let data = data.take_while(|data| std::future::ready(data.is_ok()));
    Ok(Response::new(Body::new(StreamBody::new(
        data.map_ok(Frame::data),
    ))))
}

#[tokio::test]
async fn a_body_that_grows_too_large_after_the_head_is_the_logs_reason() {
    let limits = || Limits {
        request_body: 10,
        ..Limits::default()
    };
    let [fails, ends] = [Rig::with(limits()), Rig::with(limits())];
    fails.register("t1", &Closure::new(failing));
    ends.register("t1", &Closure::new(ending));
    for rig in [fails, ends] {
        let mut client = rig.connect().await;
        client
            .send("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        client.send("a\r\nten bytes.\r\n1\r\n.\r\n").await;
        let line = rig.log.line().await;
        assert_eq!(
            (&line["status"], &line["reason"]),
            (
                &200.into(),
                &"the request's body is too large (more than 10 bytes)".into()
            )
        );
    }
}

#[tokio::test]
async fn a_body_that_grows_too_large_on_http2_is_413() {
    let rig = reading(Limits {
        request_body: 10,
        ..Limits::default()
    });
    let mut client = http2(&rig).await;
    let (feed, body) = crate::streaming::fed();
    let mut request = get("/");
    *request.method_mut() = http::Method::POST;
    *request.body_mut() = body;
    let response = client.send_request(request);
    feed.send(Ok("eleven bytes")).await.unwrap();
    assert_eq!(within("a response", response).await.unwrap().status(), 413);
    assert_eq!(
        client.send_request(get("/")).await.unwrap().status(),
        200,
        "the connection lives on"
    );
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
async fn a_slow_body_is_408() {
    let rig = reading(Limits {
        body_read_timeout: SHORT,
        ..Limits::default()
    });
    let mut client = rig.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nhello")
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    assert_eq!(answer.error(), "the request's body took too long to arrive");
    let line = rig.log.line().await;
    assert_eq!((&line["status"], &line["requestBytes"]), (&408.into(), &5.into()));
}

#[tokio::test]
async fn a_slow_body_is_408_even_when_a_foreign_thread_reads_it() {
    let rig = Rig::with(Limits {
        body_read_timeout: SHORT,
        ..Limits::default()
    });
    let target = Closure::new(|request| async move {
        // A thread without any runtime, as targets may have.
        let reading = std::thread::spawn(move || {
            let mut body = request.into_body();
            let waker = futures_util::task::noop_waker();
            let mut cx = std::task::Context::from_waker(&waker);
            loop {
                let mut frame = std::pin::pin!(body.frame());
                if let std::task::Poll::Ready(Some(Err(_))) = frame.as_mut().poll(&mut cx) {
                    return;
                }
                std::thread::yield_now();
            }
        });
        let _ = tokio::task::spawn_blocking(move || reading.join()).await;
        Ok(ok("unheard"))
    });
    rig.register("t1", &target);
    let mut client = rig.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nhello")
        .await;
    assert_eq!(client.answer().await.status, 408);
}

#[tokio::test]
async fn a_target_that_takes_its_time_does_not_make_its_client_slow() {
    let rig = Rig::with(Limits {
        body_read_timeout: SHORT,
        header_read_timeout: SHORT,
        ..Limits::default()
    });
    let target = Closure::new(|request| async move {
        // Longer than the client may be silent while somebody waits for it; here nobody does.
        tokio::time::sleep(4 * SHORT).await;
        Ok(ok(request.into_body().collect().await.unwrap().to_bytes()))
    });
    rig.register("t1", &target);
    let mut client = rig.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello")
        .await;
    assert_eq!(client.answer().await.body, "hello");
}

#[tokio::test]
async fn idle_connections_are_closed_without_a_word() {
    let rig = reading(Limits {
        keep_alive_timeout: SHORT,
        ..Limits::default()
    });
    assert!(rig.connect().await.is_closed().await, "nothing was ever sent");
    let mut client = rig.connect().await;
    assert_eq!(client.get("/").await.status, 200);
    assert!(client.is_closed().await);
    let mut http2 = http2(&rig).await;
    assert_eq!(http2.send_request(get("/")).await.unwrap().status(), 200);
    within("the connection's end", async {
        while http2.ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
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
    assert_eq!(first.get("/").await.status, 200);
    let mut second = rig.connect().await;
    second.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    assert_eq!(first.get("/").await.status, 200, "the first is served on");
    assert_eq!(rig.log.lines(2).await.len(), 2, "the second isn't");
    drop(first);
    assert_eq!(second.answer().await.status, 200);
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
