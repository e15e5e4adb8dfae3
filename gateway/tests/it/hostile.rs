//! Requests that would take more comparing than one may: refused, and nobody else waits for them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use wharf_gateway::{HeaderCondition, HeaderMatch, PathMatch, RuleSpec};

use crate::support::{Rig, ok, routing, rule};

/// Every byte of a long header is looked at by each of so many expressions: over two million steps.
fn by_header(priority: u32) -> RuleSpec {
    let value = HeaderMatch::regex("b$").unwrap();
    let mut rule = rule("header", priority, "", "", "app");
    let condition = HeaderCondition::new("x-long".parse().unwrap(), vec![value; 200]);
    rule.conditions.headers.push(condition.unwrap());
    rule
}

#[tokio::test]
async fn a_request_that_takes_too_much_comparing_is_431_and_its_connection_goes_on() {
    let rig = Rig::answering(|_| async { Ok(ok("hello")) });
    rig.gateway
        .apply(routing(vec![by_header(1), rule("all", 100, "", "", "app")]))
        .unwrap();
    let mut client = rig.connect().await;
    let long = "a".repeat(15 * 1024);
    client
        .send(format!(
            "GET / HTTP/1.1\r\nHost: app.test\r\nX-Long: {long}\r\n\r\n"
        ))
        .await;
    assert_eq!(client.answer().await.status, 431);
    let line = rig.log.line().await;
    assert_eq!(
        (&line["status"], &line["rule"]),
        (&431.into(), &serde_json::Value::Null),
        "it met none: {line}"
    );
    let reason = line["reason"].as_str().unwrap();
    assert!(reason.contains("too long to compare"), "{reason}");
    client
        .send("GET / HTTP/1.1\r\nHost: app.test\r\nX-Long: short\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 200);
}

/// As many expressions as a namespace may have.
fn by_path() -> Vec<RuleSpec> {
    let rules = (0..2).map(|half| {
        let mut rule = rule(&format!("half-{half}"), half + 1, "", "", "app");
        let values = (0..1000).map(|number| PathMatch::regex(&format!("a{half}x{number}$")).unwrap());
        rule.conditions.path = values.collect();
        rule
    });
    rules.chain([rule("all", 100, "", "", "app")]).collect()
}

/// Clients that ask for what takes too much, without a pause.
const HOSTILE: usize = 2;

/// Answers that each of them may get while somebody else gets one: a request is read, called and written in turns with
/// theirs.
const TURNS: usize = 16;

#[tokio::test]
async fn whoever_asks_for_too_much_keeps_nobody_waiting() {
    let rig = Rig::answering(|_| async { Ok(ok("hello")) });
    rig.gateway.apply(routing(by_path())).unwrap();
    let refused = Arc::new(AtomicUsize::new(0));
    let mut hostile = tokio::task::JoinSet::new();
    for _ in 0..HOSTILE {
        let mut client = rig.connect().await;
        let refused = refused.clone();
        hostile.spawn(async move {
            let path = "a".repeat(15 * 1024);
            loop {
                let answer = client.get(&format!("/{path}")).await;
                assert_eq!(answer.status, 431);
                refused.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    let mut client = rig.connect().await;
    for _ in 0..20 {
        let before = refused.load(Ordering::SeqCst);
        assert_eq!(client.get("/short").await.status, 200);
        let meanwhile = refused.load(Ordering::SeqCst) - before;
        assert!(meanwhile <= HOSTILE * TURNS, "{meanwhile} were answered first");
    }
    assert!(refused.load(Ordering::SeqCst) > 0, "they asked all the while");
    assert!(hostile.try_join_next().is_none(), "each got nothing else");
}
