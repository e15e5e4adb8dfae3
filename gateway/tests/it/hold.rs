//! Requests that wait for a target while their group has none.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, watch};
use wharf_gateway::{
    Checks, Condition, FailOpen, GroupName, GroupSpec, Health, HealthSpec, Hold, TargetErrorKind, WakeUp,
};

use crate::support::{Answer, Closure, Raw, Rig, failure, ok, seen, status, within};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

/// Notes who was wanted.
#[derive(Default)]
struct Wakes(watch::Sender<Vec<GroupName>>);

impl WakeUp for Wakes {
    fn wake(&self, group: &GroupName) {
        self.0.send_modify(|wakes| wakes.push(group.clone()));
    }
}

/// A rig whose group has no target and lets `most` requests wait for `wait`.
fn holding(wait: Duration, most: u32) -> (Rig, Arc<Wakes>) {
    let rig = Rig::new();
    let wakes = Arc::new(Wakes::default());
    rig.gateway.groups().wake_with(wakes.clone());
    rig.app.configure(GroupSpec {
        hold: Some(Hold::new(wait, most).unwrap()),
        ..rig.app.spec()
    });
    (rig, wakes)
}

/// Sends a request and returns when it waits, as number `nth`.
async fn wait_in_line(rig: &Rig, wakes: &Wakes, nth: usize) -> Raw {
    let mut client = rig.connect().await;
    client
        .send(format!("GET /{nth} HTTP/1.1\r\nHost: app.test\r\n\r\n"))
        .await;
    let wanted = wakes.0.subscribe();
    seen("the wake-up", wanted, |wakes| wakes.len() >= nth).await;
    client
}

fn refused(answer: &Answer) -> (u16, Option<&str>, String) {
    (answer.status, answer.header("retry-after"), answer.error())
}

#[tokio::test]
async fn a_request_waits_for_the_first_target_and_says_whom_it_waits_for() {
    let (rig, wakes) = holding(LONG, 10);
    let mut client = wait_in_line(&rig, &wakes, 1).await;
    assert_eq!(*wakes.0.borrow(), ["app".parse().unwrap()]);
    assert_eq!(rig.app.demand().held, 1);
    rig.register("t1", &Closure::saying("awake"));
    assert_eq!(client.answer().await.body, "awake");
    assert_eq!(rig.app.demand().held, 0);
    let line = rig.log.line().await;
    assert_eq!((&line["status"], &line["task"]), (&200.into(), &"t1".into()));
    assert_eq!(rig.get("/").await.status, 200);
    assert_eq!(wakes.0.borrow().len(), 1, "there is a target now");
}

#[tokio::test]
async fn those_who_wait_go_on_in_the_order_they_came() {
    let (rig, wakes) = holding(LONG, 10);
    let mut clients = Vec::new();
    for nth in 1..=5 {
        clients.push(wait_in_line(&rig, &wakes, nth).await);
    }
    let order = Arc::new(Mutex::new(Vec::new()));
    let noted = order.clone();
    let target = Closure::new(move |request| {
        noted.lock().unwrap().push(request.uri().path().to_owned());
        async { Ok(ok("")) }
    });
    rig.register("t1", &target);
    for client in &mut clients {
        assert_eq!(client.answer().await.status, 200);
    }
    assert_eq!(*order.lock().unwrap(), ["/1", "/2", "/3", "/4", "/5"]);
}

#[tokio::test]
async fn when_its_time_is_up_a_request_is_told_when_to_come_again() {
    let (rig, _wakes) = holding(SHORT, 10);
    let answer = rig.get("/").await;
    let said = "the service did not start in time";
    assert_eq!(refused(&answer), (503, Some("1"), said.to_owned()));
    assert_eq!(rig.log.line().await["reason"], "no target came (waited 0.05 s)");
    assert_eq!(rig.app.demand().held, 0, "its place is free");
}

#[tokio::test]
async fn each_has_a_deadline_of_its_own() {
    let (rig, wakes) = holding(SHORT, 10);
    let mut early = wait_in_line(&rig, &wakes, 1).await;
    rig.app.configure(GroupSpec {
        hold: Some(Hold::new(LONG, 10).unwrap()),
        ..rig.app.spec()
    });
    let mut late = wait_in_line(&rig, &wakes, 2).await;
    assert_eq!(early.answer().await.status, 503);
    rig.register("t1", &Closure::saying("awake"));
    assert_eq!(late.answer().await.status, 200);
}

#[tokio::test]
async fn no_more_wait_than_may() {
    let (rig, wakes) = holding(LONG, 1);
    let mut first = wait_in_line(&rig, &wakes, 1).await;
    let answer = rig.get("/").await;
    let said = "the service is starting, and too many wait for it";
    assert_eq!(refused(&answer), (503, Some("1"), said.to_owned()));
    let line = rig.log.line().await;
    assert_eq!(line["reason"], "1 requests wait for a target already");
    rig.register("t1", &Closure::saying("awake"));
    assert_eq!(first.answer().await.status, 200);
}

#[tokio::test]
async fn a_client_that_leaves_gives_its_place_up() {
    let (rig, wakes) = holding(LONG, 1);
    drop(wait_in_line(&rig, &wakes, 1).await);
    assert_eq!(rig.log.line().await["status"], 460);
    let mut sender = rig.connect().await;
    sender
        .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nx")
        .await;
    seen("the wake-up", wakes.0.subscribe(), |wakes| wakes.len() >= 2).await;
    drop(sender);
    assert_eq!(rig.log.lines(2).await[1]["status"], 460, "with its body unread");
    let mut next = wait_in_line(&rig, &wakes, 3).await;
    rig.register("t1", &Closure::saying("awake"));
    assert_eq!(next.answer().await.status, 200);
    assert_eq!(rig.app.demand().requests, 3, "each once");
}

/// A target for two at a time, which turns others away; and the permits by which they end.
fn narrow() -> (Arc<Closure>, Arc<Semaphore>) {
    let (room, gate) = (Arc::new(Semaphore::new(2)), Arc::new(Semaphore::new(0)));
    let held = gate.clone();
    let target = Closure::new(move |request| {
        let (room, gate) = (room.clone(), held.clone());
        async move {
            let retry_after = LONG;
            let Ok(_place) = room.try_acquire() else {
                return Err(failure(TargetErrorKind::QueueFull { retry_after }));
            };
            gate.acquire().await.unwrap().forget();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok(ok(body))
        }
    });
    (target, gate)
}

#[tokio::test]
async fn whoever_waited_for_a_target_waits_on_for_room() {
    let (rig, wakes) = holding(LONG, 10);
    let mut clients = Vec::new();
    for nth in 1..=6 {
        let mut client = rig.connect().await;
        client
            .send(format!(
                "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1\r\n\r\n{nth}"
            ))
            .await;
        seen("the wake-up", wakes.0.subscribe(), |wakes| wakes.len() >= nth).await;
        clients.push(client);
    }
    let (target, gate) = narrow();
    rig.register("t1", &target);
    target.called(6).await;
    within("four to wait on", async {
        while rig.app.demand().held < 4 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(rig.app.targets()[0].in_flight, 2);
    gate.add_permits(6);
    for (nth, client) in (1..).zip(&mut clients) {
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body), (200, nth.to_string()));
    }
    let demand = rig.app.demand();
    assert_eq!((demand.requests, demand.held), (6, 0));
    assert_eq!(rig.app.tallies().len(), 0);
}

#[tokio::test]
async fn room_is_waited_for_as_long_as_a_target_is() {
    let (rig, wakes) = holding(SHORT, 10);
    let mut clients = Vec::new();
    let (target, _gate) = narrow();
    for nth in 1..=3 {
        clients.push(wait_in_line(&rig, &wakes, nth).await);
    }
    rig.register("t1", &target);
    let line = rig.log.line().await;
    assert_eq!(
        (&line["status"], &line["reason"]),
        (&503.into(), &"guest says: s3cret".into())
    );
    // Who turned it away is who failed it.
    assert_eq!(line["task"], "t1");
    let counted = r#"wharf_target_responses_total{target_group="app",target="t1",code="5xx"} 1"#;
    let metrics = rig.gateway.metrics();
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    assert_eq!(rig.app.demand().held, 0);
    // Who comes when there is a target has waited for none.
    let answer = rig.get("/").await;
    let said = "the service is busy";
    assert_eq!(refused(&answer), (503, Some("60"), said.to_owned()));
}

#[tokio::test]
async fn room_may_come_from_where_nobody_tells() {
    let (rig, wakes) = holding(LONG, 10);
    let turned_away = AtomicU32::new(0);
    let target = Closure::new(move |_| {
        let has_room = turned_away.fetch_add(1, Ordering::Relaxed) >= 2;
        async move {
            match has_room {
                true => Ok(ok("at last")),
                false => Err(failure(TargetErrorKind::Overloaded)),
            }
        }
    });
    let mut client = wait_in_line(&rig, &wakes, 1).await;
    rig.register("t1", &target);
    assert_eq!(client.answer().await.body, "at last");
}

/// What is in force is looked up when they are here. Whichever is chosen first fails.
#[tokio::test]
async fn of_several_targets_that_come_at_once_another_is_tried() {
    let (rig, wakes) = holding(LONG, 10);
    let has_failed = AtomicBool::new(false);
    let first_fails = Closure::new(move |_| {
        let has_failed = has_failed.swap(true, Ordering::Relaxed);
        async move {
            match has_failed {
                true => Ok(ok("another")),
                false => Err(failure(TargetErrorKind::Unreachable)),
            }
        }
    });
    let mut client = wait_in_line(&rig, &wakes, 1).await;
    // Nothing runs between these.
    rig.register("t1", &first_fails);
    rig.register("t2", &first_fails);
    assert_eq!(client.answer().await.body, "another");
    let line = rig.log.line().await;
    let mut tried = [&line["failedTargets"][0], &line["task"]];
    tried.sort_unstable_by_key(|id| id.as_str());
    assert_eq!(
        (&line["retries"], tried),
        (&1.into(), [&"t1".into(), &"t2".into()])
    );
}

#[tokio::test]
async fn a_request_that_comes_while_the_last_target_drains_waits_for_the_next() {
    let (rig, wakes) = holding(LONG, 10);
    let (answer, answered) = watch::channel(false);
    let slow = Closure::new(move |_| {
        let mut answered = answered.clone();
        async move {
            answered.wait_for(|answered| *answered).await.unwrap();
            Ok(ok("old"))
        }
    });
    rig.register("old", &slow);
    let mut early = rig.connect().await;
    early.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    within("the first call", async {
        while slow.calls() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let drain = rig.app.deregister(&"old".parse().unwrap(), LONG).unwrap();
    let mut late = wait_in_line(&rig, &wakes, 1).await;
    rig.register("new", &Closure::saying("new"));
    assert_eq!(late.answer().await.body, "new");
    answer.send_replace(true);
    assert_eq!(early.answer().await.body, "old");
    within("the drain", drain).await;
}

#[tokio::test]
async fn nobody_waits_for_targets_that_are_ill_or_where_nothing_is_said_of_waiting() {
    let (rig, wakes) = holding(LONG, 10);
    rig.app.configure(GroupSpec {
        fail_open: FailOpen::Closed,
        ..rig.app.spec()
    });
    let ill = Closure::saying("");
    ill.set_condition(Condition::Unfit("three traps in a row".into()));
    rig.register("ill", &ill);
    let answer = rig.get("/").await;
    assert_eq!(
        refused(&answer),
        (503, Some("1"), "no target is healthy".to_owned())
    );
    drop(rig.app.deregister(&"ill".parse().unwrap(), LONG));
    let mut waiting = wait_in_line(&rig, &wakes, 1).await;
    rig.app.configure(GroupSpec {
        hold: None,
        ..rig.app.spec()
    });
    assert_eq!(waiting.answer().await.error(), "no target is available");
    assert_eq!(rig.get("/").await.error(), "no target is available");
}

#[tokio::test]
async fn a_request_that_is_not_answered_yet_counts_as_under_way() {
    let rig = Rig::answering(|_| std::future::pending());
    let mut client = rig.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    within("the request", async {
        while rig.app.demand().in_flight == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let demand = rig.app.demand();
    assert_eq!((demand.requests, demand.held, demand.queued), (1, 0, 2));
}

/// A health check's first pass is what a request waits for, not that a task is there.
#[tokio::test]
async fn who_waits_gets_a_target_that_has_passed_its_check() {
    let (rig, wakes) = holding(LONG, 10);
    rig.check(HealthSpec {
        interval: Duration::from_millis(5),
        ..HealthSpec::new("/health".parse().unwrap())
    });
    let (ready, is_ready) = watch::channel(false);
    let target = Closure::new(move |request| {
        let mut ready = is_ready.clone();
        async move {
            if request.uri().path() == "/health" {
                ready.wait_for(|ready| *ready).await.unwrap();
                return Ok(ok(""));
            }
            Ok(if *ready.borrow() { ok("ready") } else { status(500) })
        }
    });
    let mut client = wait_in_line(&rig, &wakes, 1).await;
    let health = rig.register("t1", &target);
    within("its check", async {
        while target.calls() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut late = wait_in_line(&rig, &wakes, 2).await;
    assert_eq!((&*health.borrow(), rig.app.demand().held), (&Health::Initial, 2));
    ready.send_replace(true);
    for client in [&mut client, &mut late] {
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ready"));
    }
}

#[tokio::test]
async fn who_has_waited_in_vain_gets_a_target_that_is_not_checked_yet_if_the_group_fails_open() {
    for (fail_open, expected) in [(FailOpen::Open, 200), (FailOpen::Closed, 503)] {
        let (rig, _wakes) = holding(SHORT, 10);
        rig.app.configure(GroupSpec {
            fail_open,
            checks: Checks::health(HealthSpec {
                timeout: LONG,
                ..HealthSpec::new("/health".parse().unwrap())
            }),
            ..rig.app.spec()
        });
        let target = Closure::new(|request| async move {
            if request.uri().path() == "/health" {
                std::future::pending::<()>().await;
            }
            Ok(ok(""))
        });
        rig.register("t1", &target);
        assert_eq!(rig.get("/").await.status, expected, "{fail_open:?}");
    }
}
