//! Cohorts share a group's requests by weight, and are counted together.

use std::sync::Arc;

use wharf_gateway::{Checks, CohortName, Health, HealthSpec, Membership, TargetErrorKind};

use crate::support::{Closure, Rig, failure, ok, seen, status};

fn register(rig: &Rig, id: &str, cohort: &str, target: &Arc<Closure>) {
    let membership = Membership::from(name(cohort));
    rig.app
        .register(id.parse().unwrap(), target.clone(), membership)
        .unwrap();
}

fn name(cohort: &str) -> CohortName {
    cohort.parse().unwrap()
}

#[tokio::test]
async fn a_cohort_gets_its_share_of_the_requests_and_is_counted_even_when_its_targets_are_gone() {
    let rig = Rig::new();
    for id in ["a", "b", "c"] {
        register(&rig, id, "1", &Closure::saying("old"));
    }
    let broken = Closure::new(|_| async { Err(failure(TargetErrorKind::Trapped)) });
    register(&rig, "d", "2", &broken);
    rig.app.share(vec![(name("1"), 75), (name("2"), 25)]);
    let mut client = rig.connect().await;
    let mut failed = 0;
    for _ in 0..400 {
        failed += u64::from(client.get("/").await.status == 502);
    }
    // A quarter of 400, drawn by lot.
    assert!((60..=140).contains(&failed), "{failed}");
    // The last answer may be on its way still when it is counted.
    rig.log.lines(400).await;
    let tallies = rig.app.tallies();
    let counted: Vec<_> = tallies
        .iter()
        .map(|(name, tally)| (name.as_str(), tally.requests, tally.errors))
        .collect();
    assert_eq!(counted, [("1", 400 - failed, 0), ("2", failed, failed)]);
    assert!(tallies[0].1.p99().is_some());

    // Back at once, and what was counted stays to be read.
    rig.app.share(vec![(name("1"), 100)]);
    for _ in 0..100 {
        assert_eq!(client.get("/").await.body, "old");
    }
    let drain = rig
        .app
        .deregister(&"d".parse().unwrap(), std::time::Duration::ZERO);
    drain.unwrap().await;
    assert_eq!(rig.app.tallies()[1].1.requests, failed);
    assert_eq!(u64::from(broken.calls()), failed);
}

#[tokio::test]
async fn who_has_no_share_helps_out_where_nobody_else_is() {
    let rig = Rig::new();
    register(&rig, "a", "1", &Closure::saying("one"));
    rig.app.share(vec![(name("2"), 100)]);
    let mut client = rig.connect().await;
    assert_eq!(client.get("/").await.body, "one");
    register(&rig, "b", "2", &Closure::saying("two"));
    for _ in 0..20 {
        assert_eq!(client.get("/").await.body, "two");
    }
}

/// As when a revision brings a health check along that the one before doesn't know.
#[tokio::test]
async fn each_target_is_judged_by_its_own_checks() {
    let rig = Rig::new();
    let health = Checks::health(HealthSpec {
        interval: std::time::Duration::from_millis(5),
        ..HealthSpec::new("/health".parse().unwrap())
    });
    let old = Closure::new(|request| async move {
        Ok(match request.uri().path() {
            "/health" => status(404),
            _ => ok("old"),
        })
    });
    let new = Closure::new(|request| async move {
        Ok(match request.uri().path() {
            "/health" => status(500),
            _ => ok("new"),
        })
    });
    let register = |id: &str, cohort: &str, target: &Arc<Closure>, checks: Checks| {
        let membership = Membership {
            checks: Some(checks),
            ..Membership::from(name(cohort))
        };
        rig.app
            .register(id.parse().unwrap(), target.clone(), membership)
            .unwrap()
    };
    let of_old = register("a", "1", &old, Checks::default());
    let of_new = register("b", "2", &new, health.clone());
    let is_ill = |health: &Health| matches!(health, Health::Unhealthy { .. });
    seen("its check", of_new.clone(), is_ill).await;
    assert_eq!((&*of_old.borrow(), old.calls()), (&Health::Healthy, 0));
    let mut client = rig.connect().await;
    for _ in 0..20 {
        assert_eq!(client.get("/").await.body, "old");
    }
    // What the group says of checks is said of others.
    rig.app.configure(wharf_gateway::GroupSpec {
        checks: health,
        ..rig.app.spec()
    });
    let third = Closure::new(|_| async { Ok(status(500)) });
    let checked = rig.register("c", &third);
    seen("the group's check", checked, is_ill).await;
    assert_eq!((&*of_old.borrow(), old.calls()), (&Health::Healthy, 20));
}
