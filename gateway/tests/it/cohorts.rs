//! Cohorts share a group's requests by weight, and are counted together.

use std::sync::Arc;

use wharf_gateway::{CohortName, Membership, TargetErrorKind, TargetWeight};

use crate::support::{Closure, Rig, failure};

fn register(rig: &Rig, id: &str, cohort: &str, target: &Arc<Closure>) {
    let membership = Membership {
        weight: TargetWeight::default(),
        cohort: Some(name(cohort)),
    };
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
