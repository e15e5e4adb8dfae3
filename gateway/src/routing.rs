//! Which request goes where: what is asked for ([`rule`], [`pattern`]) and what it compiles to (`snapshot`).
//!
//! A rule set is applied as a whole or refused as a whole. Requests read an immutable snapshot, so none ever
//! sees half a change.

pub mod pattern;
pub mod rule;
pub(crate) mod snapshot;

pub use self::{
    pattern::{HostPattern, PathPattern, PatternError},
    rule::{Action, Conditions, Precedence, Priority, PriorityError, RuleSpec},
    snapshot::RoutingError,
};

/// The complete rule set of a listener. A request that no rule matches is answered 404.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// In any order: precedence decides.
    pub rules: Vec<RuleSpec>,
}

impl Routing {
    /// Whether these rules could be in force together, whatever target groups there are.
    ///
    /// # Errors
    /// As [`crate::Gateway::apply`], but for groups that don't exist.
    pub fn check(&self) -> Result<(), RoutingError> {
        let mut specs = self.rules.clone();
        snapshot::rank(&mut specs);
        snapshot::refuse_duplicates(&specs)
    }
}
