//! Tasks that a person stopped: the last one that takes requests stays until its successor does.

use tokio::time::Instant;

use super::{Action, Blocker, Desired, Observed, ObservedTask, Phase, StopWhy, stop, stops};

/// Lets go of the tasks that are told to stop and were kept for the requests they take: once another takes them, or
/// none will.
pub(super) fn release(
    desired: &Desired,
    observed: &Observed,
    planned: &[Action],
    now: Instant,
) -> Vec<Action> {
    let (_, takers) = observed.takers();
    let stays = |task: &ObservedTask| !matches!(task.phase, Phase::Retiring { .. }) && !stops(planned, task);
    let another = takers.into_iter().any(stays);
    // Its successor waits for its room.
    let in_the_way = observed.tasks.iter().any(|task| {
        matches!(
            task.phase,
            Phase::Blocked {
                on: Blocker::Capacity,
                ..
            }
        )
    });
    let unwanted = another || in_the_way || desired.count == 0;
    let retiring = observed.tasks.iter().filter_map(|task| match task.phase {
        Phase::Retiring { until } => Some((task, until)),
        _ => None,
    });
    let others = retiring.filter(|(task, _)| !stops(planned, task));
    others
        .map(|(task, until)| {
            if unwanted || until <= now {
                stop(task, StopWhy::Asked)
            } else {
                Action::WakeAt(until)
            }
        })
        .collect()
}
