//! Bodies flow as they come, both ways, on both protocols, no faster than they are taken.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::mpsc;
use wharf_gateway::{Body, BodyError, Limits};

use crate::{
    headers::{get, http2},
    support::{Closure, Dropped, Rig, ok, seen, within},
};

/// A body that is fed by hand.
pub(crate) fn fed() -> (mpsc::Sender<Result<&'static str, BodyError>>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    let stream = futures_util::stream::unfold(receiver, async |mut receiver| {
        let next: Result<&str, BodyError> = receiver.recv().await?;
        Some((next.map(|text| Frame::data(Bytes::from(text))), receiver))
    });
    (sender, Body::new(StreamBody::new(stream)))
}

async fn echo(request: Request<Body>) -> Result<Response<Body>, wharf_gateway::TargetError> {
    Ok(Response::new(request.into_body()))
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let rig = Rig::answering(echo);
    let mut client = rig.connect().await;
    for _ in 0..3 {
        client
            .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi")
            .await;
        assert_eq!(client.answer().await.body, "hi");
    }
    // Pipelined, too.
    let request = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nyo";
    client.send(request.repeat(2)).await;
    for _ in 0..2 {
        assert_eq!(client.answer().await.body, "yo");
    }
}

#[tokio::test]
async fn a_response_is_sent_as_it_is_made() {
    let (feed, body) = fed();
    let body = std::sync::Mutex::new(Some(body));
    let rig = Rig::answering(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async { Ok(Response::new(body)) }
    });
    let mut client = rig.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    for text in ["one", "two"] {
        feed.send(Ok(text)).await.unwrap();
        assert_eq!(client.chunk().await, text);
    }
    drop(feed);
    assert_eq!(client.chunk().await, "");
    assert_eq!(rig.log.line().await["responseBytes"], 6);
}

/// A body that ends in trailers, and doesn't know it will, as tasks' bodies are.
fn with_trailers() -> Body {
    let trailers = http::HeaderMap::from_iter([("x-sum".parse().unwrap(), "5".parse().unwrap())]);
    let frames = [Frame::data(Bytes::from("hello")), Frame::trailers(trailers)];
    Body::new(StreamBody::new(futures_util::stream::iter(frames.map(Ok))))
}

#[tokio::test]
async fn trailers_end_a_response_and_no_client_is_said_to_have_left() {
    let rig = Rig::with(Limits {
        http2_resets: 1,
        ..Limits::default()
    });
    rig.register(
        "t1",
        &Closure::new(|_| async { Ok(Response::new(with_trailers())) }),
    );
    let mut http2 = http2(&rig).await;
    for _ in 0..4 {
        let response = within("a response", http2.send_request(get("/"))).await.unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["x-sum"], "5");
        assert_eq!(body.to_bytes(), "hello");
    }
    let mut http1 = rig.connect().await;
    for _ in 0..2 {
        assert_eq!(http1.get("/").await.body, "hello");
    }
    for line in rig.log.lines(6).await {
        assert_eq!(
            (&line["clientLeft"], &line["responseBytes"]),
            (&false.into(), &5.into())
        );
    }
}

#[tokio::test]
async fn http1_requests_stream_both_ways() {
    let rig = Rig::answering(echo);
    let mut client = rig.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    client.until("\r\n\r\n").await;
    for text in ["one", "two"] {
        client.send(format!("3\r\n{text}\r\n")).await;
        assert_eq!(client.chunk().await, text);
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.chunk().await, "");
}

#[tokio::test]
async fn http2_requests_stream_both_ways_and_side_by_side() {
    let rig = Rig::answering(echo);
    let client = http2(&rig).await;
    let exchange = async |texts: [&'static str; 2]| {
        let (feed, body) = fed();
        let mut request = get("/");
        *request.method_mut() = http::Method::POST;
        *request.body_mut() = body;
        let response = client.clone().send_request(request).await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        let mut body = response.into_body();
        for text in texts {
            feed.send(Ok(text)).await.unwrap();
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), text);
        }
        drop(feed);
        // The end may come in an empty frame of its own.
        assert!(body.collect().await.unwrap().to_bytes().is_empty());
    };
    within(
        "both streams",
        futures_util::future::join(exchange(["a", "b"]), exchange(["c", "d"])),
    )
    .await;
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_gets_it_when_the_target_reads() {
    let rig =
        Rig::answering(|request| async { Ok(ok(request.into_body().collect().await.unwrap().to_bytes())) });
    let mut client = rig.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: app.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hi").await;
    assert_eq!(client.answer().await.body, "hi");
}

/// Never ends and is always ready; says how much was taken, and when it is dropped.
struct Endless {
    taken: Arc<AtomicU64>,
    _dropped: Dropped,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        const PIECE: &[u8] = &[b'x'; 16 * 1024];
        self.taken.fetch_add(PIECE.len() as u64, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(PIECE)))))
    }
}

#[tokio::test]
async fn a_target_is_not_read_faster_than_its_client_reads() {
    let taken = Arc::new(AtomicU64::new(0));
    let (dropped, gone) = Dropped::new();
    let body = Endless {
        taken: taken.clone(),
        _dropped: dropped,
    };
    let body = std::sync::Mutex::new(Some(Body::new(body)));
    let rig = Rig::answering(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async { Ok(Response::new(body)) }
    });
    let mut client = rig.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    client.chunk().await;
    // Others are served meanwhile.
    let app = rig.gateway.groups().get(&"app".parse().unwrap()).unwrap();
    let other = Closure::new(|_| async { Ok(ok("other")) });
    drop(app.deregister(&"t1".parse().unwrap(), std::time::Duration::ZERO));
    rig.register("t2", &other);
    assert_eq!(rig.get("/").await.body, "other");
    drop(client);
    seen("the body's end", gone, |gone| *gone).await;
    // Socket buffers, and hyper's; no more.
    assert!(taken.load(Ordering::SeqCst) < 32 << 20, "{taken:?}");
}

#[tokio::test]
async fn a_response_that_breaks_off_is_cut_and_logged() {
    use wharf_gateway::TargetErrorKind;
    let (feed, body) = fed();
    let body = std::sync::Mutex::new(Some(body));
    let rig = Rig::answering(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async { Ok(Response::new(body)) }
    });
    let mut client = rig.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    feed.send(Ok("one")).await.unwrap();
    assert_eq!(client.chunk().await, "one");
    let error = crate::support::failure(TargetErrorKind::Trapped);
    feed.send(Err(BodyError::Target(error))).await.unwrap();
    assert_eq!(client.rest().await, "", "no closing chunk, nothing of the reason");
    let line = rig.log.line().await;
    assert_eq!(
        (&line["status"], &line["clientLeft"]),
        (&200.into(), &false.into())
    );
    assert_eq!(
        (&line["reason"], &line["cpuUs"]),
        (&"guest says: s3cret".into(), &7.into())
    );
}
