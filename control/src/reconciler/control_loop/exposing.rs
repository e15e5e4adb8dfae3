//! Which services requests can reach, and by whose routes.

use std::time::Duration;

use wharf_gateway::Hold;

use super::watched::Watched;
use super::{ControlLoop, ServiceKey};
use crate::manifest::Strategy;
use crate::model::{ServiceKind, ServiceStatus};
use crate::names::Revision;
use crate::scaling::ScalingSpec;
use crate::tasks::Exposure;

/// How long a request waits while a service is recreated: for the old tasks to drain and the new ones to start. Longer
/// than the default `stop_timeout`.
const RECREATED_WITHIN: Duration = Duration::from_secs(60);

/// What is in force for one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exposed {
    routes: Revision,
    health: Revision,
    hold: Option<Hold>,
}

impl ControlLoop {
    /// Makes the services reachable that shall be.
    pub(super) fn expose(&mut self) {
        let wanted = self.services.iter();
        let wanted = wanted.filter_map(|(key, watched)| Some((key.clone(), exposure(watched)?)));
        let mut wanted: Vec<(ServiceKey, (Exposed, Exposure))> = wanted.collect();
        wanted.sort_by(|(a, _), (b, _)| a.cmp(b));
        let exposures: Vec<Exposure> = wanted.iter().map(|(_, (_, exposure))| exposure.clone()).collect();
        match self.parts.executor.expose(&exposures) {
            Ok(()) => {
                self.exposed = wanted
                    .into_iter()
                    .map(|(key, (exposed, _))| (key, exposed))
                    .collect()
            }
            // A deploy is refused before it comes to this; what was reachable still is.
            Err(error) => tracing::error!(%error, "can't put the routes in force"),
        }
    }

    /// The same, if what is in force of this service differs from what shall be.
    pub(super) fn expose_service(&mut self, key: &ServiceKey) {
        let wanted = self.services.get(key).and_then(exposure);
        if self.exposed.get(key) != wanted.as_ref().map(|(exposed, _)| exposed) {
            self.expose();
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
    let goal = service.goal?;
    // What failed and stays is not what the requests are for.
    let failed = service.rollout.is_none() && service.stable.is_some_and(|stable| stable != goal);
    let health = service.stable.filter(|_| failed).unwrap_or(goal);
    let routes = service
        .stable
        .filter(|_| failed || service.rollout.is_some())
        .unwrap_or(goal);
    let recreates = watched
        .deployment
        .as_ref()
        .is_some_and(|deployment| deployment.record.spec.strategy == Strategy::Recreate);
    let hold = match recreates {
        true => Hold::new(RECREATED_WITHIN, Hold::MOST).ok(),
        false => service.scaling.as_ref().and_then(ScalingSpec::hold),
    };
    let exposure = Exposure {
        routes: watched.blueprints.get(&routes)?.clone(),
        health: watched.blueprints.get(&health)?.clone(),
        hold,
    };
    let exposed = Exposed { routes, health, hold };
    Some((exposed, exposure))
}
