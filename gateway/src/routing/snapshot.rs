//! The rules of all listeners compiled for matching.
//!
//! Rules lie in order of precedence, and are found through an [`index`] by host and path, so that a request is not
//! compared with those it cannot meet.

mod compile;
pub(crate) mod host;
mod index;
mod trie;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, OnceLock},
    time::Duration,
};

use self::{host::MAX_HOST_BYTES, index::Index};
use super::{
    Action, Explanation, Ranked, Redirect, RequestSample, RuleSpec,
    action::FixedResponse,
    condition::RequestView,
    work::{TooMuchWork, Work},
};
use crate::{
    group::{StickyFor, TargetGroup},
    metrics::RuleCounts,
    names::{GroupName, ListenerName, RuleName},
};

/// What the access log calls the default action. ALB: priority `default`.
pub(crate) const DEFAULT_RULE: &str = "default";

/// The compiled rules of all listeners. Never changed, only replaced.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    listeners: HashMap<ListenerName, RuleSet>,
}

/// The compiled rules of a listener.
#[derive(Debug)]
pub(crate) struct RuleSet {
    /// By rank.
    rules: Vec<Arc<Rule>>,
    index: Index,
    /// What happens when none matches; none is the gateway's own 404.
    default: Option<Arc<Rule>>,
}

/// A compiled rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) spec: Arc<RuleSpec>,
    pub(crate) action: Decision,
    /// The requests that met it. Set when it comes into force: it goes on with what was counted of the one before.
    counts: OnceLock<Arc<RuleCounts>>,
}

/// A compiled action.
#[derive(Debug)]
pub(crate) enum Decision {
    Forward(WeightedGroups),
    Redirect(Box<Redirect>),
    Fixed(FixedResponse),
    NotFound,
}

/// The groups of a forward action.
#[derive(Debug)]
pub(crate) struct WeightedGroups {
    /// Each with the sum of the weights up to and including its own.
    members: Vec<(Arc<TargetGroup>, u32)>,
    pub(crate) stickiness: Option<StickyFor>,
}

impl WeightedGroups {
    /// Chooses by weight; `bound_to` is the group that the client was with, which it stays with for as long as
    /// that has a weight.
    pub(crate) fn choose(&self, bound_to: Option<&str>) -> Option<&Arc<TargetGroup>> {
        if let [(only, _)] = self.members.as_slice() {
            return Some(only);
        }
        let stays = bound_to.and_then(|name| {
            self.members
                .iter()
                .find(|(group, _)| group.name().as_str() == name)
        });
        if let Some((group, _)) = stays {
            return Some(group);
        }
        let total = self.members.last().map_or(0, |(_, sum)| *sum);
        let drawn = fastrand::u32(..total.max(1));
        let at = self.members.partition_point(|(_, sum)| *sum <= drawn);
        self.members.get(at).map(|(group, _)| group)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<TargetGroup>> {
        self.members.iter().map(|(group, _)| group)
    }
}

impl Rule {
    pub(crate) fn name(&self) -> &RuleName {
        &self.spec.name
    }

    /// A request that met it has ended, and took this long.
    pub(crate) fn count(&self, duration: Duration) {
        if let Some(counts) = self.counts.get() {
            counts.count(duration);
        }
    }

    fn ranked(&self) -> Ranked {
        Ranked {
            rule: self.spec.name.clone(),
            precedence: self.spec.precedence,
        }
    }
}

impl Snapshot {
    /// The rule for a request on a listener, or the listener's default; none when it has neither.
    ///
    /// # Errors
    /// When comparing took more than it may: which rule it would be is not known.
    pub(crate) fn find(
        &self,
        listener: &ListenerName,
        request: &RequestView<'_>,
    ) -> Result<Option<&Arc<Rule>>, TooMuchWork> {
        let found = self.listeners.get(listener).and_then(|set| set.find(request));
        request.work.check().map(|()| found)
    }

    /// What becomes of a request, and why; none when the listener has no rules here.
    ///
    /// # Errors
    /// When comparing took more than it may.
    pub(crate) fn explain(&self, sample: &RequestSample) -> Result<Option<Explanation>, TooMuchWork> {
        let work = Work::explaining();
        let mut buffer = [0; MAX_HOST_BYTES];
        let request = sample.view(&mut buffer, &work);
        let set = self.listeners.get(&sample.listener);
        let explained = set.map(|set| set.explain(&request));
        work.check().map(|()| explained)
    }

    /// The rule for a request that need not have happened.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn find_sample(&self, sample: &RequestSample) -> Option<&Arc<Rule>> {
        let work = Work::default();
        let mut buffer = [0; MAX_HOST_BYTES];
        self.find(&sample.listener, &sample.view(&mut buffer, &work))
            .ok()
            .flatten()
    }

    /// Takes over the counts of the rules before, by name. Rules of one name on several listeners share theirs.
    pub(crate) fn count_on_from(&self, before: &Self) {
        let mut counts: HashMap<&RuleName, Arc<RuleCounts>> = before
            .rules()
            .filter_map(|rule| Some((rule.name(), rule.counts.get()?.clone())))
            .collect();
        for rule in self.rules() {
            let of_rule = counts.entry(rule.name()).or_default().clone();
            // A rule on several listeners has it already.
            let _ = rule.counts.set(of_rule);
        }
    }

    /// What was counted of each rule, by name.
    pub(crate) fn counts(&self) -> BTreeMap<&RuleName, &Arc<RuleCounts>> {
        self.rules()
            .filter_map(|rule| Some((rule.name(), rule.counts.get()?)))
            .collect()
    }

    fn rules(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.listeners
            .values()
            .flat_map(|set| set.rules.iter().chain(&set.default))
    }

    /// The groups in use, each with a rule that uses it.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&GroupName, &RuleName)> {
        self.rules().flat_map(|rule| match &rule.action {
            Decision::Forward(groups) => groups.iter().map(|group| (group.name(), rule.name())).collect(),
            Decision::Redirect(_) | Decision::Fixed(_) | Decision::NotFound => Vec::new(),
        })
    }
}

impl RuleSet {
    fn find(&self, request: &RequestView<'_>) -> Option<&Arc<Rule>> {
        let rule = |rank: usize| self.rules.get(rank);
        let holds = |rank| rule(rank).is_some_and(|rule| rule.spec.conditions.hold(request));
        let found = self.index.find(request.host, request.path, holds);
        found.and_then(rule).or(self.default.as_ref())
    }

    /// Looks at every rule in order.
    fn explain(&self, request: &RequestView<'_>) -> Explanation {
        let mut tried = Vec::new();
        for rule in &self.rules {
            match rule.spec.conditions.unmet(request) {
                Some(unmet) => tried.push((rule.ranked(), unmet)),
                None => {
                    return Explanation {
                        matched: Some(rule.ranked()),
                        action: rule.spec.action.clone(),
                        tried,
                    };
                }
            }
        }
        let default = self.default.as_ref().map(|rule| rule.spec.action.clone());
        Explanation {
            matched: None,
            action: default.unwrap_or(Action::NotFound),
            tried,
        }
    }
}

#[cfg(test)]
mod tests;
