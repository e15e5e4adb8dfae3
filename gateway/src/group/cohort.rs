//! Cohorts: targets of a group that have a share of its requests together, and are counted together.
//!
//! What a cohort stands for is its owner's matter (a revision, say); the gateway knows its name. Without shares
//! cohorts are only counted. With shares a choice draws the cohort first, by lot, among those that have a taker
//! left, and then a target in it by the group's algorithm. A cohort that no share names has requests only
//! while no other one can have them: better an answer from the wrong one than none.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    GroupSpec, Member,
    members::Takers,
    rotation::{Draw, Rotation, Taker, lot},
};
use crate::names::CohortName;

/// Cohorts whose counts are kept: those with targets, and the latest of the others.
const COHORTS_KEPT: usize = 8;

/// Bounds of the latencies told apart: each is a fifth more than the one before, so that a percentile is too high by
/// that at most.
const LATENCIES: usize = 96;

/// The first bound, in microseconds.
const FIRST_LATENCY_US: f64 = 50.0;

/// From one bound to the next.
const LATENCY_GROWTH: f64 = 1.2;

/// Which cohort has which share of a group's requests. Only their proportion counts; nought is as good as no share.
pub type Shares = Vec<(CohortName, u32)>;

/// What was counted of a cohort since its first target was registered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests its targets had, that were answered by them or for them.
    pub requests: u64,
    /// Those answered 5xx.
    pub errors: u64,
    /// How many took how long to the response's head.
    latencies: Vec<u64>,
}

impl Tally {
    /// What was counted after `earlier` was read.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.latencies.iter().copied().chain(std::iter::repeat(0));
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            errors: self.errors.saturating_sub(earlier.errors),
            latencies: self
                .latencies
                .iter()
                .zip(before)
                .map(|(now, before)| now.saturating_sub(before))
                .collect(),
        }
    }

    /// Within what time 99 in 100 had their response's head; none without any.
    #[must_use]
    pub fn p99(&self) -> Option<Duration> {
        let all: u64 = self.latencies.iter().sum();
        let mut left = (all > 0).then(|| all.saturating_mul(99).div_ceil(100))?;
        for (at, count) in self.latencies.iter().enumerate() {
            left = left.saturating_sub(*count);
            if left == 0 {
                return Some(bound(at));
            }
        }
        None
    }
}

fn bound(at: usize) -> Duration {
    let exponent = i32::try_from(at).unwrap_or(i32::MAX);
    Duration::from_secs_f64(FIRST_LATENCY_US * LATENCY_GROWTH.powi(exponent) / 1e6)
}

fn place(latency: Duration) -> usize {
    let above = (latency.as_secs_f64() * 1e6 / FIRST_LATENCY_US).max(1.0);
    let steps = (above.ln() / LATENCY_GROWTH.ln()).ceil();
    (steps as usize).min(LATENCIES - 1)
}

/// What is being counted of a cohort.
#[derive(Debug)]
pub(crate) struct Counts {
    requests: AtomicU64,
    errors: AtomicU64,
    latencies: Box<[AtomicU64]>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            latencies: (0..LATENCIES).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Counts {
    pub(crate) fn count(&self, status: u16, head: Option<Duration>) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if status >= 500 {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(count) = head.and_then(|head| self.latencies.get(place(head))) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn tally(&self) -> Tally {
        Tally {
            requests: self.requests.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            latencies: self
                .latencies
                .iter()
                .map(|count| count.load(Ordering::Relaxed))
                .collect(),
        }
    }
}

/// The counts of a group's cohorts, in the order of their first targets.
#[derive(Debug, Default)]
pub(super) struct Cohorts(VecDeque<(CohortName, Arc<Counts>)>);

impl Cohorts {
    /// The counts of a cohort that has a new target.
    pub(super) fn join(&mut self, name: &CohortName) -> Arc<Counts> {
        if let Some((_, counts)) = self.0.iter().find(|(known, _)| known == name) {
            return counts.clone();
        }
        let counts = Arc::<Counts>::default();
        self.0.push_back((name.clone(), counts.clone()));
        if self.0.len() > COHORTS_KEPT {
            // Nobody but this list has those of a cohort without targets.
            let gone = self
                .0
                .iter()
                .position(|(_, counts)| Arc::strong_count(counts) == 1);
            if let Some(gone) = gone {
                self.0.remove(gone);
            }
        }
        counts
    }

    pub(super) fn tallies(&self) -> Vec<(CohortName, Tally)> {
        let all = self.0.iter();
        all.map(|(name, counts)| (name.clone(), counts.tally())).collect()
    }
}

/// Who takes requests, by cohort where these have shares.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// All of them.
    pub(super) all: Rotation,
    lanes: Vec<Lane>,
    /// Those of cohorts without a share.
    rest: Rotation,
    /// Those who get what has waited in vain, whatever they are.
    at_last: Rotation,
}

#[derive(Debug)]
struct Lane {
    share: u32,
    rotation: Rotation,
}

impl Choice {
    pub(super) fn new(spec: &GroupSpec, shares: &Shares, takers: Takers) -> Self {
        let Takers { now: takers, at_last } = takers;
        let mut rest = if shares.is_empty() {
            Vec::new()
        } else {
            takers.clone()
        };
        let mut lanes = Vec::new();
        for (cohort, share) in shares.iter().filter(|(_, share)| *share > 0) {
            let of_cohort = |taker: &Taker| taker.member.cohort() == Some(cohort);
            let (own, others) = rest.into_iter().partition(of_cohort);
            rest = others;
            lanes.push(Lane {
                share: *share,
                rotation: Rotation::new(spec.clone(), own),
            });
        }
        Self {
            all: Rotation::new(spec.clone(), takers),
            lanes,
            rest: Rotation::new(spec.clone(), rest),
            at_last: Rotation::new(spec.clone(), at_last),
        }
    }

    /// A target for a request that has waited in vain; none where it is not to have an unhealthy one.
    pub(super) fn pick_at_last(&self, draw: Draw<'_>) -> Option<&Arc<Member>> {
        self.at_last.pick(draw)
    }

    /// The target whose turn it is; none when none is left.
    pub(super) fn pick(&self, draw: Draw<'_>) -> Option<&Arc<Member>> {
        if self.lanes.is_empty() {
            return self.all.pick(draw);
        }
        let drawn = self.lane(draw).and_then(|lane| lane.rotation.pick(draw));
        drawn.or_else(|| self.rest.pick(draw))
    }

    /// A cohort drawn in proportion to its share.
    fn lane(&self, draw: Draw<'_>) -> Option<&Lane> {
        let candidates = || self.lanes.iter().filter(|lane| lane.rotation.has_left(draw));
        let all: u64 = candidates().map(|lane| u64::from(lane.share)).sum();
        let mut left = lot(draw.turn, SALT) * all as f64;
        let drawn = candidates().find(|lane| {
            left -= f64::from(lane.share);
            left < 0.0
        });
        drawn.or_else(|| candidates().next_back())
    }
}

/// Tells the lot for the cohort from those for the target.
const SALT: u64 = 3;

#[cfg(test)]
mod tests;
