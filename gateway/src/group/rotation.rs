//! Who takes requests, and whose turn it is. Immutable: a change of health, membership or spec makes a new one.
//!
//! All lots are drawn from one count of requests (mixed, so that they look random): choosing costs one atomic
//! addition, whatever the algorithm, and tests can say what comes out.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Member,
    spec::{Algorithm, GroupSpec},
};
use crate::{names::TargetId, target::Load};

/// The least CPU credit told apart, or a paused target would weigh infinitely against one with a long queue.
const LEAST_CREDIT: f32 = 0.05;

/// Those who take requests, and how to choose among them.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    pub(super) spec: GroupSpec,
    takers: Vec<Taker>,
    by_id: HashMap<TargetId, usize>,
    /// The sum of the weights.
    weight: u64,
    /// When the last target in slow start gets its full share.
    ramps_until: Option<Instant>,
}

/// One target that takes requests.
#[derive(Clone, Debug)]
pub(super) struct Taker {
    pub(super) member: Arc<Member>,
    /// Since when it has been in slow start.
    pub(super) ramp: Option<Instant>,
}

/// What a choice has to mind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw<'d> {
    /// The number of this choice.
    pub(super) turn: usize,
    /// Targets not to choose.
    pub(super) tried: &'d [TargetId],
}

impl Rotation {
    pub(super) fn new(spec: GroupSpec, takers: Vec<Taker>) -> Self {
        let slow_start = spec.slow_start.map(super::spec::SlowStart::get);
        let ramps_until = takers
            .iter()
            .filter_map(|taker| Some(taker.ramp? + slow_start?))
            .max();
        Self {
            weight: takers.iter().map(Taker::weight).sum(),
            by_id: takers
                .iter()
                .enumerate()
                .map(|(at, taker)| (taker.member.id().clone(), at))
                .collect(),
            spec,
            takers,
            ramps_until,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.takers.len()
    }

    /// Whether there is a target to choose.
    pub(super) fn has_left(&self, draw: Draw<'_>) -> bool {
        self.takers.iter().any(|taker| taker.is_left(draw))
    }

    pub(super) fn get(&self, id: &str) -> Option<&Arc<Member>> {
        let at = *self.by_id.get(id)?;
        self.takers.get(at).map(|taker| &taker.member)
    }

    /// The target whose turn it is; none when none is left.
    pub(super) fn pick(&self, draw: Draw<'_>) -> Option<&Arc<Member>> {
        let picked = match self.spec.algorithm {
            Algorithm::RoundRobin => self.in_turn(draw),
            Algorithm::LeastOutstanding => self.least_outstanding(draw),
            Algorithm::WeightedRandom => self.by_lot(draw, Taker::weight, None),
            Algorithm::PowerOfTwo => self.better_of_two(draw),
        };
        picked.map(|taker| &taker.member)
    }

    fn in_turn(&self, draw: Draw<'_>) -> Option<&Taker> {
        if draw.tried.is_empty() && !self.is_ramping() {
            return self.takers.get(draw.turn.checked_rem(self.len())?);
        }
        let next = self.from(draw.turn).next()?;
        if next.is_left(draw) && self.takes_its_turn(next, draw) {
            return Some(next);
        }
        // Drawn by lot, or the next in line would always get what falls to this one as well.
        self.by_lot(draw, |_| 1, Some(next))
            .or_else(|| next.is_left(draw).then_some(next))
    }

    /// All takers, beginning with the one whose turn it is.
    fn from(&self, turn: usize) -> impl Iterator<Item = &Taker> {
        let (before, after) = self
            .takers
            .split_at(turn.checked_rem(self.len()).unwrap_or_default());
        after.iter().chain(before)
    }

    /// Whether a target in slow start takes the turn that fell to it.
    fn takes_its_turn(&self, taker: &Taker, draw: Draw<'_>) -> bool {
        let share = self.share(taker);
        share >= 1.0 || lot(draw.turn, 2) < share
    }

    /// ALB: no slow start with this one.
    fn least_outstanding(&self, draw: Draw<'_>) -> Option<&Taker> {
        // Among equals the one whose turn it is.
        self.from(draw.turn)
            .filter(|taker| taker.is_left(draw))
            .min_by_key(|taker| taker.member.in_flight())
    }

    fn better_of_two(&self, draw: Draw<'_>) -> Option<&Taker> {
        let alike = |_: &Taker| 1;
        if !draw.tried.is_empty() || self.is_ramping() {
            let one = self.by_lot(draw, alike, None)?;
            let other = self.by_lot(draw, alike, Some(one)).unwrap_or(one);
            return Some(better(one, other));
        }
        let count = self.len();
        let first = fraction_of(lot(draw.turn, 0), count);
        // Drawn from all but the first.
        let second =
            (first + 1 + fraction_of(lot(draw.turn, 1), count.saturating_sub(1))).checked_rem(count)?;
        Some(better(self.takers.get(first)?, self.takers.get(second)?))
    }

    /// One drawn in proportion to its weight, or to what of it slow start leaves.
    fn by_lot(&self, draw: Draw<'_>, weight: fn(&Taker) -> u64, except: Option<&Taker>) -> Option<&Taker> {
        let is_candidate = |taker: &&Taker| {
            taker.is_left(draw) && except.is_none_or(|other| !Arc::ptr_eq(&other.member, &taker.member))
        };
        let share = |taker: &Taker| weight(taker) as f64 * self.share(taker);
        let candidates = || self.takers.iter().filter(is_candidate);
        let everything = if draw.tried.is_empty() && except.is_none() && !self.is_ramping() {
            self.weight as f64
        } else {
            candidates().map(share).sum()
        };
        let mut left = lot(draw.turn, u64::from(except.is_some())) * everything;
        let drawn = candidates().find(|taker| {
            let share = share(taker);
            left -= share;
            share > 0.0 && left < 0.0
        });
        // Sums of fractions may miss the end by a hair, and shares that have only begun are all nought.
        drawn.or_else(|| candidates().rfind(|taker| weight(taker) > 0))
    }

    fn is_ramping(&self) -> bool {
        self.ramps_until.is_some_and(|until| Instant::now() < until)
    }

    /// What a target gets of a full share. ALB: grows linearly.
    fn share(&self, taker: &Taker) -> f64 {
        let (Some(slow_start), Some(since)) = (self.spec.slow_start, taker.ramp) else {
            return 1.0;
        };
        let passed = since.elapsed().as_secs_f64() / slow_start.get().as_secs_f64();
        passed.min(1.0)
    }
}

impl Taker {
    fn weight(&self) -> u64 {
        self.member.weight().get().into()
    }

    fn is_left(&self, draw: Draw<'_>) -> bool {
        !draw.tried.contains(self.member.id())
    }
}

fn better<'t>(one: &'t Taker, other: &'t Taker) -> &'t Taker {
    if burden(&other.member) < burden(&one.member) {
        other
    } else {
        one
    }
}

/// How long a request would have to wait, in no unit: those before it, more the less CPU credit there is.
fn burden(member: &Member) -> f32 {
    let Load {
        in_flight,
        queued,
        cpu_credit,
    } = member.target().load();
    // The target may not know yet of those that are on their way.
    let before = in_flight.saturating_add(queued).max(member.in_flight());
    (before as f32 + 1.0) / cpu_credit.clamp(LEAST_CREDIT, 1.0)
}

/// A number from 0 up to but without 1, the same for the same turn; `salt` tells the lots of one turn apart.
pub(super) fn lot(turn: usize, salt: u64) -> f64 {
    // SplitMix64: an addition, three multiplications, and any two turns seem unrelated.
    let mut mixed = (turn as u64 ^ salt << 61)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

/// An index drawn from `count`.
fn fraction_of(lot: f64, count: usize) -> usize {
    (lot * count as f64) as usize
}

/// When a target that has just become healthy begins its slow start: ALB says, only while one that is not in slow
/// start is healthy, and not with least outstanding requests.
pub(super) fn ramp(spec: &GroupSpec, others: impl Iterator<Item = Option<Instant>>) -> Option<Instant> {
    let slow_start: Duration = spec.slow_start?.get();
    let now = Instant::now();
    let is_full = |ramp: Option<Instant>| ramp.is_none_or(|since| now >= since + slow_start);
    let applies = spec.algorithm != Algorithm::LeastOutstanding;
    (applies && others.into_iter().any(is_full)).then_some(now)
}

#[cfg(test)]
mod tests;
