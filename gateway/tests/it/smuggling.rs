//! Requests that two parties could read in two ways, sent byte by byte: what reaches a target, what is answered instead,
//! and what the log says.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use wharf_gateway::{Action, DesyncMode, FixedResponse, ListenerSpec, RuleSpec};

use crate::support::{Closure, LISTENER, Raw, Rig, local, ok, routing, rule};

/// A rig whose one target says what it was asked, body included.
fn telling(desync: DesyncMode) -> (Rig, Arc<Closure>) {
    let rig = Rig::at(ListenerSpec {
        desync,
        ..local(LISTENER)
    });
    let target = Closure::new(|request| async move {
        let (head, body) = request.into_parts();
        let mut names: Vec<_> = head.headers.keys().map(http::HeaderName::as_str).collect();
        names.retain(|name| !name.starts_with("x-forwarded") && !["x-request-id", "host"].contains(name));
        names.retain(|name| !["traceparent", "x-amzn-trace-id"].contains(name));
        names.sort_unstable();
        let start = format!("{} {} [{}] ", head.method, head.uri, names.join(" "));
        match body.collect().await {
            Ok(body) => Ok(ok([start.as_bytes(), &body.to_bytes()].concat())),
            Err(_) => Err(crate::support::failure(wharf_gateway::TargetErrorKind::Trapped)),
        }
    });
    rig.register("t1", &target);
    (rig, target)
}

async fn sent(rig: &Rig, bytes: impl AsRef<[u8]>) -> Raw {
    let mut client = rig.connect().await;
    client.send(bytes).await;
    client
}

#[tokio::test]
async fn severe_requests_are_refused_in_our_form_logged_and_the_end() {
    for mode in [DesyncMode::Monitor, DesyncMode::Defensive, DesyncMode::Strictest] {
        for (head, status, error, class) in [
            (
                "POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                400,
                "the request has several Content-Lengths that differ",
                Some("MultipleContentLength"),
            ),
            (
                "POST /p HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
                400,
                "the Transfer-Encoding is malformed",
                Some("BadTransferEncoding"),
            ),
            (
                "POST /p HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                501,
                "the request's Transfer-Encoding is not supported: send it chunked",
                None,
            ),
            (
                "POST /p HTTP/3.0\r\nHost: a.test\r\n\r\n",
                505,
                "this HTTP version is not supported: use 1.0, 1.1 or 2",
                Some("BadVersion"),
            ),
        ] {
            let (rig, target) = telling(mode);
            let mut client = sent(&rig, format!("{head}GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n")).await;
            let answer = client.answer().await;
            assert_eq!(
                (answer.status, answer.error().as_str()),
                (status, error),
                "{head:?}"
            );
            assert_eq!(answer.header("connection"), Some("close"));
            assert!(client.is_closed().await, "{head:?}");
            let line = rig.log.line().await;
            assert_eq!(line["requestId"], answer.header("x-request-id").unwrap());
            assert_eq!(line["classification"].as_str(), class.map(|_| "Severe"));
            assert_eq!(line["classificationReason"].as_str(), class);
            let expected = serde_json::json!({
                "method": "POST", "host": "a.test", "path": "/p", "status": status, "reason": error, "clientLeft": false,
            });
            for (field, value) in expected.as_object().unwrap() {
                assert_eq!(&line[field], value, "{field} of {head:?}");
            }
            assert_eq!(target.calls(), 0);
        }
    }
}

#[tokio::test]
async fn an_ambiguous_request_reaches_its_target_with_one_reading_and_nothing_follows_it() {
    for (head, body, seen, reason) in [
        (
            // Who goes by the length sees one request here, and the second as its body.
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\nTransfer-Encoding: chunked\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "POST / [transfer-encoding] hello",
            "BothTeClPresent",
        ),
        (
            "GET /search HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
            "hello",
            "GET /search [content-length] hello",
            "UndefinedContentLengthSemantics",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n",
            "hello",
            "POST / [content-length] hello",
            "SuspiciousHeader",
        ),
        (
            "GET /a\tHTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n",
            "",
            "GET /a%09HTTP/1.1 [] ",
            "AmbiguousUri",
        ),
    ] {
        let (rig, target) = telling(DesyncMode::Defensive);
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut client = sent(&rig, format!("{head}{body}{smuggled}")).await;
        let answer = client.answer().await;
        // The framing that hyper saw is hop by hop; a chunked body has no header of it left.
        assert_eq!(answer.body, seen.replace("transfer-encoding", ""), "{head:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{head:?}");
        assert!(client.is_closed().await, "{head:?}");
        let line = rig.log.line().await;
        assert_eq!(
            (&line["classification"], &line["classificationReason"]),
            (&"Ambiguous".into(), &reason.into())
        );
        assert_eq!(target.calls(), 1, "{head:?}");

        let (strict, target) = telling(DesyncMode::Strictest);
        let mut client = sent(&strict, format!("{head}{body}")).await;
        assert_eq!(client.answer().await.status, 400, "{head:?}");
        assert!(client.is_closed().await);
        assert_eq!(target.calls(), 0);

        // Monitor mode only tells.
        let (monitor, target) = telling(DesyncMode::Monitor);
        let mut client = sent(&monitor, format!("{head}{body}{smuggled}")).await;
        assert_eq!(client.answer().await.header("connection"), None);
        assert_eq!(client.answer().await.body, "GET /smuggled [] ");
        assert_eq!(monitor.log.lines(2).await[0]["classificationReason"], reason);
        assert_eq!(target.calls(), 2);
    }
}

#[tokio::test]
async fn an_ambiguous_request_is_the_last_whoever_answers_it() {
    let page = Action::Fixed(FixedResponse::new(503, None, "later").unwrap());
    let (rig, _) = telling(DesyncMode::Defensive);
    let rule = RuleSpec {
        action: page,
        ..rule("page", 1, "", "/page", "app")
    };
    rig.gateway.apply(routing(vec![rule])).unwrap();
    let head = "GET /page HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    let mut client = sent(&rig, format!("{head}abc{head}abc")).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (503, Some("close")));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn what_is_acceptable_goes_on_mended_and_the_connection_with_it() {
    let (rig, _) = telling(DesyncMode::Defensive);
    let mut client = rig.connect().await;
    let rows = [
        (
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a%20b [] ",
            "SpaceInUri",
        ),
        (
            "PUT / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\nGood: y\r\n\r\n",
            "PUT / [good] ",
            "NonCompliantHeader",
        ),
        (
            "GET / HTTP/1.7\r\nHost: a\r\n\r\n",
            "GET / [] ",
            "NonCompliantVersion",
        ),
        (
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / [] ",
            "NonCrLfLineTermination",
        ),
    ];
    for (number, (head, seen, reason)) in rows.into_iter().enumerate() {
        client.send(head).await;
        assert_eq!(client.answer().await.body, seen, "{head:?}");
        let line = &rig.log.lines(number + 1).await[number];
        assert_eq!(
            (&line["classification"], &line["classificationReason"]),
            (&"Acceptable".into(), &reason.into())
        );
    }
    client
        .send("\r\n\r\nGET /after HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert_eq!(
        client.answer().await.body,
        "GET /after [] ",
        "empty lines are overlooked"
    );
    assert!(rig.log.lines(5).await[4]["classification"].is_null());
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_one_after_the_other() {
    let (rig, _) = telling(DesyncMode::Defensive);
    let requests = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
         POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\n\r\n\
         POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour\
         GET /4 HTTP/1.1\r\nHost: a\r\n\r\n";
    let answers = [
        "GET /1 [] ",
        "POST /2 [] abcde",
        "POST /3 [content-length] four",
        "GET /4 [] ",
    ];
    let mut client = sent(&rig, requests.repeat(3)).await;
    for expected in answers.iter().cycle().take(12) {
        assert_eq!(client.answer().await.body, *expected);
    }
    // However they are cut: a byte at a time, each in a packet of its own.
    let mut client = rig.connect().await;
    for byte in requests.as_bytes() {
        client.send([*byte]).await;
        tokio::task::yield_now().await;
    }
    for expected in answers {
        assert_eq!(client.answer().await.body, expected);
    }
}

#[tokio::test]
async fn a_refusal_waits_for_the_answers_before_it() {
    let rig = Rig::new();
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let target = Closure::new(move |_| {
        let gate = held.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(ok("slow"))
        }
    });
    rig.register("t1", &target);
    let mut client = sent(&rig, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/9.9\r\n\r\n").await;
    crate::support::within("the call", async {
        while target.calls() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    gate.add_permits(1);
    assert_eq!(client.answer().await.body, "slow");
    assert_eq!(client.answer().await.status, 505);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_body_that_breaks_its_form_is_400_and_the_end() {
    for body in [
        "5\r\nhelloX0\r\n\r\n",
        "5\nhello\r\n",
        "x\r\n",
        "-1\r\n",
        "5\r\nhello\r\n0\r\n: bad\r\n\r\n",
    ] {
        let (rig, _) = telling(DesyncMode::Defensive);
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut client = sent(
            &rig,
            format!("{head}{body}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
        )
        .await;
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, answer.header("connection")),
            (400, Some("close")),
            "{body:?}"
        );
        assert_eq!(answer.error(), "the request's body is malformed or broke off");
        assert!(client.is_closed().await, "{body:?}");
        assert_eq!(rig.log.line().await["path"], "/", "nothing else was a request");
    }
}

#[tokio::test]
async fn what_is_no_http_at_all_is_400() {
    for bytes in [
        // A TLS client's hello at an HTTP port, and HTTP/0.9.
        &b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
    ] {
        let (rig, _) = telling(DesyncMode::Defensive);
        let answer = sent(&rig, bytes).await.answer().await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "the request's method is malformed")
        );
        assert_eq!(rig.log.line().await["method"], "-");
    }
    let (rig, _) = telling(DesyncMode::Defensive);
    assert_eq!(
        sent(&rig, "GET /\r\n").await.answer().await.status,
        505,
        "HTTP/0.9"
    );
}

/// ALB: 400 for a client that closes before its request is whole.
#[tokio::test]
async fn a_head_that_breaks_off_is_400() {
    let (rig, _) = telling(DesyncMode::Defensive);
    let mut client = sent(&rig, "GET /half HTTP/1.1\r\nHost: a").await;
    client.finish().await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (400, "the request's head broke off")
    );
    assert_eq!(rig.log.line().await["path"], "/half");
}
