//! What a schedule begins: Kubernetes' rules, but that a pause and a change leave nothing to catch up with.
//!
//! Of the times that passed since one was decided upon, only the latest counts: after a day without the server a job of
//! every minute runs once. It begins unless its starting deadline has passed, or a run goes on that the policy doesn't
//! let it begin beside; then it stays due until one of the two, or a later time, settles it.

use jiff::Timestamp;

use super::{Action, Due, MAX_ACTIVE_RUNS, ObservedRun, after};
use crate::manifest::ConcurrencyPolicy;

pub(super) fn plan(schedule: &Due, active: &[&ObservedRun], now: Timestamp) -> Vec<Action> {
    let spec = &schedule.spec;
    let Some(first) = spec.cron.next_after(schedule.decided) else {
        return Vec::new();
    };
    if first > now {
        return vec![Action::WakeAt(first)];
    }
    let due = spec.cron.latest(first, now).unwrap_or(first);
    let mut actions: Vec<Action> = spec
        .cron
        .next_after(now)
        .map(Action::WakeAt)
        .into_iter()
        .collect();
    let latest_start = spec.starting_deadline.map(|deadline| after(due, deadline));
    if latest_start.is_some_and(|latest| now > latest) {
        actions.push(Action::Miss { due });
        return actions;
    }
    match spec.concurrency_policy {
        _ if active.is_empty() => actions.push(begin(first, due)),
        ConcurrencyPolicy::Allow if active.len() < MAX_ACTIVE_RUNS => actions.push(begin(first, due)),
        ConcurrencyPolicy::Replace => {
            let wanted = active.iter().filter(|run| run.cancelled.is_none());
            actions.extend(wanted.map(|run| Action::Replace { run: run.number, due }));
        }
        ConcurrencyPolicy::Allow | ConcurrencyPolicy::Forbid => actions.push(Action::Hold { due }),
    }
    // Should it still wait by then, it was missed.
    actions.extend(latest_start.map(|latest| Action::WakeAt(after(latest, MOMENT))));
    actions
}

/// The shortest time there is between two moments: a deadline has passed one after it.
const MOMENT: std::time::Duration = std::time::Duration::from_millis(1);

fn begin(first: Timestamp, due: Timestamp) -> Action {
    Action::Begin {
        due,
        missed_since: (first < due).then_some(first),
    }
}
