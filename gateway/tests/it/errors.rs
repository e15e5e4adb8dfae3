//! What the gateway answers by itself, and that nothing of the target shows in it.

use std::time::Duration;

use wharf_gateway::{GroupSpec, TargetErrorKind, TargetWeight};

use crate::support::{Closure, Rig, failure, routing, rule};

#[tokio::test]
async fn every_kind_of_target_failure_has_its_status() {
    use TargetErrorKind::*;
    for (kind, status, retry_after) in [
        (Trapped, 502, None),
        (Exited, 502, None),
        (NoResponse, 502, None),
        (InvalidResponse, 502, None),
        (
            QueueFull {
                retry_after: Duration::from_millis(2500),
            },
            503,
            Some("3"),
        ),
        (
            QueueFull {
                retry_after: Duration::ZERO,
            },
            503,
            Some("1"),
        ),
        (SecretUnavailable, 503, Some("1")),
        (Stopping, 503, Some("1")),
        (Stopped, 503, Some("1")),
        (Overloaded, 503, Some("1")),
        (QueueDeadline, 504, None),
        (Deadline, 504, None),
        (CpuTimeout, 504, None),
        (OutOfMemory, 507, None),
    ] {
        let rig = Rig::answering(move |_| async move { Err(failure(kind)) });
        let mut client = rig.connect().await;
        let answer = client.get("/").await;
        assert_eq!(answer.status, status, "{kind:?}");
        assert_eq!(answer.header("retry-after"), retry_after, "{kind:?}");
        answer.error();
        assert!(!format!("{answer:?}").contains("s3cret"), "{answer:?}");
        let line = rig.log.line().await;
        assert_eq!(line["status"], status);
        assert_eq!(line["reason"], "guest says: s3cret", "the log has it");
        assert_eq!((&line["cpuUs"], &line["peakMemory"]), (&7.into(), &8.into()));
        assert_eq!(client.get("/").await.status, status, "the connection goes on");
    }
}

#[tokio::test]
async fn a_response_that_is_no_valid_http_is_502() {
    for (status, lengths, reason) in [
        (
            103,
            &[][..],
            "the status is informational, but this is the only response there is",
        ),
        (200, &["x"], "its Content-Length is not a number"),
        (200, &["+5"], "its Content-Length is not a number"),
        (200, &["5", "6"], "it has several Content-Length headers"),
        (200, &["4"], "its Content-Length is not its body's length"),
    ] {
        let rig = Rig::answering(move |_| async move {
            let mut response = crate::support::ok("hello");
            *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
            for length in lengths {
                response
                    .headers_mut()
                    .append("content-length", length.parse().unwrap());
            }
            Ok(response)
        });
        assert_eq!(rig.get("/").await.status, 502, "{reason}");
        assert_eq!(
            rig.log.line().await["reason"],
            format!("the response is not valid HTTP: {reason}")
        );
    }
}

#[tokio::test]
async fn no_rule_is_404_and_no_target_is_503() {
    let rig = Rig::new();
    let answer = rig.get("/").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.error(), "no target is available");

    rig.gateway.apply(wharf_gateway::Routing::default()).unwrap();
    let answer = rig.get("/").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.error(), "no rule matches this request");
    let lines = rig.log.lines(2).await;
    assert_eq!(
        (&lines[0]["rule"], &lines[1]["rule"]),
        (&"all".into(), &().into())
    );
}

#[tokio::test]
async fn trace_and_connect_are_405_and_never_reach_a_target() {
    let rig = Rig::new();
    let target = Closure::saying("hello");
    rig.register("t1", &target);
    for line in ["TRACE / HTTP/1.1", "CONNECT app.test:80 HTTP/1.1"] {
        let mut client = rig.connect().await;
        client.send(format!("{line}\r\nHost: app.test\r\n\r\n")).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 405, "{line}");
        assert!(answer.header("allow").unwrap().contains("GET"));
        answer.error();
    }
    assert_eq!(target.calls(), 0);
}

#[tokio::test]
async fn a_request_whose_host_is_unclear_is_400() {
    let rig = Rig::new();
    let target = Closure::saying("hello");
    rig.register("t1", &target);
    for (head, error) in [
        ("GET / HTTP/1.1\r\n\r\n", "the request has no Host header"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "the request has more than one Host header",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "the request's host is not a valid host",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a:b:c\r\n\r\n",
            "the request's host is not a valid host",
        ),
        (
            "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
            "the request's host is not a valid host",
        ),
        ("GET http://a/ HTTP/1.1\r\n\r\n", "the request has no Host header"),
        (
            "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n",
            "the request's host is not a valid host",
        ),
    ] {
        let mut client = rig.connect().await;
        client.send(head).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.error().as_str()), (400, error), "{head:?}");
        assert!(client.is_closed().await);
    }
    assert_eq!(target.calls(), 0);
    let mut old = rig.connect().await;
    old.send("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.answer().await.body, "hello", "HTTP/1.0 has no Host");
}

#[tokio::test]
async fn a_malformed_head_is_400_and_the_end() {
    let rig = Rig::new();
    for head in [
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
        "P\r\n\r\n",
    ] {
        let mut client = rig.connect().await;
        client.send(head).await;
        assert_eq!(client.answer().await.status, 400, "{head:?}");
        assert!(client.is_closed().await, "{head:?}");
    }
}

#[tokio::test]
async fn the_default_host_comes_after_explicit_rules() {
    use wharf_gateway::{Precedence, RuleSpec};
    let rig = Rig::new();
    rig.register("t1", &Closure::saying("default"));
    let other = rig
        .gateway
        .groups()
        .create("other".parse().unwrap(), GroupSpec::default())
        .unwrap();
    other
        .register(
            "t1".parse().unwrap(),
            Closure::saying("explicit"),
            TargetWeight::default(),
        )
        .unwrap();
    let default = RuleSpec {
        precedence: Precedence::DefaultHost,
        ..rule("app-default", 1, "app.localhost", "", "app")
    };
    let rules = vec![default, rule("v1", 50_000, "app.localhost", "/v1/*", "other")];
    rig.gateway.apply(routing(rules)).unwrap();
    for (path, expected) in [("/", "default"), ("/v1/x?q=1", "explicit")] {
        let mut client = rig.connect().await;
        client
            .send(format!("GET {path} HTTP/1.1\r\nHost: APP.localhost:8080\r\n\r\n"))
            .await;
        assert_eq!(client.answer().await.body, expected);
    }
    let deleting = rig
        .gateway
        .groups()
        .delete(&"other".parse().unwrap())
        .unwrap_err();
    assert_eq!(
        deleting.to_string(),
        "target group `other` is in use by rule `v1`: change or delete the rule first"
    );
}
