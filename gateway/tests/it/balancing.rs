//! Which target gets a request, and how targets come and go.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use wharf_gateway::{
    Algorithm, Condition, Drained, FailOpen, GroupSpec, Health, HealthReason, TargetErrorKind, TargetWeight,
};

use crate::support::{Closure, Rig, failure, ok, seen, within};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn targets_take_turns() {
    let rig = Rig::new();
    for id in ["a", "b", "c"] {
        rig.register(id, &Closure::saying(id));
    }
    let mut client = rig.connect().await;
    let mut seen = String::new();
    for _ in 0..6 {
        seen += &client.get("/").await.body;
    }
    assert_eq!(seen, "abcabc");
    let tasks: Vec<_> = rig
        .log
        .lines(6)
        .await
        .iter()
        .map(|line| line["task"].clone())
        .collect();
    assert_eq!(tasks, ["a", "b", "c", "a", "b", "c"]);
}

#[tokio::test]
async fn a_target_that_turns_unfit_gets_nothing_while_another_is_fit() {
    let rig = Rig::new();
    let sick = Closure::new(|_| async { Err(failure(TargetErrorKind::Trapped)) });
    let health = rig.register("sick", &sick);
    rig.register("well", &Closure::saying("well"));
    assert_eq!(*health.borrow(), Health::Healthy);
    // The failed request itself makes the gateway look.
    sick.set_condition(Condition::Unfit("three traps in a row".into()));
    assert_eq!(rig.get("/").await.status, 502);
    let unfit = Health::Unhealthy {
        reason: HealthReason::Unfit("three traps in a row".into()),
    };
    seen("the verdict", health.clone(), |health| *health == unfit).await;
    for _ in 0..4 {
        assert_eq!(rig.get("/").await.body, "well");
    }
    assert_eq!(sick.calls(), 1);
    // Nobody asks it any more, so the gateway does.
    sick.set_condition(Condition::Fit);
    seen("the recovery", health, |health| *health == Health::Healthy).await;
}

#[tokio::test]
async fn when_all_are_unhealthy_all_get_requests() {
    let rig = Rig::new();
    for id in ["a", "b"] {
        let target = Closure::saying(id);
        target.set_condition(Condition::Unfit("feverish".into()));
        let health = rig.register(id, &target);
        assert_eq!(health.borrow().to_string(), "unhealthy: feverish");
    }
    let mut client = rig.connect().await;
    assert_eq!(client.get("/").await.body + &client.get("/").await.body, "ab");
}

/// A target whose calls wait for a permit, and the permits.
fn gated() -> (Arc<Closure>, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let target = Closure::new(move |_| {
        let gate = held.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(ok("done"))
        }
    });
    (target, gate)
}

#[tokio::test]
async fn a_target_that_leaves_gets_nothing_new_and_finishes_what_it_has() {
    let rig = Rig::new();
    let (leaving, gate) = gated();
    let health = rig.register("leaving", &leaving);
    let mut client = rig.connect().await;
    client.ask("/").await;
    leaving.called(1).await;
    rig.register("staying", &Closure::saying("staying"));

    let id = "leaving".parse().unwrap();
    let mut drain = rig.app.deregister(&id, LONG).unwrap();
    assert!(rig.app.deregister(&id, LONG).is_none(), "it leaves already");
    assert_eq!(*health.borrow(), Health::Draining);
    let status = &rig.app.targets()[0];
    assert_eq!(
        (&status.health, status.in_flight, status.load.queued),
        (&Health::Draining, 1, 2)
    );
    for _ in 0..4 {
        assert_eq!(rig.get("/").await.body, "staying");
    }
    assert!(futures_util::FutureExt::now_or_never(&mut drain).is_none());
    gate.add_permits(1);
    assert_eq!(client.answer().await.body, "done");
    assert_eq!(within("the drain", drain).await, Drained::Idle);
    assert_eq!(rig.app.targets().len(), 1);
    assert_eq!(leaving.calls(), 1);
}

#[tokio::test]
async fn an_idle_target_leaves_at_once_and_a_busy_one_when_its_time_is_up() {
    let rig = Rig::new();
    let (target, _gate) = gated();
    let id = "t1".parse().unwrap();
    rig.register("t1", &target);
    let drain = rig.app.deregister(&id, LONG).unwrap();
    assert_eq!(within("the drain", drain).await, Drained::Idle);
    assert_eq!(rig.get("/").await.status, 503, "none left");

    rig.register("t1", &target);
    let mut client = rig.connect().await;
    client.ask("/").await;
    target.called(1).await;
    let drain = rig.app.deregister(&id, Duration::ZERO).unwrap();
    assert_eq!(
        within("the drain", drain).await,
        Drained::TimedOut { in_flight: 1 }
    );
    assert!(rig.app.targets().is_empty());
}

#[tokio::test]
async fn an_id_can_be_registered_once() {
    let rig = Rig::new();
    rig.register("t1", &Closure::saying("a"));
    let again = rig
        .app
        .register(
            "t1".parse().unwrap(),
            Closure::saying("b"),
            TargetWeight::default(),
        )
        .unwrap_err();
    assert_eq!(
        again.to_string(),
        "target `t1` is already registered with target group `app`"
    );
}

/// ALB: when the deregistration delay elapses, an open request is answered 502.
#[tokio::test]
async fn a_request_that_outlasts_the_delay_is_502_and_a_response_is_cut() {
    let rig = Rig::new();
    let (target, _gate) = gated();
    let id = "t1".parse().unwrap();
    rig.register("t1", &target);
    let mut client = rig.connect().await;
    client.ask("/").await;
    target.called(1).await;
    within("the drain", rig.app.deregister(&id, Duration::ZERO).unwrap()).await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (502, "the service is going away")
    );
    assert_eq!(client.get("/").await.status, 503, "the connection goes on");

    let (feed, body) = crate::streaming::fed();
    let body = std::sync::Mutex::new(Some(body));
    let streaming = Closure::new(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async move { Ok(http::Response::new(body)) }
    });
    rig.register("t1", &streaming);
    let mut client = rig.connect().await;
    client.ask("/").await;
    client.until("\r\n\r\n").await;
    feed.send(Ok("one")).await.unwrap();
    client.chunk().await;
    within("the drain", rig.app.deregister(&id, Duration::ZERO).unwrap()).await;
    assert_eq!(client.rest().await, "", "no closing chunk");
    let line = &rig.log.lines(3).await[2];
    assert_eq!(line["clientLeft"], false, "{line}");
    assert!(
        line["reason"].as_str().unwrap().contains("deregistered"),
        "{line}"
    );
}

#[tokio::test]
async fn a_group_that_fails_closed_answers_503_when_all_are_unhealthy() {
    let rig = Rig::new();
    rig.app.configure(GroupSpec {
        fail_open: FailOpen::Closed,
        ..GroupSpec::default()
    });
    let target = Closure::saying("a");
    target.set_condition(Condition::Unfit("feverish".into()));
    let health = rig.register("a", &target);
    let answer = rig.get("/").await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (503, "no target is healthy")
    );
    assert_eq!(answer.header("retry-after"), Some("1"));
    target.set_condition(Condition::Fit);
    seen("the recovery", health, |health| *health == Health::Healthy).await;
    assert_eq!(rig.get("/").await.body, "a");
    // What is switched at run time counts from then on.
    target.set_condition(Condition::Unfit("feverish".into()));
    let health = rig.app.health(&"a".parse().unwrap()).unwrap();
    seen("the verdict", health, |health| *health != Health::Healthy).await;
    assert_eq!(rig.get("/").await.status, 503);
    rig.app.configure(GroupSpec::default());
    assert_eq!(rig.get("/").await.body, "a");
}

#[tokio::test]
async fn the_algorithm_can_be_changed_under_way() {
    let rig = Rig::new();
    let (busy, _gate) = gated();
    rig.register("busy", &busy);
    rig.register("idle", &Closure::saying("idle"));
    rig.app.configure(GroupSpec {
        algorithm: Algorithm::LeastOutstanding,
        ..GroupSpec::default()
    });
    let mut held = Vec::new();
    while busy.calls() == 0 {
        let mut client = rig.connect().await;
        client.ask("/").await;
        held.push(client);
        tokio::task::yield_now().await;
    }
    for _ in 0..6 {
        assert_eq!(rig.get("/").await.body, "idle");
    }
    assert_eq!(busy.calls(), 1);
}

#[tokio::test]
async fn a_task_that_had_not_begun_is_given_up_for_another() {
    for (kind, body, status) in [
        (TargetErrorKind::Overloaded, "precious", 200),
        (TargetErrorKind::Overloaded, "", 200),
        (TargetErrorKind::Stopping, "", 200),
        (TargetErrorKind::Stopping, "precious", 200),
        (TargetErrorKind::Stopped, "", 200),
        (TargetErrorKind::Stopped, "precious", 503), // it may have done something
        (TargetErrorKind::Trapped, "", 502),         // another would trap, too
    ] {
        let rig = Rig::new();
        rig.register("fails", &Closure::new(move |_| async move { Err(failure(kind)) }));
        rig.register(
            "answers",
            &Closure::new(|request| async {
                use http_body_util::BodyExt as _;
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Ok(ok(body))
            }),
        );
        let mut client = rig.connect().await;
        let mut statuses = Vec::new();
        for _ in 0..2 {
            let method = if body.is_empty() { "GET" } else { "POST" };
            let length = body.len();
            client
                .send(format!(
                    "{method} / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n{body}"
                ))
                .await;
            let answer = client.answer().await;
            if answer.status == 200 {
                assert_eq!(answer.body, body, "{kind:?}");
            }
            statuses.push(answer.status);
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [200, status], "{kind:?} {body:?}");
    }
}
