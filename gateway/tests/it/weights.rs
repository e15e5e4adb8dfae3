//! Requests shared out among target groups by weight, and clients that stay with one.

use std::{collections::HashSet, time::Duration};

use wharf_gateway::{
    Action, Forward, GroupName, GroupSpec, Routing, RuleSpec, StickyFor, TargetWeight, Weight, WeightedGroup,
};

use crate::{
    rules::ask,
    support::{Closure, Rig, routing, rule},
};

fn groups(weights: [(&str, u32); 2]) -> Vec<WeightedGroup> {
    let group = |(name, weight): (&str, u32)| WeightedGroup {
        group: name.parse().unwrap(),
        weight: Weight::new(weight).unwrap(),
    };
    weights.map(group).to_vec()
}

/// With a second group, `next`; both say their names.
fn rig_with_two_groups() -> Rig {
    let rig = Rig::new();
    rig.register("t1", &Closure::saying("app"));
    let next: GroupName = "next".parse().unwrap();
    let next = rig.gateway.groups().create(next, GroupSpec::default()).unwrap();
    let weight = TargetWeight::default();
    next.register("t1".parse().unwrap(), Closure::saying("next"), weight)
        .unwrap();
    rig
}

fn split(weights: [(&str, u32); 2], stickiness: Option<StickyFor>) -> Routing {
    let forward = Forward::weighted(groups(weights), stickiness).unwrap();
    let all = RuleSpec {
        action: Action::Forward(forward),
        ..rule("all", 1, "", "", "app")
    };
    routing(vec![all])
}

#[tokio::test]
async fn requests_are_shared_out_among_groups() {
    let rig = rig_with_two_groups();
    rig.gateway.apply(split([("app", 1), ("next", 1)], None)).unwrap();
    let mut client = rig.connect().await;
    let mut seen = HashSet::new();
    // Either never comes with a chance of two to the minus 100.
    for _ in 0..100 {
        let answer = client.get("/").await;
        assert_eq!(answer.header("set-cookie"), None);
        seen.insert(answer.body);
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
    rig.gateway.apply(split([("app", 0), ("next", 1)], None)).unwrap();
    for _ in 0..20 {
        assert_eq!(client.get("/").await.body, "next"); // ALB: weight 0
    }
    assert_eq!(rig.log.lines(120).await[119]["service"], "next");
}

#[tokio::test]
async fn a_group_without_targets_passes_nothing_on() {
    let rig = rig_with_two_groups();
    let id = "t1".parse().unwrap();
    drop(rig.app.deregister(&id, Duration::ZERO));
    rig.gateway.apply(split([("app", 1), ("next", 1)], None)).unwrap();
    let mut client = rig.connect().await;
    let mut seen = HashSet::new();
    // Either never comes with a chance of two to the minus 100.
    for _ in 0..100 {
        seen.insert(client.get("/").await.status);
    }
    assert_eq!(seen, HashSet::from([200, 503]));
}

#[tokio::test]
async fn a_sticky_client_stays_with_its_group() {
    let rig = rig_with_two_groups();
    rig.gateway
        .apply(split([("app", 1), ("next", 1)], Some(StickyFor::DEFAULT)))
        .unwrap();
    let first = rig.get("/").await;
    let cookie = first
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    assert!(cookie.starts_with("WHARFTG="), "{cookie}");
    let stay = format!("GET / HTTP/1.1\nHost: a.test\nCookie: x=1; {cookie}");
    for _ in 0..50 {
        let answer = ask(&rig, &stay).await;
        assert_eq!(answer.body, first.body);
        assert!(
            answer.header("set-cookie").unwrap().starts_with("WHARFTG="),
            "ALB: refreshed every time"
        );
    }
    let other = if first.body == "app" { "next" } else { "app" };
    rig.gateway
        .apply(split([(other, 1), (&first.body, 0)], Some(StickyFor::DEFAULT)))
        .unwrap();
    assert_eq!(
        ask(&rig, &stay).await.body,
        other,
        "a group without weight keeps nobody"
    );
}
