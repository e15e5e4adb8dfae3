//! That a change, a deploy's too, can be in force beside everything else: seen before it is written.

use std::sync::Arc;

use crate::blueprint::{Blueprint, BlueprintError};
use crate::edge::{Fault, Gone, Objects, Scene, Served, Touches, check_targets};
use crate::manifest::{Manifest, Workload, default_host};
use crate::model::stored::readable;
use crate::model::{Service, ServiceKind, ServiceStatus, keys};
use crate::names::{FamilyRevision, NamespaceName, Revision, ServiceName};
use crate::orchestrator::Orchestrator;
use crate::refusal::Refusal;

/// Which of its revisions a service has the routes of.
type Pick = fn(&Service) -> Option<Revision>;

impl Orchestrator {
    /// Refuses a manifest of a service that can't be in force beside everything else. The service is as it was before.
    pub(in crate::orchestrator) async fn check_edge(
        &self,
        service: &Service,
        manifest: &Manifest,
    ) -> Result<(), Refusal> {
        if self.stands_apart(service, manifest).await? {
            return Ok(());
        }
        let (namespace, name) = (&service.namespace, &service.name);
        let served = Arc::new(Served::new(namespace, manifest)?);
        let but = Some((namespace, name));
        let mut scenes = self.scenes(self.edge.objects(), but).await?;
        for scene in &mut scenes {
            scene.add(served.clone());
        }
        let asks = self.asks(namespace, Touches::Own);
        let checked = self.aside.run(move || {
            served.target_groups().try_for_each(check_targets)?;
            scenes.iter().try_for_each(|scene| scene.check(&asks))
        });
        checked.await?.map_err(dangling)
    }

    /// Refuses that a service goes while something needs it.
    pub(in crate::orchestrator) async fn check_unneeded(&self, service: &Service) -> Result<(), Refusal> {
        let (namespace, name) = (&service.namespace, &service.name);
        let mut destinations = Vec::new();
        for revision in [service.goal, service.stable] {
            let served = self.served(service, revision).await?;
            destinations.extend(served.destinations());
        }
        let gone = Gone::Destinations(namespace.clone(), destinations);
        let scenes = self.scenes(self.edge.objects(), Some((namespace, name))).await?;
        let asks = self.asks(namespace, Touches::Own);
        let checked = self.aside.run(move || {
            scenes
                .iter()
                .try_for_each(|scene| scene.check_without(&gone, &asks))
        });
        checked.await?.map_err(in_use)
    }

    /// Whether a service needs no comparing with everything else, which takes the longer the more there is. It has only its
    /// default host, which is its own by its name; nothing is in force of it that others could need and would lose; no
    /// route of its namespace is for that host; and there is room for one rule more.
    async fn stands_apart(&self, before: &Service, manifest: &Manifest) -> Result<bool, Refusal> {
        let (namespace, name) = (&before.namespace, &before.name);
        if !is_plain(manifest) || !self.was_plain(before).await? {
            return Ok(false);
        }
        let Ok(host) = default_host(name, namespace).parse() else {
            return Ok(false);
        };
        let scene = self.edge.scene();
        if !scene.has_room() || scene.names(namespace, &host, name) {
            return Ok(false);
        }
        if before.goal.or(before.stable).is_some() {
            // It has its host already: whoever came since was compared with it.
            return Ok(true);
        }
        // What was asked for is in force a moment later.
        let in_force = scene.revisions_of(namespace);
        let services = self.readable_services(&keys::services(namespace)).await?;
        for service in services.iter().filter(|service| service.name != *name) {
            for revision in [service.goal, service.stable].into_iter().flatten() {
                let is_known = in_force.get(&service.name) == Some(&Some(revision));
                if !is_known && self.served(service, Some(revision)).await?.names(&host) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether a service has only its default host, or nothing yet.
    async fn was_plain(&self, service: &Service) -> Result<bool, Refusal> {
        for revision in [service.goal, service.stable].into_iter().flatten() {
            let blueprint = self.usable(service, revision).await?;
            if !blueprint.is_some_and(|blueprint| is_plain(&blueprint.manifest)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is to be in force: with what rollouts began with, and with what they aim at. One service may be left out.
    pub(super) async fn scenes(
        &self,
        objects: Arc<Objects>,
        but: Option<(&NamespaceName, &ServiceName)>,
    ) -> Result<Vec<Scene>, Refusal> {
        let services = self.readable_services(keys::SERVICES).await?;
        let others = |service: &&Service| {
            service.kind == ServiceKind::Http
                && service.status == ServiceStatus::Active
                && but != Some((&service.namespace, &service.name))
        };
        let picks: [Pick; 2] = [|s| s.stable.or(s.goal), |s| s.goal.or(s.stable)];
        let is_rolling = services
            .iter()
            .filter(others)
            .any(|service| picks[0](service) != picks[1](service));
        let mut scenes = Vec::new();
        for pick in picks.into_iter().take(if is_rolling { 2 } else { 1 }) {
            let mut served: Vec<Arc<Served>> = Vec::new();
            for service in services.iter().filter(others) {
                served.push(Arc::new(self.served(service, pick(service)).await?));
            }
            scenes.push(self.edge.scene_of(objects.clone(), served));
        }
        Ok(scenes)
    }

    /// Services but for those whose records are damaged: nothing of them is in force after the next start, and they keep
    /// nobody else from changing what is theirs.
    async fn readable_services(&self, prefix: &str) -> Result<Vec<Service>, Refusal> {
        let entries = self.store.list(prefix).await?.entries;
        Ok(entries.iter().filter_map(readable).collect())
    }

    async fn served(&self, service: &Service, revision: Option<Revision>) -> Result<Served, Refusal> {
        let namespace = &service.namespace;
        let blueprint = match revision {
            Some(revision) => self.usable(service, revision).await?,
            None => None,
        };
        match blueprint {
            Some(blueprint) => Served::new(namespace, &blueprint.manifest),
            None => Served::unreleased(namespace, &service.name),
        }
    }

    /// A revision of a service; none if it can't be used, as then nothing of it is in force either: it keeps nobody else
    /// from changing what is theirs.
    async fn usable(&self, service: &Service, revision: Revision) -> Result<Option<Arc<Blueprint>>, Refusal> {
        let family = service.name.clone();
        let id = FamilyRevision { family, revision };
        match self.blueprints.load(&service.namespace, &id).await {
            Ok(blueprint) => Ok(Some(blueprint)),
            Err(BlueprintError::Store(error)) => Err(error.into()),
            Err(error) => {
                tracing::error!(namespace = %service.namespace, %id, %error, "can't use a task definition");
                Ok(None)
            }
        }
    }
}

/// Whether it is reached by its default host and nothing else, and brings nothing that others could need, nor a
/// stickiness that routes to it have to go along with.
fn is_plain(manifest: &Manifest) -> bool {
    match &manifest.workload {
        Workload::Service(service) => {
            let brings_none = service.routes.is_empty() && service.target_groups.is_empty();
            brings_none && service.group.stickiness.is_none()
        }
        Workload::Job(_) => false,
    }
}

/// What was asked for leads nowhere.
pub(super) fn dangling(fault: Fault) -> Refusal {
    match fault {
        Fault::NoDestination { who, to, namespace } => {
            let message = format!("{who} forwards to {to}, which doesn't exist in namespace `{namespace}`");
            Refusal::unprocessable("DestinationNotFound", message)
                .field("route")
                .hint("deploy or apply it first, or together with the route")
        }
        Fault::NoListener { who, listener } => {
            let message = format!("{who} is on listener `{listener}`, which doesn't exist");
            Refusal::unprocessable("ListenerNotFound", message)
                .field("route")
                .hint("`wharf listener list` shows those there are")
        }
        Fault::Refused(refusal) => refusal,
    }
}

/// What was to be deleted is needed.
pub(super) fn in_use(fault: Fault) -> Refusal {
    // ALB: ResourceInUse
    let refuse =
        |message: String| Refusal::conflict("ResourceInUse", message).hint("change or delete that first");
    match fault {
        Fault::NoDestination { who, to, .. } => refuse(format!("{who} forwards to {to}")),
        Fault::NoListener { who, listener } => refuse(format!("{who} is on listener `{listener}`")),
        Fault::Refused(refusal) => refusal,
    }
}
