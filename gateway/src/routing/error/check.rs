//! Whether rules can be in force together.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{RoutingError, RoutingFault};
use crate::{
    names::{ListenerName, RuleName},
    routing::{Action, ListenerRules, MAX_RULES, Precedence, RuleSpec, snapshot::DEFAULT_RULE},
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
        check_redirect(&of.default, of).map_err(|fault| whole("default", fault))?;
    }
    let mut hidden = Hidden::default();
    for of in &mut listeners {
        // Default hosts among themselves by name, so that errors name them in the same order always.
        of.rules
            .sort_by(|a, b| a.precedence.cmp(&b.precedence).then_with(|| a.name.cmp(&b.name)));
        refuse_duplicates(of, &mut hidden)?;
        for rule in &of.rules {
            check_rule(rule, of).map_err(|(field, fault)| refuse(&of.listener, Some(rule), field, fault))?;
        }
    }
    hidden.refuse(&listeners)?;
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

fn check_rule(rule: &RuleSpec, of: &ListenerRules) -> Result<(), (&'static str, RoutingFault)> {
    if rule.name.as_str() == DEFAULT_RULE {
        return Err(("name", RoutingFault::ReservedName));
    }
    rule.conditions
        .check()
        .map_err(|(field, error)| (field, error.into()))?;
    check_redirect(&rule.action, of).map_err(|fault| ("action", fault))?;
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

fn check_redirect(action: &Action, of: &ListenerRules) -> Result<(), RoutingFault> {
    match action {
        Action::Redirect(redirect) => Ok(redirect.check(of.scheme, of.port)?),
        Action::Forward(_) | Action::Fixed(_) | Action::NotFound => Ok(()),
    }
}

/// Rules that can't apply on a listener, since one with a higher priority matches the same requests there.
///
/// On another listener they may: a redirect that takes a host over on one listener of several is no mistake.
#[derive(Default)]
struct Hidden(HashMap<RuleName, Vec<RoutingError>>);

impl Hidden {
    /// Refuses a rule that can't apply on any listener.
    fn refuse(self, listeners: &[ListenerRules]) -> Result<(), RoutingError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut places: HashMap<&RuleName, usize> = HashMap::new();
        for rule in listeners.iter().flat_map(|of| &of.rules) {
            *places.entry(&rule.name).or_default() += 1;
        }
        let nowhere =
            |(name, errors): &(RuleName, Vec<RoutingError>)| places.get(name) == Some(&errors.len());
        // By name, so that of several the same one is named always.
        let first = self
            .0
            .into_iter()
            .filter(nowhere)
            .min_by(|(a, _), (b, _)| a.cmp(b));
        match first.and_then(|(_, errors)| errors.into_iter().next()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Rules in order: the first of two is the one that ranks higher.
fn refuse_duplicates(of: &ListenerRules, hidden: &mut Hidden) -> Result<(), RoutingError> {
    let mut names = HashSet::new();
    let mut priorities = HashMap::new();
    let mut conditions = HashMap::new();
    for rule in &of.rules {
        let error = |field, fault| refuse(&of.listener, Some(rule), field, fault);
        if !names.insert(&rule.name) {
            return Err(error("name", RoutingFault::SameName));
        }
        if let Precedence::Explicit(_) = rule.precedence
            && let Some(with) = priorities.insert(rule.precedence, &rule.name)
        {
            let (with, precedence) = (with.clone(), rule.precedence);
            return Err(error("priority", RoutingFault::SamePriority { with, precedence }));
        }
        let same: &mut Vec<&RuleSpec> = conditions.entry(rule.conditions.identity()).or_default();
        if let Some(first) = same.iter().find(|first| clash(first.precedence, rule.precedence)) {
            let (with, conditions) = (first.name.clone(), rule.conditions.to_string());
            let error = error("conditions", RoutingFault::SameConditions { with, conditions });
            match first.precedence {
                Precedence::Explicit(_) => hidden.0.entry(rule.name.clone()).or_default().push(error),
                // Nobody said which goes first.
                Precedence::Unranked { .. } | Precedence::DefaultHost => return Err(error),
            }
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
