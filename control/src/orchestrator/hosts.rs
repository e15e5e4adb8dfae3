//! Whose a host is: namespaces share one listener, and none may take another's traffic.
//!
//! Hosts under `.localhost` belong to the namespace they name. Any other host belongs to the namespace that has a
//! route for it first. Only `default`, which is the operator's, may answer for every host; that takes nothing
//! from hosts that are routed by name only where the operator chose a priority that says so. What is refused is told
//! without the other's names: they are not for tenants to know.

use wharf_gateway::{HostMatch, HostPattern, Precedence, RuleSpec};

use crate::names::NamespaceName;
use crate::refusal::Refusal;

/// Ends every default host.
const LOCAL: &str = ".localhost";

/// Refuses routes for hosts that can't be this namespace's.
pub(super) fn refuse_reserved(namespace: &NamespaceName, own: &[RuleSpec]) -> Result<(), Refusal> {
    let is_default = *namespace == NamespaceName::default_namespace();
    for rule in own {
        if rule.conditions.host.is_empty() && !is_default {
            return Err(
                foreign("a route without a host answers for every host", namespace)
                    .hint("name the route's hosts; only namespace `default` may leave them out"),
            );
        }
        let is_regex = |host: &&HostMatch| matches!(host, HostMatch::Regex(_));
        if let Some(regex) = rule.conditions.host.iter().find(is_regex)
            && !is_default
        {
            let why = format!("the hosts of `{}` can be of any namespace", regex.as_str());
            return Err(foreign(&why, namespace)
                .hint("name hosts or patterns; only namespace `default` may have a regular expression"));
        }
        for host in patterns(rule) {
            match owner(host) {
                Owner::Anybody => {}
                Owner::Everybody if is_default => {}
                Owner::Namespace(name) if name == namespace.as_str() => {}
                Owner::Everybody | Owner::Namespace(_) => {
                    let why = format!("the host `{}` is not this namespace's", host.as_str());
                    return Err(foreign(&why, namespace).hint(own_hosts(namespace)));
                }
            }
        }
    }
    Ok(())
}

/// Refuses routes for hosts that a route of another namespace has, and priorities that one has.
pub(super) fn refuse_taken(
    namespace: &NamespaceName,
    own: &[RuleSpec],
    other: &NamespaceName,
    theirs: &[RuleSpec],
) -> Result<(), Refusal> {
    debug_assert_ne!(
        namespace, other,
        "a namespace's own rules are compared by the gateway"
    );
    for rule in own {
        for their in theirs {
            if let Some(host) = shared_host(rule, their) {
                let why = format!("the host `{}` is taken by another namespace", host.as_str());
                return Err(foreign(&why, namespace).hint("choose another host"));
            }
            if let Precedence::Explicit(priority) = rule.precedence
                && rule.precedence == their.precedence
            {
                let why = format!("priority {priority} is taken by another namespace");
                return Err(foreign(&why, namespace).hint("choose another priority"));
            }
        }
    }
    Ok(())
}

/// A host that both rules name. One that matches every namespace's hosts is the operator's, and like a route
/// without a host it takes none of them.
fn shared_host<'a>(rule: &'a RuleSpec, their: &RuleSpec) -> Option<&'a HostPattern> {
    let named = |host: &&HostPattern| owner(host) != Owner::Everybody;
    let mut own = patterns(rule).filter(named);
    own.find(|host| patterns(their).filter(named).any(|theirs| host.overlaps(theirs)))
}

/// The hosts of a rule that are named. A regular expression may match every host, and is the operator's alone.
fn patterns(rule: &RuleSpec) -> impl Iterator<Item = &HostPattern> {
    rule.conditions.host.iter().filter_map(|host| match host {
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
    let wild = ['*', '?'];
    let Some(rest) = text.strip_suffix(LOCAL) else {
        let open_ended = text.rsplit(wild).next().is_some_and(|end| LOCAL.ends_with(end));
        return if text.contains(wild) && open_ended {
            Owner::Everybody
        } else {
            Owner::Anybody
        };
    };
    match rest.rsplit_once('.') {
        Some((_, namespace)) if !namespace.contains(wild) => Owner::Namespace(namespace),
        None if !rest.contains(wild) => Owner::Namespace("default"),
        _ => Owner::Everybody,
    }
}

fn own_hosts(namespace: &NamespaceName) -> String {
    if *namespace == NamespaceName::default_namespace() {
        return "hosts of this form with a further part belong to the namespace they name".to_owned();
    }
    format!("under `.localhost`, this namespace's hosts end in `.{namespace}{LOCAL}`")
}

fn foreign(why: &str, namespace: &NamespaceName) -> Refusal {
    Refusal::conflict("RouteInUse", format!("{why} (namespace `{namespace}`)")).field("route")
}

#[cfg(test)]
mod tests;
