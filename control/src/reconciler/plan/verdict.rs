//! When a deployment is given up, in one sentence.

use std::time::Duration;

use tokio::time::Instant;

use super::crew::number;
use super::rollout::Scene;
use super::{Stage, failed_tasks_allowed};
use crate::manifest::Strategy;
use crate::model::{Compared, Pace};

/// Why a deployment is to be given up, if it is.
pub(super) fn failure(scene: &Scene<'_>, now: Instant) -> Option<String> {
    let failed = too_many_failed(scene);
    // Neither a deadline nor a bake runs.
    if scene.rollout.pace == Pace::Paused {
        return failed;
    }
    failed
        .or_else(|| stuck(scene))
        .or_else(|| overdue(scene, now))
        .or_else(|| too_many_errors(scene))
}

fn too_many_failed(scene: &Scene<'_>) -> Option<String> {
    let rollout = scene.rollout;
    let allowed = rollout
        .spec
        .failed_tasks
        .unwrap_or_else(|| failed_tasks_allowed(scene.desired.count));
    (rollout.failed_tasks >= allowed).then(|| {
        format!(
            "tasks failed to start or to become healthy, {} of them; the last: {}",
            rollout.failed_tasks, rollout.last_failure
        )
    })
}

/// ECS: "was unable to stop or start tasks during a deployment because of the service deployment configuration".
fn stuck(scene: &Scene<'_>) -> Option<String> {
    let Strategy::Rolling(bounds) = scene.rollout.spec.strategy else {
        return None;
    };
    let deadlock = bounds.deadlock(scene.desired.count)?;
    let waits = scene.new.hopeful() < scene.desired.count && scene.room() == 0;
    (waits && scene.desired.count == scene.desired.stable_count)
        .then(|| format!("no task can be replaced because of the deployment's configuration: {deadlock}"))
}

fn overdue(scene: &Scene<'_>, now: Instant) -> Option<String> {
    let (desired, rollout) = (scene.desired, scene.rollout);
    if !rollout.is_overdue(now) || scene.new.healthy() >= desired.count {
        return None;
    }
    let within = in_words(rollout.spec.deadline);
    if rollout.stage == Stage::ScaleDown {
        return Some(format!(
            "{} old tasks had not ended after {within}, and no new one starts before: `deadline` has to be longer than \
             their `stop_timeout`",
            number(scene.others())
        ));
    }
    let healthy = format!(
        "{} of {} tasks became healthy in {within}",
        scene.new.healthy(),
        desired.count
    );
    Some(match (scene.new.blocked(), scene.new.ill()) {
        (Some(reason), _) => format!("{healthy}; {reason}{}", scene.why_none_made_room()),
        (None, Some(ill)) => format!("{healthy}; {ill}"),
        (None, None) if rollout.last_failure.is_empty() => healthy,
        (None, None) => format!("{healthy}; the last failure: {}", rollout.last_failure),
    })
}

/// The new revision's answers against the old one's.
fn too_many_errors(scene: &Scene<'_>) -> Option<String> {
    let rollout = scene.rollout;
    let tolerance = rollout.spec.tolerance;
    let Compared { new, old } = rollout.seen;
    let judged = rollout.stage == Stage::Bake && new.requests >= u64::from(tolerance.min_requests);
    let more = new.error_percent() - old.error_percent();
    (judged && more > f64::from(tolerance.max_errors)).then(|| {
        format!(
            "{:.1} % of {} requests to the new revision were answered 5xx, {:.1} % of {} to the old one: more than {} \
             percent points more",
            new.error_percent(),
            new.requests,
            old.error_percent(),
            old.requests,
            tolerance.max_errors
        )
    })
}

/// `5 minutes`, `90 seconds`.
fn in_words(duration: Duration) -> String {
    match duration.as_secs() {
        60 => "1 minute".to_owned(),
        seconds if seconds > 60 && seconds.is_multiple_of(60) => format!("{} minutes", seconds / 60),
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}
