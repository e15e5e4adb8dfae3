//! How large a request's body may be, and how slow.

use futures_util::{StreamExt as _, TryStreamExt as _};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use wharf_gateway::{Body, BodyError, Limits, TargetError, TargetErrorKind};

use crate::{
    headers::{get, http2},
    limits::{SHORT, reading},
    support::{Closure, Rig, failure, ok, within},
};

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
        tokio::time::pause();
        tokio::time::advance(4 * SHORT).await;
        tokio::time::resume();
        Ok(ok(request.into_body().collect().await.unwrap().to_bytes()))
    });
    rig.register("t1", &target);
    let mut client = rig.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello")
        .await;
    assert_eq!(client.answer().await.body, "hello");
}
