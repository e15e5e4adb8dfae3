//! Which request goes where: what is asked for ([`rule`], [`condition`], [`action`], …) and what it compiles to
//! (`snapshot`).
//!
//! The rules of all listeners are applied as a whole or refused as a whole. Requests read an immutable snapshot, so
//! none ever sees half a change.

pub mod action;
pub mod condition;
pub mod error;
pub mod explain;
mod glob;
pub mod header_edit;
pub mod pattern;
pub mod regex;
pub mod rule;
pub(crate) mod snapshot;
pub mod transform;
pub(crate) mod work;

use std::{fmt, sync::Arc};

pub use self::{
    action::{
        Action, FixedError, FixedResponse, Forward, ForwardError, Redirect, RedirectError, RedirectText,
        Weight, WeightedGroup,
    },
    condition::{
        ConditionError, Conditions, HeaderCondition, HeaderMatch, HostMatch, Match, MethodName, PathMatch,
        QueryCondition, QueryMatch, Unmet,
    },
    error::{RoutingError, RoutingFault},
    explain::{Explanation, Ranked, RequestSample},
    header_edit::{HeaderEditError, HeaderEdits},
    pattern::{HostPattern, PathPattern, PatternError, ValuePattern},
    regex::{Expressions, RegexError, RegexValue, TooManyExpressions},
    rule::{Precedence, Priority, PriorityError, RuleSpec},
    transform::{Rewrite, RewriteError, Transforms},
    work::TooMuchWork,
};
use crate::names::ListenerName;

/// The most rules of all listeners together, a rule counted on each of its listeners. ALB: 100 for a load balancer.
pub const MAX_RULES: usize = 100_000;

/// The rules of all listeners. A listener that has none here answers every request 404, and rules may be there
/// before their listener is.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// Each listener once.
    pub listeners: Vec<ListenerRules>,
}

/// The rules of a listener.
#[derive(Clone, Debug)]
pub struct ListenerRules {
    /// The listener.
    pub listener: ListenerName,
    /// What it speaks: a redirect must make sense on it.
    pub scheme: Scheme,
    /// Where it listens, if that is known: no redirect may lead there.
    pub port: Option<u16>,
    /// In any order: precedence decides. A rule that is on several listeners is compiled once if they share it.
    pub rules: Vec<Arc<RuleSpec>>,
    /// What happens when no rule matches.
    pub default: Action,
}

/// What a client speaks on a listener, as URLs have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port a URL means that names none.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Routing {
    /// Whether these rules could be in force together, whatever target groups there are.
    ///
    /// # Errors
    /// As [`crate::Gateway::apply`], but for groups that don't exist.
    pub fn check(&self) -> Result<(), RoutingError> {
        self.clone().ranked().map(|_| ())
    }

    /// Every listener with its rules in order, if nothing is wrong with them.
    pub(crate) fn ranked(self) -> Result<Vec<ListenerRules>, RoutingError> {
        error::check(self.listeners)
    }
}
