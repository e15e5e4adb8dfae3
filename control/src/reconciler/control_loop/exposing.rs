//! Which services requests can reach, and by whose routes.

use std::time::Duration;

use tokio::time::Instant;
use wharf_gateway::Hold;

use super::watched::Watched;
use super::{ControlLoop, RETRY_AFTER, ServiceKey};
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
    revision: Revision,
    hold: Option<Hold>,
}

impl ControlLoop {
    /// Makes all services reachable that shall be.
    pub(super) fn expose_all(&mut self) {
        let keys: Vec<ServiceKey> = self.services.keys().cloned().collect();
        self.expose(keys);
    }

    /// Makes a service reachable if it shall be, as it shall be.
    pub(super) fn expose_service(&mut self, key: &ServiceKey) {
        self.expose(vec![key.clone()]);
    }

    fn expose(&mut self, keys: Vec<ServiceKey>) {
        let (mut changes, mut after) = (Vec::new(), Vec::new());
        for key in keys {
            let (exposed, exposure) = self.services.get(&key).and_then(exposure).unzip();
            if self.exposed.get(&key) != exposed.as_ref() {
                changes.push((key.clone(), exposure));
                after.push((key, exposed));
            }
        }
        if changes.is_empty() {
            return;
        }
        let done = self.parts.executor.expose(changes);
        if let Err(error) = &done {
            // A deploy is refused before it comes to this; what was reachable still is.
            tracing::error!(%error, "can't put the routes in force; each service's are tried again");
        }
        for (key, exposed) in after {
            match (&done, exposed) {
                (Ok(()), Some(exposed)) => {
                    self.exposed.insert(key, exposed);
                }
                (Ok(()), None) => {
                    self.exposed.remove(&key);
                }
                (Err(_), _) => {
                    self.mark_stale(&key);
                    self.wake(&key, Instant::now() + RETRY_AFTER);
                }
            }
        }
    }
}

/// As the revision says that runs, until its successor does. How tasks are checked is said with each of them.
fn exposure(watched: &Watched) -> Option<(Exposed, Exposure)> {
    let service = &watched.service;
    if service.kind == ServiceKind::Worker || service.status == ServiceStatus::Draining {
        return None;
    }
    // What failed and stays is not what the requests are for.
    let revision = service.stable.or(service.goal)?;
    let recreates = watched
        .deployment
        .as_ref()
        .is_some_and(|deployment| deployment.record.spec.strategy == Strategy::Recreate);
    let hold = match recreates {
        true => Hold::new(RECREATED_WITHIN, Hold::MOST).ok(),
        false => service.scaling.as_ref().and_then(ScalingSpec::hold),
    };
    let exposure = Exposure {
        blueprint: watched.blueprints.get(&revision)?.clone(),
        hold,
    };
    let exposed = Exposed { revision, hold };
    Some((exposed, exposure))
}
