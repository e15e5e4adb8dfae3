//! What targets are told of the client: ALB's modes, trusted proxies, traces.

use wharf_gateway::{ClientPort, Forwarding, HostHeader, ListenerSpec, XForwardedFor};

use crate::support::{Closure, LISTENER, Rig, local, ok};

/// A rig whose target answers with the headers it is asked for, a line each; `-` for none.
fn rig(forwarding: Forwarding, wanted: &'static [&'static str]) -> Rig {
    let rig = Rig::at(ListenerSpec {
        forwarding,
        ..local(LISTENER)
    });
    let target = Closure::new(move |request| async move {
        let values = wanted.iter().map(|name| {
            let values: Vec<_> = request.headers().get_all(*name).iter().collect();
            let values: Vec<_> = values.iter().map(|value| value.to_str().unwrap()).collect();
            if values.is_empty() {
                "-".to_owned()
            } else {
                values.join(" & ")
            }
        });
        Ok(ok(values.collect::<Vec<_>>().join("\n")))
    });
    rig.register("t1", &target);
    rig
}

async fn told(rig: &Rig, headers: &str) -> Vec<String> {
    let mut client = rig.connect().await;
    client
        .send(format!("GET / HTTP/1.1\r\nHost: app.test\r\n{headers}\r\n"))
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body.lines().map(str::to_owned).collect()
}

const TOLD: &[&str] = &["x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"];
const SENT: &str = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n";

/// ALB: `routing.http.xff_header_processing.mode`, and its other headers, which are its own whatever the client says.
#[tokio::test]
async fn x_forwarded_for_is_appended_preserved_or_removed() {
    for (mode, sent, expected) in [
        (XForwardedFor::Append, SENT, "192.0.2.1, 192.0.2.2, 127.0.0.1"),
        (XForwardedFor::Append, "", "127.0.0.1"),
        (XForwardedFor::Append, "X-Forwarded-For: \r\n", "127.0.0.1"),
        (XForwardedFor::Preserve, SENT, "192.0.2.1 & 192.0.2.2"),
        (XForwardedFor::Preserve, "", "-"),
        (XForwardedFor::Remove, SENT, "-"),
    ] {
        let forwarding = Forwarding {
            x_forwarded_for: mode,
            ..Forwarding::default()
        };
        let rig = rig(forwarding, TOLD);
        let port = rig.address().port().to_string();
        assert_eq!(
            told(&rig, sent).await,
            [expected, "http", &port],
            "{mode:?} {sent}"
        );
    }
}

/// ALB: `routing.http.xff_client_port.enabled`.
#[tokio::test]
async fn the_clients_port_can_be_told() {
    let forwarding = Forwarding {
        client_port: ClientPort::Include,
        ..Forwarding::default()
    };
    let told = told(&rig(forwarding, TOLD), "").await;
    let address: std::net::SocketAddr = told[0].parse().unwrap();
    assert!(address.ip().is_loopback() && address.port() > 0);
}

#[tokio::test]
async fn only_trusted_proxies_are_believed() {
    let trusting = |net: &str| {
        let forwarding = Forwarding {
            trusted: vec![net.parse().unwrap()],
            ..Forwarding::default()
        };
        rig(forwarding, TOLD)
    };
    let proxied = trusting("127.0.0.0/8");
    assert_eq!(
        told(&proxied, SENT).await,
        ["192.0.2.1, 192.0.2.2, 127.0.0.1", "https", "443"],
        "a proxy knows what its client spoke"
    );
    let line = proxied.log.line().await;
    assert_eq!(
        (&line["client"], &line["forwardedFor"]),
        (&"127.0.0.1".into(), &"192.0.2.2".into())
    );
    let direct = trusting("10.0.0.0/8");
    let port = direct.address().port().to_string();
    assert_eq!(told(&direct, SENT).await, ["127.0.0.1", "http", &port]);
    assert!(direct.log.line().await["forwardedFor"].is_null());
}

/// ALB: 463.
#[tokio::test]
async fn more_than_thirty_addresses_are_463() {
    let list = |count: usize| format!("X-Forwarded-For: {}\r\n", vec!["192.0.2.1"; count].join(","));
    for (mode, count, status) in [
        (XForwardedFor::Append, 30, 200),
        (XForwardedFor::Append, 31, 463),
        (XForwardedFor::Preserve, 31, 463),
        (XForwardedFor::Remove, 31, 200),
    ] {
        let forwarding = Forwarding {
            x_forwarded_for: mode,
            ..Forwarding::default()
        };
        let rig = rig(forwarding, TOLD);
        let mut client = rig.connect().await;
        client
            .send(format!("GET / HTTP/1.1\r\nHost: app.test\r\n{}\r\n", list(count)))
            .await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status, "{mode:?} {count}");
        if status == 463 {
            assert_eq!(answer.reason(), "Too Many Forwarders");
            assert_eq!(
                answer.error(),
                "the request's X-Forwarded-For has too many addresses"
            );
        }
    }
}

/// ALB: `routing.http.preserve_host_header.enabled`.
#[tokio::test]
async fn host_is_preserved_or_has_the_listeners_port() {
    for (host, sent, expected) in [
        (HostHeader::Preserve, "App.test:81", "App.test:81"),
        (HostHeader::Normalise, "App.test:81", "App.test:PORT"),
        (HostHeader::Normalise, "App.test", "App.test:PORT"),
        (HostHeader::Normalise, "[2001:db8::1]:81", "[2001:db8::1]:PORT"),
    ] {
        let forwarding = Forwarding {
            host,
            ..Forwarding::default()
        };
        let rig = rig(forwarding, &["host"]);
        let mut client = rig.connect().await;
        client
            .send(format!("GET / HTTP/1.1\r\nHost: {sent}\r\n\r\n"))
            .await;
        let expected = expected.replace("PORT", &rig.address().port().to_string());
        assert_eq!(client.answer().await.body, expected, "{host:?}");
    }
}

#[tokio::test]
async fn traces_are_continued_and_logged() {
    let rig = rig(
        Forwarding::default(),
        &["traceparent", "tracestate", "x-amzn-trace-id"],
    );
    let id = "0af7651916cd43dd8448eb211c80319c";
    let continued = told(
        &rig,
        &format!(
            "traceparent: 00-{id}-b7ad6b7169203331-01\r\ntracestate: a=1\r\nX-Amzn-Trace-Id: Root=1-2-3\r\n"
        ),
    )
    .await;
    assert!(continued[0].starts_with(&format!("00-{id}-")), "{continued:?}");
    assert!(!continued[0].contains("b7ad6b7169203331"), "{continued:?}");
    assert_eq!(continued[1], "a=1");
    assert!(
        continued[2].starts_with("Self=1-") && continued[2].ends_with(";Root=1-2-3"),
        "{continued:?}"
    );
    let begun = told(&rig, "").await;
    let lines = rig.log.lines(2).await;
    assert_eq!(lines[0]["traceId"], id);
    let trace = lines[1]["traceId"].as_str().unwrap();
    assert!(begun[0].starts_with(&format!("00-{trace}-")), "{begun:?}");
    assert_eq!(begun[2].replace('-', ""), format!("Root=1{trace}"));
}
