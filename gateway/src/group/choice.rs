//! A request's choice of a target, and whether it may choose again.

use std::sync::{Arc, atomic::Ordering};

use super::{Lease, StickyFor, TargetGroup, rotation::Draw};
use crate::names::TargetId;

/// What a request wants of the choice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChoiceHints<'h> {
    /// The target its client is bound to: it gets the request as long as it takes any.
    pub(crate) bound_to: Option<&'h str>,
    /// Those that failed it already.
    pub(crate) tried: &'h [TargetId],
}

/// What is in force for a request that comes now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// How long its clients stay with their targets.
    pub(crate) stickiness: Option<StickyFor>,
    /// Attempts after the first that a request may have.
    pub(crate) retries: u8,
    /// How many targets take requests.
    pub(crate) takers: usize,
}

impl TargetGroup {
    /// The target whose turn it is, held for one attempt. None when there is none that may have it.
    pub(crate) fn choose(self: &Arc<Self>, hints: ChoiceHints<'_>) -> Option<Lease> {
        let lease = self.look(hints)?;
        self.count_attempt();
        Some(lease)
    }

    /// The same for an attempt that was counted when it came, or is counted once it is made.
    pub(crate) fn look(self: &Arc<Self>, hints: ChoiceHints<'_>) -> Option<Lease> {
        loop {
            let turn = self.turn(hints);
            let rotation = self.rotation.load();
            let bound = hints
                .bound_to
                .and_then(|id| rotation.all.get(id))
                .filter(|member| !hints.tried.contains(member.id()));
            let member = bound.or_else(|| {
                let tried = hints.tried;
                rotation.pick(Draw { turn, tried })
            })?;
            if let Some(lease) = Lease::take(self, member) {
                return Some(lease);
            }
            // It began to drain since, so there is a newer rotation without it.
        }
    }

    /// As [`Self::look`], for a request that has waited in vain: a target whose first check isn't over may have it, if the
    /// group fails open.
    pub(super) fn look_at_last(self: &Arc<Self>, hints: ChoiceHints<'_>) -> Option<Lease> {
        self.look(hints).or_else(|| {
            let turn = self.turn(hints);
            let rotation = self.rotation.load();
            let tried = hints.tried;
            Lease::take(self, rotation.pick_at_last(Draw { turn, tried })?)
        })
    }

    /// Another attempt takes no turn of the first ones: or a target that fails would make all others pass theirs.
    fn turn(&self, hints: ChoiceHints<'_>) -> usize {
        let turns = if hints.tried.is_empty() {
            &self.turns
        } else {
            &self.turns_again
        };
        turns.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn count_attempt(&self) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
    }

    /// What a request has to know before it chooses.
    pub(crate) fn policy(&self) -> Policy {
        let rotation = self.rotation.load();
        Policy {
            stickiness: rotation.all.spec.stickiness,
            retries: rotation.all.spec.retry.per_request(),
            takers: rotation.all.len(),
        }
    }

    /// Takes one retry from the budget, if there is one.
    pub(crate) fn spend_retry(&self) -> bool {
        let spec = self.rotation.load().all.spec.retry;
        self.retries.spend(spec, self.attempts.load(Ordering::Relaxed))
    }
}
