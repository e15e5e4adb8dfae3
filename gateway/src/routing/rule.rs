//! A rule as it is asked for: when it applies, how it ranks, and what it does.

use std::{fmt, time::Duration};

use super::{action::Action, condition::Conditions, header_edit::HeaderEdits, transform::Transforms};
use crate::names::RuleName;

/// One rule of a listener, or of several.
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
    /// What is rewritten on the way to a target. Only beside a forward action.
    pub transforms: Transforms,
    /// What is done to the request's headers, after the gateway's own are on. Only beside a forward action.
    pub request_headers: HeaderEdits,
    /// What is done to the response's headers, whoever made it; the gateway's own errors stay as they are.
    pub response_headers: HeaderEdits,
    /// The longest wait for the head of a response, from the match on, retries included (504). Only beside a forward
    /// action.
    pub timeout: Option<Duration>,
    /// The largest body of a request, in bytes (413), instead of the listener's. Only beside a forward action.
    pub body_limit: Option<u64>,
}

impl RuleSpec {
    /// A rule that changes nothing about the requests it matches.
    #[must_use]
    pub fn new(name: RuleName, precedence: Precedence, conditions: Conditions, action: Action) -> Self {
        Self {
            name,
            precedence,
            conditions,
            action,
            transforms: Transforms::default(),
            request_headers: HeaderEdits::default(),
            response_headers: HeaderEdits::default(),
            timeout: None,
            body_limit: None,
        }
    }

    /// What each of its regular expressions takes compiled, in bytes, with the field it is in.
    pub fn expressions(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let rewritten = self.transforms.expressions();
        self.conditions.expressions().chain(rewritten)
    }
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
