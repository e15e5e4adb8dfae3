//! The bounds of HTTP/2 connections, in frames written by hand where no well-behaved client would do it.

use std::{sync::Arc, time::Duration};

use wharf_gateway::{Body, Limits};

use crate::{
    headers::{get, http2},
    support::{Closure, Dropped, Raw, Rig, ok, seen},
};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// RFC 9113 6.
#[derive(Debug)]
struct Frame {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET http://a.test/`, from the static table (RFC 7541 A).
fn request() -> Vec<u8> {
    [&[0x82, 0x86, 0x84, 0x41, 6], &b"a.test"[..]].concat()
}

fn headers(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &request())
}

fn reset(stream: u32) -> Vec<u8> {
    let cancel = 8u32.to_be_bytes();
    frame(RST_STREAM, 0, stream, &cancel)
}

async fn connect(rig: &Rig) -> Raw {
    connect_with(rig, frame(SETTINGS, 0, 0, &[])).await
}

async fn connect_with(rig: &Rig, settings: Vec<u8>) -> Raw {
    let mut client = rig.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.send(settings).await;
    client
}

/// The next frame of this kind. Pings are answered meanwhile: a server that goes away waits for that.
async fn next(client: &mut Raw, kind: u8) -> Frame {
    loop {
        let head = client.take(9).await;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let frame = Frame {
            kind: head[3],
            stream: u32::from_be_bytes(head[5..9].try_into().unwrap()),
            payload: client.take(usize::try_from(length).unwrap()).await,
        };
        if frame.kind == PING {
            let answer = self::frame(PING, 1, 0, &frame.payload);
            client.send(answer).await;
        }
        if frame.kind == kind {
            return frame;
        }
    }
}

/// Waits until the server has said that it goes away, and then does; tells why it does.
async fn goes_away(client: &mut Raw) -> u32 {
    let announced = next(client, GOAWAY).await;
    next(client, PING).await;
    client.rest().await;
    u32::from_be_bytes(announced.payload[4..8].try_into().unwrap())
}

/// A rig whose target never answers, and that target.
fn hanging(limits: Limits) -> (Rig, Arc<Closure>) {
    let rig = Rig::with(limits);
    let target = Closure::new(|_| std::future::pending());
    rig.register("t1", &target);
    (rig, target)
}

/// SETTINGS_INITIAL_WINDOW_SIZE.
fn window(size: u32) -> Vec<u8> {
    let setting = [&4u16.to_be_bytes()[..], &size.to_be_bytes()].concat();
    frame(SETTINGS, 0, 0, &setting)
}

/// Without room for a single byte hyper doesn't ask the body for more, so no bound of its target's would ever be looked at.
#[tokio::test]
async fn a_stream_whose_client_takes_nothing_is_reset_and_the_others_go_on() {
    let rig = Rig::with(Limits {
        write_timeout: Duration::from_millis(50),
        ..Limits::default()
    });
    let (dropped, gone) = Dropped::new();
    let dropped = std::sync::Mutex::new(Some(dropped));
    let target = Closure::new(move |_| {
        let dropped = dropped.lock().unwrap().take();
        async {
            let data = http_body_util::Full::<bytes::Bytes>::from(vec![0; 100_000]);
            let body = http_body_util::BodyExt::map_frame(data, move |frame| {
                let _dropped = &dropped;
                frame
            });
            let body = http_body_util::BodyExt::map_err(body, |never| match never {});
            Ok(http::Response::new(Body::new(body)))
        }
    });
    rig.register("t1", &target);
    let mut client = connect_with(&rig, window(0)).await;
    client.send(headers(1)).await;
    let given_up = next(&mut client, RST_STREAM).await;
    assert_eq!(
        (given_up.stream, given_up.payload),
        (1, 8u32.to_be_bytes().to_vec()),
        "CANCEL"
    );
    seen("the body's end", gone, |gone| *gone).await;
    let line = rig.log.line().await;
    assert_eq!(
        line["reason"],
        "the client took nothing of the response for 0.05 s"
    );
    assert_eq!(
        (&line["status"], &line["clientLeft"]),
        (&200.into(), &true.into())
    );
    client.send(window(65_535)).await;
    client.send(headers(3)).await;
    assert_eq!(next(&mut client, DATA).await.stream, 3);
}

/// CVE-2023-44487: streams that are reset as soon as a target has them.
#[tokio::test]
async fn a_client_that_gives_up_too_much_at_once_is_cut() {
    let (rig, target) = hanging(Limits {
        http2_resets: 5,
        ..Limits::default()
    });
    let mut client = connect(&rig).await;
    for number in 0..6 {
        let stream = 2 * number + 1;
        client.send(headers(stream)).await;
        target.called(number + 1).await;
        client.send(reset(stream)).await;
    }
    client.rest().await;
    assert_eq!(target.calls(), 6);
    for line in rig.log.lines(6).await {
        assert_eq!(line["clientLeft"], true);
    }
}

#[tokio::test]
async fn a_client_that_resets_before_anybody_saw_is_cut() {
    let (rig, target) = hanging(Limits::default());
    let mut client = connect(&rig).await;
    let flood: Vec<u8> = (0..10_000)
        .flat_map(|number| [headers(2 * number + 1), reset(2 * number + 1)].concat())
        .collect();
    let _ = client.try_send(flood).await;
    client.rest().await;
    assert!(
        target.calls() <= Limits::default().http2_resets + 200,
        "{}",
        target.calls()
    );
}

#[tokio::test]
async fn a_host_that_no_uri_can_have_is_400_before_any_target() {
    let rig = Rig::new();
    let target = Closure::saying("hello");
    rig.register("t1", &target);
    let mut client = connect(&rig).await;
    // `host` in place of `:authority`, which hyper reads.
    let host = [&[0x82, 0x86, 0x84, 0x0f, 23, 5], &b"a:b:c"[..]].concat();
    client
        .send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &host))
        .await;
    assert_eq!(next(&mut client, HEADERS).await.payload[0], 0x8c, ":status 400");
    assert_eq!(target.calls(), 0);
}

/// ALB: 128 streams at once.
#[tokio::test]
async fn streams_beyond_the_bound_are_refused() {
    let (rig, target) = hanging(Limits {
        http2_streams: 2,
        ..Limits::default()
    });
    let mut client = connect(&rig).await;
    let settings = next(&mut client, SETTINGS).await;
    let most = settings.payload.chunks(6).find(|setting| setting[..2] == [0, 3]);
    assert_eq!(
        most.map(|setting| &setting[2..]),
        Some(&[0, 0, 0, 2][..]),
        "it is told"
    );
    for stream in [1, 3, 5] {
        client.send(headers(stream)).await;
    }
    let refused = next(&mut client, RST_STREAM).await;
    assert_eq!(
        (refused.stream, refused.payload),
        (5, 7u32.to_be_bytes().to_vec()),
        "REFUSED_STREAM"
    );
    target.called(2).await;
}

/// ALB: GOAWAY after 10 000 requests; here it is a bound that can be set.
#[tokio::test]
async fn a_connection_is_told_to_go_away_after_its_requests() {
    let rig = Rig::with(Limits {
        http2_requests: Some(3),
        ..Limits::default()
    });
    rig.register("t1", &Closure::saying("hello"));
    let mut client = connect(&rig).await;
    for stream in [1, 3, 5] {
        client.send(headers(stream)).await;
        let answered = next(&mut client, HEADERS).await;
        assert_eq!(
            (answered.stream, answered.payload[0]),
            (stream, 0x88),
            ":status 200"
        );
    }
    assert_eq!(goes_away(&mut client).await, 0, "no error");
    assert_eq!(rig.log.lines(3).await.len(), 3);
}

#[tokio::test]
async fn header_frames_without_an_end_are_no_way_to_fill_memory() {
    let (rig, target) = hanging(Limits::default());
    let mut client = connect(&rig).await;
    client.send(frame(HEADERS, END_STREAM, 1, &request())).await;
    // Literal headers without indexing, in frame after frame.
    let line = [&[0, 1, b'a', 127, 0x81, 0x7e], &[b'x'; 16_000][..]].concat();
    for _ in 0..1000 {
        if client.try_send(frame(CONTINUATION, 0, 1, &line)).await.is_err() {
            break;
        }
    }
    client.rest().await;
    assert_eq!(target.calls(), 0);
}

/// What the inspector bounds for HTTP/1.
#[tokio::test]
async fn heads_have_the_same_bounds() {
    let rig = Rig::new();
    rig.register("t1", &Closure::saying("hello"));
    let mut client = http2(&rig).await;
    let mut long = get(&format!("/{}", "x".repeat(16_000)));
    assert_eq!(client.send_request(long).await.unwrap().status(), 200);
    long = get(&format!("/{}", "x".repeat(16 * 1024)));
    assert_eq!(client.send_request(long).await.unwrap().status(), 414);
    let with = |count: usize, size: usize| {
        let mut request = get("/");
        for number in 0..count {
            let name = http::HeaderName::from_bytes(format!("x-{number}").as_bytes()).unwrap();
            request
                .headers_mut()
                .insert(name, "x".repeat(size).parse().unwrap());
        }
        request
    };
    for (count, size, status) in [
        (1, 16_000, 200),
        (1, 16 * 1024, 431),
        (7, 10_000, 431),
        (90, 10, 200),
        (101, 10, 431),
    ] {
        let response = client.send_request(with(count, size)).await.unwrap();
        assert_eq!(response.status(), status, "{count} headers of {size} bytes");
    }
}

#[tokio::test]
async fn almost_the_preface_is_http1_and_refused() {
    let rig = Rig::new();
    let mut client = rig.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 505);
    assert!(client.is_closed().await);
}

/// ALB: `client_keep_alive`.
#[tokio::test]
async fn connections_end_when_they_are_old() {
    let rig = Rig::with(Limits {
        connection_lifetime: Duration::from_millis(200),
        ..Limits::default()
    });
    rig.register("t1", &Closure::new(|_| async { Ok(ok("hello")) }));
    let mut idle = rig.connect().await;
    assert_eq!(idle.get("/").await.header("connection"), None);
    let mut http2 = connect(&rig).await;
    http2.send(headers(1)).await;
    next(&mut http2, DATA).await;
    // Both were just used: it is not idleness that ends them.
    assert!(idle.is_closed().await);
    assert_eq!(goes_away(&mut http2).await, 0, "no error");
}

#[tokio::test]
async fn an_old_connection_ends_with_the_request_under_way() {
    let rig = Rig::with(Limits {
        connection_lifetime: Duration::from_millis(50),
        ..Limits::default()
    });
    let slow = Closure::new(|_| async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok(ok("late"))
    });
    rig.register("t1", &slow);
    let answer = rig.get("/").await;
    assert_eq!(
        (answer.body.as_str(), answer.header("connection")),
        ("late", Some("close"))
    );
}
