//! Which revision gets how many of the requests, while there are several.

use std::collections::BTreeMap;

use super::{Desired, Observed, Phase};
use crate::names::Revision;

/// Which revisions get which share of the requests; none: all tasks alike. Only the shares' proportion counts.
///
/// A revision that isn't named gets requests only while no named one has a task that takes any.
pub fn shares(desired: &Desired, observed: &Observed) -> Vec<(Revision, u32)> {
    let (Some(goal), Some(stable)) = (desired.goal, desired.stable) else {
        return Vec::new();
    };
    match &desired.rollout {
        // Back to what ran well, at once.
        Some(_) if goal == stable => as_they_can_carry(stable, desired.count, observed),
        Some(rollout) if rollout.shifts() => {
            let share = rollout.share.min(100);
            let shares = [(goal, share), (stable, 100 - share)];
            shares.into_iter().filter(|(_, share)| *share > 0).collect()
        }
        // It failed and stays where it is: the old tasks are those that are known to be good.
        None if goal != stable => as_they_can_carry(stable, desired.count, observed),
        Some(_) | None => Vec::new(),
    }
}

/// As much of the requests to the stable revision as its healthy tasks carry when all is well, the rest to the healthy
/// ones of others: one task that is known to be good doesn't stand what `count` of them did.
fn as_they_can_carry(stable: Revision, count: u32, observed: &Observed) -> Vec<(Revision, u32)> {
    let mut others: BTreeMap<Revision, u32> = BTreeMap::new();
    let mut carried = 0_u32;
    for task in observed.tasks.iter().filter(|task| task.phase == Phase::Healthy) {
        match task.revision == stable {
            true => carried += 1,
            false => *others.entry(task.revision).or_default() += 1,
        }
    }
    let beside: u32 = others.values().sum();
    if carried >= count || beside == 0 {
        return vec![(stable, 100)];
    }
    let rest = count - carried;
    let of_others = others
        .into_iter()
        .map(|(revision, healthy)| (revision, rest.saturating_mul(healthy)));
    let all = [(stable, carried.saturating_mul(beside))]
        .into_iter()
        .chain(of_others);
    all.filter(|(_, share)| *share > 0).collect()
}
