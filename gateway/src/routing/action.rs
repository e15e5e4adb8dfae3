//! What a rule does with a request it matches: ALB's terminal actions.

mod fixed;
mod forward;
mod redirect;

pub(crate) use self::redirect::{Location, Unredirectable};
pub use self::{
    fixed::{FixedError, FixedResponse, MAX_FIXED_BODY_BYTES},
    forward::{Forward, ForwardError, MAX_FORWARD_GROUPS, Weight, WeightedGroup},
    redirect::{MAX_REDIRECT_PART_BYTES, Redirect, RedirectError, RedirectText},
};
use std::fmt;

use crate::names::GroupName;

/// What a rule does with a request it matches.
#[derive(Clone, Debug)]
pub enum Action {
    /// Hands it to a target of one of these groups.
    Forward(Forward),
    /// Sends the client elsewhere.
    Redirect(Box<Redirect>),
    /// Answers always the same.
    Fixed(FixedResponse),
    /// Answers 404 in the gateway's own form.
    NotFound,
}

impl Action {
    /// Hands every request to this group.
    #[must_use]
    pub fn forward(group: GroupName) -> Self {
        Self::Forward(Forward::to(group))
    }
}

/// In a few words.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forward(forward) => write!(f, "forward to {forward}"),
            Self::Redirect(redirect) => write!(f, "redirect with {}", redirect.status().as_u16()),
            Self::Fixed(fixed) => write!(f, "answer {}", fixed.status().as_u16()),
            Self::NotFound => f.write_str("answer 404"),
        }
    }
}
