//! The tasks of one revision, and what keeps a number of them.

use tokio::time::Instant;

use super::{Action, Blocker, Observed, ObservedTask, Phase, StopWhy, Vacancy};
use crate::manifest::Bounds;
use crate::names::Revision;

/// The tasks and vacancies of one revision.
pub(super) struct Crew<'a> {
    pub(super) revision: Revision,
    tasks: Vec<&'a ObservedTask>,
    vacancies: Vec<&'a Vacancy>,
}

impl<'a> Crew<'a> {
    pub(super) fn of(revision: Revision, observed: &'a Observed) -> Self {
        Self {
            revision,
            tasks: observed
                .tasks
                .iter()
                .filter(|task| task.revision == revision)
                .collect(),
            vacancies: observed
                .vacancies
                .iter()
                .filter(|v| v.revision == revision)
                .collect(),
        }
    }

    pub(super) fn tasks(&self) -> impl DoubleEndedIterator<Item = &'a ObservedTask> {
        self.tasks.iter().copied()
    }

    pub(super) fn count(&self, counts: impl Fn(&Phase) -> bool) -> u32 {
        number(self.tasks.iter().filter(|task| counts(&task.phase)))
    }

    pub(super) fn healthy(&self) -> u32 {
        self.count(|phase| *phase == Phase::Healthy)
    }

    /// Those that are healthy or may become so.
    pub(super) fn hopeful(&self) -> u32 {
        self.count(|phase| !matches!(phase, Phase::Unhealthy | Phase::Retiring { .. } | Phase::Leaving))
    }

    pub(super) fn unhealthy(&self) -> u32 {
        self.count(|phase| *phase == Phase::Unhealthy)
    }

    /// How many are RUNNING, of the unhealthy ones only `unhealthy`.
    fn running_beside(&self, unhealthy: u32) -> u32 {
        self.count(|phase| matches!(phase, Phase::Healthy | Phase::Unready)) + unhealthy
    }

    /// Whether one is on its way, to be RUNNING or to be gone.
    fn is_moving(&self) -> bool {
        self.count(|phase| matches!(phase, Phase::Starting | Phase::Leaving)) > 0
    }

    /// Places that were filled once.
    pub(super) fn vacant(&self) -> u32 {
        number(self.vacancies.iter())
    }

    pub(super) fn blocked_on(&self, what: Blocker) -> u32 {
        self.count(|phase| matches!(phase, Phase::Blocked { on, .. } if *on == what))
    }

    /// Why one of them isn't well.
    pub(super) fn ill(&self) -> Option<&'a str> {
        let staying = self.tasks.iter().filter(|task| task.phase != Phase::Leaving);
        staying.filter_map(|task| task.ill.as_deref()).next()
    }

    pub(super) fn blocked(&self) -> Option<&'a str> {
        self.tasks.iter().find_map(|task| match &task.phase {
            Phase::Blocked { reason, .. } => Some(reason.as_str()),
            _ => None,
        })
    }
}

/// How many there are.
pub(super) fn number<T>(of: impl Iterator<Item = T>) -> u32 {
    u32::try_from(of.count()).unwrap_or(u32::MAX)
}

/// Keeps `count` tasks of a revision, and replaces what is unhealthy within the bounds.
///
/// ECS: a successor starts first where `maximum` and the host have room for it; where they haven't, unhealthy tasks stop
/// first, and `minimum_healthy` of the service's stay RUNNING. Bounds that would let none stop for ever let one go at a
/// time: it isn't healthy anyway.
pub(super) fn maintain(crew: &Crew<'_>, count: u32, bounds: Bounds, now: Instant) -> Vec<Action> {
    let hopeful = crew.hopeful();
    let missing = count.saturating_sub(hopeful);
    let unhealthy = crew.unhealthy();
    let outlived = unhealthy.saturating_sub(count.saturating_sub(crew.healthy()));
    let staying = hopeful.min(count) + unhealthy - outlived;
    let starting = missing.min(bounds.upper(count).saturating_sub(staying));
    let mut places = start_missing(crew, missing, now);
    let waiting = places.split_off(usize::try_from(starting).unwrap_or(usize::MAX).min(places.len()));
    // None goes for a successor that may not start yet.
    let due = number(
        waiting
            .iter()
            .filter(|action| matches!(action, Action::Start { .. })),
    );
    let wanted = due + crew.blocked_on(Blocker::Capacity);
    let spare = crew
        .running_beside(unhealthy - outlived)
        .saturating_sub(bounds.lower(count));
    let nothing_moves = starting == 0 && !crew.is_moving();
    let first = wanted.min(spare.max(u32::from(nothing_moves)));
    let mut actions = stop_surplus(crew, hopeful.saturating_sub(count));
    actions.extend(stop_unhealthy(crew, outlived + first));
    actions.extend(places);
    actions.extend(
        waiting
            .into_iter()
            .filter(|action| matches!(action, Action::WakeAt(_))),
    );
    actions
}

/// Starts `missing` tasks: those in the places of failed ones when their time has come.
pub(super) fn start_missing(crew: &Crew<'_>, missing: u32, now: Instant) -> Vec<Action> {
    let mut waiting = crew.vacancies.iter().map(|vacancy| (*vacancy).clone());
    let places = (0..missing).map(|_| match waiting.next() {
        Some(vacancy) if vacancy.not_before > now => Action::WakeAt(vacancy.not_before),
        vacancy => Action::Start {
            revision: crew.revision,
            vacancy,
        },
    });
    places.collect()
}

/// Stops `surplus` tasks: those that wait first, then the ones on their way, then the youngest.
pub(super) fn stop_surplus(crew: &Crew<'_>, surplus: u32) -> Vec<Action> {
    least_missed(crew.tasks(), surplus, StopWhy::ScaledIn)
}

/// Stops `surplus` of these tasks: those that wait first, then the ones on their way, then the youngest.
pub(super) fn least_missed<'a>(
    tasks: impl DoubleEndedIterator<Item = &'a ObservedTask>,
    surplus: u32,
    why: StopWhy,
) -> Vec<Action> {
    let rank = |task: &ObservedTask| match task.phase {
        Phase::Blocked { .. } => Some(0),
        Phase::Starting | Phase::Unready => Some(1),
        Phase::Healthy => Some(2),
        Phase::Unhealthy | Phase::Retiring { .. } | Phase::Leaving => None,
    };
    let mut ranked: Vec<(u8, &ObservedTask)> =
        tasks.rev().filter_map(|task| Some((rank(task)?, task))).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let surplus = usize::try_from(surplus).unwrap_or(usize::MAX);
    ranked
        .iter()
        .take(surplus)
        .map(|(_, task)| stop(task, why))
        .collect()
}

/// Stops up to `leaving` unhealthy tasks, the oldest first.
pub(super) fn stop_unhealthy(crew: &Crew<'_>, leaving: u32) -> Vec<Action> {
    let leaving = usize::try_from(leaving).unwrap_or(usize::MAX);
    let candidates = crew.tasks.iter().filter(|task| task.phase == Phase::Unhealthy);
    candidates
        .take(leaving)
        .map(|task| stop(task, StopWhy::Unhealthy))
        .collect()
}

/// Stops tasks of revisions that are wanted no more: what isn't healthy at once, of the healthy ones as many as can be
/// `spared`. Who is kept for the requests it takes is let go of by `retire`.
pub(super) fn stop_replaced<'a>(
    tasks: impl Iterator<Item = &'a ObservedTask>,
    mut spared: u32,
    why: StopWhy,
) -> Vec<Action> {
    let leaving = tasks.filter(|task| match task.phase {
        Phase::Leaving | Phase::Retiring { .. } => false,
        Phase::Healthy if spared == 0 => false,
        Phase::Healthy => {
            spared -= 1;
            true
        }
        Phase::Blocked { .. } | Phase::Starting | Phase::Unready | Phase::Unhealthy => true,
    });
    leaving.map(|task| stop_for(task, why)).collect()
}

/// Stops a task; one of a failed deployment that is unhealthy, for what that failed of.
pub(super) fn stop_for(task: &ObservedTask, why: StopWhy) -> Action {
    match (why, &task.phase) {
        (StopWhy::DeploymentFailed, Phase::Unhealthy) => stop(task, StopWhy::Unhealthy),
        _ => stop(task, why),
    }
}

pub(super) fn stop(task: &ObservedTask, why: StopWhy) -> Action {
    Action::Stop {
        task: task.id.clone(),
        why,
    }
}
