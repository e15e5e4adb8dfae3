//! A change of what was applied: what is there after it, what is written, and what it comes to.

use jiff::Timestamp;

use super::AppliedChange;
use crate::edge::{self, Objects, Touches};
use crate::manifest::{self, MAX_LISTENERS, MAX_ROUTES, MAX_TARGET_GROUPS};
use crate::model::stored::Record as _;
use crate::model::{Applied, keys};
use crate::names::NamespaceName;
use crate::refusal::{Kind, Refusal};
use crate::store::Transaction;

/// A change that is being made up.
pub(super) struct Change {
    pub(super) after: Objects,
    pub(super) transaction: Transaction,
    pub(super) touches: Touches,
    pub(super) came_to: AppliedChange,
}

impl Change {
    pub(super) fn new(
        before: &Objects,
        namespace: &NamespaceName,
        written: manifest::Objects,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let mut change = Self {
            after: before.clone(),
            transaction: Transaction::new(),
            touches: Touches::Own,
            came_to: AppliedChange::default(),
        };
        for listener in &written.listeners {
            let was = before.listeners.get(&listener.name);
            change.put(
                was.map(|was| **was == *listener),
                keys::listener(&listener.name),
                &listener.text,
                now,
            )?;
        }
        if !change.transaction.ops().is_empty() {
            change.touches = Touches::Listeners;
        }
        for group in &written.target_groups {
            edge::check_targets(group)?;
            let was = before.target_groups.get(&(namespace.clone(), group.name.clone()));
            let key = keys::target_group(namespace, &group.name);
            change.put(was.map(|was| **was == *group), key, &group.text, now)?;
        }
        for route in &written.routes {
            let Some(name) = &route.name else { continue };
            let was = before.routes.get(&(namespace.clone(), name.clone()));
            change.put(
                was.map(|was| was.route == *route),
                keys::route(namespace, name),
                &*route.text,
                now,
            )?;
        }
        change.after.put(namespace, written)?;
        check_room("routes", change.after.routes_of(namespace).count(), MAX_ROUTES)?;
        check_room(
            "target groups",
            change.after.groups_of(namespace).count(),
            MAX_TARGET_GROUPS,
        )?;
        check_room("listeners", change.after.listeners.len(), MAX_LISTENERS)?;
        Ok(change)
    }

    /// One object goes.
    pub(super) fn deletion(after: Objects, key: String) -> Self {
        Self {
            after,
            transaction: Transaction::new().delete(key),
            touches: Touches::Listeners,
            came_to: AppliedChange::default(),
        }
    }

    /// Writes an object unless it is as it was.
    fn put(
        &mut self,
        is_same: Option<bool>,
        key: String,
        text: &impl serde::Serialize,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match is_same {
            Some(true) => {
                self.came_to.unchanged += 1;
                return Ok(());
            }
            Some(false) => self.came_to.updated += 1,
            None => self.came_to.created += 1,
        }
        let unserialisable =
            |error: serde_json::Error| Refusal::new(Kind::Internal, "Unserialisable", error.to_string());
        let applied = Applied {
            definition: serde_json::to_value(text).map_err(unserialisable)?,
            applied_at: now,
        };
        let transaction = std::mem::take(&mut self.transaction);
        self.transaction = transaction.put(key, applied.encode());
        Ok(())
    }
}

fn check_room(what: &str, count: usize, bound: usize) -> Result<(), Refusal> {
    if count <= bound {
        return Ok(());
    }
    let message = format!("there would be {count} {what}, {bound} are allowed");
    Err(Refusal::conflict("LimitExceeded", message).hint("delete some that aren't needed"))
}
