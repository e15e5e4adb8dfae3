//! Which target gets a request, and how targets come and go.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use wharf_gateway::{Condition, Drained, Health, HealthReason, TargetErrorKind, TargetWeight};

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
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    within("the call", async {
        while leaving.calls() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
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
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    within("the call", async {
        while target.calls() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
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
