//! What brings a service from one revision to another, stage by stage.
//!
//! | strategy | stages |
//! |---|---|
//! | rolling | SCALE_UP (new ones start and old ones stop, within bounds), BAKE_TIME if asked for |
//! | canary, linear | SCALE_UP beside the old ones, BAKE_TIME with each share but the last, CLEAN_UP |
//! | recreate | SCALE_DOWN, SCALE_UP, BAKE_TIME if asked for |
//!
//! The stage is in the store, all else is planned anew from what is seen.

use std::time::Duration;

use tokio::time::Instant;

use super::crew::{self, Crew, least_missed, maintain, number, start_missing, stop_unhealthy};
use super::{
    Action, Blocker, Desired, Observed, ObservedTask, Phase, Rollout, StopWhy, TakenUp, plan_steady, verdict,
};
use crate::manifest::{Bounds, Strategy};
use crate::model::{Pace, Stage};
use crate::names::Revision;

/// How often the answers of a bake are looked at.
const JUDGED_EVERY: Duration = Duration::from_secs(1);

/// A rollout and what is seen of it.
pub(super) struct Scene<'a> {
    pub(super) desired: &'a Desired,
    pub(super) rollout: &'a Rollout,
    pub(super) new: Crew<'a>,
    /// Those of the stable revision, unless that is where it goes.
    stable: Option<Crew<'a>>,
    observed: &'a Observed,
    now: Instant,
}

pub(super) fn plan(desired: &Desired, rollout: &Rollout, observed: &Observed, now: Instant) -> Vec<Action> {
    let Some(goal) = desired.goal else {
        return plan_steady(desired, observed, now);
    };
    let stable = desired.stable.filter(|stable| *stable != goal);
    let scene = Scene {
        desired,
        rollout,
        new: Crew::of(goal, observed),
        stable: stable.map(|stable| Crew::of(stable, observed)),
        observed,
        now,
    };
    if let Some(reason) = verdict::failure(&scene, now) {
        return vec![Action::Fail { reason }];
    }
    match (rollout.pace, rollout.stage) {
        (Pace::Paused, _) => {
            let mut actions = scene.hold();
            // Its figures go on.
            actions.push(Action::WakeAt(now + JUDGED_EVERY));
            actions
        }
        (Pace::Going, Stage::ScaleDown) => scene.scale_down(),
        (Pace::Going, Stage::ScaleUp) if scene.is_beside() => scene.scale_up_beside(),
        (Pace::Going, Stage::ScaleUp | Stage::CleanUp) => scene.replace(),
        (Pace::Going, Stage::Bake) => scene.bake(),
    }
}

impl Scene<'_> {
    /// Whether the new tasks come beside all of the old ones, to share requests with them by weight.
    fn is_beside(&self) -> bool {
        self.rollout.shifts() && self.stable.is_some() && self.desired.count > 0
    }

    /// Stops what isn't new, then goes on.
    fn scale_down(&self) -> Vec<Action> {
        if self.others().next().is_none() {
            return vec![Action::Advance {
                stage: Stage::ScaleUp,
                share: self.rollout.share,
            }];
        }
        let staying = self.others().filter(|task| task.phase != Phase::Leaving);
        let mut actions: Vec<Action> = staying.map(|task| crew::stop_for(task, self.why())).collect();
        actions.extend(self.deadline());
        actions
    }

    fn scale_up_beside(&self) -> Vec<Action> {
        let mut actions = self.maintain_both();
        actions.extend(self.deadline());
        if self.new.healthy() >= self.desired.count {
            actions.push(self.next_share());
        }
        actions
    }

    /// New ones start and old ones stop, within the bounds; then the old ones are gone.
    fn replace(&self) -> Vec<Action> {
        let count = self.desired.count;
        let missing = count.saturating_sub(self.new.hopeful());
        let starting = missing.min(self.room());
        let mut actions = least_missed(
            self.new.tasks(),
            self.new.hopeful().saturating_sub(count),
            StopWhy::ScaledIn,
        );
        let kept_out = missing - starting;
        // An unhealthy one gives its place to its successor where there is no other.
        let staying = count
            .saturating_sub(kept_out)
            .saturating_sub(self.new.healthy())
            .saturating_sub(self.new.blocked_on(Blocker::Capacity));
        actions.extend(stop_unhealthy(
            &self.new,
            self.new.unhealthy().saturating_sub(staying),
        ));
        actions.extend(start_missing(&self.new, starting, self.now));
        actions.extend(self.stop_remains());
        actions.extend(self.make_room(kept_out));
        actions.extend(self.keep_serving(kept_out, self.room() - starting));
        let alone = self.others().next().is_none();
        if self.new.healthy() >= count && alone {
            let bakes = self.rollout.stage == Stage::ScaleUp && !self.rollout.spec.bake.is_zero();
            // Nobody was there before to be judged against, and nowhere to go back to.
            let first = self.desired.stable.is_none();
            actions.push(match bakes && !first {
                true => Action::Advance {
                    stage: Stage::Bake,
                    share: 100,
                },
                false => Action::Complete,
            });
        }
        actions.extend(self.deadline());
        actions
    }

    /// Looks on while both, or the new ones alone, have requests.
    fn bake(&self) -> Vec<Action> {
        let mut actions = self.stay();
        if !self.rollout.bake_is_over(self.now) {
            let end = self.rollout.watched.reaches(self.rollout.spec.bake);
            let look = self.now + JUDGED_EVERY;
            actions.push(Action::WakeAt(end.map_or(look, |end| end.min(look))));
        } else if self.new.healthy() < self.desired.count {
            actions.push(Action::WakeAt(self.now + JUDGED_EVERY));
        } else if self.is_beside() {
            actions.push(self.next_share());
        } else {
            actions.push(Action::Complete);
        }
        actions
    }

    /// All stays as it is; what fails is replaced, and whatever serves the requests is there after a restart, too.
    fn hold(&self) -> Vec<Action> {
        let Some(stable) = &self.stable else {
            return maintain(&self.new, self.desired.count, self.bounds(), self.now);
        };
        let stable_count = self.desired.stable_count;
        match self.rollout.stage {
            Stage::Bake => self.stay(),
            Stage::ScaleDown => {
                let kept = match self.rollout.taken_up {
                    // Those that were told to stop have no successors.
                    TakenUp::No => stable.hopeful() + stable.vacant(),
                    TakenUp::Yes => stable_count,
                };
                maintain(stable, kept, self.bounds(), self.now)
            }
            Stage::CleanUp => maintain(&self.new, self.desired.count, self.bounds(), self.now),
            Stage::ScaleUp if self.rollout.spec.strategy == Strategy::Recreate => {
                maintain(&self.new, self.desired.count, self.bounds(), self.now)
            }
            Stage::ScaleUp => {
                let beside = if self.is_beside() { 0 } else { self.new.hopeful() };
                let fewest = stable_count.saturating_sub(beside).max(stable.hopeful());
                let kept = self.new.hopeful() + self.new.vacant();
                let mut actions = maintain(&self.new, kept, self.bounds(), self.now);
                actions.extend(maintain(stable, fewest, self.bounds(), self.now));
                actions
            }
        }
    }

    /// Keeps those that have requests.
    fn stay(&self) -> Vec<Action> {
        match self.is_beside() {
            true => self.maintain_both(),
            false => maintain(&self.new, self.desired.count, self.bounds(), self.now),
        }
    }

    fn maintain_both(&self) -> Vec<Action> {
        let mut actions = maintain(&self.new, self.desired.count, self.bounds(), self.now);
        if let Some(stable) = &self.stable {
            actions.extend(maintain(
                stable,
                self.desired.stable_count,
                self.bounds(),
                self.now,
            ));
        }
        actions.extend(self.stop_remains());
        actions
    }

    fn next_share(&self) -> Action {
        match self.rollout.spec.strategy.next_share(self.rollout.share) {
            Some(share) if share < 100 => Action::Advance {
                stage: Stage::Bake,
                share,
            },
            _ => Action::Advance {
                stage: Stage::CleanUp,
                share: 100,
            },
        }
    }

    /// Stops old tasks: all once the new ones are healthy; before, as many as the new ones lack room for, as long
    /// as enough stay healthy.
    fn make_room(&self, kept_out: u32) -> Vec<Action> {
        let Some(stable) = &self.stable else {
            return Vec::new();
        };
        if self.new.healthy() >= self.desired.count {
            let staying = stable.tasks().filter(|task| task.phase != Phase::Leaving);
            return staying.map(|task| crew::stop(task, self.why())).collect();
        }
        let surplus = stable.hopeful().saturating_sub(self.desired.stable_count);
        // What leaves already makes room on the host.
        let leaving = self.number_of(|phase| *phase == Phase::Leaving);
        let blocked = self.new.blocked_on(Blocker::Capacity).saturating_sub(leaving);
        let beyond = self.all().saturating_sub(self.upper());
        let wanted = surplus.max(kept_out + blocked + beyond);
        let mut actions = stop_unhealthy(stable, wanted.max(self.made_up_for(stable)));
        let wanted = wanted.saturating_sub(number(actions.iter()));
        let not_healthy = stable.hopeful() - stable.healthy();
        let remains = self.remains().filter(|task| task.phase == Phase::Healthy);
        let spare = self.spare().saturating_sub(number(remains));
        actions.extend(least_missed(
            stable.tasks(),
            wanted.min(not_healthy + spare),
            self.why(),
        ));
        actions
    }

    /// Unhealthy old tasks that healthy ones, of either revision, have replaced.
    fn made_up_for(&self, stable: &Crew<'_>) -> u32 {
        let unhealthy = stable.unhealthy();
        let healthy = stable.healthy() + self.new.healthy();
        unhealthy.saturating_sub(self.desired.stable_count.saturating_sub(healthy))
    }

    /// Replaces old tasks that were lost, unless the new ones lack room.
    fn keep_serving(&self, kept_out: u32, room: u32) -> Vec<Action> {
        let Some(stable) = &self.stable else {
            return Vec::new();
        };
        let lacks_room = kept_out > 0 || self.new.blocked_on(Blocker::Capacity) > 0;
        let never_both = self.rollout.spec.strategy == Strategy::Recreate;
        if lacks_room || never_both || self.new.healthy() >= self.desired.count {
            return Vec::new();
        }
        let serving = stable.hopeful() + self.healthy() - stable.healthy();
        start_missing(stable, self.lower().saturating_sub(serving).min(room), self.now)
    }

    /// Stops what is of neither revision, left by a deployment that was superseded or failed: what isn't healthy at
    /// once, the rest when it isn't needed any more.
    fn stop_remains(&self) -> Vec<Action> {
        crew::stop_replaced(self.remains(), self.spare(), self.why())
    }

    /// What is of neither revision, and doesn't leave yet.
    fn remains(&self) -> impl Iterator<Item = &ObservedTask> {
        let kept = self.stable.as_ref().map(|stable| stable.revision);
        self.others()
            .filter(move |task| Some(task.revision) != kept && task.phase != Phase::Leaving)
    }

    /// Healthy tasks that may stop.
    fn spare(&self) -> u32 {
        self.healthy().saturating_sub(self.lower())
    }

    /// Tasks that may be started yet.
    pub(super) fn room(&self) -> u32 {
        self.upper().saturating_sub(self.all())
    }

    /// Tasks that there may be.
    fn upper(&self) -> u32 {
        self.bounds()
            .upper(self.desired.count.max(self.desired.stable_count))
    }

    /// Tasks that there are, but for those that leave or are told to (ECS: RUNNING and PENDING ones).
    fn all(&self) -> u32 {
        self.number_of(|phase| !matches!(phase, Phase::Retiring { .. } | Phase::Leaving))
    }

    fn number_of(&self, counts: impl Fn(&Phase) -> bool) -> u32 {
        let tasks = self.observed.tasks.iter();
        number(tasks.filter(|task| counts(&task.phase)))
    }

    /// Healthy tasks that have to stay.
    fn lower(&self) -> u32 {
        self.bounds()
            .lower(self.desired.count.min(self.desired.stable_count))
    }

    fn bounds(&self) -> Bounds {
        self.rollout.spec.strategy.bounds()
    }

    /// Healthy tasks, of whatever revision.
    fn healthy(&self) -> u32 {
        self.number_of(|phase| *phase == Phase::Healthy)
    }

    /// Why old tasks didn't make room for new ones, to add to what is missing.
    pub(super) fn why_none_made_room(&self) -> String {
        let old = self.stable.as_ref().map_or(0, Crew::healthy);
        match (old, self.rollout.spec.strategy) {
            (0, _) | (_, Strategy::Recreate) => String::new(),
            (old, Strategy::Rolling(bounds)) => format!(
                "; minimum_healthy = {} keeps {old} old ones meanwhile",
                bounds.minimum_healthy
            ),
            (old, strategy) => format!("; strategy {} keeps {old} old ones meanwhile", strategy.as_str()),
        }
    }

    /// Tasks that are not of the new revision.
    pub(super) fn others(&self) -> impl Iterator<Item = &ObservedTask> {
        let goal: Revision = self.new.revision;
        self.observed
            .tasks
            .iter()
            .filter(move |task| task.revision != goal)
    }

    fn why(&self) -> StopWhy {
        match self.desired.stable == self.desired.goal {
            true => StopWhy::DeploymentFailed,
            false => StopWhy::Replaced,
        }
    }

    fn deadline(&self) -> Option<Action> {
        let end = self.rollout.clock.reaches(self.rollout.deadline());
        end.filter(|end| *end > self.now).map(Action::WakeAt)
    }
}
