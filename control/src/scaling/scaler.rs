//! One service's scaling as it goes on: what was seen of it, what was decided, whether it sleeps.
//!
//! Nothing of this is stored but the count it comes to. That a service sleeps is no state of the store: after a restart
//! every service that may sleep does, and the first request finds out.

use std::collections::VecDeque;

use jiff::Timestamp;
use tokio::time::Instant;

use super::decide::{self, Because, Decision, Deploying, IN_FOR, Situation};
use super::sample::{Reading, Sample, WINDOW};
use super::{Decided, Idle, ScalingSpec, ShownScaling, Signal, Value};
use crate::manifest::show_duration;
use crate::model::Service;

/// One service's scaling.
#[derive(Debug)]
pub(crate) struct Scaler {
    spec: ScalingSpec,
    sleep: Sleep,
    /// When it last had a request.
    busy: Instant,
    last_out: Option<Instant>,
    last_in: Option<Instant>,
    /// Those of the last second, and the one before.
    readings: VecDeque<Reading>,
    /// Those that a decision may depend on.
    samples: VecDeque<Sample>,
    last: Option<Decided>,
}

/// Whether a service sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sleep {
    Asleep,
    Awake,
}

/// What the record says of a service, as far as scaling goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// How many tasks it is to have.
    pub(crate) count: u32,
    /// Whether a deployment is in progress: it is awake for that.
    pub(crate) deploying: Deploying,
}

impl Wanted {
    /// What a service's record says.
    pub(crate) fn of(service: &Service) -> Self {
        Self {
            count: service.count,
            deploying: match service.rollout {
                Some(_) => Deploying::Yes,
                None => Deploying::No,
            },
        }
    }
}

/// What a look at a service came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// It stays as it is.
    Same,
    /// It shall have this many tasks.
    Count(u32),
    /// It sleeps from now on.
    Slept,
}

impl Scaler {
    /// Of a service that is seen for the first time by this process: it sleeps, if it may.
    pub(crate) fn new(spec: ScalingSpec, wanted: Wanted, now: Instant) -> Self {
        let mut scaler = Self::begin(spec, now);
        if scaler.may_sleep(wanted) {
            scaler.sleep = Sleep::Asleep;
        }
        scaler
    }

    /// Of a service that scales from now on.
    pub(crate) fn begin(spec: ScalingSpec, now: Instant) -> Self {
        Self {
            spec,
            sleep: Sleep::Awake,
            busy: now,
            last_out: None,
            last_in: None,
            readings: VecDeque::new(),
            samples: VecDeque::new(),
            last: None,
        }
    }

    /// The record was read again. `spec` may be another revision's, and the count another's choice.
    pub(crate) fn read_again(&mut self, spec: ScalingSpec, before: u32, wanted: Wanted, now: Instant) {
        if self.spec != spec {
            // What was seen was seen with other targets in mind.
            self.spec = spec;
            self.samples.clear();
        }
        if wanted.count != before {
            self.set_by_hand(wanted, now);
        }
        if wanted.deploying == Deploying::Yes || !self.spec.may_sleep() {
            self.awake(now);
        }
    }

    /// A person chose the count: it is where scaling goes on from.
    pub(crate) fn set_by_hand(&mut self, wanted: Wanted, now: Instant) {
        (self.last_out, self.last_in) = (None, None);
        match self.spec.chosen(wanted) {
            0 => self.fall_asleep(),
            _ => self.awake(now),
        }
    }

    fn may_sleep(&self, wanted: Wanted) -> bool {
        self.spec.may_sleep() && wanted.deploying == Deploying::No
    }

    /// Whether it sleeps.
    pub(crate) fn is_asleep(&self) -> bool {
        self.sleep == Sleep::Asleep
    }

    /// How many tasks it shall have now.
    pub(crate) fn desired(&self, count: u32) -> u32 {
        match self.sleep {
            Sleep::Asleep => 0,
            Sleep::Awake => self.spec.clamp(count),
        }
    }

    /// A request waits for it. Tells whether it slept.
    pub(crate) fn wake(&mut self, count: u32, now: Instant) -> bool {
        let slept = self.is_asleep();
        if slept {
            self.awake(now);
            let to = self.desired(count);
            self.decided(0, to, "a request came".to_owned());
        }
        slept
    }

    fn awake(&mut self, now: Instant) {
        if self.is_asleep() {
            self.sleep = Sleep::Awake;
            self.busy = now;
        }
    }

    fn fall_asleep(&mut self) {
        self.sleep = Sleep::Asleep;
        self.samples.clear();
        self.readings.clear();
        (self.last_out, self.last_in) = (None, None);
    }

    /// Takes what was read, and says what follows.
    pub(crate) fn look(&mut self, reading: Reading, wanted: Wanted) -> Look {
        let now = reading.at;
        if let Some(idle) = self.spec.idle
            && self.is_idle(&reading, idle)
            && self.may_sleep(wanted)
        {
            let from = self.desired(wanted.count);
            self.fall_asleep();
            let cause = format!("no requests for {}", show_duration(idle.after));
            self.decided(from, 0, cause);
            return Look::Slept;
        }
        self.remember(reading);
        let situation = Situation {
            desired: self.desired(wanted.count),
            samples: self.samples.make_contiguous(),
            last_out: self.last_out,
            last_in: self.last_in,
            deploying: wanted.deploying,
        };
        let from = situation.desired;
        match decide::decide(&self.spec, &situation, now) {
            Decision::Stay(_) => Look::Same,
            Decision::Change { to, because } => {
                // One cancels the other's cooldown.
                (self.last_out, self.last_in) = match to > from {
                    true => (Some(now), None),
                    false => (None, Some(now)),
                };
                self.decided(from, to, cause(because));
                Look::Count(to)
            }
        }
    }

    /// Whether it had no request for as long as it may have none. A request under way or waiting is one, and so is one
    /// that came and went since it was last looked.
    fn is_idle(&mut self, reading: &Reading, idle: Idle) -> bool {
        let demand = &reading.demand;
        let before = self.readings.back().map(|before| before.demand.requests);
        let quiet = demand.in_flight == 0
            && demand.held == 0
            && before.is_none_or(|before| before == demand.requests);
        if !quiet {
            self.busy = reading.at;
        }
        reading.at.saturating_duration_since(self.busy) >= idle.after
    }

    fn remember(&mut self, reading: Reading) {
        let now = reading.at;
        self.readings.push_back(reading);
        keep_since(&mut self.readings, now - WINDOW, |reading| reading.at);
        if !self.spec.targets.is_empty() {
            self.samples.extend(Sample::over(self.readings.make_contiguous()));
            keep_since(&mut self.samples, now - IN_FOR, |sample| sample.at);
        }
    }

    fn decided(&mut self, from: u32, to: u32, cause: String) {
        let at = Timestamp::now();
        self.last = Some(Decided { at, from, to, cause });
    }

    /// What was decided last.
    pub(crate) fn last(&self) -> Option<&Decided> {
        self.last.as_ref()
    }

    /// What people see of it.
    pub(crate) fn shown(&self, count: u32) -> ShownScaling {
        let latest = self.samples.back();
        let values = self.spec.targets.iter().map(|target| Value {
            signal: target.signal,
            target: target.value,
            current: latest.and_then(|sample| sample.value(target.signal)),
        });
        ShownScaling {
            min: self.spec.min,
            max: self.spec.max,
            desired: self.desired(count),
            values: values.collect(),
            last: self.last.clone(),
        }
    }
}

/// Drops what is from before `since`, but for the last of that: what is left reaches back as far.
fn keep_since<T>(items: &mut VecDeque<T>, since: Instant, at: impl Fn(&T) -> Instant) {
    while items.get(1).is_some_and(|second| at(second) <= since) {
        items.pop_front();
    }
}

/// In words: `requests were 42.0 per task and second, the target is 10`.
fn cause(
    Because {
        signal,
        value,
        target,
    }: Because,
) -> String {
    match signal {
        Signal::Cpu | Signal::Memory => {
            format!("{signal} was {value:.0} % of what is reserved, the target is {target} %")
        }
        Signal::Requests => {
            format!("each task had {value:.1} requests a second, the target is {target}")
        }
        Signal::Concurrency => {
            format!("each task had {value:.1} requests under way, the target is {target}")
        }
        Signal::Queue => format!("{value:.1} requests waited in each task, the target is {target}"),
    }
}

#[cfg(test)]
mod tests;
