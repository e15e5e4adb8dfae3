//! What the checks of one target have come to: one verdict on its traffic, one on its replacement. No time, no I/O.

use super::{
    Health, HealthReason, HealthSpec,
    checks::Kind,
    tally::{Outcome, Tally},
};

/// Whether failures count already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grace {
    /// The target was registered only just now.
    Given,
    /// They do.
    Over,
}

/// What one kind of check makes of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) health: Health,
    /// Why the owner is asked to replace it, if it is.
    pub(crate) replace: Option<HealthReason>,
}

impl Verdict {
    /// Before the first check.
    pub(super) fn before(kind: Kind) -> Self {
        let health = if kind.takes_from_traffic() {
            Health::Initial
        } else {
            Health::Healthy
        };
        Self {
            health,
            replace: None,
        }
    }

    /// Nothing is wrong.
    fn fine() -> Self {
        Self {
            health: Health::Healthy,
            replace: None,
        }
    }
}

/// Counts the checks of one kind.
#[derive(Debug)]
pub(super) struct Judge {
    kind: Kind,
    traffic: Tally,
    /// Counted apart: what fails in the time of grace takes traffic, but asks for nothing.
    replacement: Tally,
}

impl Judge {
    /// Of a target that was this before.
    pub(super) fn new(kind: Kind, before: &Health) -> Self {
        let standing = match before {
            Health::Healthy => Health::Healthy,
            _ => Health::Initial,
        };
        Self {
            kind,
            traffic: Tally::new(standing.clone()),
            replacement: Tally::new(standing),
        }
    }

    /// Takes a check into account.
    pub(super) fn record(&mut self, outcome: Outcome, spec: &HealthSpec, grace: Grace) -> Verdict {
        let excused = grace == Grace::Given && outcome.is_err();
        let mut verdict = Verdict::before(self.kind);
        if self.kind.takes_from_traffic() {
            if !(excused && *self.traffic.state() == Health::Initial) {
                self.traffic.record(outcome.clone(), spec);
            }
            verdict.health = self.traffic.state().clone();
        }
        if self.kind.asks_for_replacement() {
            if !excused {
                self.replacement.record(outcome, spec);
            }
            verdict.replace = match self.replacement.state() {
                Health::Unhealthy { reason } => Some(reason.clone()),
                _ => None,
            };
        }
        verdict
    }
}

/// The latest verdict of each kind of check a target has.
#[derive(Debug, Default)]
pub(crate) struct Standing(Vec<(Kind, Verdict)>);

impl Standing {
    /// Of a target that is to be checked like this; who has traffic keeps it until a check says otherwise.
    pub(crate) fn awaiting(kinds: impl Iterator<Item = Kind>, now: &Health) -> Self {
        let verdict = |kind| match now {
            Health::Healthy => Verdict::fine(),
            _ => Verdict::before(kind),
        };
        Self(kinds.map(|kind| (kind, verdict(kind))).collect())
    }

    /// Takes over what a check has come to.
    pub(crate) fn note(&mut self, kind: Kind, verdict: Verdict) {
        for (_, known) in self.0.iter_mut().filter(|(known, _)| *known == kind) {
            known.clone_from(&verdict);
        }
    }

    /// What they say together: the worst of each.
    pub(crate) fn verdict(&self) -> Verdict {
        let badness = |health: &Health| match health {
            Health::Healthy => 0,
            Health::Initial => 1,
            Health::Unhealthy { .. } | Health::Draining => 2,
        };
        let mut worst = Verdict::fine();
        for (_, verdict) in &self.0 {
            if badness(&verdict.health) > badness(&worst.health) {
                worst.health.clone_from(&verdict.health);
            }
            if worst.replace.is_none() {
                worst.replace.clone_from(&verdict.replace);
            }
        }
        worst
    }
}

#[cfg(test)]
mod tests;
