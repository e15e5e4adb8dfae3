//! A rule set compiled for matching: exact hosts by hash, everything else in order of precedence.
//!
//! Rules that name exact hosts are the many, rules with wildcards the few. A request therefore looks only at the
//! rules filed under its own host and at the unfiled ones, merged by rank; thousands of services with a host each
//! cost one look-up.

use std::{cmp::Ordering, collections::HashMap, iter, sync::Arc};

use super::{Action, HostPattern, PathPattern, Precedence, Routing, RuleSpec};
use crate::{
    group::TargetGroup,
    names::{GroupName, RuleName},
};

/// The longest host that can match a rule: a longer one is no DNS name and only meets rules without a host.
const MAX_HOST_BYTES: usize = 255;

/// Why a rule set was refused. The one before it stays in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoutingError {
    /// Two rules with one name.
    #[error("two rules are named `{0}`: a rule's name is unique on its listener")]
    SameName(RuleName),
    /// Two rules with one priority. ALB: `PriorityInUse`.
    #[error("rules `{first}` and `{second}` both have {precedence}: give one of them another")]
    SamePriority {
        /// The one that came first.
        first: RuleName,
        /// The one that came second.
        second: RuleName,
        /// What they share.
        precedence: Precedence,
    },
    /// Two rules that match the same requests: the later one could never apply.
    #[error("rules `{first}` and `{second}` both match {conditions}: change or remove one of them")]
    SameConditions {
        /// The one that ranks higher.
        first: RuleName,
        /// The one that would never apply.
        second: RuleName,
        /// What they share.
        conditions: String,
    },
    /// A rule that forwards to a group that isn't there.
    #[error("rule `{rule}` forwards to target group `{group}`, which does not exist")]
    UnknownGroup {
        /// The rule.
        rule: RuleName,
        /// The group it names.
        group: GroupName,
    },
}

/// A compiled rule set. Never changed, only replaced.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// By rank.
    rules: Vec<Arc<Rule>>,
    /// Ranks of the rules filed under an exact host, ascending.
    by_host: HashMap<Box<[u8]>, Vec<usize>>,
    /// Ranks of the rules that may match any host, ascending.
    unfiled: Vec<usize>,
}

/// A compiled rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: RuleName,
    pub(crate) group: Arc<TargetGroup>,
    /// Hosts that a hash cannot find. Empty in a rule without wildcard hosts.
    wild_hosts: Vec<HostPattern>,
    any_host: bool,
    paths: Vec<PathPattern>,
}

impl Rule {
    fn takes_host(&self, host: &[u8]) -> bool {
        self.any_host || self.wild_hosts.iter().any(|pattern| pattern.matches(host))
    }

    fn takes_path(&self, path: &[u8]) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|pattern| pattern.matches(path))
    }
}

impl Snapshot {
    /// Compiles a rule set, or refuses it naming the rules at fault.
    pub(crate) fn compile(
        routing: Routing,
        group: impl Fn(&GroupName) -> Option<Arc<TargetGroup>>,
    ) -> Result<Self, RoutingError> {
        let mut specs = routing.rules;
        rank(&mut specs);
        refuse_duplicates(&specs)?;
        let mut snapshot = Self::default();
        for spec in specs {
            let Action::Forward(name) = spec.action;
            let Some(group) = group(&name) else {
                return Err(RoutingError::UnknownGroup {
                    rule: spec.name,
                    group: name,
                });
            };
            snapshot.add(spec.name, group, spec.conditions.host, spec.conditions.path);
        }
        Ok(snapshot)
    }

    fn add(
        &mut self,
        name: RuleName,
        group: Arc<TargetGroup>,
        hosts: Vec<HostPattern>,
        paths: Vec<PathPattern>,
    ) {
        let rank = self.rules.len();
        let any_host = hosts.is_empty();
        let mut wild_hosts = Vec::new();
        for host in hosts {
            match host.literal() {
                Some(literal) => {
                    let filed = self.by_host.entry(literal.as_bytes().into()).or_default();
                    if filed.last() != Some(&rank) {
                        filed.push(rank);
                    }
                }
                None => wild_hosts.push(host),
            }
        }
        if any_host || !wild_hosts.is_empty() {
            self.unfiled.push(rank);
        }
        self.rules.push(Arc::new(Rule {
            name,
            group,
            wild_hosts,
            any_host,
            paths,
        }));
    }

    /// The rule for a request: `host` as the client wrote it, port and case included; `path` without the query.
    pub(crate) fn find(&self, host: &[u8], path: &[u8]) -> Option<&Arc<Rule>> {
        let mut buffer = [0; MAX_HOST_BYTES];
        let host = normalise(host, &mut buffer);
        let filed = self.by_host.get(host).map_or(&[][..], Vec::as_slice);
        merge(filed, &self.unfiled).find_map(|(rank, source)| {
            let rule = self.rules.get(rank)?;
            let takes = match source {
                Source::Filed => rule.takes_path(path),
                Source::Unfiled => rule.takes_host(host) && rule.takes_path(path),
            };
            takes.then_some(rule)
        })
    }

    /// The groups in use, each with a rule that uses it.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&GroupName, &RuleName)> {
        self.rules.iter().map(|rule| (rule.group.name(), &rule.name))
    }
}

/// Which list a rank was found in: under an exact host, the host is known to match.
#[derive(Clone, Copy)]
enum Source {
    Filed,
    Unfiled,
}

/// Two ascending lists as one, lazily.
fn merge<'a>(filed: &'a [usize], unfiled: &'a [usize]) -> impl Iterator<Item = (usize, Source)> + 'a {
    let (mut filed, mut unfiled) = (filed.iter().peekable(), unfiled.iter().peekable());
    iter::from_fn(move || {
        let source = match (filed.peek(), unfiled.peek()) {
            (None, None) => return None,
            (Some(_), None) => Source::Filed,
            (None, Some(_)) => Source::Unfiled,
            (Some(a), Some(b)) => match a.cmp(b) {
                Ordering::Less | Ordering::Equal => Source::Filed,
                Ordering::Greater => Source::Unfiled,
            },
        };
        let next = match source {
            Source::Filed => filed.next(),
            Source::Unfiled => unfiled.next(),
        };
        next.map(|rank| (*rank, source))
    })
}

/// Lower case, without the port, on the stack. A host too long to be one becomes empty.
fn normalise<'b>(host: &[u8], buffer: &'b mut [u8; MAX_HOST_BYTES]) -> &'b [u8] {
    let host = without_port(host);
    let Some(lower) = buffer.get_mut(..host.len()) else {
        return &[];
    };
    lower.copy_from_slice(host);
    lower.make_ascii_lowercase();
    lower
}

fn without_port(host: &[u8]) -> &[u8] {
    let end = if host.starts_with(b"[") {
        host.iter().position(|byte| *byte == b']').map(|at| at + 1)
    } else {
        host.iter().position(|byte| *byte == b':')
    };
    end.and_then(|end| host.get(..end)).unwrap_or(host)
}

/// Stable, and default hosts among themselves by name, so that errors name them in the same order always.
pub(super) fn rank(specs: &mut [RuleSpec]) {
    specs.sort_by(|a, b| a.precedence.cmp(&b.precedence).then_with(|| a.name.cmp(&b.name)));
}

pub(super) fn refuse_duplicates(specs: &[RuleSpec]) -> Result<(), RoutingError> {
    let mut names = HashMap::new();
    let mut priorities = HashMap::new();
    let mut conditions = HashMap::new();
    for spec in specs {
        let second = || spec.name.clone();
        if names.insert(&spec.name, ()).is_some() {
            return Err(RoutingError::SameName(second()));
        }
        if let Precedence::Explicit(_) = spec.precedence
            && let Some(first) = priorities.insert(spec.precedence, &spec.name)
        {
            let (first, precedence) = (first.clone(), spec.precedence);
            return Err(RoutingError::SamePriority {
                first,
                second: second(),
                precedence,
            });
        }
        let same: &mut Vec<&RuleSpec> = conditions.entry(spec.conditions.identity()).or_default();
        if let Some(first) = same.iter().find(|first| clash(first.precedence, spec.precedence)) {
            let (first, conditions) = (first.name.clone(), spec.conditions.to_string());
            return Err(RoutingError::SameConditions {
                first,
                second: second(),
                conditions,
            });
        }
        same.push(spec);
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

#[cfg(test)]
mod tests;
