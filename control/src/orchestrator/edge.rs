//! Listeners, target groups and routes that are no service's: applied all or none, deleted, put into another order.

mod change;
mod check;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::change::Change;
use self::check::{dangling, in_use};
use super::Orchestrator;
use crate::edge::{self, Asks, Gone, Objects, Scene, Touches};
use crate::manifest::{self, Destination};
use crate::model::keys;
use crate::names::{ListenerName, NamespaceName, RouteName, ServiceName, TargetGroupName};
use crate::refusal::{Kind, Refusal};

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

impl ObjectName {
    fn key(&self, namespace: &NamespaceName) -> String {
        match self {
            Self::Listener(name) => keys::listener(name),
            Self::TargetGroup(name) => keys::target_group(namespace, name),
            Self::Route(name) => keys::route(namespace, name),
        }
    }

    /// Takes the object out; whether it was there.
    fn take_out_of(&self, objects: &mut Objects, namespace: &NamespaceName) -> bool {
        match self {
            Self::Listener(name) => objects.listeners.remove(name).is_some(),
            Self::TargetGroup(name) => {
                let key = (namespace.clone(), name.clone());
                objects.target_groups.remove(&key).is_some()
            }
            Self::Route(name) => objects.remove_route(&(namespace.clone(), name.clone())),
        }
    }

    /// What goes with it.
    fn gone(&self, namespace: &NamespaceName) -> Gone {
        match self {
            Self::Listener(name) => Gone::Listener(name.clone()),
            Self::TargetGroup(name) => {
                Gone::Destinations(namespace.clone(), vec![Destination::TargetGroup(name.clone())])
            }
            Self::Route(_) => Gone::Routes,
        }
    }
}

impl Orchestrator {
    /// Makes objects what they are said to be, all of them or none. What isn't among them stays as it is.
    ///
    /// # Errors
    /// What is wrong, naming object and field; then nothing has changed.
    pub async fn apply(&self, namespace: &NamespaceName, objects: Value) -> Result<AppliedChange, Refusal> {
        let written = self
            .aside
            .run(move || manifest::objects_from_json(objects))
            .await??;
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
        let change = self
            .aside
            .run(move || Change::new(&before, &of, written, now))
            .await??;
        if change.transaction.ops().is_empty() {
            return Ok(change.came_to);
        }
        let came_to = change.came_to;
        let asks = self.asks(namespace, change.touches);
        let check = move |scene: &Scene| scene.check(&asks).map_err(dangling);
        let in_force_after = self.carry_out(change, check).await?;
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
        if matches!(name, ObjectName::Listener(name) if name.is_http()) {
            let message = "the listener `http` is the one of `wharf serve --http`: it goes with the server";
            return Err(Refusal::conflict("ListenerInUse", message));
        }
        let key = name.key(namespace);
        let mut after = (*self.edge.objects()).clone();
        // One whose record is damaged was never taken over.
        let is_there = name.take_out_of(&mut after, namespace) || self.store.get(&key).await?.is_some();
        if !is_there {
            let of_service = match name {
                ObjectName::Route(name) => self.route_of_a_service(namespace, name.as_str()),
                ObjectName::TargetGroup(name) => self.target_group_of_a_service(namespace, name),
                ObjectName::Listener(_) => None,
            };
            return Err(of_service.unwrap_or_else(|| no_object(namespace, name)));
        }
        let (gone, asks) = (name.gone(namespace), self.asks(namespace, Touches::Listeners));
        let change = Change::deletion(after, key);
        let check = move |scene: &Scene| scene.check_without(&gone, &asks).map_err(in_use);
        self.carry_out(change, check).await?;
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
        let (objects, of) = (self.edge.objects(), namespace.clone());
        let is_applied = |name: &&String| {
            let name: Result<RouteName, _> = name.parse();
            name.is_ok_and(|name| objects.routes.contains_key(&(namespace.clone(), name)))
        };
        let other = priorities.keys().find(|name| !is_applied(name));
        if let Some(refusal) = other.and_then(|name| self.route_of_a_service(namespace, name)) {
            return Err(refusal);
        }
        let written = self
            .aside
            .run(move || reordered(&objects, &of, priorities))
            .await??;
        self.apply_written(namespace, written).await
    }

    /// Why a route that a list shows by this name can't be changed by itself: a service's manifest has it. None if no
    /// service has one of this name.
    pub fn route_of_a_service(&self, namespace: &NamespaceName, name: &str) -> Option<Refusal> {
        let scene = self.edge.scene();
        let mut own = scene.rules().filter(|rule| rule.namespace == *namespace);
        let rule = own.find(|rule| {
            rule.service.is_some() && edge::short_name(rule.spec.name.as_str(), namespace) == name
        })?;
        let service = rule.service.as_ref()?;
        Some(match &rule.text {
            Some(_) => of_a_service(&format!("route `{name}`"), service),
            None => Refusal::conflict(
                "ResourceInUse",
                format!(
                    "route `{name}` is the default host of service `{service}`, which has no other route"
                ),
            )
            .hint(format!(
                "give the service a [[route]] of its own and deploy it, or `wharf delete {service}`"
            )),
        })
    }

    fn target_group_of_a_service(
        &self,
        namespace: &NamespaceName,
        name: &TargetGroupName,
    ) -> Option<Refusal> {
        let scene = self.edge.scene();
        let mut groups = scene.outside_of(namespace);
        let (_, service) = groups.find(|(group, by)| group.name == *name && by.is_some())?;
        Some(of_a_service(&format!("target group `{name}`"), service?))
    }

    /// Opens what a change needs, writes it, and puts it in force, unless it is refused; says how long the last took.
    async fn carry_out(
        &self,
        change: Change,
        check: impl Fn(&Scene) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<Duration, Refusal> {
        let after = Arc::new(change.after);
        let scenes = self.scenes(after.clone(), None).await?;
        self.aside
            .run(move || scenes.iter().try_for_each(check))
            .await??;
        let edge = self.edge.clone();
        let objects = after.clone();
        // Opening reads certificates; what was opened and can't be kept is closed again.
        let ahead = blocking(move || edge.listen_ahead(&objects)).await??;
        self.store.commit(change.transaction).await?;
        blocking(move || ahead.take_over(after)).await?
    }

    fn asks(&self, namespace: &NamespaceName, touches: Touches) -> Asks {
        Asks {
            namespace: namespace.clone(),
            touches,
            left_out: self.edge.left_out().into_keys().collect(),
            before: Arc::new(self.edge.scene()),
        }
    }
}

/// Routes as they were applied, with other priorities.
fn reordered(
    objects: &Objects,
    namespace: &NamespaceName,
    priorities: BTreeMap<String, i64>,
) -> Result<manifest::Objects, Refusal> {
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
    Ok(manifest::objects_from_json(json!({ "route": routes }))?)
}

/// Work with locks that the threads of control take, too. Aside, it would hold them for as long as others keep the cores
/// busy, and those threads with it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| Refusal::new(Kind::Internal, "WorkFailed", error.to_string()))
}

fn of_a_service(what: &str, service: &ServiceName) -> Refusal {
    let message = format!("{what} is of service `{service}`: its manifest has it");
    Refusal::conflict("ResourceInUse", message).hint(format!(
        "change it in the wharf.toml of `{service}` and deploy that, or `wharf delete {service}`"
    ))
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
