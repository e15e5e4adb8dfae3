//! Whose a host is: namespaces share listeners, and none may take another's traffic.
//!
//! Hosts under `.localhost` belong to the namespace they name. Any other host belongs to the namespace that has a
//! route for it first. Only `default`, which is the operator's, may answer for every host; that takes nothing
//! from hosts that are routed by name only where the operator chose a priority that says so. What is refused is told
//! without the other's names: they are not for tenants to know.

use std::collections::{HashMap, HashSet};

use wharf_gateway::{HostMatch, HostPattern, Precedence, Priority};

use super::rules::Rule;
use crate::names::{ListenerName, NamespaceName};
use crate::refusal::Refusal;

/// Ends every default host.
const LOCAL: &str = ".localhost";

const WILD: [char; 2] = ['*', '?'];

/// Refuses routes for hosts that can't be this namespace's.
pub(super) fn refuse_reserved(namespace: &NamespaceName, own: &[&Rule]) -> Result<(), Refusal> {
    if namespace.is_default() {
        // What may be anybody's may be its own as well.
        let named = own.iter().flat_map(|rule| patterns(rule));
        return match named
            .into_iter()
            .find(|host| matches!(owner(host), Owner::Namespace(name) if name != namespace.as_str()))
        {
            None => Ok(()),
            Some(host) => Err(not_own(host, namespace)),
        };
    }
    for rule in own {
        let hosts = &rule.spec.conditions.host;
        if hosts.is_empty() {
            return Err(
                foreign("a route without a host answers for every host", namespace)
                    .hint("name the route's hosts; only namespace `default` may leave them out"),
            );
        }
        if let Some(regex) = hosts.iter().find(|host| matches!(host, HostMatch::Regex(_))) {
            let why = format!(
                "the host_regex `{}` may match every namespace's hosts",
                regex.as_str()
            );
            return Err(
                foreign(&why, namespace).hint("name the hosts; only namespace `default` may have host_regex")
            );
        }
        let is_own = |host: &HostPattern| match owner(host) {
            Owner::Anybody => true,
            Owner::Namespace(name) => name == namespace.as_str(),
            Owner::Everybody => false,
        };
        if let Some(host) = patterns(rule).find(|host| !is_own(host)) {
            return Err(not_own(host, namespace));
        }
    }
    Ok(())
}

fn not_own(host: &HostPattern, namespace: &NamespaceName) -> Refusal {
    let why = format!("the host `{}` is not this namespace's", host.as_str());
    foreign(&why, namespace).hint(own_hosts(namespace))
}

/// What the rules of other namespaces have taken: looked up by host and by priority, so that many rules beside many
/// others cost no more than both together, but for patterns.
#[derive(Default)]
pub(super) struct Taken<'r> {
    exact: HashSet<&'r str>,
    patterns: Vec<&'r HostPattern>,
    exact_patterns: Vec<&'r HostPattern>,
    priorities: HashMap<Priority, Vec<&'r [ListenerName]>>,
}

impl<'r> Taken<'r> {
    pub(super) fn by(rules: impl Iterator<Item = &'r Rule>) -> Self {
        let mut taken = Self::default();
        let mut seen = HashSet::new();
        for rule in rules {
            // One that matches every namespace's hosts is the operator's, and takes none of them.
            let named = patterns(rule).filter(|host| owner(host) != Owner::Everybody);
            for host in named.filter(|host| seen.insert(host.as_str())) {
                if host.as_str().contains(WILD) {
                    taken.patterns.push(host);
                } else {
                    taken.exact.insert(host.as_str());
                    taken.exact_patterns.push(host);
                }
            }
            if let Precedence::Explicit(priority) = rule.spec.precedence {
                taken
                    .priorities
                    .entry(priority)
                    .or_default()
                    .push(&rule.listeners);
            }
        }
        taken
    }

    /// Refuses routes for hosts that a route of another namespace has, and priorities that one has.
    pub(super) fn refuse(&self, namespace: &NamespaceName, own: &[&Rule]) -> Result<(), Refusal> {
        let mut seen = HashSet::new();
        let named = own.iter().flat_map(|rule| patterns(rule));
        let named = named.filter(|host| owner(host) != Owner::Everybody && seen.insert(host.as_str()));
        for host in named {
            if self.has(host) {
                let why = format!("the host `{}` is taken by another namespace", host.as_str());
                return Err(foreign(&why, namespace).hint("choose another host"));
            }
        }
        for rule in own {
            if let Precedence::Explicit(priority) = rule.spec.precedence
                && let Some(theirs) = self.priorities.get(&priority)
                && theirs.iter().any(|theirs| meet(&rule.listeners, theirs))
            {
                let why = format!("priority {priority} is taken by another namespace");
                return Err(foreign(&why, namespace).hint("choose another priority"));
            }
        }
        Ok(())
    }

    fn has(&self, host: &HostPattern) -> bool {
        let is_pattern = host.as_str().contains(WILD);
        self.exact.contains(host.as_str())
            || self.patterns.iter().any(|theirs| theirs.overlaps(host))
            || (is_pattern && self.exact_patterns.iter().any(|theirs| theirs.overlaps(host)))
    }
}

/// Whether two rules share a listener. None is every one.
fn meet(one: &[ListenerName], other: &[ListenerName]) -> bool {
    one.is_empty() || other.is_empty() || one.iter().any(|name| other.contains(name))
}

/// The hosts a rule names; regular expressions name none.
fn patterns(rule: &Rule) -> impl Iterator<Item = &HostPattern> {
    rule.spec.conditions.host.iter().filter_map(|host| match host {
        HostMatch::Pattern(pattern) => Some(pattern),
        HostMatch::Regex(_) => None,
    })
}

/// Whose a host can be by its name alone.
#[derive(Debug, PartialEq, Eq)]
enum Owner<'a> {
    /// Whoever is first.
    Anybody,
    /// The namespace of this name.
    Namespace(&'a str),
    /// A pattern that matches hosts of every namespace.
    Everybody,
}

fn owner(host: &HostPattern) -> Owner<'_> {
    let text = host.as_str();
    let Some(rest) = text.strip_suffix(LOCAL) else {
        let open_ended = text.rsplit(WILD).next().is_some_and(|end| LOCAL.ends_with(end));
        return if text.contains(WILD) && open_ended {
            Owner::Everybody
        } else {
            Owner::Anybody
        };
    };
    match rest.rsplit_once('.') {
        Some((_, namespace)) if !namespace.contains(WILD) => Owner::Namespace(namespace),
        None if !rest.contains(WILD) => Owner::Namespace("default"),
        _ => Owner::Everybody,
    }
}

fn own_hosts(namespace: &NamespaceName) -> String {
    if namespace.is_default() {
        return "hosts of this form with a further part belong to the namespace they name".to_owned();
    }
    format!("under `.localhost`, this namespace's hosts end in `.{namespace}{LOCAL}`")
}

fn foreign(why: &str, namespace: &NamespaceName) -> Refusal {
    Refusal::conflict("RouteInUse", format!("{why} (namespace `{namespace}`)")).field("route")
}

#[cfg(test)]
mod tests;
