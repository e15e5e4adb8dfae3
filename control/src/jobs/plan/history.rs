//! Which ended runs are forgotten: those older than their time to live, and the oldest beyond what is kept.

use std::time::Duration;

use jiff::Timestamp;

use super::{Action, ObservedRun, after};
use crate::model::MAX_HISTORY;

/// Ended tasks that are kept of a job, of all its runs together; the newest run's are, however many.
pub const MAX_STOPPED_TASKS: usize = 1000;

/// How long a run is there at least once it has ended, so that who follows it sees how.
pub const SEEN_FOR: Duration = Duration::from_secs(60);

pub(super) fn plan(runs: &[ObservedRun], now: Timestamp) -> Vec<Action> {
    let Some(newest) = runs.last() else {
        return Vec::new();
    };
    let kept = usize::try_from(newest.spec.history).unwrap_or(usize::MAX);
    let most = usize::try_from(MAX_HISTORY).unwrap_or(usize::MAX);
    let mut ended: Vec<(Timestamp, &ObservedRun)> =
        runs.iter().filter_map(|run| Some((run.ended_at?, run))).collect();
    ended.sort_by_key(|(at, run)| std::cmp::Reverse((*at, run.number)));
    let mut tasks = 0usize;
    let decisions = ended.into_iter().enumerate().map(|(position, (at, run))| {
        tasks = tasks.saturating_add(run.attempts.len());
        let is_surplus = position >= most || position > 0 && tasks > MAX_STOPPED_TASKS;
        let ttl = run.spec.ttl.map(|ttl| after(at, ttl.max(SEEN_FOR)));
        let unkept = (position >= kept).then(|| after(at, SEEN_FOR));
        match ttl.into_iter().chain(unkept).min() {
            _ if is_surplus => Some(Action::Forget { run: run.number }),
            Some(until) if until <= now => Some(Action::Forget { run: run.number }),
            Some(until) => Some(Action::WakeAt(until)),
            None => None,
        }
    });
    decisions.flatten().collect()
}
