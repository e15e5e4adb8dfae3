//! All rules and groups that are to be in force together, whoever's they are: what a change is checked in before it is
//! made, and what the gateway is configured by after it was.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use wharf_gateway::{
    Action, GroupName, GroupSpec, Hold, ListenerRules, Routing, RoutingError, RoutingFault, Scheme,
};

use super::hosts::{self, Taken};
use super::objects::Objects;
use super::outside::{self, OutsideGroup};
use super::rules::{self, Rule, unusable};
use crate::manifest::{Destination, Manifest, ServiceSpec, TargetGroup, Workload};
use crate::names::{ListenerName, NamespaceName, ServiceName};
use crate::refusal::Refusal;

/// A service that requests can reach.
#[derive(Debug, Clone)]
pub struct Served {
    namespace: NamespaceName,
    name: ServiceName,
    /// What its tasks are targets of.
    group: GroupName,
    spec: GroupSpec,
    rules: Vec<Rule>,
    /// The `[[target_group]]`s of its manifest, which are the namespace's.
    target_groups: Vec<Arc<TargetGroup>>,
}

/// What is to be in force together.
#[derive(Debug, Clone)]
pub struct Scene {
    pub(super) objects: Arc<Objects>,
    /// In the order of their keys.
    pub(super) services: Vec<Arc<Served>>,
}

/// A group as it shall be.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) spec: GroupSpec,
    /// Whose targets are outside; a service's register themselves.
    pub(super) outside: Option<OutsideGroup>,
}

/// Why what is asked for can't be in force.
#[derive(Debug)]
pub enum Fault {
    /// Something forwards to what isn't there.
    NoDestination {
        /// What forwards: `route `shop``.
        who: String,
        /// What isn't there.
        to: Destination,
        /// Where it was looked for.
        namespace: NamespaceName,
    },
    /// A route is on a listener that isn't there.
    NoListener {
        /// The route: `route `shop``.
        who: String,
        /// What isn't there.
        listener: ListenerName,
    },
    /// Anything else.
    Refused(Refusal),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn service_of(manifest: &Manifest) -> Option<&ServiceSpec> {
    match &manifest.workload {
        Workload::Service(service) => Some(service),
        Workload::Job(_) => None,
    }
}

impl Served {
    /// A service by the routes of one manifest and the health check of another: they differ during a rollout.
    ///
    /// # Errors
    /// If a name is none to the gateway.
    pub fn new(namespace: &NamespaceName, routes: &Manifest, health: &Manifest) -> Result<Self, Refusal> {
        let spec = service_of(health).map_or_else(GroupSpec::default, |service| service.group.clone());
        let target_groups = service_of(routes).map_or(Vec::new(), |service| service.target_groups.clone());
        Ok(Self {
            namespace: namespace.clone(),
            name: routes.name.clone(),
            group: rules::group_name(namespace, &routes.name)?,
            spec,
            rules: rules::rules(namespace, routes)?,
            target_groups: target_groups.into_iter().map(Arc::new).collect(),
        })
    }
}

impl Served {
    /// The same, whose requests wait for so long while it has no task.
    #[must_use]
    pub fn holding(mut self, hold: Option<Hold>) -> Self {
        self.spec.hold = hold;
        self
    }

    /// What the services are in order by.
    pub(super) fn key(&self) -> (&NamespaceName, &ServiceName) {
        (&self.namespace, &self.name)
    }

    /// What its tasks are targets of, and how.
    pub(super) fn group(&self) -> (&GroupName, &GroupSpec) {
        (&self.group, &self.spec)
    }

    /// Whether another version of the service has the same routes and target groups: then what the gateway routes by
    /// stays as it is.
    pub(super) fn routes_like(&self, other: &Self) -> bool {
        let same_rules = self.rules.len() == other.rules.len()
            && self
                .rules
                .iter()
                .zip(&other.rules)
                .all(|(one, other)| one.says_what(other));
        same_rules && self.target_groups == other.target_groups
    }

    /// A service that no deployment has brought anything to yet.
    ///
    /// # Errors
    /// If a name is none to the gateway.
    pub fn unreleased(namespace: &NamespaceName, name: &ServiceName) -> Result<Self, Refusal> {
        Ok(Self {
            namespace: namespace.clone(),
            name: name.clone(),
            group: rules::group_name(namespace, name)?,
            spec: GroupSpec::default(),
            rules: Vec::new(),
            target_groups: Vec::new(),
        })
    }
}

impl Scene {
    /// What was applied, beside these services.
    pub fn new(objects: Arc<Objects>, services: Vec<Arc<Served>>) -> Self {
        Self { objects, services }
    }

    /// The rules of a namespace, or of all.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        let own = self.services.iter().flat_map(|service| &service.rules);
        own.chain(self.objects.routes.values().map(|standing| &standing.rule))
    }

    /// Every listener there is to be; that of `--http` always is.
    pub(super) fn listeners(&self) -> BTreeMap<&ListenerName, Option<&crate::manifest::Listener>> {
        let applied = self.objects.listeners.iter();
        let mut listeners: BTreeMap<_, _> = applied.map(|(name, of)| (name, Some(&**of))).collect();
        listeners.entry(ListenerName::http()).or_insert(None);
        listeners
    }

    /// The target groups with targets outside, each with who defines it.
    fn outside(&self) -> impl Iterator<Item = (&NamespaceName, &Arc<TargetGroup>, Option<&ServiceName>)> {
        let applied = self.objects.target_groups.iter();
        let applied = applied.map(|((namespace, _), group)| (namespace, group, None));
        let of_services = self.services.iter().flat_map(|service| {
            let groups = service.target_groups.iter();
            groups.map(|group| (&service.namespace, group, Some(&service.name)))
        });
        applied.chain(of_services)
    }

    /// A namespace's target groups with targets outside, each with the service whose manifest defines it, if one does.
    pub fn outside_of<'s>(
        &'s self,
        namespace: &'s NamespaceName,
    ) -> impl Iterator<Item = (&'s Arc<TargetGroup>, Option<&'s ServiceName>)> {
        let of = self.outside().filter(move |(of, ..)| *of == namespace);
        of.map(|(_, group, by)| (group, by))
    }

    /// The groups there are to be. Of those that are defined twice, the first.
    pub(super) fn groups(&self) -> Result<BTreeMap<GroupName, Wanted>, Refusal> {
        let mut groups = BTreeMap::new();
        for service in &self.services {
            let spec = service.spec.clone();
            groups.insert(service.group.clone(), Wanted { spec, outside: None });
        }
        for (namespace, group, _) in self.outside() {
            let name = rules::target_group_name(namespace, &group.name)?;
            groups.entry(name).or_insert_with(|| Wanted {
                spec: group.spec.clone(),
                outside: Some(OutsideGroup::of(namespace, group)),
            });
        }
        Ok(groups)
    }

    /// What the gateway's listeners are to do.
    pub(super) fn routing(&self) -> Result<Routing, Refusal> {
        let mut listeners = Vec::new();
        for (name, of) in self.listeners() {
            let on = |rule: &&Rule| rule.listeners.is_empty() || rule.listeners.contains(name);
            let (default, _) = match of {
                Some(listener) => rules::default_action(&listener.default)?,
                None => (Action::NotFound, Vec::new()),
            };
            listeners.push(ListenerRules {
                listener: wharf_gateway::ListenerName::new(name.as_str()).map_err(unusable)?,
                scheme: match of.and_then(|listener| listener.tls.as_ref()) {
                    Some(_) => Scheme::Https,
                    None => Scheme::Http,
                },
                rules: self.rules().filter(on).map(|rule| rule.spec.clone()).collect(),
                default,
            });
        }
        Ok(Routing { listeners })
    }

    /// Refuses what a namespace asks for if it can't be in force beside everything else.
    ///
    /// # Errors
    /// What is in the way, naming the rules; those of other namespaces are not named.
    pub fn check(&self, namespace: &NamespaceName) -> Result<(), Fault> {
        let (own, others): (Vec<&Rule>, Vec<&Rule>) =
            self.rules().partition(|rule| rule.namespace == *namespace);
        hosts::refuse_reserved(namespace, &own)?;
        Taken::by(others.into_iter()).refuse(namespace, &own)?;
        self.refuse_ambiguous(namespace)?;
        for (group, _) in self.outside_of(namespace) {
            outside::refuse_own_addresses(namespace, group)?;
        }
        self.check_references()?;
        self.routing()?
            .check()
            .map_err(|error| Fault::Refused(in_use(&error, namespace)))
    }

    /// Refuses two target groups of one name, unless they are the same.
    fn refuse_ambiguous(&self, namespace: &NamespaceName) -> Result<(), Refusal> {
        let mut seen: BTreeMap<_, (&Arc<TargetGroup>, Option<&ServiceName>)> = BTreeMap::new();
        for (group, by) in self.outside_of(namespace) {
            match seen.get(&group.name) {
                Some((first, first_by)) if first != &group => {
                    let owner = |by: Option<&ServiceName>| match by {
                        Some(service) => format!("service `{service}`"),
                        None => "`wharf apply`".to_owned(),
                    };
                    let message = format!(
                        "target group `{}` of {} is there already, from {}, and says something else",
                        group.name,
                        owner(by),
                        owner(*first_by)
                    );
                    return Err(Refusal::conflict("TargetGroupInUse", message)
                        .field("target_group")
                        .hint("give one of them another name, or make them the same"));
                }
                Some(_) => {}
                None => {
                    seen.insert(&group.name, (group, by));
                }
            }
        }
        Ok(())
    }

    /// Refuses what leads nowhere: forwarding to what isn't there, routes on listeners that aren't.
    ///
    /// # Errors
    /// The first such thing.
    pub fn check_references(&self) -> Result<(), Fault> {
        let services = self.services.iter();
        let mut there: HashSet<(&NamespaceName, Destination)> = services
            .map(|service| (&service.namespace, Destination::Service(service.name.clone())))
            .collect();
        there.extend(
            self.outside()
                .map(|(namespace, group, _)| (namespace, Destination::TargetGroup(group.name.clone()))),
        );
        let listeners = self.listeners();
        for rule in self.rules() {
            let who = || format!("route `{}`", short_name(rule.spec.name.as_str(), &rule.namespace));
            for to in &rule.destinations {
                if !there.contains(&(&rule.namespace, to.clone())) {
                    let (to, namespace) = (to.clone(), rule.namespace.clone());
                    return Err(Fault::NoDestination {
                        who: who(),
                        to,
                        namespace,
                    });
                }
            }
            if let Some(listener) = rule.listeners.iter().find(|name| !listeners.contains_key(name)) {
                let listener = listener.clone();
                return Err(Fault::NoListener { who: who(), listener });
            }
        }
        let default = NamespaceName::default_namespace();
        for (name, of) in listeners {
            let Some(of) = of else { continue };
            for to in rules::default_action(&of.default)?.1 {
                if !there.contains(&(&default, to.clone())) {
                    let who = format!("the default of listener `{name}`");
                    return Err(Fault::NoDestination {
                        who,
                        to,
                        namespace: default,
                    });
                }
            }
        }
        Ok(())
    }
}

/// What a rule is called within its namespace: `shop`, `api[0]`, `api`.
pub fn short_name<'r>(rule: &'r str, namespace: &NamespaceName) -> &'r str {
    let own = rule
        .strip_prefix(namespace.as_str())
        .and_then(|rest| rest.strip_prefix('/'));
    let own = own.unwrap_or(rule);
    own.strip_prefix("routes/").unwrap_or(own)
}

/// What the gateway says of rules that can't be in force together; other namespaces' names are not for tenants to know.
fn in_use(error: &RoutingError, namespace: &NamespaceName) -> Refusal {
    let is_own = |rule: &wharf_gateway::RuleName| {
        let rest = rule.as_str().strip_prefix(namespace.as_str());
        namespace.is_default() || rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let with = match &error.fault {
        RoutingFault::SamePriority { with, .. } | RoutingFault::SameConditions { with, .. } => Some(with),
        _ => None,
    };
    let message = match error.rule.iter().chain(with).all(is_own) {
        true => error.to_string(),
        false => format!(
            "listener `{}`, {}: in conflict with a route of another namespace",
            error.listener, error.field
        ),
    };
    Refusal::conflict("RouteInUse", message)
        .field("route")
        .hint("change the route's conditions, priority or action")
}
