//! A rule as it is asked for: when it applies, how it ranks, and what it does.

use std::{collections::BTreeSet, fmt};

use super::pattern::{HostPattern, PathPattern};
use crate::names::{GroupName, RuleName};

/// One rule of a listener.
#[derive(Clone, Debug)]
pub struct RuleSpec {
    /// Its name in the access log and in errors; unique on the listener.
    pub name: RuleName,
    /// Its rank.
    pub precedence: Precedence,
    /// When it applies.
    pub conditions: Conditions,
    /// What happens then.
    pub action: Action,
}

/// How rules rank: the first in this order that matches wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precedence {
    /// A priority somebody chose. ALB: unique on the listener, evaluated from the lowest up.
    Explicit(Priority),
    /// The host every service has without asking (`<name>.localhost`): after all explicit rules, so that
    /// nobody's deploy can take traffic from a rule somebody wrote.
    DefaultHost,
    /// No priority was chosen: after all others, so that it takes traffic from nobody; among themselves the
    /// tighter ones go first.
    Unranked {
        /// How much it matches, by whoever made the rule: more is later.
        looseness: u16,
    },
}

impl fmt::Display for Precedence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit(priority) => write!(f, "priority {priority}"),
            Self::DefaultHost => f.write_str("default host"),
            Self::Unranked { .. } => f.write_str("no priority"),
        }
    }
}

/// A rule's priority, 1 to 50000 as in ALB. Lower goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u16);

/// The lowest and the highest priority. ALB: 1-50000.
const PRIORITIES: std::ops::RangeInclusive<u32> = 1..=50_000;

/// A number that is no priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a priority is a number from 1 to 50000, not {0}")]
pub struct PriorityError(u32);

impl Priority {
    /// Checks and takes a priority.
    ///
    /// # Errors
    /// When it is outside 1 to 50000.
    pub fn new(priority: u32) -> Result<Self, PriorityError> {
        match u16::try_from(priority) {
            Ok(value) if PRIORITIES.contains(&priority) => Ok(Self(value)),
            _ => Err(PriorityError(priority)),
        }
    }

    /// The priority as a number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// When a rule applies. AND between the conditions, OR between the values of one; an empty one always holds.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// The request's host is like one of these.
    pub host: Vec<HostPattern>,
    /// The request's path is like one of these.
    pub path: Vec<PathPattern>,
}

impl Conditions {
    /// What two sets of conditions have in common when they mean the same: order and repetition don't matter.
    pub(crate) fn identity(&self) -> (BTreeSet<&str>, BTreeSet<&str>) {
        (
            self.host.iter().map(HostPattern::as_str).collect(),
            self.path.iter().map(PathPattern::as_str).collect(),
        )
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hosts, paths) = self.identity();
        let list = |values: BTreeSet<&str>| values.into_iter().collect::<Vec<_>>().join(", ");
        match (hosts.is_empty(), paths.is_empty()) {
            (true, true) => f.write_str("any request"),
            (false, true) => write!(f, "host {}", list(hosts)),
            (true, false) => write!(f, "path {}", list(paths)),
            (false, false) => write!(f, "host {} and path {}", list(hosts), list(paths)),
        }
    }
}

/// What a rule does with a request it matches.
#[derive(Clone, Debug)]
pub enum Action {
    /// Hands it to a target of this group.
    Forward(GroupName),
}
