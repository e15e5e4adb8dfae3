//! What services come to at the gateway, worked out once for each and not each time one of many changes.

use std::collections::HashMap;
use std::sync::Arc;

use wharf_gateway::Hold;

use super::Exposure;
use crate::blueprint::Blueprint;
use crate::edge::Served;
use crate::names::{NamespaceName, ServiceName};
use crate::refusal::Refusal;

/// What was worked out, of each service that is exposed.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<(NamespaceName, ServiceName), Made>);

/// What was made, and of what.
#[derive(Debug)]
struct Made {
    routes: Arc<Blueprint>,
    health: Arc<Blueprint>,
    hold: Option<Hold>,
    served: Arc<Served>,
}

impl Known {
    /// What a service comes to.
    pub(super) fn of(&mut self, exposure: &Exposure) -> Result<Arc<Served>, Refusal> {
        let Exposure { routes, health, hold } = exposure;
        let key = key(exposure);
        if let Some(made) = self.0.get(&key)
            && Arc::ptr_eq(&made.routes, routes)
            && Arc::ptr_eq(&made.health, health)
            && made.hold == *hold
        {
            return Ok(made.served.clone());
        }
        let served = Served::new(&routes.namespace, &routes.manifest, &health.manifest)?;
        let made = Made {
            routes: routes.clone(),
            health: health.clone(),
            hold: *hold,
            served: Arc::new(served.holding(*hold)),
        };
        let served = made.served.clone();
        self.0.insert(key, made);
        Ok(served)
    }

    /// Forgets the others.
    pub(super) fn keep(&mut self, exposures: &[Exposure]) {
        if self.0.len() > exposures.len() {
            let exposed: std::collections::HashSet<_> = exposures.iter().map(key).collect();
            self.0.retain(|key, _| exposed.contains(key));
        }
    }
}

fn key(exposure: &Exposure) -> (NamespaceName, ServiceName) {
    let routes = &exposure.routes;
    (routes.namespace.clone(), routes.manifest.name.clone())
}
