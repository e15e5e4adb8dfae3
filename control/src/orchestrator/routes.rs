//! Which rules a service has on the listener, and whose they clash with.

use std::sync::Arc;

use wharf_gateway::{
    Action, Conditions, GroupName, HostPattern, PathPattern, Precedence, Routing, RuleName, RuleSpec,
};

use super::Orchestrator;
use crate::blueprint::Blueprint;
use crate::manifest::{Manifest, Route, Workload, default_host};
use crate::model::stored::Record as _;
use crate::model::{Service, ServiceKind, keys};
use crate::names::{FamilyRevision, NamespaceName, ServiceName};
use crate::refusal::{Kind, Refusal};

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
        let mut rules = rules(namespace, manifest)?;
        for entry in self.store.list(keys::SERVICES).await?.entries {
            let other = Service::decode(&entry)?;
            if other.kind != ServiceKind::Http || (&other.namespace, &other.name) == (namespace, name) {
                continue;
            }
            if let Some(blueprint) = self.routed(&other).await? {
                rules.extend(self::rules(&other.namespace, &blueprint.manifest)?);
            }
        }
        Routing { rules }.check().map_err(|error| {
            Refusal::conflict("RouteInUse", error.to_string())
                .field("route")
                .hint("change the route's conditions or priority")
        })
    }

    /// The revision whose routes are in force, or will be.
    async fn routed(&self, service: &Service) -> Result<Option<Arc<Blueprint>>, Refusal> {
        let Some(revision) = service.goal.or(service.stable) else {
            return Ok(None);
        };
        let id = FamilyRevision {
            family: service.name.clone(),
            revision,
        };
        Ok(Some(self.blueprints.load(&service.namespace, &id).await?))
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
        return Ok(vec![RuleSpec {
            name: RuleName::new(&label).map_err(unusable)?,
            precedence: Precedence::DefaultHost,
            conditions: Conditions {
                host: vec![host],
                path: Vec::new(),
            },
            action: Action::Forward(group),
        }]);
    }
    let named = service.routes.iter().enumerate().map(|(index, route)| {
        Ok(RuleSpec {
            name: RuleName::new(&format!("{label}[{index}]")).map_err(unusable)?,
            precedence: precedence(route),
            conditions: Conditions {
                host: route.hosts.clone(),
                path: route.paths.clone(),
            },
            action: Action::Forward(group.clone()),
        })
    });
    named.collect()
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
