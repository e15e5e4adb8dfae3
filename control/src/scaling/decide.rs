//! Target tracking: from what was measured to how many tasks there shall be. Nothing here waits, reads a clock or
//! touches the world.
//!
//! As Application Auto Scaling does it. What the load needs is `running × value ÷ target` tasks; it begins with the tasks
//! that run, not with those that are wanted, so that what is still on its way isn't asked for twice. Tasks are added as
//! soon as one target needs them, as many as the neediest wants at once; they are taken away when none needs them, half
//! of them at most at a time. Nothing is done where there is no data.
//!
//! Two things keep it from flapping. Within [`TOLERANCE`] of its target a value is where it is to be (Kubernetes does the
//! same). And a value counts when it was there long enough: above for [`OUT_FOR`], of which the lowest counts; below for
//! [`IN_FOR`], of which the highest counts. Each sample is of a second itself, so that is two seconds, and fifteen.
//!
//! A load that has just come is seen in part first. While what is needed still rises or falls it is waited for, for
//! [`RISES_FOR`] at most: so the tasks for a step come in one step, and one second's noise adds none.

use std::time::Duration;

use tokio::time::Instant;

use super::sample::Sample;
use super::{ScalingSpec, Signal, Target};

/// How far from its target a value may be, as a share of it (Kubernetes: 0.1).
pub const TOLERANCE: f64 = 0.1;

/// For how long looks have to see too much before tasks are added.
pub const OUT_FOR: Duration = Duration::from_secs(1);

/// How far apart what is needed may be while it counts as one load, as a share of it.
pub const ONE_LOAD: f64 = 0.2;

/// For how long too much is seen at most before tasks are added, although it isn't one load.
pub const RISES_FOR: Duration = Duration::from_secs(2);

/// For how long looks have to see too little before tasks are taken away (ECS: 15 of 15).
pub const IN_FOR: Duration = Duration::from_secs(14);

/// What a sum of fractions may be off by without needing one more task.
const ROUNDING: f64 = 1e-9;

/// What is known of a service when it is decided.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'s> {
    /// How many tasks there shall be now.
    pub desired: u32,
    /// What was seen, the latest last.
    pub samples: &'s [Sample],
    /// When tasks were last added.
    pub last_out: Option<Instant>,
    /// When tasks were last taken away.
    pub last_in: Option<Instant>,
    /// Whether a deployment is in progress.
    pub deploying: Deploying,
}

/// Whether a deployment is in progress: then nothing is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deploying {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// There shall be this many tasks, because of this.
    Change {
        /// How many.
        to: u32,
        /// What they are needed for, or the last that would let go of them.
        because: Because,
    },
    /// It stays as it is.
    Stay(Stay),
}

/// A signal that says so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Because {
    /// Which.
    pub signal: Signal,
    /// Its average over the tasks.
    pub value: f64,
    /// Where it is to be.
    pub target: u32,
}

/// Why nothing is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// There isn't enough data.
    NoData,
    /// Every value is where it is to be, or was not away from it for long enough.
    OnTarget,
    /// The tasks that are needed are on their way.
    Underway,
    /// More are needed than there may be (`AlreadyAtMaxCapacity`).
    AtMost,
    /// Fewer would do, and there may not be (`AlreadyAtMinCapacity`).
    AtLeast,
    /// Fewer would do, once a cooldown is over.
    Cooldown,
    /// Fewer would do, once the deployment is over.
    Deploying,
}

/// How many tasks the service shall have.
pub fn decide(spec: &ScalingSpec, situation: &Situation<'_>, now: Instant) -> Decision {
    match out(spec, situation) {
        Some(wanted) => add(spec, situation, wanted),
        None => take_away(spec, situation, now),
    }
}

/// Tasks that are needed, and for what.
struct Wanted {
    tasks: u32,
    because: Because,
}

/// What the neediest target wants, if one wants more than runs.
fn out(spec: &ScalingSpec, situation: &Situation<'_>) -> Option<Wanted> {
    let latest = latest(situation.samples, OUT_FOR)?;
    let wants = spec.targets.iter().filter_map(|target| {
        let lowest = lowest_above(latest, *target)?;
        let highest = values(latest, *target)?.into_iter().reduce(higher)?;
        let is_one_load = highest.need <= lowest.need * (1.0 + ONE_LOAD);
        let lasts = || lowest_above(self::latest(situation.samples, RISES_FOR)?, *target);
        (is_one_load || lasts().is_some()).then(|| lowest.wanted(*target))
    });
    wants.max_by_key(|wanted| wanted.tasks)
}

/// What all these samples reached, if that is too much.
fn lowest_above(samples: &[Sample], target: Target) -> Option<Measured> {
    let lowest = values(samples, target)?.into_iter().reduce(lower)?;
    (lowest.ratio > 1.0 + TOLERANCE).then_some(lowest)
}

fn add(spec: &ScalingSpec, situation: &Situation<'_>, wanted: Wanted) -> Decision {
    let to = wanted.tasks.min(spec.max);
    if to > situation.desired {
        let because = wanted.because;
        return Decision::Change { to, because };
    }
    Decision::Stay(match wanted.tasks > situation.desired {
        true => Stay::AtMost,
        false => Stay::Underway,
    })
}

/// Fewer tasks, if every target does with fewer.
fn take_away(spec: &ScalingSpec, situation: &Situation<'_>, now: Instant) -> Decision {
    let Some(latest) = latest(situation.samples, IN_FOR) else {
        return Decision::Stay(Stay::NoData);
    };
    let mut neediest: Option<Wanted> = None;
    for target in &spec.targets {
        let Some(highest) = values(latest, *target).and_then(|values| values.into_iter().reduce(higher))
        else {
            return Decision::Stay(Stay::NoData);
        };
        if highest.ratio >= 1.0 - TOLERANCE {
            return Decision::Stay(Stay::OnTarget);
        }
        let wanted = highest.wanted(*target);
        if neediest.as_ref().is_none_or(|other| wanted.tasks > other.tasks) {
            neediest = Some(wanted);
        }
    }
    let Some(wanted) = neediest else {
        return Decision::Stay(Stay::NoData);
    };
    let desired = situation.desired;
    // Gradually: half of them at most.
    let to = spec.clamp(wanted.tasks).max(desired.div_ceil(2));
    if to >= desired {
        return Decision::Stay(match wanted.tasks < desired {
            true => Stay::AtLeast,
            false => Stay::OnTarget,
        });
    }
    if situation.deploying == Deploying::Yes {
        return Decision::Stay(Stay::Deploying);
    }
    let within =
        |since: Option<Instant>, cooldown: Duration| since.is_some_and(|since| now < since + cooldown);
    if within(situation.last_in, spec.cooldown_in) || within(situation.last_out, spec.cooldown_out) {
        return Decision::Stay(Stay::Cooldown);
    }
    let because = wanted.because;
    Decision::Change { to, because }
}

/// The latest samples: of so long, if there are.
fn latest(samples: &[Sample], length: Duration) -> Option<&[Sample]> {
    let now = samples.last()?.at;
    let from = samples
        .iter()
        .rposition(|sample| now.saturating_duration_since(sample.at) >= length)?;
    samples.get(from..)
}

/// A target's value in one sample.
#[derive(Clone, Copy)]
struct Measured {
    value: f64,
    /// Of the target.
    ratio: f64,
    /// Tasks that would bring it to its target.
    need: f64,
}

/// A target's values, if every sample has one.
fn values(samples: &[Sample], target: Target) -> Option<Vec<Measured>> {
    let measured = samples.iter().map(|sample| {
        let value = sample.value(target.signal)?;
        let ratio = value / f64::from(target.value);
        let need = f64::from(sample.running) * ratio;
        (sample.running > 0).then_some(Measured { value, ratio, need })
    });
    measured.collect()
}

/// What both reached: of ratio and need the lower each.
fn lower(one: Measured, other: Measured) -> Measured {
    Measured {
        value: one.value.min(other.value),
        ratio: one.ratio.min(other.ratio),
        need: one.need.min(other.need),
    }
}

fn higher(one: Measured, other: Measured) -> Measured {
    Measured {
        value: one.value.max(other.value),
        ratio: one.ratio.max(other.ratio),
        need: one.need.max(other.need),
    }
}

impl Measured {
    fn wanted(&self, target: Target) -> Wanted {
        Wanted {
            tasks: (self.need - ROUNDING).ceil().max(0.0) as u32,
            because: Because {
                signal: target.signal,
                value: self.value,
                target: target.value,
            },
        }
    }
}

#[cfg(test)]
mod tests;
