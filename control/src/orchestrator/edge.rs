//! Listeners, target groups and routes that are no service's: applied all or none, deleted, put into another order; and
//! the check that a change, a deploy's too, can be in force beside everything else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Orchestrator;
use crate::edge::{self, Fault, Objects, Scene, Served};
use crate::manifest::{self, Manifest, Workload};
use crate::model::stored::Record as _;
use crate::model::{Applied, Service, ServiceKind, ServiceStatus, keys};
use crate::names::{
    FamilyRevision, ListenerName, NamespaceName, Revision, RouteName, ServiceName, TargetGroupName,
};
use crate::refusal::{Kind, Refusal};
use crate::store::Transaction;

/// Routes there may be in a namespace, its services' aside (ALB: 100 of a load balancer).
const MAX_ROUTES: usize = 20_000;

/// Target groups there may be in a namespace, its services' aside (ALB: 3000 of a region).
const MAX_TARGET_GROUPS: usize = 5000;

/// Listeners there may be (ALB: 50 of a load balancer).
const MAX_LISTENERS: usize = 100;

/// What an apply came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct AppliedChange {
    /// Objects that are new.
    pub created: usize,
    /// Objects that were there and said something else.
    pub updated: usize,
    /// Objects that were as they are.
    pub unchanged: usize,
    /// How long it took from the checked and written change until it was in force.
    pub in_force_after: Duration,
}

/// One object, to be deleted.
#[derive(Debug, Clone)]
pub enum ObjectName {
    /// A listener.
    Listener(ListenerName),
    /// A target group.
    TargetGroup(TargetGroupName),
    /// A route.
    Route(RouteName),
}

/// A change that is being made up.
struct Change {
    after: Objects,
    transaction: Transaction,
    came_to: AppliedChange,
}

impl Orchestrator {
    /// Makes objects what they are said to be, all of them or none. What isn't among them stays as it is.
    ///
    /// # Errors
    /// What is wrong, naming object and field; then nothing has changed.
    pub async fn apply(&self, namespace: &NamespaceName, objects: Value) -> Result<AppliedChange, Refusal> {
        let written = blocking(move || manifest::objects_from_json(objects)).await??;
        let _writing = self.writes.lock().await;
        self.apply_written(namespace, written).await
    }

    /// While nothing else is written.
    async fn apply_written(
        &self,
        namespace: &NamespaceName,
        written: manifest::Objects,
    ) -> Result<AppliedChange, Refusal> {
        self.namespace(namespace).await?;
        let before = self.edge.objects();
        let (of, now) = (namespace.clone(), Timestamp::now());
        let change = blocking(move || Change::new(&before, &of, written, now)).await??;
        if change.transaction.ops().is_empty() {
            return Ok(change.came_to);
        }
        let came_to = change.came_to;
        let in_force_after = self.carry_out(namespace, change, dangling).await?;
        Ok(AppliedChange {
            in_force_after,
            ..came_to
        })
    }

    /// Deletes an object that nothing needs.
    ///
    /// # Errors
    /// If there is none, or something needs it, which is named.
    pub async fn delete_object(&self, namespace: &NamespaceName, name: &ObjectName) -> Result<(), Refusal> {
        let _writing = self.writes.lock().await;
        let mut after = (*self.edge.objects()).clone();
        let (was_there, key) = match name {
            ObjectName::Listener(name) if name.is_http() => {
                let message =
                    "the listener `http` is the one of `wharf serve --http`: it goes with the server";
                return Err(Refusal::conflict("ListenerInUse", message));
            }
            ObjectName::Listener(name) => (after.listeners.remove(name).is_some(), keys::listener(name)),
            ObjectName::TargetGroup(name) => {
                let key = (namespace.clone(), name.clone());
                (
                    after.target_groups.remove(&key).is_some(),
                    keys::target_group(namespace, name),
                )
            }
            ObjectName::Route(name) => {
                let key = (namespace.clone(), name.clone());
                (after.routes.remove(&key).is_some(), keys::route(namespace, name))
            }
        };
        if !was_there {
            return Err(no_object(namespace, name));
        }
        let change = Change {
            after,
            transaction: Transaction::new().delete(key),
            came_to: AppliedChange::default(),
        };
        self.carry_out(namespace, change, in_use).await?;
        Ok(())
    }

    /// Gives routes other priorities, all at once.
    ///
    /// # Errors
    /// If one isn't there, or two would have the same; then none has changed.
    pub async fn prioritise(
        &self,
        namespace: &NamespaceName,
        priorities: BTreeMap<String, i64>,
    ) -> Result<AppliedChange, Refusal> {
        let _writing = self.writes.lock().await;
        let objects = self.edge.objects();
        let mut routes = Vec::new();
        for (name, priority) in priorities {
            let parsed: RouteName = name.parse().map_err(|error: crate::names::NameError| {
                Refusal::unprocessable("InvalidName", error.to_string()).field(format!("priorities.{name}"))
            })?;
            let standing = objects.routes.get(&(namespace.clone(), parsed.clone()));
            let Some(standing) = standing else {
                return Err(no_object(namespace, &ObjectName::Route(parsed)));
            };
            let mut text = (*standing.route.text).clone();
            text.priority = Some(priority);
            routes.push(text);
        }
        let written = manifest::objects_from_json(json!({ "route": routes }))?;
        self.apply_written(namespace, written).await
    }

    /// Checks a change, opens what it needs, writes it, and puts it in force; says how long the last took.
    async fn carry_out(
        &self,
        namespace: &NamespaceName,
        change: Change,
        worded: fn(Fault) -> Refusal,
    ) -> Result<Duration, Refusal> {
        let after = Arc::new(change.after);
        let scenes = self.scenes(after.clone(), None).await?;
        let of = namespace.clone();
        blocking(move || scenes.iter().try_for_each(|scene| scene.check(&of)))
            .await?
            .map_err(worded)?;
        let edge = self.edge.clone();
        let objects = after.clone();
        // Opening reads certificates; what was opened and can't be kept is closed again.
        let ahead = blocking(move || edge.listen_ahead(&objects)).await??;
        self.store.commit(change.transaction).await?;
        ahead.keep();
        let edge = self.edge.clone();
        blocking(move || edge.take_over(after)).await?
    }

    /// Refuses a manifest of a service that can't be in force beside everything else; without one, refuses that the
    /// service goes while something needs it.
    pub(super) async fn check_edge(
        &self,
        namespace: &NamespaceName,
        name: &ServiceName,
        manifest: Option<&Manifest>,
    ) -> Result<(), Refusal> {
        if manifest.is_some_and(is_plain) && self.was_plain(namespace, name).await? {
            return Ok(());
        }
        let replaced = match manifest {
            Some(manifest) => Some(Served::new(namespace, manifest, manifest)?),
            None => None,
        };
        let is_there = replaced.is_some();
        let key = (namespace.clone(), name.clone());
        let scenes = self.scenes(self.edge.objects(), Some((key, replaced))).await?;
        let of = namespace.clone();
        let checked = blocking(move || {
            scenes.iter().try_for_each(|scene| match is_there {
                true => scene.check(&of),
                false => scene.check_references(),
            })
        });
        checked.await?.map_err(if is_there { dangling } else { in_use })
    }

    /// Whether a service has only its default host, or isn't there yet. That host is its own by its name, and nothing is
    /// in force of it that others could need and would lose: it needs no comparing with everything else, which takes the
    /// longer the more there is.
    async fn was_plain(&self, namespace: &NamespaceName, name: &ServiceName) -> Result<bool, Refusal> {
        let Some(service) = self.record::<Service>(&keys::service(namespace, name)).await? else {
            return Ok(true);
        };
        for revision in [service.goal, service.stable].into_iter().flatten() {
            let family = name.clone();
            let blueprint = self
                .blueprints
                .load(namespace, &FamilyRevision { family, revision })
                .await?;
            if !is_plain(&blueprint.manifest) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is to be in force: with what rollouts began with, and with what they aim at. One service may be another.
    async fn scenes(
        &self,
        objects: Arc<Objects>,
        replaced: Option<((NamespaceName, ServiceName), Option<Served>)>,
    ) -> Result<Vec<Scene>, Refusal> {
        let services: Vec<Service> = self.records(keys::SERVICES).await?;
        let (key, instead) = replaced.map_or((None, None), |(key, served)| (Some(key), served));
        let others = |service: &&Service| {
            service.kind == ServiceKind::Http
                && service.status == ServiceStatus::Active
                && key
                    .as_ref()
                    .is_none_or(|key| (&service.namespace, &service.name) != (&key.0, &key.1))
        };
        let picks: [fn(&Service) -> Option<Revision>; 2] = [|s| s.stable.or(s.goal), |s| s.goal.or(s.stable)];
        let is_rolling = services
            .iter()
            .filter(others)
            .any(|service| picks[0](service) != picks[1](service));
        let mut scenes = Vec::new();
        for pick in picks.into_iter().take(if is_rolling { 2 } else { 1 }) {
            let mut served: Vec<Arc<Served>> = instead.iter().cloned().map(Arc::new).collect();
            for service in services.iter().filter(others) {
                served.push(Arc::new(self.served(service, pick(service)).await?));
            }
            scenes.push(Scene::new(objects.clone(), served));
        }
        Ok(scenes)
    }

    async fn served(&self, service: &Service, revision: Option<Revision>) -> Result<Served, Refusal> {
        let (namespace, family) = (&service.namespace, service.name.clone());
        let Some(revision) = revision else {
            return Served::unreleased(namespace, &family);
        };
        let id = FamilyRevision { family, revision };
        let blueprint = self.blueprints.load(namespace, &id).await?;
        Served::new(namespace, &blueprint.manifest, &blueprint.manifest)
    }
}

/// Whether it is reached by its default host and nothing else, and brings nothing that others could need.
fn is_plain(manifest: &Manifest) -> bool {
    match &manifest.workload {
        Workload::Service(service) => service.routes.is_empty() && service.target_groups.is_empty(),
        Workload::Job(_) => false,
    }
}

impl Change {
    fn new(
        before: &Objects,
        namespace: &NamespaceName,
        written: manifest::Objects,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let mut change = Self {
            after: before.clone(),
            transaction: Transaction::new(),
            came_to: AppliedChange::default(),
        };
        for listener in &written.listeners {
            let was = before.listeners.get(&listener.name);
            change.put(
                was.map(|was| **was == *listener),
                keys::listener(&listener.name),
                &listener.text,
                now,
            )?;
        }
        for group in &written.target_groups {
            edge::check_targets(group)?;
            let was = before.target_groups.get(&(namespace.clone(), group.name.clone()));
            let key = keys::target_group(namespace, &group.name);
            change.put(was.map(|was| **was == *group), key, &group.text, now)?;
        }
        for route in &written.routes {
            let Some(name) = &route.name else { continue };
            let was = before.routes.get(&(namespace.clone(), name.clone()));
            change.put(
                was.map(|was| was.route == *route),
                keys::route(namespace, name),
                &*route.text,
                now,
            )?;
        }
        change.after.put(namespace, written)?;
        check_room("routes", change.after.routes_of(namespace).count(), MAX_ROUTES)?;
        check_room(
            "target groups",
            change.after.groups_of(namespace).count(),
            MAX_TARGET_GROUPS,
        )?;
        check_room("listeners", change.after.listeners.len(), MAX_LISTENERS)?;
        Ok(change)
    }

    /// Writes an object unless it is as it was.
    fn put(
        &mut self,
        is_same: Option<bool>,
        key: String,
        text: &impl serde::Serialize,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match is_same {
            Some(true) => {
                self.came_to.unchanged += 1;
                return Ok(());
            }
            Some(false) => self.came_to.updated += 1,
            None => self.came_to.created += 1,
        }
        let unserialisable =
            |error: serde_json::Error| Refusal::new(Kind::Internal, "Unserialisable", error.to_string());
        let applied = Applied {
            definition: serde_json::to_value(text).map_err(unserialisable)?,
            applied_at: now,
        };
        let transaction = std::mem::take(&mut self.transaction);
        self.transaction = transaction.put(key, applied.encode());
        Ok(())
    }
}

/// Work that may take its time: the threads that keep time are not for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| Refusal::new(Kind::Internal, "WorkFailed", error.to_string()))
}

fn check_room(what: &str, count: usize, bound: usize) -> Result<(), Refusal> {
    if count <= bound {
        return Ok(());
    }
    let message = format!("there would be {count} {what}, {bound} are allowed");
    Err(Refusal::conflict("LimitExceeded", message).hint("delete some that aren't needed"))
}

/// What was asked for leads nowhere.
fn dangling(fault: Fault) -> Refusal {
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
fn in_use(fault: Fault) -> Refusal {
    // ALB: ResourceInUse
    let refuse =
        |message: String| Refusal::conflict("ResourceInUse", message).hint("change or delete that first");
    match fault {
        Fault::NoDestination { who, to, .. } => refuse(format!("{who} forwards to {to}")),
        Fault::NoListener { who, listener } => refuse(format!("{who} is on listener `{listener}`")),
        Fault::Refused(refusal) => refusal,
    }
}

/// The answer for an object that isn't there.
pub fn no_object(namespace: &NamespaceName, name: &ObjectName) -> Refusal {
    let (code, message, list) = match name {
        ObjectName::Listener(name) => (
            "ListenerNotFound",
            format!("there is no listener `{name}`"),
            "listener",
        ),
        ObjectName::TargetGroup(name) => (
            "TargetGroupNotFound",
            format!("there is no target group `{name}` in namespace `{namespace}`"),
            "target-group",
        ),
        ObjectName::Route(name) => (
            "RouteNotFound",
            format!("there is no route `{name}` in namespace `{namespace}`"),
            "route",
        ),
    };
    Refusal::not_found(code, message).hint(format!(
        "`wharf {list} list` shows those there are; what a service's manifest has is changed by deploying it"
    ))
}
