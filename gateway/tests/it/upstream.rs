//! Targets outside over HTTP/1.1: what is passed on, both ways.

use http_body_util::BodyExt as _;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use wharf_gateway::{GroupSpec, RetrySpec};

use crate::{
    headers::{get, http2},
    outside::{Outside, read_head, text},
    support::{Answer, Raw, Rig, within},
};

pub(crate) fn no_retries(rig: &Rig) {
    rig.app.configure(GroupSpec {
        retry: RetrySpec::OFF,
        ..GroupSpec::default()
    });
}

pub(crate) async fn post(client: &mut Raw, body: &str) -> Answer {
    let length = body.len();
    client
        .send(format!(
            "POST /p HTTP/1.1\r\nHost: app.test\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await;
    client.answer().await
}

#[tokio::test]
async fn a_request_reaches_a_target_outside_and_its_answer_comes_back() {
    let server = Outside::http(|request| async move {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let told = format!(
            "{} {} {:?} host={} for={} length={:?} {}",
            head.method,
            head.uri,
            head.version,
            head.headers["host"].to_str().unwrap(),
            head.headers["x-forwarded-for"].to_str().unwrap(),
            head.headers.get("content-length"),
            String::from_utf8_lossy(&body),
        );
        let mut response = text(told);
        *response.status_mut() = http::StatusCode::IM_A_TEAPOT;
        response.headers_mut().insert("x-mine", "1".parse().unwrap());
        response
    })
    .await;
    let rig = Rig::new();
    rig.register_any("outside", server.target());
    let mut client = rig.connect().await;
    client
        .send("POST /a%2Fb?q=1 HTTP/1.1\r\nHost: App.test:81\r\nContent-Length: 5\r\n\r\nhello")
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("x-mine")), (418, Some("1")));
    assert_eq!(
        answer.body,
        "POST /a%2Fb?q=1 HTTP/1.1 host=App.test:81 for=127.0.0.1 length=Some(\"5\") hello"
    );
    // Of unknown length it goes in chunks; without a host, the target's own is asked for.
    client
        .send("POST / HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        .await;
    let chunked = client.answer().await.body;
    assert!(chunked.ends_with("length=None abc"), "{chunked}");
    let mut old = rig.connect().await;
    old.send("GET / HTTP/1.0\r\n\r\n").await;
    let old = old.rest().await;
    assert!(
        old.contains(&format!("HTTP/1.1 host={} ", server.address)),
        "{old}"
    );
    let line = &rig.log.lines(1).await[0];
    assert_eq!((&line["task"], &line["status"]), (&"outside".into(), &418.into()));
    assert_eq!((&line["requestBytes"], &line["retries"]), (&5.into(), &0.into()));
}

/// Path, what the target answers, and the status and body a client gets.
const FORMS: [(&str, &str, u16, &str); 8] = [
    (
        "/length",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        200,
        "hello",
    ),
    (
        "/chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        200,
        "hello",
    ),
    // RFC 9112 6.3: the chunks count.
    (
        "/too-short",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        200,
        "hello",
    ),
    (
        "/too-long",
        "HTTP/1.1 200 OK\r\nContent-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        200,
        "hello",
    ),
    (
        "/trailers",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n",
        200,
        "hello",
    ),
    ("/none", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
    ("/empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""),
    (
        "/early",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!",
        200,
        "!",
    ),
];

#[tokio::test]
async fn every_form_of_a_response_passes_and_its_connection_is_kept() {
    let server = Outside::raw(move |mut stream, _| async move {
        while let Some(head) = read_head(&mut stream).await {
            let (_, bytes, ..) = FORMS.iter().find(|(path, ..)| head.contains(*path)).unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
        }
    })
    .await;
    let rig = Rig::new();
    rig.register_any("outside", server.target());
    let mut client = rig.connect().await;
    for _ in 0..2 {
        for (path, _, status, body) in FORMS {
            let answer = client.get(path).await;
            assert_eq!((answer.status, answer.body.as_str()), (status, body), "{path}");
            assert_eq!(server.accepted(), 1, "{path} closes");
        }
    }
    client.send("HEAD /length HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    let head = client.until("\r\n\r\n").await;
    assert!(head.contains("content-length: 5"), "{head}");
    assert_eq!(rig.app.targets()[0].in_flight, 0);
}

/// hyper would take them for requests without a body, and drop it.
#[tokio::test]
async fn a_body_of_unknown_length_goes_with_any_method() {
    let server = Outside::http(|request| async move {
        let method = request.method().clone();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        text(format!("{method} {}", String::from_utf8_lossy(&body)))
    })
    .await;
    let rig = Rig::new();
    rig.register_any("outside", server.target());
    for method in ["GET", "DELETE", "POST"] {
        let mut client = rig.connect().await;
        client
            .send(format!("{method} / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
            .await;
        assert_eq!(client.answer().await.body, format!("{method} abc"));
        let frames = futures_util::stream::iter([Ok(http_body::Frame::data(bytes::Bytes::from("abc")))]);
        let mut request = get("/");
        *request.method_mut() = method.parse().unwrap();
        *request.body_mut() = wharf_gateway::Body::new(http_body_util::StreamBody::new(frames));
        let response = within("a response", http2(&rig).await.send_request(request))
            .await
            .unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, format!("{method} abc"));
    }
}

#[tokio::test]
async fn bodies_of_any_size_stream_both_ways() {
    let server = Outside::http(|request| async move {
        let body = request
            .into_body()
            .map_err(|_| -> std::convert::Infallible { unreachable!() });
        http::Response::new(body.boxed_unsync())
    })
    .await;
    let rig = Rig::new();
    rig.register_any("echo", server.target());
    let body: String = (0..200_000).map(|number| format!("{number:08}\n")).collect();
    let stream = TcpStream::connect(rig.address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    for _ in 0..2 {
        let request = http::Request::post("/")
            .header("host", "a.test")
            .body(wharf_gateway::body::full(body.clone()))
            .unwrap();
        let response = within("a response", sender.send_request(request)).await.unwrap();
        let echoed = within("the body", response.into_body().collect())
            .await
            .unwrap()
            .to_bytes();
        assert!(
            echoed == body.as_bytes(),
            "{} bytes of {}",
            echoed.len(),
            body.len()
        );
        within("the next turn", sender.ready()).await.unwrap();
    }
}
