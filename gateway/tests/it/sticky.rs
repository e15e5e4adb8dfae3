//! Clients that stay with their targets.

use std::time::Duration;

use wharf_gateway::{Condition, GroupSpec, StickyFor};

use crate::support::{Answer, Closure, Raw, Rig};

fn sticky() -> Rig {
    let rig = Rig::new();
    rig.app.configure(GroupSpec {
        stickiness: Some(StickyFor::new(Duration::from_secs(3600)).unwrap()),
        ..GroupSpec::default()
    });
    rig
}

/// What a browser would send back: the name and value of the cookie.
fn cookie(answer: &Answer, name: &str) -> String {
    let line = answer
        .head
        .lines()
        .find_map(|line| line.strip_prefix(&format!("set-cookie: {name}=")))
        .unwrap_or_else(|| panic!("no cookie: {answer:?}"));
    format!("{name}={}", line.split(';').next().unwrap())
}

async fn get_with(client: &mut Raw, cookie: &str) -> Answer {
    client
        .send(format!(
            "GET / HTTP/1.1\r\nHost: a.test\r\nCookie: a=1; {cookie}\r\n\r\n"
        ))
        .await;
    client.answer().await
}

#[tokio::test]
async fn a_client_that_sends_its_cookie_stays_and_gets_a_new_one_each_time() {
    let rig = sticky();
    for id in ["a", "b", "c"] {
        rig.register(id, &Closure::saying(id));
    }
    let mut client = rig.connect().await;
    let first = client.get("/").await;
    for name in ["WHARFLB", "WHARFLBCORS"] {
        let mut sent = cookie(&first, name);
        for _ in 0..4 {
            let answer = get_with(&mut client, &sent).await;
            assert_eq!(answer.body, first.body, "{name}");
            let renewed = cookie(&answer, name);
            assert_ne!(renewed, sent, "every response renews it");
            sent = renewed;
        }
    }
    let others: Vec<_> = [client.get("/").await.body, client.get("/").await.body].into();
    assert!(
        others.iter().any(|body| *body != first.body),
        "without one, turns are taken"
    );
}

#[tokio::test]
async fn a_client_moves_when_its_target_is_unhealthy_or_gone() {
    let rig = sticky();
    let a = Closure::saying("a");
    let health = rig.register("a", &a);
    let mut client = rig.connect().await;
    let bound = cookie(&client.get("/").await, "WHARFLB");
    rig.register("b", &Closure::saying("b"));
    assert_eq!(get_with(&mut client, &bound).await.body, "a");
    a.set_condition(Condition::Unfit("ill".into()));
    crate::support::seen("the verdict", health, |health| health.state() == "unhealthy").await;
    let moved = get_with(&mut client, &bound).await;
    assert_eq!(moved.body, "b");
    drop(rig.app.deregister(&"a".parse().unwrap(), Duration::ZERO));
    rig.register("c", &Closure::saying("c"));
    let now = cookie(&moved, "WHARFLB");
    for _ in 0..3 {
        assert_eq!(get_with(&mut client, &now).await.body, "b");
    }
}

#[tokio::test]
async fn groups_that_are_not_sticky_set_no_cookie() {
    let rig = Rig::new();
    rig.register("a", &Closure::saying("a"));
    let answer = rig.get("/").await;
    assert!(!answer.head.contains("set-cookie"), "{answer:?}");
}
