//! The rules of all listeners compiled for matching: exact hosts by hash, everything else in order of precedence.
//!
//! Rules that name exact hosts are the many, rules with wildcards the few. A request therefore looks only at the
//! rules filed under its own host and at the unfiled ones, merged by rank; thousands of services with a host each
//! cost one look-up.

mod compile;
pub(crate) mod host;

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{HeaderEdits, Redirect, RuleSpec, action::FixedResponse, condition::RequestView};
use crate::{
    group::{StickyFor, TargetGroup},
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
    /// What happens when none matches; none is the gateway's own 404.
    default: Option<Arc<Rule>>,
}

/// A compiled rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: RuleName,
    /// None is the default action.
    pub(crate) spec: Option<Arc<RuleSpec>>,
    pub(crate) action: Decision,
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
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.spec.as_ref()?.timeout
    }

    pub(crate) fn body_limit(&self) -> Option<u64> {
        self.spec.as_ref()?.body_limit
    }

    pub(crate) fn response_headers(&self) -> Option<&HeaderEdits> {
        self.spec.as_ref().map(|spec| &spec.response_headers)
    }
}

impl Snapshot {
    /// The rule for a request on a listener, or the listener's default; none when it has neither.
    pub(crate) fn find(&self, listener: &ListenerName, request: &RequestView<'_>) -> Option<&Arc<Rule>> {
        self.listeners.get(listener)?.find(request)
    }

    /// The groups in use, each with a rule that uses it.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&GroupName, &RuleName)> {
        let rules = self
            .listeners
            .values()
            .flat_map(|set| set.rules.iter().chain(&set.default));
        rules.flat_map(|rule| match &rule.action {
            Decision::Forward(groups) => groups.iter().map(|group| (group.name(), &rule.name)).collect(),
            Decision::Redirect(_) | Decision::Fixed(_) | Decision::NotFound => Vec::new(),
        })
    }
}

impl RuleSet {
    fn find(&self, request: &RequestView<'_>) -> Option<&Arc<Rule>> {
        let holds = |rule: &&Arc<Rule>| {
            rule.spec
                .as_ref()
                .is_some_and(|spec| spec.conditions.hold(request))
        };
        self.rules.iter().find(holds).or(self.default.as_ref())
    }
}

#[cfg(test)]
mod tests;
