//! The members of a group under its lock: who is registered, and since when each is healthy.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    FailOpen, GroupSpec, Member, Shares,
    cohort::Cohorts,
    rotation::{self, Taker},
};
use crate::names::TargetId;

pub(super) struct Members {
    pub(super) spec: GroupSpec,
    pub(super) shares: Shares,
    pub(super) cohorts: Cohorts,
    /// In order of registration, those that drain included.
    pub(super) all: Vec<Entry>,
}

pub(super) struct Entry {
    pub(super) member: Arc<Member>,
    standing: Standing,
}

/// Who takes requests.
#[derive(Default)]
pub(super) struct Takers {
    pub(super) now: Vec<Taker>,
    /// Those that have waited as long as they may.
    pub(super) at_last: Vec<Taker>,
}

/// What a member was when the rotation was last made.
#[derive(Clone, Copy)]
enum Standing {
    Unhealthy,
    /// In slow start, perhaps, since then.
    Healthy(Option<Instant>),
}

impl Members {
    pub(super) fn new(spec: GroupSpec) -> Self {
        Self {
            spec,
            shares: Shares::new(),
            cohorts: Cohorts::default(),
            all: Vec::new(),
        }
    }

    pub(super) fn find(&self, id: &TargetId) -> Option<&Arc<Member>> {
        let entry = self.all.iter().find(|entry| entry.member.id() == id)?;
        Some(&entry.member)
    }

    /// Those who take requests from now on, as they stand: the healthy; if there are none, those who may do all the same.
    pub(super) fn takers(&mut self, leaving: Option<&Arc<Member>>) -> Takers {
        self.stand();
        let staying = |entry: &&Entry| {
            let leaves = leaving.is_some_and(|leaving| Arc::ptr_eq(&entry.member, leaving));
            !leaves && !entry.member.is_draining()
        };
        let staying: Vec<_> = self.all.iter().filter(staying).collect();
        let healthy: Vec<_> = staying.iter().filter_map(|entry| entry.healthy()).collect();
        if !healthy.is_empty() {
            return Takers {
                now: healthy,
                at_last: Vec::new(),
            };
        }
        let may_do = |entry: &&&Entry| match (self.spec.fail_open, self.spec.hold) {
            // ALB: when all are unhealthy, all get requests; nobody knows better.
            (FailOpen::Open, None) => true,
            // Those whose first check is not over are waited for.
            (FailOpen::Open, Some(_)) => entry.member.is_ill(),
            // Whose first check is not over is not known to be ill: when targets are replaced, nobody else may be left.
            (FailOpen::Closed, None) => !entry.member.is_ill(),
            // Requests wait for the check.
            (FailOpen::Closed, Some(_)) => false,
        };
        let at_last = match (self.spec.fail_open, self.spec.hold) {
            (FailOpen::Open, Some(_)) => staying.iter().map(|entry| entry.at_full_share()).collect(),
            // Nobody waits who could have waited in vain; or who did gets none either.
            (FailOpen::Open, None) | (FailOpen::Closed, _) => Vec::new(),
        };
        let now = staying.iter().filter(may_do);
        Takers {
            now: now.map(|entry| entry.at_full_share()).collect(),
            at_last,
        }
    }

    /// Notes who has become healthy, and whether it begins slowly.
    fn stand(&mut self) {
        let standings: Vec<_> = self
            .all
            .iter()
            .map(|entry| match (entry.member.is_healthy(), entry.standing) {
                (false, _) => Standing::Unhealthy,
                (true, Standing::Unhealthy) => Standing::Healthy(rotation::ramp(&self.spec, self.ramps())),
                (true, healthy @ Standing::Healthy(_)) => healthy,
            })
            .collect();
        for (entry, standing) in self.all.iter_mut().zip(standings) {
            entry.standing = standing;
        }
    }

    /// The healthy ones' slow starts, as they were.
    fn ramps(&self) -> impl Iterator<Item = Option<Instant>> {
        self.all.iter().filter_map(|entry| match entry.standing {
            Standing::Healthy(ramp) if entry.member.is_healthy() => Some(ramp),
            _ => None,
        })
    }
}

impl Entry {
    pub(super) fn new(member: Arc<Member>) -> Self {
        Self {
            member,
            standing: Standing::Unhealthy,
        }
    }

    fn healthy(&self) -> Option<Taker> {
        match self.standing {
            Standing::Unhealthy => None,
            Standing::Healthy(ramp) => Some(Taker {
                member: self.member.clone(),
                ramp,
            }),
        }
    }

    fn at_full_share(&self) -> Taker {
        Taker {
            member: self.member.clone(),
            ramp: None,
        }
    }
}
