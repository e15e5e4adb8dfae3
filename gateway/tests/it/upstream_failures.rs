//! What becomes of requests whose target outside cannot be reached, is silent, or gives no response that is one.

use std::time::Duration;

use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use wharf_gateway::{Certificates, Reach, Upstream, UpstreamSpec, UpstreamVersion};

use crate::{
    outside::{Outside, SILENCE, answer, nowhere, read_head, text},
    support::Rig,
};

#[tokio::test]
async fn a_target_nobody_listens_at_is_502() {
    let rig = Rig::new();
    let (_place, dead) = nowhere();
    rig.register_any("dead", dead);
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
async fn a_target_that_may_not_be_on_this_host_is_not_reached_there() {
    let server = Outside::http(|_| async { text("here") }).await;
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let url = format!("http://{host}:{}", server.address.port());
        let spec = UpstreamSpec {
            reach: Reach::BeyondThisHost,
            ..UpstreamSpec::new(url.parse().unwrap())
        };
        let rig = Rig::new();
        rig.register_any("here", Upstream::new(spec).unwrap());
        assert_eq!(rig.get("/").await.status, 502, "{host}");
        let reason = rig.log.line().await["reason"].to_string();
        assert!(reason.contains("is an address of this host"), "{reason}");
    }
    assert_eq!(server.accepted(), 0);
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
async fn a_target_may_have_larger_heads() {
    let large = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Large: {}\r\n\r\nok",
        "x".repeat(40_000)
    );
    let server = Outside::raw(move |mut stream, _| {
        let large = large.clone();
        async move {
            answer(&mut stream, &large).await;
        }
    })
    .await;
    for (response_head, status) in [(32 * 1024, 502), (64 * 1024, 200)] {
        let spec = UpstreamSpec {
            response_head,
            ..server.spec()
        };
        let rig = Rig::new();
        rig.register_any("large", Upstream::new(spec).unwrap());
        assert_eq!(rig.get("/").await.status, status, "{response_head}");
    }
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

/// At an address, with a certificate for a name.
#[tokio::test]
async fn a_target_may_be_known_by_another_name_than_its_url_has() {
    let (server, certificate) = Outside::https_as(&["api.internal"], &["http/1.1"], |request| async move {
        text(request.headers()["host"].to_str().unwrap().to_owned())
    })
    .await;
    for (server_name, status) in [
        (None, 502),
        (Some("other.internal"), 502),
        (Some("API.internal"), 200),
    ] {
        let spec = UpstreamSpec {
            certificates: Certificates::Authorities(vec![certificate.clone()]),
            server_name: server_name.map(|name| name.parse().unwrap()),
            ..UpstreamSpec::new(format!("https://{}", server.address).parse().unwrap())
        };
        let rig = Rig::new();
        rig.register_any("safe", Upstream::new(spec).unwrap());
        let answer = rig.get("/").await;
        assert_eq!(answer.status, status, "{server_name:?}");
        if status == 200 {
            assert_eq!(answer.body, "app.test", "requests keep their host");
            let mut client = rig.connect().await;
            client.send("GET / HTTP/1.0\r\n\r\n").await;
            let own = format!("api.internal:{}", server.address.port());
            assert_eq!(
                client.answer().await.body,
                own,
                "and one without gets the target's"
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
