//! Which services requests can reach, and by whose routes.

use std::time::Duration;

use tokio::time::Instant;
use wharf_gateway::Hold;

use super::watched::Watched;
use super::{ControlLoop, RETRY_AFTER, ServiceKey};
use crate::model::{ServiceKind, ServiceStatus};
use crate::names::Revision;
use crate::reconciler::plan::{Action, Observed, Phase, Takes, stops};
use crate::scaling::ScalingSpec;
use crate::tasks::Exposure;

/// How long a request waits for a successor of the tasks that were taken away: for the old ones to drain and the new ones
/// to start. Longer than the default `stop_timeout`.
const REPLACED_WITHIN: Duration = Duration::from_secs(60);

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

    /// Has requests wait while a service that shall have tasks has none that takes any, because `actions` take the last
    /// ones away, or because it is recreated: from before that until another is there, or none comes.
    pub(super) fn bridge(&mut self, key: &ServiceKey, observed: &Observed, actions: &[Action]) {
        let now = Instant::now();
        let Some(watched) = self.services.get_mut(key) else {
            return;
        };
        let before = watched.bridged;
        watched.bridged = match gap(observed, actions) {
            _ if watched.desired().count == 0 => None,
            Gap::None => None,
            Gap::Begins => Some(now + REPLACED_WITHIN),
            // Its successor may have to wait for its room.
            Gap::Drains if before.is_some() => Some(now + REPLACED_WITHIN),
            // As long as it lasts, also after a restart.
            Gap::Drains | Gap::Lasts if watched.is_recreated() => Some(now + REPLACED_WITHIN),
            Gap::Drains | Gap::Lasts => before.filter(|until| *until > now),
        };
        let bridged = watched.bridged;
        if bridged.is_some() != before.is_some() {
            self.expose_service(key);
        }
        if let Some(until) = bridged {
            self.wake(key, until);
        }
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

/// Whether there are tasks that take requests. Those that take them for want of a better one take them at once even while
/// requests wait, so that waiting goes on beside them.
enum Gap {
    /// There are, and they stay.
    None,
    /// There are, and they are taken away.
    Begins,
    /// There are none, and some go on their way out.
    Drains,
    /// There are none.
    Lasts,
}

fn gap(observed: &Observed, actions: &[Action]) -> Gap {
    let drains = observed.tasks.iter().any(|task| task.phase == Phase::Leaving);
    let (takes, takers) = observed.takers();
    let all_go = takers.into_iter().all(|task| stops(actions, task));
    match takes {
        Takes::Requests | Takes::IfNoneIsWell if all_go => Gap::Begins,
        Takes::Requests => Gap::None,
        Takes::IfNoneIsWell | Takes::Nothing if drains => Gap::Drains,
        Takes::IfNoneIsWell | Takes::Nothing => Gap::Lasts,
    }
}

/// As the revision says that runs, until its successor does. How tasks are checked is said with each of them.
fn exposure(watched: &Watched) -> Option<(Exposed, Exposure)> {
    let service = &watched.service;
    if service.kind == ServiceKind::Worker || service.status == ServiceStatus::Draining {
        return None;
    }
    let revision = service.runs()?;
    let hold = match watched.bridged.is_some() {
        true => Hold::new(REPLACED_WITHIN, Hold::MOST).ok(),
        false => service.scaling.as_ref().and_then(ScalingSpec::hold),
    };
    let exposure = Exposure {
        blueprint: watched.blueprints.get(&revision)?.clone(),
        hold,
    };
    let exposed = Exposed { revision, hold };
    Some((exposed, exposure))
}
