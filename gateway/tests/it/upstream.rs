//! Targets outside over HTTP/1.1: what is passed on, which connections are used, and what becomes of failures.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::BodyExt as _;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use wharf_gateway::{Certificates, GroupSpec, RetrySpec, Upstream, UpstreamSpec, UpstreamVersion};

use crate::{
    outside::{Outside, SILENCE, answer, nowhere, read_head, target_at, text},
    support::{Answer, Closure, Dropped, Raw, Rig, seen, within},
};

fn no_retries(rig: &Rig) {
    rig.app.configure(GroupSpec {
        retry: RetrySpec::OFF,
        ..GroupSpec::default()
    });
}

async fn post(client: &mut Raw, body: &str) -> Answer {
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

#[tokio::test]
async fn every_form_of_a_response_passes_and_its_connection_is_kept() {
    let forms = [
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
        ("/none", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("/empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""),
        (
            "/early",
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!",
            200,
            "!",
        ),
    ];
    let server = Outside::raw(move |mut stream, _| async move {
        while let Some(head) = read_head(&mut stream).await {
            let (_, bytes, ..) = forms.iter().find(|(path, ..)| head.contains(*path)).unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
        }
    })
    .await;
    let rig = Rig::new();
    rig.register_any("outside", server.target());
    let mut client = rig.connect().await;
    for _ in 0..2 {
        for (path, _, status, body) in forms {
            let answer = client.get(path).await;
            assert_eq!((answer.status, answer.body.as_str()), (status, body), "{path}");
        }
    }
    client.send("HEAD /length HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    let head = client.until("\r\n\r\n").await;
    assert!(head.contains("content-length: 5"), "{head}");
    assert_eq!(rig.app.targets()[0].in_flight, 0);
}

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
    let dead = target_at(nowhere().await);
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
    for at in 0..5 {
        rig.register_any(&format!("dead{at}"), target_at(nowhere().await));
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
async fn a_target_nobody_listens_at_is_502() {
    let rig = Rig::new();
    rig.register_any("dead", target_at(nowhere().await));
    let answer = rig.get("/").await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (502, "the service failed to answer")
    );
    let reason = rig.log.line().await["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("cannot connect: "), "{reason}");
}

/// An address whose queue of connections is full, so that the kernel lets new ones wait; and what fills it.
async fn full_queue() -> (tokio::net::TcpListener, Vec<TcpStream>) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut fill = Vec::new();
    while let Ok(stream) = tokio::time::timeout(SILENCE, TcpStream::connect(address)).await {
        fill.push(stream.unwrap());
    }
    (listener, fill)
}

#[tokio::test]
async fn no_connection_in_time_is_504() {
    let (listener, _fill) = full_queue().await;
    let spec = UpstreamSpec {
        connect_timeout: Duration::from_millis(20),
        ..UpstreamSpec::new(
            format!("http://{}", listener.local_addr().unwrap())
                .parse()
                .unwrap(),
        )
    };
    let rig = Rig::new();
    rig.register_any("full", Upstream::new(spec).unwrap());
    assert_eq!(rig.get("/").await.status, 504);
    assert_eq!(rig.log.line().await["reason"], "no connection within 0.02 s");
}

#[tokio::test]
async fn a_silent_target_is_504_and_one_that_falls_silent_is_cut_off() {
    let server = Outside::raw(|mut stream, _| async move {
        let head = read_head(&mut stream).await.unwrap_or_default();
        if head.contains("/half") {
            let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
            stream.write_all(half.as_bytes()).await.unwrap();
        }
        std::future::pending::<()>().await;
    })
    .await;
    let spec = UpstreamSpec {
        idle_timeout: SILENCE,
        ..server.spec()
    };
    let rig = Rig::new();
    rig.register_any("silent", Upstream::new(spec).unwrap());
    assert_eq!(rig.get("/").await.status, 504);
    assert_eq!(rig.log.line().await["reason"], "the target was silent for 0.2 s");
    let mut client = rig.connect().await;
    client.send("GET /half HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    let rest = client.rest().await;
    assert!(rest.ends_with("hello"), "{rest}");
    let line = &rig.log.lines(2).await[1];
    assert_eq!(line["reason"], "the target was silent for 0.2 s");
    assert_eq!(line["clientLeft"], false);
}

#[tokio::test]
async fn what_is_no_response_is_502() {
    let oversize = format!("HTTP/1.1 200 OK\r\nX-Large: {}\r\n\r\n", "x".repeat(40_000));
    for (what, bytes) in [
        ("nothing", String::new()),
        ("half a head", "HTTP/1.1 200 OK\r\nContent-Le".into()),
        ("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n".into()),
        ("too large a head", oversize),
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".into(),
        ),
        (
            "a coding nobody asked for",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n".into(),
        ),
        (
            "a coding without chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc".into(),
        ),
        (
            "a status of no class",
            "HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok".into(),
        ),
        (
            "an upgrade nobody asked for",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".into(),
        ),
    ] {
        let server = Outside::raw(move |mut stream, _| {
            let bytes = bytes.clone();
            async move {
                answer(&mut stream, &bytes).await;
            }
        })
        .await;
        let rig = Rig::new();
        rig.register_any("broken", server.target());
        let answer = rig.get("/").await;
        assert_eq!(answer.status, 502, "{what}: {answer:?}");
        answer.error();
    }
}

#[tokio::test]
async fn a_response_that_breaks_off_is_cut_off() {
    let server = Outside::raw(|mut stream, _| async move {
        answer(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").await;
    })
    .await;
    let rig = Rig::new();
    rig.register_any("broken", server.target());
    let mut client = rig.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    // What had come may arrive or not; the end that was announced does not.
    let got = client.rest().await;
    assert!(!got.contains("hello") || got.ends_with("\r\n\r\nhello"), "{got}");
    let line = rig.log.line().await;
    assert_eq!(
        (&line["status"], &line["clientLeft"]),
        (&200.into(), &false.into())
    );
    let reason = line["reason"].as_str().unwrap();
    assert!(reason.starts_with("the target's response broke off"), "{reason}");
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

#[tokio::test]
async fn tls_takes_only_certificates_it_can_check() {
    let (server, certificate) = Outside::https(&["http/1.1"], |_| async { text("secret") }).await;
    let port = server.address.port();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let trusting = |certificate| Certificates::Authorities(vec![certificate]);
    for (host, certificates, status) in [
        ("localhost", trusting(certificate.clone()), 200),
        ("127.0.0.1", trusting(certificate), 200),
        ("localhost", Certificates::Unchecked, 200),
        ("localhost", trusting(other.cert.der().clone()), 502),
    ] {
        let spec = UpstreamSpec {
            certificates: certificates.clone(),
            ..UpstreamSpec::new(format!("https://{host}:{port}").parse().unwrap())
        };
        let rig = Rig::new();
        rig.register_any("safe", Upstream::new(spec).unwrap());
        assert_eq!(rig.get("/").await.status, status, "{host} {certificates:?}");
        if status == 502 {
            let reason = rig.log.line().await["reason"].to_string();
            assert!(
                reason.contains("the TLS handshake failed: invalid peer certificate"),
                "{reason}"
            );
        }
    }
}

#[tokio::test]
async fn a_tls_handshake_that_does_not_end_is_502() {
    let server = Outside::raw(|stream, _| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let spec = UpstreamSpec {
        tls_timeout: Duration::from_millis(20),
        certificates: Certificates::Unchecked,
        version: UpstreamVersion::Http1,
        ..UpstreamSpec::new(format!("https://{}", server.address).parse().unwrap())
    };
    let rig = Rig::new();
    rig.register_any("mute", Upstream::new(spec).unwrap());
    assert_eq!(rig.get("/").await.status, 502);
    assert_eq!(
        rig.log.line().await["reason"],
        "the TLS handshake took longer than 0.02 s"
    );
}
