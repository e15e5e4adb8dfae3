//! Which services requests can reach, and by whose routes.

use super::ControlLoop;
use super::watched::Watched;
use crate::model::{ServiceKind, ServiceStatus};
use crate::names::{NamespaceName, Revision, ServiceName};
use crate::tasks::Exposure;

/// What is in force for one service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Exposed {
    namespace: NamespaceName,
    service: ServiceName,
    routes: Revision,
    health: Revision,
}

impl ControlLoop {
    /// Makes the services reachable that shall be, if that differs from what is in force.
    pub(super) fn expose(&mut self) {
        let mut wanted: Vec<(Exposed, Exposure)> = self.services.values().filter_map(exposure).collect();
        wanted.sort_by(|(a, _), (b, _)| a.cmp(b));
        let (exposed, exposures): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
        if exposed == self.exposed {
            return;
        }
        match self.parts.executor.expose(&exposures) {
            Ok(()) => self.exposed = exposed,
            // A deploy is refused before it comes to this; what was reachable still is.
            Err(error) => tracing::error!(%error, "can't put the routes in force"),
        }
    }
}

/// The routes of the revision that runs, until its successor does; the health check of the successor, which
/// its tasks are waited for with.
fn exposure(watched: &Watched) -> Option<(Exposed, Exposure)> {
    let service = &watched.service;
    if service.kind == ServiceKind::Worker || service.status == ServiceStatus::Draining {
        return None;
    }
    let health = service.goal?;
    let routes = service
        .stable
        .filter(|_| service.rollout.is_some())
        .unwrap_or(health);
    let exposure = Exposure {
        routes: watched.blueprints.get(&routes)?.clone(),
        health: watched.blueprints.get(&health)?.clone(),
    };
    let (namespace, name) = (service.namespace.clone(), service.name.clone());
    Some((
        Exposed {
            namespace,
            service: name,
            routes,
            health,
        },
        exposure,
    ))
}
