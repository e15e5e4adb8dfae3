//! What a run does next: starts what may start, tries again what failed, and ends.

use std::time::Duration;

use jiff::Timestamp;

use super::{Action, Attempt, Failure, ObservedRun, Phase, StopWhy, Verdict, after};
use crate::manifest::show_duration;
use crate::model::{LONGEST_BACKOFF, RunSpec, RunState};

pub(super) fn plan(run: &ObservedRun, now: Timestamp) -> Vec<Action> {
    let places = places(run);
    let Some((verdict, why)) = verdict(run, &places, now) else {
        let mut actions = start(run, &places, now);
        actions.extend(deadline(run).map(Action::WakeAt));
        return actions;
    };
    let alive: Vec<&Attempt> = run.attempts.iter().filter(|attempt| attempt.is_alive()).collect();
    if alive.is_empty() {
        let run = run.number;
        return vec![Action::End { run, verdict }];
    }
    let going = alive.iter().filter(|attempt| attempt.phase == Phase::Going);
    going
        .map(|attempt| Action::Stop {
            task: attempt.task.clone(),
            why: why.clone(),
        })
        .collect()
}

/// How long the attempt after the `failures`th failure waits: Kubernetes' 10 s · 2ⁿ, up to 6 minutes.
pub fn delay(first: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    first.saturating_mul(1 << doublings).min(LONGEST_BACKOFF)
}

impl Attempt {
    fn is_alive(&self) -> bool {
        matches!(self.phase, Phase::Going | Phase::Leaving)
    }
}

/// One of a run's tasks over all attempts at it.
#[derive(Debug, Clone, Default)]
struct TaskPlace<'a> {
    attempts: u32,
    failures: u32,
    last_failure: Option<&'a Failure>,
    state: PlaceState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum PlaceState {
    #[default]
    Open,
    Taken,
    Done,
}

fn places(run: &ObservedRun) -> Vec<TaskPlace<'_>> {
    let count = usize::try_from(run.spec.count).unwrap_or(usize::MAX);
    let mut places = vec![TaskPlace::default(); count];
    for attempt in &run.attempts {
        let index = usize::try_from(attempt.index).unwrap_or(usize::MAX);
        let Some(place) = places.get_mut(index) else {
            continue;
        };
        place.attempts = place.attempts.max(attempt.number);
        match &attempt.phase {
            Phase::Going | Phase::Leaving => place.state = PlaceState::Taken,
            Phase::Succeeded => place.state = PlaceState::Done,
            Phase::Failed(failure) => {
                place.failures += 1;
                place.last_failure = Some(failure);
            }
        }
    }
    places
}

/// How the run ends, once it is known, and what is said to the tasks that go on.
fn verdict(run: &ObservedRun, places: &[TaskPlace<'_>], now: Timestamp) -> Option<(Verdict, StopWhy)> {
    // There is nothing left that could be cancelled.
    if places.iter().all(|place| place.state == PlaceState::Done) {
        let verdict = Verdict {
            state: RunState::Succeeded,
            reason: None,
            exit_code: Some(0),
        };
        return Some((verdict, StopWhy::RunFailed));
    }
    // The first counts; what is stopped because of it fails after it.
    let all = [overdue(run, now), cancelled(run), failed(run, places)];
    let (_, verdict, why) = all.into_iter().flatten().min_by_key(|(since, ..)| *since)?;
    Some((verdict, why))
}

/// Since when it is known how a run ends, and how.
type Known = (Timestamp, Verdict, StopWhy);

fn failed(run: &ObservedRun, places: &[TaskPlace<'_>]) -> Option<Known> {
    let (failure, reason) = exhausted(&run.spec, places)?;
    let verdict = Verdict {
        state: RunState::Failed,
        reason: Some(reason),
        // One that was told to stop may have ended well, which the run has not.
        exit_code: failure.exit_code.filter(|code| *code != 0),
    };
    Some((failure.at, verdict, StopWhy::RunFailed))
}

fn overdue(run: &ObservedRun, now: Timestamp) -> Option<Known> {
    let since = deadline(run).filter(|deadline| now >= *deadline)?;
    let length = run.spec.deadline?;
    let verdict = Verdict {
        state: RunState::Failed,
        reason: Some(format!(
            "it had not ended after {}, its deadline",
            show_duration(length)
        )),
        exit_code: None,
    };
    Some((since, verdict, StopWhy::Deadline(length)))
}

fn cancelled(run: &ObservedRun) -> Option<Known> {
    let cancelled = run.cancelled.as_ref()?;
    let verdict = Verdict {
        state: RunState::Cancelled,
        reason: Some(cancelled.reason.clone()),
        exit_code: failed_code(run),
    };
    Some((cancelled.at, verdict, StopWhy::Cancelled(cancelled.clone())))
}

fn deadline(run: &ObservedRun) -> Option<Timestamp> {
    run.spec.deadline.map(|length| after(run.created_at, length))
}

/// The first of the tasks that failed as often as they may, and what is to be said of it. The others were stopped for
/// it, and came later.
fn exhausted<'a>(spec: &RunSpec, places: &[TaskPlace<'a>]) -> Option<(&'a Failure, String)> {
    let failed = places
        .iter()
        .enumerate()
        .filter(|(_, place)| place.state == PlaceState::Open && place.failures > spec.retries);
    let with_failure = failed.filter_map(|(index, place)| Some((index, place, place.last_failure?)));
    let (index, place, failure) = with_failure.min_by_key(|(_, _, failure)| failure.at)?;
    let reason = &failure.reason;
    let reason = match (spec.count, place.failures) {
        (1, 1) => reason.clone(),
        (1, failures) => format!("it failed {failures} times; the last: {reason}"),
        (_, 1) => format!("task {index} failed: {reason}"),
        (_, failures) => format!("task {index} failed {failures} times; the last: {reason}"),
    };
    Some((failure, reason))
}

/// The exit code of a run that was cancelled: the first that isn't 0. However well the others ended, the run has not.
fn failed_code(run: &ObservedRun) -> Option<i32> {
    let codes = run.attempts.iter().filter_map(|attempt| match &attempt.phase {
        Phase::Failed(failure) => failure.exit_code,
        Phase::Succeeded | Phase::Going | Phase::Leaving => None,
    });
    codes.into_iter().find(|code| *code != 0)
}

/// Starts tasks in the places that are open, those that are ready first, as many as may go at once.
fn start(run: &ObservedRun, places: &[TaskPlace<'_>], now: Timestamp) -> Vec<Action> {
    let alive = run.attempts.iter().filter(|attempt| attempt.is_alive()).count();
    let at_once = usize::try_from(run.spec.parallelism).unwrap_or(usize::MAX);
    let mut open: Vec<(Timestamp, u32, &TaskPlace<'_>)> = (0..run.spec.count)
        .zip(places)
        .filter(|(_, place)| place.state == PlaceState::Open)
        .map(|(index, place)| (ready_at(run, place), index, place))
        .collect();
    open.sort_by_key(|(ready, index, _)| (*ready, *index));
    let (ready, waiting): (Vec<_>, Vec<_>) = open.into_iter().partition(|(ready, ..)| *ready <= now);
    let mut actions: Vec<Action> = ready
        .into_iter()
        .take(at_once.saturating_sub(alive))
        .map(|(_, index, place)| Action::Start {
            run: run.number,
            index,
            attempt: place.attempts.saturating_add(1),
            last_reason: place.last_failure.map(|failure| failure.reason.clone()),
        })
        .collect();
    actions.extend(waiting.first().map(|(ready, ..)| Action::WakeAt(*ready)));
    actions
}

fn ready_at(run: &ObservedRun, place: &TaskPlace<'_>) -> Timestamp {
    match place.last_failure {
        None => Timestamp::MIN,
        Some(failure) => after(failure.at, delay(run.spec.backoff, place.failures)),
    }
}
