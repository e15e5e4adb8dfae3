//! Why rules are refused, naming listener, rule and field. Those in force stay.

mod check;

use std::fmt;

pub(super) use self::check::check;
use super::{action::RedirectError, condition::ConditionError, rule::Precedence};
use crate::names::{GroupName, ListenerName, RuleName};

/// Why rules were refused. Those before them stay in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingError {
    /// The listener.
    pub listener: ListenerName,
    /// The rule at fault; none for what is about the listener as a whole.
    pub rule: Option<RuleName>,
    /// What of it: `name`, `priority`, `conditions`, `action`, …; `default` is the listener's default action.
    pub field: &'static str,
    /// What is wrong.
    pub fault: RoutingFault,
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoutingFault {
    /// A listener more than once.
    #[error("it is there twice: put all its rules together")]
    SameListener,
    /// More than [`super::MAX_RULES`].
    #[error("with its rules there are {0} on all listeners, the most is {max}", max = super::MAX_RULES)]
    TooManyRules(usize),
    /// The name of the default action.
    #[error("this is what the access log calls the default action: choose another name")]
    ReservedName,
    /// Two rules with one name.
    #[error("another rule is named so: a rule's name is unique on its listener")]
    SameName,
    /// Two rules with one priority. ALB: `PriorityInUse`.
    #[error("rule `{with}` has {precedence}, too: give one of them another")]
    SamePriority {
        /// The other rule.
        with: RuleName,
        /// What they share.
        precedence: Precedence,
    },
    /// Two rules that match the same requests: the later one could never apply, on any listener.
    #[error("rule `{with}` comes first and matches {conditions}, too: change or remove one of them")]
    SameConditions {
        /// The rule that ranks higher.
        with: RuleName,
        /// What they share.
        conditions: String,
    },
    /// A rule that forwards to a group that isn't there.
    #[error("target group `{0}` does not exist: create it, or forward to another")]
    UnknownGroup(GroupName),
    /// A condition is none.
    #[error(transparent)]
    Condition(#[from] ConditionError),
    /// The redirect makes no sense on this listener.
    #[error(transparent)]
    Redirect(#[from] RedirectError),
    /// Something that only a forward action has a use for.
    #[error("this does something only beside a forward action: remove it")]
    OnlyForward,
    /// A timeout of nought.
    #[error("a timeout of 0 would refuse every request: set it higher, or leave it out")]
    ZeroTimeout,
}

impl fmt::Display for RoutingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listener `{}`", self.listener)?;
        if let Some(rule) = &self.rule {
            write!(f, ", rule `{rule}`")?;
        }
        write!(f, ", {}: {}", self.field, self.fault)
    }
}

impl std::error::Error for RoutingError {}
