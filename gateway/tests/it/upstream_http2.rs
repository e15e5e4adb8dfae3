//! Targets outside over HTTP/2, gRPC included, with or without TLS; and which requests fit which target.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::{Semaphore, mpsc};
use wharf_gateway::{Body, Certificates, Upstream, UpstreamSpec, UpstreamVersion, body};

use crate::{
    headers::http2,
    outside::{Outside, OutsideBody, SILENCE, text},
    support::{Closure, Rig, within},
};

fn get(path: &str) -> Request<Body> {
    Request::get(format!("http://app.test{path}"))
        .version(Version::HTTP_2)
        .body(body::empty())
        .unwrap()
}

/// A gRPC call of one message.
fn call(method: &str, message: &str) -> Request<Body> {
    Request::post(format!("http://app.test/test.Echo/{method}"))
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body::full(framed(message)))
        .unwrap()
}

/// A message as gRPC sends it: not compressed, with its length.
fn framed(message: &str) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message.as_bytes()].concat().into()
}

fn status_of(code: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static(code))])
}

/// What a gRPC server does: echoes every message as it comes, says how it went in trailers, and what it doesn't know
/// in the head alone.
async fn echo(request: Request<Incoming>) -> Response<OutsideBody> {
    assert_eq!(request.version(), Version::HTTP_2);
    let mut response = text("");
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    if !request.uri().path().ends_with("/Echo") {
        response.headers_mut().extend(status_of("12"));
        return response;
    }
    assert_eq!(request.headers()["te"], "trailers");
    let (sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
    let mut body = request.into_body();
    tokio::spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(data) = frame.into_data() {
                let _ = sender.send(Ok(Frame::data(data))).await;
            }
        }
        let _ = sender.send(Ok(Frame::trailers(status_of("0")))).await;
    });
    let frames = futures_util::stream::unfold(receiver, |mut receiver| async {
        Some((receiver.recv().await?, receiver))
    });
    response.map(|_| StreamBody::new(frames).boxed_unsync())
}

pub(crate) async fn grpc_rig() -> (Rig, Outside) {
    let server = Outside::http(echo).await;
    let rig = Rig::new();
    rig.register_any("grpc", server.speaking(UpstreamVersion::Grpc));
    (rig, server)
}

#[tokio::test]
async fn a_grpc_call_comes_back_with_its_trailers() {
    let (rig, _server) = grpc_rig().await;
    let mut client = http2(&rig).await;
    let response = within("a response", client.send_request(call("Echo", "hello")))
        .await
        .unwrap();
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let answer = response.into_body().collect().await.unwrap();
    assert_eq!(answer.trailers(), Some(&status_of("0")));
    assert_eq!(answer.to_bytes(), framed("hello"));
    let unknown = within("a response", client.send_request(call("No", "x")))
        .await
        .unwrap();
    assert_eq!(
        (unknown.status(), &unknown.headers()["grpc-status"]),
        (StatusCode::OK, &"12".parse().unwrap())
    );
}

#[tokio::test]
async fn grpc_streams_both_ways_message_by_message() {
    let (rig, _server) = grpc_rig().await;
    let mut client = http2(&rig).await;
    let (sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, wharf_gateway::BodyError>>(1);
    let frames = futures_util::stream::unfold(receiver, |mut receiver| async {
        Some((receiver.recv().await?, receiver))
    });
    let request = call("Echo", "").map(|_| Body::new(StreamBody::new(frames)));
    sender.send(Ok(Frame::data(framed("0")))).await.unwrap();
    let response = within("a head", client.send_request(request)).await.unwrap();
    let mut body = response.into_body();
    for round in 0..5 {
        let got = within("a message", body.frame()).await.unwrap().unwrap();
        assert_eq!(got.into_data().unwrap(), framed(&round.to_string()));
        // Only now does the client say more.
        let next = framed(&(round + 1).to_string());
        sender.send(Ok(Frame::data(next))).await.unwrap();
    }
    drop(sender);
    let rest = within("the end", body.collect()).await.unwrap();
    assert_eq!(rest.trailers(), Some(&status_of("0")));
}

#[tokio::test]
async fn a_hundred_requests_share_a_connection_and_one_more_gets_another() {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let server = Outside::http(move |request| {
        let gate = held.clone();
        async move {
            assert_eq!(request.version(), Version::HTTP_2);
            assert_eq!(request.uri().authority().unwrap(), "app.test");
            assert!(request.headers().get("host").is_none());
            gate.acquire().await.unwrap().forget();
            text(request.uri().path().to_owned())
        }
    })
    .await;
    let rig = Rig::new();
    rig.register_any("h2", server.speaking(UpstreamVersion::Http2));
    let client = http2(&rig).await;
    let asked = |number: usize| {
        let mut client = client.clone();
        tokio::spawn(async move { client.send_request(get(&format!("/{number}"))).await })
    };
    let mut calls: Vec<_> = (0..100).map(asked).collect();
    within("the requests", async {
        while rig.app.targets()[0].load.in_flight < 100 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(server.accepted(), 1);
    calls.push(asked(100));
    within("a second connection, for the one beyond", async {
        while server.accepted() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    gate.add_permits(101);
    for (number, call) in calls.into_iter().enumerate() {
        let response = within("a response", call).await.unwrap().unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, format!("/{number}"));
    }
    assert_eq!(server.accepted(), 2);
    within("the end", async {
        while rig.app.targets()[0].load.in_flight > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Requests beyond the target's bound would wait for those before, however long these take.
#[tokio::test]
async fn a_target_that_allows_few_requests_at_once_gets_more_connections() {
    let server = Outside::raw(|stream, _| async move {
        let service = service_fn(|request: Request<Incoming>| async move {
            if request.uri().path() == "/slow" {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(text("quick"))
        });
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(2)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    })
    .await;
    let rig = Rig::new();
    rig.register_any("h2", server.speaking(UpstreamVersion::Http2));
    let mut client = http2(&rig).await;
    let slow: Vec<_> = (0..5).map(|_| client.send_request(get("/slow"))).collect();
    within("the requests", async {
        while rig.app.targets()[0].load.in_flight < 5 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let quick = within("a response", client.send_request(get("/quick"))).await;
    assert_eq!(quick.unwrap().status(), 200);
    assert_eq!(server.accepted(), 3, "two requests on each");
    drop(slow);
}

#[tokio::test]
async fn http2_inside_tls_is_agreed_on() {
    let (server, certificate) = Outside::https(&["h2"], |request| async move {
        text(format!("{:?} {}", request.version(), request.uri()))
    })
    .await;
    let (old, _) = Outside::https(&["http/1.1"], |_| async { text("old") }).await;
    let (mute, _) = Outside::https(&[], |_| async { text("mute") }).await;
    let trusted = Certificates::Authorities(vec![certificate]);
    for (server, certificates, status) in [
        (&server, trusted, 200),
        (&old, Certificates::Unchecked, 502),
        (&mute, Certificates::Unchecked, 502),
    ] {
        let spec = UpstreamSpec {
            version: UpstreamVersion::Http2,
            certificates,
            ..UpstreamSpec::new(
                format!("https://localhost:{}", server.address.port())
                    .parse()
                    .unwrap(),
            )
        };
        let rig = Rig::new();
        rig.register_any("safe", Upstream::new(spec).unwrap());
        let mut client = http2(&rig).await;
        let response = within("a response", client.send_request(get("/p?q")))
            .await
            .unwrap();
        assert_eq!(response.status(), status);
        if status == 200 {
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "HTTP/2.0 https://app.test/p?q");
        }
    }
}

/// ALB: the table of protocol versions; each of its rows is in `forward::protocol`.
#[tokio::test]
async fn a_request_that_does_not_fit_is_464() {
    let server = Outside::http(|_| async { text("never") }).await;
    let rig = Rig::new();
    rig.register_any("grpc", server.speaking(UpstreamVersion::Grpc));
    let answer = rig.get("/").await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (464, "the service speaks HTTP/2 only")
    );
    assert_eq!(answer.reason(), "Incompatible Protocol");
    let mut client = http2(&rig).await;
    let response = within("a response", client.send_request(get("/"))).await.unwrap();
    assert_eq!(response.status(), 464);
    assert_eq!(rig.log.lines(2).await[1]["status"], 464);

    let rig = Rig::new();
    rig.register_any("http1", server.target());
    let mut client = http2(&rig).await;
    let response = within("a response", client.send_request(call("Echo", "x")))
        .await
        .unwrap();
    assert_eq!(response.status(), 464);
    let fits = within("a response", client.send_request(get("/"))).await.unwrap();
    assert_eq!(fits.status(), 200);
    assert_eq!(server.accepted(), 1, "what does not fit never reaches a target");
}

/// A server that speaks HTTP/2 by hand: it refuses the first request of every connection.
async fn refusing() -> Outside {
    Outside::raw(|stream, _| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            respond.send_reset(h2::Reason::REFUSED_STREAM);
        }
    })
    .await
}

#[tokio::test]
async fn what_a_target_refused_unread_goes_to_another() {
    let server = refusing().await;
    let rig = Rig::new();
    rig.register_any("refuses", server.speaking(UpstreamVersion::Http2));
    rig.register("takes", &Closure::saying("taken"));
    let mut client = http2(&rig).await;
    for _ in 0..2 {
        let request = Request::post("http://app.test/")
            .version(Version::HTTP_2)
            .body(body::empty())
            .unwrap();
        let response = within("a response", client.send_request(request)).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    let lines = rig.log.lines(2).await;
    assert!(lines.iter().any(|line| line["retries"] == 1), "{lines:?}");
}

#[tokio::test]
async fn a_silent_http2_target_is_504() {
    let server = Outside::raw(|stream, _| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut held = Vec::new();
        while let Some(Ok(request)) = connection.accept().await {
            held.push(request);
        }
    })
    .await;
    let spec = UpstreamSpec {
        version: UpstreamVersion::Http2,
        idle_timeout: SILENCE,
        ..server.spec()
    };
    let rig = Rig::new();
    rig.register_any("silent", Upstream::new(spec).unwrap());
    let mut client = http2(&rig).await;
    let response = within("a response", client.send_request(get("/"))).await.unwrap();
    assert_eq!(response.status(), 504);
    assert_eq!(rig.log.line().await["reason"], "the target was silent for 0.2 s");
}

#[tokio::test]
async fn a_connection_that_ended_is_replaced() {
    let server = Outside::raw(|stream, _| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        // One request, then goodbye.
        if let Some(Ok((_, mut respond))) = connection.accept().await {
            let _ = respond.send_response(Response::new(()), true);
        }
        connection.graceful_shutdown();
        while let Some(Ok(_)) = connection.accept().await {}
    })
    .await;
    let rig = Rig::new();
    rig.register_any("brief", server.speaking(UpstreamVersion::Http2));
    let mut client = http2(&rig).await;
    for _ in 0..4 {
        let response = within("a response", client.send_request(get("/"))).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert!(server.accepted() > 1);
}
