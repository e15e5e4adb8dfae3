//! Routes of one file beside each other: which of them are one too many.

use std::collections::{BTreeSet, HashMap};

use wharf_gateway::Priority;

use crate::manifest::error::FieldPath;
use crate::manifest::routing::Route;
use crate::manifest::values::Report;

/// What the routes of a file so far are told apart by, with their numbers.
#[derive(Default)]
pub(super) struct Seen {
    /// What each is called.
    called: HashMap<usize, String>,
    names: HashMap<String, usize>,
    priorities: HashMap<Priority, Vec<(usize, BTreeSet<String>)>>,
    conditions: HashMap<String, Vec<(usize, BTreeSet<String>)>>,
    /// The same of those without a priority.
    unranked: HashMap<String, Vec<(usize, BTreeSet<String>)>>,
}

impl Seen {
    pub(super) fn compare(&mut self, at: usize, route: &Route, here: &FieldPath, report: &mut Report) {
        if let Some(name) = &route.name
            && let Some(first) = self.names.insert(name.to_string(), at)
        {
            let message = format!(
                "[[route]] number {} is called `{name}`, as number {} is",
                at + 1,
                first + 1
            );
            report.refuse(here.key("name"), message, "give one of them another name");
        }
        let called = match &route.name {
            Some(name) => format!("route `{name}`"),
            None => format!("[[route]] number {}", at + 1),
        };
        self.called.insert(at, called.clone());
        let other = |first: usize| self.called.get(&first).cloned().unwrap_or_default();
        let on: BTreeSet<String> = route.listeners.iter().map(ToString::to_string).collect();
        if let Some(priority) = route.priority
            && let Some(first) = together(self.priorities.entry(priority).or_default(), at, &on)
        {
            let message = format!("{called} has priority {priority}, as {} has", other(first));
            report.refuse(
                here.key("priority"),
                message,
                "give one of them another, lower goes first",
            );
        }
        let conditions = route.conditions.to_string();
        let same = self.conditions.entry(conditions.clone()).or_default();
        // With a priority, a route may take others' requests over on some of their listeners.
        let exactly = same.iter().find(|(_, theirs)| *theirs == on).map(|(at, _)| *at);
        same.push((at, on.clone()));
        let unranked = match route.priority {
            None => together(self.unranked.entry(conditions.clone()).or_default(), at, &on),
            Some(_) => None,
        };
        if let Some(first) = exactly.or(unranked) {
            let message = format!("{called} repeats {}: {conditions}", other(first));
            report.refuse(here.clone(), message, "change or remove one of them");
        }
    }
}

/// The first of `others` that shares a listener with a route that is on these; it joins them. No listener is every one.
fn together(others: &mut Vec<(usize, BTreeSet<String>)>, at: usize, on: &BTreeSet<String>) -> Option<usize> {
    let shared = |theirs: &BTreeSet<String>| theirs.is_empty() || on.is_empty() || !theirs.is_disjoint(on);
    let first = others
        .iter()
        .find(|(_, theirs)| shared(theirs))
        .map(|(at, _)| *at);
    others.push((at, on.clone()));
    first
}
