use std::collections::HashMap;

use futures_util::future::BoxFuture;
use http::{Request, Response};

use super::{
    super::{Membership, spec::*},
    *,
};
use crate::{
    body::{self, Body},
    names::TargetId,
    target::{Condition, Load, Target, TargetError},
};

struct Idle;

impl Target for Idle {
    fn call(&self, _: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TargetError>> {
        Box::pin(async { Ok(Response::new(body::empty())) })
    }

    fn load(&self) -> Load {
        Load::default()
    }

    fn condition(&self) -> Condition {
        Condition::Fit
    }
}

fn name(name: &str) -> CohortName {
    name.parse().unwrap()
}

fn taker(id: &str, cohort: &str) -> Taker {
    let member = Member::new(
        id.parse().unwrap(),
        Arc::new(Idle),
        Membership::from(name(cohort)),
        Some(Arc::default()),
    );
    Taker {
        member: Arc::new(member),
        ramp: None,
    }
}

fn shares(text: &str) -> Shares {
    let each = text.split_whitespace().map(|share| {
        let (cohort, share) = share.split_once('=').unwrap();
        (name(cohort), share.parse().unwrap())
    });
    each.collect()
}

/// `1=90 2=10`, targets by cohort, those tried: who is picked in ten thousand turns, in percent.
#[track_caller]
fn check(given: &str, targets: &[(&str, &str)], tried: &[&str], expected: &[(&str, usize)]) {
    let algorithms = [
        Algorithm::RoundRobin,
        Algorithm::WeightedRandom,
        Algorithm::PowerOfTwo,
    ];
    for algorithm in algorithms {
        let spec = GroupSpec {
            algorithm,
            ..GroupSpec::default()
        };
        let takers = Takers {
            now: targets.iter().map(|(id, cohort)| taker(id, cohort)).collect(),
            at_last: Vec::new(),
        };
        let choice = Choice::new(&spec, &shares(given), takers);
        let tried: Vec<TargetId> = tried.iter().map(|id| id.parse().unwrap()).collect();
        let mut picks: HashMap<String, usize> = HashMap::new();
        for turn in 0..10_000 {
            if let Some(member) = choice.pick(Draw { turn, tried: &tried }) {
                *picks.entry(member.id().to_string()).or_default() += 1;
            }
        }
        for (id, percent) in expected {
            let found = picks.remove(*id).unwrap_or_default();
            assert!(
                found.abs_diff(percent * 100) <= 150,
                "{algorithm:?} `{given}`: {id} has {found} of 10000"
            );
        }
        assert!(picks.is_empty(), "{algorithm:?} `{given}`: {picks:?}");
    }
}

const THREE: &[(&str, &str)] = &[("a", "1"), ("b", "1"), ("c", "2")];

#[test]
fn without_shares_all_are_alike() {
    check("", THREE, &[], &[("a", 33), ("b", 33), ("c", 33)]);
}

#[test]
fn shares_are_kept_whatever_the_number_of_targets() {
    check("1=90 2=10", THREE, &[], &[("a", 45), ("b", 45), ("c", 10)]);
    check("1=1 2=3", THREE, &[], &[("a", 12), ("b", 12), ("c", 75)]);
    check("2=100", THREE, &[], &[("c", 100)]);
    check("1=0 2=5", THREE, &[], &[("c", 100)]);
}

#[test]
fn a_cohort_without_takers_leaves_its_share_to_the_others() {
    check("1=90 3=10", THREE, &[], &[("a", 50), ("b", 50)]);
    check("1=90 2=10", THREE, &["c"], &[("a", 50), ("b", 50)]);
    check("1=90 2=10", THREE, &["a", "b"], &[("c", 100)]);
    check("1=90 2=10", THREE, &["a", "b", "c"], &[]);
    // Who has no share helps out where nobody else is.
    check("3=100", THREE, &[], &[("a", 33), ("b", 33), ("c", 33)]);
    check("2=100", THREE, &["c"], &[("a", 50), ("b", 50)]);
}

#[test]
fn a_tally_tells_what_came_after_another() {
    let counts = Counts::default();
    let ms = |ms| Some(Duration::from_millis(ms));
    for _ in 0..99 {
        counts.count(200, ms(2));
    }
    counts.count(502, ms(100));
    counts.count(503, None);
    let first = counts.tally();
    assert_eq!((first.requests, first.errors), (101, 2));
    let p99 = first.p99().unwrap();
    assert!(
        (ms(2).unwrap()..Duration::from_micros(2400)).contains(&p99),
        "{p99:?}"
    );
    assert_eq!(first.since(&first).p99(), None);
    counts.count(200, ms(100));
    let since = counts.tally().since(&first);
    assert_eq!((since.requests, since.errors), (1, 0));
    let p99 = since.p99().unwrap();
    assert!(
        (ms(100).unwrap()..Duration::from_millis(120)).contains(&p99),
        "{p99:?}"
    );
    assert_eq!(since.since(&Tally::default()), since);
}

#[test]
fn latencies_beyond_all_bounds_are_counted_too() {
    let counts = Counts::default();
    counts.count(200, Some(Duration::ZERO));
    assert_eq!(counts.tally().p99(), Some(Duration::from_micros(50)));
    counts.count(200, Some(Duration::MAX));
    assert_eq!(counts.tally().p99(), Some(bound(LATENCIES - 1)));
}

#[test]
fn counts_go_on_while_a_cohort_has_targets_and_are_bounded() {
    let mut cohorts = Cohorts::default();
    let first = cohorts.join(&name("1"));
    first.count(200, None);
    assert!(Arc::ptr_eq(&first, &cohorts.join(&name("1"))));
    for other in 2..50 {
        cohorts.join(&name(&other.to_string()));
    }
    let names: Vec<String> = cohorts
        .tallies()
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    assert_eq!(names, ["1", "43", "44", "45", "46", "47", "48", "49"]);
    assert_eq!(cohorts.tallies()[0].1.requests, 1);
}
