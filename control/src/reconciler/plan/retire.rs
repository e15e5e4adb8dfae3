//! Tasks that a person stopped: the last one that takes requests stays until its successor does.

use tokio::time::Instant;

use super::{Action, Blocker, Desired, Observed, ObservedTask, Phase, StopWhy, stop};

/// Lets go of the tasks that are told to stop and were kept for the requests they take: once another takes them, or
/// none will.
pub(super) fn release(
    desired: &Desired,
    observed: &Observed,
    planned: &[Action],
    now: Instant,
) -> Vec<Action> {
    let any = |is: fn(&Phase) -> bool| observed.tasks.iter().any(|task| is(&task.phase));
    let another = any(|phase| *phase == Phase::Healthy);
    // Its successor waits for its room.
    let in_the_way = any(|phase| {
        matches!(
            phase,
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
    let others = retiring.filter(|(task, _)| !is_stopped(task, planned));
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

fn is_stopped(task: &ObservedTask, planned: &[Action]) -> bool {
    let stops = |action: &Action| matches!(action, Action::Stop { task: other, .. } if *other == task.id);
    planned.iter().any(stops)
}
