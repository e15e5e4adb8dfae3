use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio::runtime::Runtime;

use super::*;
use crate::{
    body::{self, Body},
    health::HealthSpec,
    target::{Condition, TargetError},
};

/// A target that must not be held once it is gone.
#[derive(Default)]
struct Fleeting {
    gone: AtomicBool,
}

impl Target for Fleeting {
    fn call(&self, _: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TargetError>> {
        Box::pin(async { Ok(Response::new(body::empty())) })
    }

    fn load(&self) -> Load {
        Load::default()
    }

    fn condition(&self) -> Condition {
        if self.gone.load(Ordering::SeqCst) {
            Condition::Unfit("gone".into())
        } else {
            Condition::Fit
        }
    }
}

fn group(runtime: &Runtime) -> Arc<TargetGroup> {
    Groups::new(runtime.handle().clone())
        .create("app".parse().unwrap(), GroupSpec::default())
        .unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn add(group: &TargetGroup, id: &str, target: Arc<dyn Target>) {
    let weight = TargetWeight::default();
    group.register(id.parse().unwrap(), target, weight).unwrap();
}

/// The race that matters: one thread takes a target while another has just seen that nobody holds it.
#[test]
fn a_target_said_to_be_idle_is_never_held_again() {
    const ROUNDS: u32 = 20_000;
    let runtime = runtime();
    let group = group(&runtime);
    let done = AtomicBool::new(false);
    let first = Arc::new(Fleeting::default());
    add(&group, "t0", first.clone());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let lease = group
                        .choose(ChoiceHints::default())
                        .expect("there is always one registered");
                    let condition = lease.member().target().condition();
                    assert_eq!(condition, Condition::Fit, "{}", lease.member().id());
                }
            });
        }
        let mut current = first;
        for round in 0..ROUNDS {
            let next = Arc::new(Fleeting::default());
            add(&group, &format!("t{}", round + 1), next.clone());
            let leaving = format!("t{round}").parse().unwrap();
            let drain = group.deregister(&leaving, Duration::from_secs(60)).unwrap();
            assert_eq!(runtime.block_on(drain), Drained::Idle);
            current.gone.store(true, Ordering::SeqCst);
            current = next;
        }
        done.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_drain_that_is_given_up_ends_the_target_too() {
    let runtime = runtime();
    let group = group(&runtime);
    let id: TargetId = "t1".parse().unwrap();
    add(&group, "t1", Arc::new(Fleeting::default()));
    let held = group.choose(ChoiceHints::default()).unwrap();
    drop(group.deregister(&id, Duration::from_secs(60)));
    assert!(group.targets().is_empty());
    assert!(group.choose(ChoiceHints::default()).is_none());
    add(&group, "t1", Arc::new(Fleeting::default()));
    drop(held);
    assert_eq!(group.targets().len(), 1, "the new one of that name is another");
}

fn chosen(group: &Arc<TargetGroup>, times: usize) -> Vec<String> {
    (0..times)
        .map(|_| group.choose(ChoiceHints::default()).unwrap())
        .map(|lease| lease.member().id().to_string())
        .collect()
}

/// ALB: a target that becomes healthy beside one that is not in slow start begins slowly; the first does not.
#[tokio::test(start_paused = true)]
async fn targets_that_join_begin_slowly() {
    let group = Groups::new(Handle::current())
        .create(
            "app".parse().unwrap(),
            GroupSpec {
                slow_start: Some(SlowStart::new(Duration::from_secs(30)).unwrap()),
                ..GroupSpec::default()
            },
        )
        .unwrap();
    add(&group, "old", Arc::new(Fleeting::default()));
    assert_eq!(chosen(&group, 2), ["old", "old"]);
    let new = Arc::new(Fleeting::default());
    add(&group, "new", new.clone());
    assert_eq!(chosen(&group, 50), vec!["old"; 50]);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert!(chosen(&group, 2).contains(&"new".to_owned()));
    // Who was unhealthy begins anew.
    new.gone.store(true, Ordering::SeqCst);
    group.settle_all();
    assert_eq!(chosen(&group, 4), vec!["old"; 4]);
    new.gone.store(false, Ordering::SeqCst);
    group.settle_all();
    assert_eq!(chosen(&group, 50), vec!["old"; 50]);
}

/// As when a group's targets are replaced: the new ones come, the old ones go, and no check is over yet.
#[tokio::test]
async fn new_targets_take_requests_unchecked_when_nobody_else_is_left() {
    let hold = Hold::new(Duration::from_secs(30), 10).unwrap();
    for (fail_open, hold, next) in [
        (FailOpen::Open, None, Some("new")),
        (FailOpen::Open, Some(hold), None),
        (FailOpen::Closed, None, Some("new")),
        (FailOpen::Closed, Some(hold), None),
    ] {
        let spec = GroupSpec {
            fail_open,
            hold,
            ..GroupSpec::default()
        };
        let group = Groups::new(Handle::current())
            .create("app".parse().unwrap(), spec.clone())
            .unwrap();
        add(&group, "old", Arc::new(Fleeting::default()));
        group.configure(GroupSpec {
            checks: Checks::health(HealthSpec::new("/".parse().unwrap())),
            ..spec
        });
        add(&group, "new", Arc::new(Fleeting::default()));
        assert_eq!(chosen(&group, 2), ["old", "old"]);
        let old = "old".parse().unwrap();
        let _drain = group.deregister(&old, Duration::from_secs(60)).unwrap();
        let taker = group.choose(ChoiceHints::default());
        let taker = taker.as_ref().map(|lease| lease.member().id().as_str());
        assert_eq!(taker, next, "{fail_open:?} {hold:?}");
    }
}

#[tokio::test]
async fn a_check_of_before_says_nothing_about_a_target_that_is_checked_otherwise_now() {
    let group = Groups::new(Handle::current())
        .create("app".parse().unwrap(), GroupSpec::default())
        .unwrap();
    add(&group, "t1", Arc::new(Fleeting::default()));
    let member = group.members().remove(0);
    let unhealthy = || Health::Unhealthy {
        reason: crate::health::HealthReason::Timeout,
    };
    let after_failing = |run: &CheckRun| {
        let verdict = Verdict {
            health: unhealthy(),
            replace: None,
        };
        group.checked(&member, run, Kind::Health, verdict);
        member.watch().borrow().clone()
    };
    let checks = Checks::health(HealthSpec::new("/".parse().unwrap()));
    let before = member.begin_checks(&checks);
    let now = member.begin_checks(&checks);
    assert_eq!(after_failing(&before), Health::Healthy);
    assert_eq!(after_failing(&now), unhealthy());
    member.begin_checks(&Checks::default());
    assert_eq!(
        after_failing(&now),
        Health::Healthy,
        "nor when it isn't checked any more"
    );
}

#[test]
fn a_bound_client_gets_its_target_as_long_as_it_takes_requests() {
    let runtime = runtime();
    let group = group(&runtime);
    let sick = Arc::new(Fleeting::default());
    add(&group, "a", sick.clone());
    add(&group, "b", Arc::new(Fleeting::default()));
    let bound = |id, tried: &[TargetId]| {
        let hints = ChoiceHints {
            bound_to: Some(id),
            tried,
        };
        group.choose(hints).unwrap().member().id().to_string()
    };
    for _ in 0..4 {
        assert_eq!(bound("a", &[]), "a");
        assert_eq!(
            bound("a", &["a".parse().unwrap()]),
            "b",
            "it failed the request already"
        );
    }
    assert_ne!(bound("gone", &[]), bound("gone", &[]), "turns are taken");
    sick.gone.store(true, Ordering::SeqCst);
    group.settle_all();
    assert_eq!(bound("a", &[]), "b");
}

#[test]
fn a_target_that_fails_gets_no_more_than_its_turns() {
    let runtime = runtime();
    let group = group(&runtime);
    for id in ["a", "b", "dead"] {
        add(&group, id, Arc::new(Fleeting::default()));
    }
    let chosen = |tried: &[TargetId]| {
        let hints = ChoiceHints {
            bound_to: None,
            tried,
        };
        group.choose(hints).unwrap().member().id().clone()
    };
    let (mut first, mut again) = (HashMap::new(), HashMap::new());
    for _ in 0..300 {
        let one = chosen(&[]);
        if one.to_string() == "dead" {
            let other = chosen(std::slice::from_ref(&one));
            *again.entry(other.to_string()).or_insert(0) += 1;
        }
        *first.entry(one.to_string()).or_insert(0) += 1;
    }
    assert!(first.values().all(|turns| *turns == 100), "{first:?}");
    assert!(
        again.len() == 2 && again.values().all(|turns| *turns > 30),
        "{again:?}"
    );
}

/// Nobody looks there but who has waited.
#[test]
fn who_comes_last_is_only_kept_where_requests_wait() {
    let runtime = runtime();
    let group = group(&runtime);
    let ill = Arc::new(Fleeting::default());
    ill.gone.store(true, Ordering::SeqCst);
    add(&group, "t1", ill);
    let takers = |hold| {
        group.configure(GroupSpec {
            hold,
            ..GroupSpec::default()
        });
        let takers = group.lock().takers(None);
        (takers.now.len(), takers.at_last.len())
    };
    assert_eq!(takers(None), (1, 0));
    let hold = Hold::new(Duration::from_secs(1), 1).unwrap();
    assert_eq!(takers(Some(hold)), (1, 1));
}
