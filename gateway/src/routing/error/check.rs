//! Whether rules can be in force together.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{RoutingError, RoutingFault};
use crate::{
    names::ListenerName,
    routing::{Action, ListenerRules, MAX_RULES, Precedence, RuleSpec, Scheme, snapshot::DEFAULT_RULE},
};

/// Every listener with its rules in order, if nothing is wrong with them.
pub(in crate::routing) fn check(
    mut listeners: Vec<ListenerRules>,
) -> Result<Vec<ListenerRules>, RoutingError> {
    let mut names = HashSet::new();
    let mut count = 0;
    for of in &listeners {
        let whole = |field, fault| refuse(&of.listener, None, field, fault);
        if !names.insert(&of.listener) {
            return Err(whole("name", RoutingFault::SameListener));
        }
        count += of.rules.len();
        if count > MAX_RULES {
            return Err(whole("rules", RoutingFault::TooManyRules(count)));
        }
        check_redirect(&of.default, of.scheme).map_err(|fault| whole("default", fault))?;
    }
    for of in &mut listeners {
        // Default hosts among themselves by name, so that errors name them in the same order always.
        of.rules
            .sort_by(|a, b| a.precedence.cmp(&b.precedence).then_with(|| a.name.cmp(&b.name)));
        refuse_duplicates(of)?;
        for rule in &of.rules {
            check_rule(rule, of.scheme)
                .map_err(|(field, fault)| refuse(&of.listener, Some(rule), field, fault))?;
        }
    }
    Ok(listeners)
}

fn refuse(
    listener: &ListenerName,
    rule: Option<&RuleSpec>,
    field: &'static str,
    fault: RoutingFault,
) -> RoutingError {
    RoutingError {
        listener: listener.clone(),
        rule: rule.map(|rule| rule.name.clone()),
        field,
        fault,
    }
}

fn check_rule(rule: &RuleSpec, scheme: Scheme) -> Result<(), (&'static str, RoutingFault)> {
    if rule.name.as_str() == DEFAULT_RULE {
        return Err(("name", RoutingFault::ReservedName));
    }
    rule.conditions
        .check()
        .map_err(|(field, error)| (field, error.into()))?;
    check_redirect(&rule.action, scheme).map_err(|fault| ("action", fault))?;
    if rule.timeout == Some(Duration::ZERO) {
        return Err(("timeout", RoutingFault::ZeroTimeout));
    }
    if matches!(rule.action, Action::Forward(_)) {
        return Ok(());
    }
    let idle = [
        ("transforms", !rule.transforms.is_empty()),
        ("request_headers", !rule.request_headers.is_empty()),
        ("timeout", rule.timeout.is_some()),
        ("body_limit", rule.body_limit.is_some()),
    ];
    match idle.into_iter().find(|(_, is_there)| *is_there) {
        Some((field, _)) => Err((field, RoutingFault::OnlyForward)),
        None => Ok(()),
    }
}

fn check_redirect(action: &Action, scheme: Scheme) -> Result<(), RoutingFault> {
    match action {
        Action::Redirect(redirect) => Ok(redirect.check(scheme)?),
        Action::Forward(_) | Action::Fixed(_) | Action::NotFound => Ok(()),
    }
}

/// Rules in order: the first of two is the one that ranks higher.
fn refuse_duplicates(of: &ListenerRules) -> Result<(), RoutingError> {
    let mut names = HashSet::new();
    let mut priorities = HashMap::new();
    let mut conditions = HashMap::new();
    for rule in &of.rules {
        let error = |field, fault| Err(refuse(&of.listener, Some(rule), field, fault));
        if !names.insert(&rule.name) {
            return error("name", RoutingFault::SameName);
        }
        if let Precedence::Explicit(_) = rule.precedence
            && let Some(with) = priorities.insert(rule.precedence, &rule.name)
        {
            let (with, precedence) = (with.clone(), rule.precedence);
            return error("priority", RoutingFault::SamePriority { with, precedence });
        }
        let same: &mut Vec<&RuleSpec> = conditions.entry(rule.conditions.identity()).or_default();
        if let Some(first) = same.iter().find(|first| clash(first.precedence, rule.precedence)) {
            let (with, conditions) = (first.name.clone(), rule.conditions.to_string());
            return error("conditions", RoutingFault::SameConditions { with, conditions });
        }
        same.push(rule);
    }
    Ok(())
}

/// Whether two rules of the same conditions are one too many. A rule with a priority may take over a default host:
/// somebody chose so, and the priority says which goes first.
fn clash(one: Precedence, other: Precedence) -> bool {
    !matches!(
        (one, other),
        (Precedence::Explicit(_), Precedence::DefaultHost)
            | (Precedence::DefaultHost, Precedence::Explicit(_))
    )
}
