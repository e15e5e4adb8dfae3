//! All rules and groups that are to be in force together, whoever's they are: what a change is checked in before it is
//! made, and what the gateway is configured by after it was.

mod check;

use std::collections::BTreeMap;
use std::sync::Arc;

use wharf_gateway::routing::MAX_RULES;
use wharf_gateway::{
    Action, GroupName, GroupSpec, Hold, HostMatch, HostPattern, ListenerRules, Routing, Scheme,
};

pub use self::check::{Asks, Fault, Gone, Touches, worded};
use super::objects::Objects;
use super::outside::OutsideGroup;
use super::rules::{self, Rule, unusable};
use crate::manifest::{Destination, Manifest, ServiceSpec, TargetGroup, UnusableRoute, Workload};
use crate::names::{ListenerName, NamespaceName, Revision, ServiceName};
use crate::refusal::Refusal;

/// Places for rules that a check against some of what there is leaves free: deploys that were answered may not be in
/// force yet.
const PLACES_SPARED: usize = MAX_RULES / 10;

/// A service that requests can reach.
#[derive(Debug, Clone)]
pub struct Served {
    namespace: NamespaceName,
    name: ServiceName,
    /// Whose routes these are, if they are a revision's.
    revision: Option<Revision>,
    /// What its tasks are targets of.
    group: GroupName,
    spec: GroupSpec,
    rules: Vec<Rule>,
    /// Routes that make no sense to this version, each with what it is called.
    unusable: Vec<(String, Arc<UnusableRoute>)>,
    /// The `[[target_group]]`s of its manifest, which are the namespace's.
    target_groups: Vec<Arc<TargetGroup>>,
}

/// What is to be in force together.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The port that `--http` listens on.
    http: u16,
    /// Those of listeners that take any.
    chosen: BTreeMap<ListenerName, u16>,
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

fn service_of(manifest: &Manifest) -> Option<&ServiceSpec> {
    match &manifest.workload {
        Workload::Service(service) => Some(service),
        Workload::Job(_) => None,
    }
}

impl Served {
    /// A service as a manifest has it.
    ///
    /// # Errors
    /// If a name is none to the gateway.
    pub fn new(namespace: &NamespaceName, manifest: &Manifest) -> Result<Self, Refusal> {
        let service = service_of(manifest);
        let spec = service.map_or_else(GroupSpec::default, |service| service.group.clone());
        let target_groups = service.map_or(Vec::new(), |service| service.target_groups.clone());
        Ok(Self {
            namespace: namespace.clone(),
            name: manifest.name.clone(),
            revision: None,
            group: rules::group_name(namespace, &manifest.name)?,
            spec,
            rules: rules::rules(namespace, manifest)?,
            unusable: rules::unusable_routes(manifest),
            target_groups: target_groups.into_iter().map(Arc::new).collect(),
        })
    }

    /// The same, whose routes are this revision's.
    #[must_use]
    pub fn of(mut self, revision: Revision) -> Self {
        self.revision = Some(revision);
        self
    }

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
        same_rules && self.unusable == other.unusable && self.target_groups == other.target_groups
    }

    /// A service that no deployment has brought anything to yet.
    ///
    /// # Errors
    /// If a name is none to the gateway.
    pub fn unreleased(namespace: &NamespaceName, name: &ServiceName) -> Result<Self, Refusal> {
        Ok(Self {
            namespace: namespace.clone(),
            name: name.clone(),
            revision: None,
            group: rules::group_name(namespace, name)?,
            spec: GroupSpec::default(),
            rules: Vec::new(),
            unusable: Vec::new(),
            target_groups: Vec::new(),
        })
    }

    /// The target groups that come and go with it.
    pub fn target_groups(&self) -> impl Iterator<Item = &TargetGroup> {
        self.target_groups.iter().map(|group| &**group)
    }

    /// What others of its namespace can forward to for as long as it is there.
    pub fn destinations(&self) -> impl Iterator<Item = Destination> {
        let groups = self.target_groups();
        let groups = groups.map(|group| Destination::TargetGroup(group.name.clone()));
        groups.chain([Destination::Service(self.name.clone())])
    }

    /// Whether one of its routes is for this host by name.
    pub fn names(&self, host: &HostPattern) -> bool {
        self.rules.iter().any(|rule| names(rule, host))
    }
}

impl Scene {
    pub(super) fn new(
        http: u16,
        chosen: BTreeMap<ListenerName, u16>,
        objects: Arc<Objects>,
        services: Vec<Arc<Served>>,
    ) -> Self {
        Self {
            http,
            chosen,
            objects,
            services,
        }
    }

    /// One more service is to be in force.
    pub fn add(&mut self, service: Arc<Served>) {
        self.services.push(service);
    }

    /// All rules.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        let own = self.services.iter().flat_map(|service| &service.rules);
        own.chain(self.objects.routes.values().map(|standing| &standing.rule))
    }

    /// A namespace's routes that make no sense to this version, each with what it is called and the service whose
    /// manifest has it, if one does.
    pub fn unusable_of(
        &self,
        namespace: &NamespaceName,
    ) -> impl Iterator<Item = (&str, Option<&ServiceName>, &UnusableRoute)> {
        let services = self
            .services
            .iter()
            .filter(move |served| served.namespace == *namespace);
        let own = services.flat_map(|served| {
            let unusable = served.unusable.iter();
            unusable.map(|(name, route)| (name.as_str(), Some(&served.name), &**route))
        });
        let applied = self.objects.unusable_of(namespace);
        own.chain(applied.map(|(name, route)| (name.as_str(), None, route)))
    }

    /// Whether a route of a namespace, but for those of one service, is for this host by name.
    pub fn names(&self, namespace: &NamespaceName, host: &HostPattern, but: &ServiceName) -> bool {
        let mut own = self.rules().filter(|rule| rule.namespace == *namespace);
        own.any(|rule| rule.service.as_ref() != Some(but) && names(rule, host))
    }

    /// The revisions whose routes a namespace's services have here.
    pub fn revisions_of(&self, namespace: &NamespaceName) -> BTreeMap<&ServiceName, Option<Revision>> {
        let own = self
            .services
            .iter()
            .filter(|served| served.namespace == *namespace);
        own.map(|served| (&served.name, served.revision)).collect()
    }

    /// Whether a rule on every listener has room, whatever was asked for and isn't in force yet.
    pub fn has_room(&self) -> bool {
        let everywhere = self.listeners().len();
        let places = |rule: &Rule| match rule.listeners.len() {
            0 => everywhere,
            some => some,
        };
        let taken: usize = self.rules().map(places).sum();
        taken + everywhere + PLACES_SPARED <= MAX_RULES
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
                port: match of.and_then(|listener| listener.address) {
                    Some(address) if address.port() == 0 => self.chosen.get(name).copied(),
                    Some(address) => Some(address.port()),
                    None => Some(self.http),
                },
                rules: self.rules().filter(on).map(|rule| rule.spec.clone()).collect(),
                default,
            });
        }
        Ok(Routing { listeners })
    }
}

fn names(rule: &Rule, host: &HostPattern) -> bool {
    let hosts = &rule.spec.conditions.host;
    hosts
        .iter()
        .any(|own| matches!(own, HostMatch::Pattern(own) if own.as_str() == host.as_str()))
}

/// What a rule is called within its namespace: `shop`, `api[0]`, `api`.
pub fn short_name<'r>(rule: &'r str, namespace: &NamespaceName) -> &'r str {
    let own = rule
        .strip_prefix(namespace.as_str())
        .and_then(|rest| rest.strip_prefix('/'));
    let own = own.unwrap_or(rule);
    own.strip_prefix("routes/").unwrap_or(own)
}
