//! Which rules a service has on the listener, and whose they clash with.

use std::sync::Arc;

use wharf_gateway::{
    Action, Conditions, GroupName, HostMatch, HostPattern, ListenerName, ListenerRules, PathMatch,
    PathPattern, Precedence, Routing, RuleName, RuleSpec, Scheme,
};

use super::{Orchestrator, hosts};
use crate::manifest::{Manifest, Route, Workload, default_host};
use crate::model::{Service, ServiceKind, ServiceStatus, keys};
use crate::names::{FamilyRevision, NamespaceName, Revision, ServiceName};
use crate::refusal::{Kind, Refusal};
use crate::server::HTTP_LISTENER;

/// Routes whose paths are longer than this rank as if they had it.
const LONGEST_RANKED_PATH: usize = 1000;

impl Orchestrator {
    /// Refuses routes that other services have.
    pub(super) async fn check_routes(
        &self,
        namespace: &NamespaceName,
        name: &ServiceName,
        manifest: &Manifest,
    ) -> Result<(), Refusal> {
        let own = rules(namespace, manifest)?;
        hosts::refuse_reserved(namespace, &own)?;
        let services: Vec<Service> = self.records(keys::SERVICES).await?;
        let others = |service: &&Service| {
            service.kind == ServiceKind::Http
                && service.status == ServiceStatus::Active
                && (&service.namespace, &service.name) != (namespace, name)
        };
        // Both may come to be in force beside the new ones: what a rollout began with and what it aims at.
        let picks: [fn(&Service) -> Option<Revision>; 2] = [|s| s.stable.or(s.goal), |s| s.goal.or(s.stable)];
        let [began, aims] = picks;
        let is_rolling = services
            .iter()
            .filter(others)
            .any(|other| began(other) != aims(other));
        for pick in picks.into_iter().take(1 + usize::from(is_rolling)) {
            let mut rules = own.clone();
            for service in services.iter().filter(others) {
                let theirs = self.rules_of(service, pick(service)).await?;
                if service.namespace == *namespace {
                    rules.extend(theirs);
                } else {
                    hosts::refuse_taken(namespace, &own, &service.namespace, &theirs)?;
                }
            }
            routing(rules)?.check().map_err(|error| {
                Refusal::conflict("RouteInUse", error.to_string())
                    .field("route")
                    .hint("change the route's conditions or priority")
            })?;
        }
        Ok(())
    }

    async fn rules_of(
        &self,
        service: &Service,
        revision: Option<Revision>,
    ) -> Result<Vec<RuleSpec>, Refusal> {
        let Some(revision) = revision else {
            return Ok(Vec::new());
        };
        let id = FamilyRevision {
            family: service.name.clone(),
            revision,
        };
        let blueprint = self.blueprints.load(&service.namespace, &id).await?;
        rules(&service.namespace, &blueprint.manifest)
    }
}

/// The group a service's tasks are targets of; its rules are named after it.
///
/// # Errors
/// Never for names that were parsed: they are short and ASCII.
pub fn group_name(namespace: &NamespaceName, service: &ServiceName) -> Result<GroupName, Refusal> {
    GroupName::new(&format!("{namespace}/{service}")).map_err(unusable)
}

/// The rules of a service: its routes, or the default host's if it has none.
///
/// # Errors
/// If a name is none to the gateway.
pub fn rules(namespace: &NamespaceName, manifest: &Manifest) -> Result<Vec<RuleSpec>, Refusal> {
    let Workload::Service(service) = &manifest.workload else {
        return Ok(Vec::new());
    };
    let group = group_name(namespace, &manifest.name)?;
    let label = format!("{namespace}/{}", manifest.name);
    if service.routes.is_empty() {
        let host: HostPattern = default_host(&manifest.name, namespace)
            .parse()
            .map_err(unusable)?;
        let conditions = Conditions {
            host: vec![host.into()],
            ..Conditions::default()
        };
        let name = RuleName::new(&label).map_err(unusable)?;
        let action = Action::forward(group);
        return Ok(vec![RuleSpec::new(
            name,
            Precedence::DefaultHost,
            conditions,
            action,
        )]);
    }
    let named = service.routes.iter().enumerate().map(|(index, route)| {
        let name = RuleName::new(&format!("{label}[{index}]")).map_err(unusable)?;
        let conditions = Conditions {
            host: route.hosts.iter().cloned().map(HostMatch::from).collect(),
            path: route.paths.iter().cloned().map(PathMatch::from).collect(),
            ..Conditions::default()
        };
        let action = Action::forward(group.clone());
        Ok(RuleSpec::new(name, precedence(route), conditions, action))
    });
    named.collect()
}

/// These rules on the one listener there is.
///
/// # Errors
/// Never: its name is one.
pub fn routing(rules: Vec<RuleSpec>) -> Result<Routing, Refusal> {
    let listeners = vec![ListenerRules {
        listener: ListenerName::new(HTTP_LISTENER).map_err(unusable)?,
        scheme: Scheme::Http,
        rules: rules.into_iter().map(Arc::new).collect(),
        default: Action::NotFound,
    }];
    Ok(Routing { listeners })
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
    if service.routes.is_empty() {
        return vec![url(&default_host(&manifest.name, namespace))];
    }
    let mut urls: Vec<String> = Vec::new();
    for host in service.routes.iter().flat_map(|route| &route.hosts) {
        let is_exact = !host.as_str().contains(['*', '?']);
        let url = url(host.as_str());
        if is_exact && !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}

fn precedence(route: &Route) -> Precedence {
    match route.priority {
        Some(priority) => Precedence::Explicit(priority),
        None => Precedence::Unranked {
            looseness: looseness(route),
        },
    }
}

/// Exact hosts before patterns before every host; within that, longer paths first.
fn looseness(route: &Route) -> u16 {
    let exact = |host: &HostPattern| !host.as_str().contains(['*', '?']);
    let hosts = match (route.hosts.is_empty(), route.hosts.iter().all(exact)) {
        (true, _) => 2,
        (false, false) => 1,
        (false, true) => 0,
    };
    let shortest = route
        .paths
        .iter()
        .map(PathPattern::as_str)
        .map(str::len)
        .min()
        .unwrap_or(0);
    let paths = LONGEST_RANKED_PATH.saturating_sub(shortest);
    u16::try_from(hosts * (LONGEST_RANKED_PATH + 1) + paths).unwrap_or(u16::MAX)
}

fn unusable(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Kind::Internal, "UnusableName", error.to_string())
}
