//! From a route to a rule of the gateway: what it is called there, how it ranks, which groups it forwards to.

use std::sync::Arc;

use wharf_gateway::{
    Action, Conditions, Forward, GroupName, HostMatch, HostPattern, PathMatch, Precedence, RuleName,
    RuleSpec, WeightedGroup,
};

use crate::manifest::{
    DefaultAction, Destination, Manifest, Route, RouteAction, RouteText, ServiceSpec, Shares, UnusableRoute,
    Workload, default_host,
};
use crate::names::{ListenerName, NamespaceName, RouteName, ServiceName, TargetGroupName};
use crate::refusal::{Kind, Refusal};

/// Routes whose paths are longer than this rank as if they had it.
const LONGEST_RANKED_PATH: usize = 1000;

/// Conditions besides host and path that are counted for a route's rank.
const RANKED_CONDITIONS: usize = 7;

/// A rule, and what of it the gateway doesn't know.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Whose it is.
    pub namespace: NamespaceName,
    /// The service whose manifest it is of; none for one that stands by itself.
    pub service: Option<ServiceName>,
    /// As it was written; none for a default host.
    pub text: Option<Arc<RouteText>>,
    /// The listeners it is on; none: every one.
    pub listeners: Vec<ListenerName>,
    /// What it forwards to.
    pub destinations: Vec<Destination>,
    /// As the gateway has it. What the rule is called in the namespace is its name without the namespace.
    pub spec: Arc<RuleSpec>,
}

impl Rule {
    /// Whether both come to the same: they are made of the same text for the same purpose.
    pub(super) fn says_what(&self, other: &Self) -> bool {
        (&self.namespace, &self.service, &self.text) == (&other.namespace, &other.service, &other.text)
            && self.spec.name == other.spec.name
    }

    /// A route that stands by itself.
    ///
    /// # Errors
    /// Never for names that were parsed.
    pub fn standing(namespace: &NamespaceName, name: &RouteName, route: &Route) -> Result<Self, Refusal> {
        Self::of_route(namespace, &format!("{namespace}/routes/{name}"), route, None)
    }

    fn of_route(
        namespace: &NamespaceName,
        label: &str,
        route: &Route,
        own: Option<&ServiceName>,
    ) -> Result<Self, Refusal> {
        let (action, destinations) = action(namespace, &route.action, own)?;
        let name = RuleName::new(label).map_err(unusable)?;
        let spec = RuleSpec {
            transforms: route.transforms.clone(),
            request_headers: route.request_headers.clone(),
            response_headers: route.response_headers.clone(),
            timeout: route.timeout,
            body_limit: route.body_limit,
            ..RuleSpec::new(name, precedence(route), route.conditions.clone(), action)
        };
        Ok(Self {
            namespace: namespace.clone(),
            service: own.cloned(),
            text: Some(route.text.clone()),
            listeners: route.listeners.clone(),
            destinations,
            spec: Arc::new(spec),
        })
    }
}

/// The group a service's tasks are targets of; its rules are named after it.
///
/// # Errors
/// Never for names that were parsed: they are short and ASCII.
pub fn group_name(namespace: &NamespaceName, service: &ServiceName) -> Result<GroupName, Refusal> {
    GroupName::new(&format!("{namespace}/{service}")).map_err(unusable)
}

/// The service whose tasks are targets of a group, if they are a service's.
pub fn service_of(group: &GroupName) -> Option<(NamespaceName, ServiceName)> {
    let (namespace, service) = group.as_str().split_once('/')?;
    Some((namespace.parse().ok()?, service.parse().ok()?))
}

/// The group of targets outside.
///
/// # Errors
/// Never for names that were parsed.
pub fn target_group_name(namespace: &NamespaceName, name: &TargetGroupName) -> Result<GroupName, Refusal> {
    GroupName::new(&format!("{namespace}/target-groups/{name}")).map_err(unusable)
}

/// The group a destination is.
///
/// # Errors
/// Never for names that were parsed.
pub fn group_of(namespace: &NamespaceName, destination: &Destination) -> Result<GroupName, Refusal> {
    match destination {
        Destination::Service(name) => group_name(namespace, name),
        Destination::TargetGroup(name) => target_group_name(namespace, name),
    }
}

/// The rules of a service: its routes, or the default host's if it has none.
///
/// # Errors
/// If a name is none to the gateway.
pub fn rules(namespace: &NamespaceName, manifest: &Manifest) -> Result<Vec<Rule>, Refusal> {
    let Workload::Service(service) = &manifest.workload else {
        return Ok(Vec::new());
    };
    let label = format!("{namespace}/{}", manifest.name);
    if has_default_host(service) {
        return Ok(vec![default_rule(namespace, &manifest.name, &label)?]);
    }
    let is_used = |at: &usize| !service.unusable_routes.iter().any(|unusable| unusable.at == *at);
    let places = (0..).filter(is_used);
    let named = places.zip(&service.routes).map(|(at, route)| {
        let label = called(&label, at, route.name.as_ref().map(AsRef::as_ref));
        Rule::of_route(namespace, &label, route, Some(&manifest.name))
    });
    named.collect()
}

/// What a service's route is called: by its name, or by its place among them.
fn called(service: &str, at: usize, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{service}[{name}]"),
        None => format!("{service}[{at}]"),
    }
}

/// Whether no route was written for it.
fn has_default_host(service: &ServiceSpec) -> bool {
    service.routes.is_empty() && service.unusable_routes.is_empty()
}

/// The routes of a service that make no sense to this version, each with what it is called in the namespace.
pub fn unusable_routes(manifest: &Manifest) -> Vec<(String, Arc<UnusableRoute>)> {
    let Workload::Service(service) = &manifest.workload else {
        return Vec::new();
    };
    let named = service.unusable_routes.iter().map(|route| {
        let name = route.text.as_ref().and_then(|text| text.name.as_deref());
        let name = called(manifest.name.as_str(), route.at, name);
        (name, Arc::new(route.clone()))
    });
    named.collect()
}

fn default_rule(namespace: &NamespaceName, name: &ServiceName, label: &str) -> Result<Rule, Refusal> {
    let host: HostPattern = default_host(name, namespace).parse().map_err(unusable)?;
    let conditions = Conditions {
        host: vec![host.into()],
        ..Conditions::default()
    };
    let action = Action::forward(group_name(namespace, name)?);
    let rule = RuleName::new(label).map_err(unusable)?;
    Ok(Rule {
        namespace: namespace.clone(),
        service: Some(name.clone()),
        text: None,
        listeners: Vec::new(),
        destinations: Vec::new(),
        spec: Arc::new(RuleSpec::new(rule, Precedence::DefaultHost, conditions, action)),
    })
}

/// The gateway's action, and what it forwards to besides the service itself.
fn action(
    namespace: &NamespaceName,
    action: &RouteAction,
    own: Option<&ServiceName>,
) -> Result<(Action, Vec<Destination>), Refusal> {
    Ok(match action {
        RouteAction::Own => {
            let own = own.ok_or_else(|| unusable("a route without an action"))?;
            (Action::forward(group_name(namespace, own)?), Vec::new())
        }
        RouteAction::Forward(shares) => {
            let foreign = |to: &&Destination| !matches!(to, Destination::Service(name) if Some(name) == own);
            let to = shares.to.iter().map(|share| &share.to).filter(foreign);
            (forward(namespace, shares)?, to.cloned().collect())
        }
        RouteAction::Redirect(redirect) => (Action::Redirect(redirect.clone()), Vec::new()),
        RouteAction::Fixed(fixed) => (Action::Fixed(fixed.clone()), Vec::new()),
    })
}

fn forward(namespace: &NamespaceName, shares: &Shares) -> Result<Action, Refusal> {
    let groups = shares.to.iter().map(|share| {
        Ok(WeightedGroup {
            group: group_of(namespace, &share.to)?,
            weight: share.weight,
        })
    });
    let groups = groups.collect::<Result<_, Refusal>>()?;
    let forward = Forward::weighted(groups, shares.stickiness).map_err(unusable)?;
    Ok(Action::Forward(forward))
}

/// What a listener does when no rule matches, and what it forwards to, in namespace `default`.
///
/// # Errors
/// Never for names that were parsed.
pub fn default_action(default: &DefaultAction) -> Result<(Action, Vec<Destination>), Refusal> {
    Ok(match default {
        DefaultAction::NotFound => (Action::NotFound, Vec::new()),
        DefaultAction::Redirect(redirect) => (Action::Redirect(redirect.clone()), Vec::new()),
        DefaultAction::Fixed(fixed) => (Action::Fixed(fixed.clone()), Vec::new()),
        DefaultAction::Forward(shares) => {
            let namespace = NamespaceName::default_namespace();
            let to = shares.to.iter().map(|share| share.to.clone());
            (forward(&namespace, shares)?, to.collect())
        }
    })
}

/// Where a service answers: its default host, or the exact hosts of its routes.
pub fn urls(namespace: &NamespaceName, manifest: &Manifest, port: u16) -> Vec<String> {
    let Workload::Service(service) = &manifest.workload else {
        return Vec::new();
    };
    let url = |host: &str| match port {
        80 => format!("http://{host}"),
        port => format!("http://{host}:{port}"),
    };
    if has_default_host(service) {
        return vec![url(&default_host(&manifest.name, namespace))];
    }
    let mut urls: Vec<String> = Vec::new();
    for host in own_hosts(service) {
        let url = url(host);
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}

/// The exact hosts that the listener of `--http` has for the service.
fn own_hosts(service: &ServiceSpec) -> impl Iterator<Item = &str> {
    let on_http =
        |route: &&Route| route.listeners.is_empty() || route.listeners.iter().any(ListenerName::is_http);
    let hosts = service
        .routes
        .iter()
        .filter(on_http)
        .flat_map(|route| &route.conditions.host);
    hosts.filter(|host| is_exact(host)).map(HostMatch::as_str)
}

fn is_exact(host: &HostMatch) -> bool {
    matches!(host, HostMatch::Pattern(pattern) if !pattern.as_str().contains(['*', '?']))
}

fn precedence(route: &Route) -> Precedence {
    match route.priority {
        Some(priority) => Precedence::Explicit(priority),
        None => Precedence::Unranked {
            looseness: looseness(&route.conditions),
        },
    }
}

/// Exact hosts before patterns before every host; within that, longer paths first; within that, those with more
/// conditions besides.
fn looseness(conditions: &Conditions) -> u16 {
    let hosts = match (conditions.host.is_empty(), conditions.host.iter().all(is_exact)) {
        (true, _) => 2,
        (false, false) => 1,
        (false, true) => 0,
    };
    let length = |path: &PathMatch| match path {
        PathMatch::Pattern(pattern) => pattern.as_str().len(),
        PathMatch::Regex(_) => 0,
    };
    let shortest = conditions.path.iter().map(length).min().unwrap_or(0);
    let paths = LONGEST_RANKED_PATH.saturating_sub(shortest);
    let others = usize::from(!conditions.methods.is_empty())
        + conditions.headers.len()
        + conditions.query.len()
        + usize::from(!conditions.source_ip.is_empty());
    let rank = hosts * (LONGEST_RANKED_PATH + 1) + paths;
    let rank = rank * (RANKED_CONDITIONS + 1) + RANKED_CONDITIONS.saturating_sub(others);
    u16::try_from(rank).unwrap_or(u16::MAX)
}

pub(super) fn unusable(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Kind::Internal, "UnusableName", error.to_string())
}
