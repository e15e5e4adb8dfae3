//! The edge: where the store's listeners, target groups and routes meet the services that are exposed, and both become
//! the gateway's configuration.
//!
//! One description, the [`Scene`], serves twice. A change is checked in it before it is written, so that what can't be
//! in force is refused whole; and [`Edge`] puts it in force once it was written. There is no other way to the gateway's
//! rules, groups and listeners.

mod hosts;
mod listening;
mod objects;
mod outside;
pub mod rules;
mod scene;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use wharf_gateway::{
    Bound, Explanation, Gateway, GroupName, GroupSpec, RequestSample, RoutingError, RuleName, Socket,
    TargetStatus, TooMuchWork,
};

use self::listening::Opened;
pub use self::listening::{Ahead, BeginError, LISTENER_RETRY, ListenerState};
pub use self::objects::{Objects, StandingRoute};
use self::outside::Outside;
pub use self::outside::check_targets;
pub use self::scene::{Asks, Fault, Gone, Scene, Served, Touches, short_name, worded};
use crate::names::{ListenerName, NamespaceName, ServiceName};
use crate::refusal::{Kind, Refusal};

/// Rules that are left out at most, if they can't be in force together; with more, what is in force stays.
const MAX_LEFT_OUT: usize = 100;

/// A service, by its name.
type ServiceKey = (NamespaceName, ServiceName);

/// The gateway, configured by what was applied and by the services that are exposed.
pub struct Edge {
    gateway: Arc<Gateway>,
    /// Where `--http` is to listen.
    http: SocketAddr,
    /// The port it is bound to.
    http_port: u16,
    control: Handle,
    state: Mutex<State>,
}

/// What is in force.
#[derive(Default)]
struct State {
    objects: Arc<Objects>,
    /// In the order of their keys.
    services: Vec<Arc<Served>>,
    /// Groups there are, to remove those that aren't wanted any more.
    groups: BTreeSet<GroupName>,
    outside: Outside,
    /// Every listener there is to be.
    listeners: BTreeMap<ListenerName, Opened>,
    /// That of `--http`, while nothing listens yet.
    waiting: Option<Socket>,
    /// Those that are to be opened with the rules that are put in force next.
    bound: BTreeMap<ListenerName, Bound>,
    /// Those that are as a change wants them that isn't in force yet: they stay so until it is, or is taken back.
    ahead: BTreeSet<ListenerName>,
    left_out: BTreeMap<RuleName, RoutingError>,
}

impl Edge {
    /// Over a gateway that doesn't listen yet, with the socket and the address of `--http`. Nothing does until
    /// [`Self::begin_to_listen`].
    pub fn new(
        gateway: Arc<Gateway>,
        (socket, http): (Socket, SocketAddr),
        objects: Arc<Objects>,
        control: Handle,
    ) -> Self {
        let http_port = socket.local_addr().port();
        let state = State {
            objects,
            waiting: Some(socket),
            ..State::default()
        };
        Self {
            gateway,
            http,
            http_port,
            control,
            state: Mutex::new(state),
        }
    }

    /// What was applied.
    pub fn objects(&self) -> Arc<Objects> {
        self.lock().objects.clone()
    }

    /// Everything that is in force.
    pub fn scene(&self) -> Scene {
        let state = self.lock();
        self.scene_of(state.objects.clone(), state.services.clone())
    }

    /// What was applied, beside these services.
    pub fn scene_of(&self, objects: Arc<Objects>, services: Vec<Arc<Served>>) -> Scene {
        let chosen = self.chosen_ports(&objects);
        Scene::new(self.http_port, chosen, objects, services)
    }

    /// The ports that the system chose for listeners that take any, as far as they are open.
    fn chosen_ports(&self, objects: &Objects) -> BTreeMap<ListenerName, u16> {
        let takes_any = |name: &str| {
            let listener = objects.listeners.get(name);
            let address = listener.and_then(|listener| listener.address);
            address.is_some_and(|address| address.port() == 0)
        };
        if !objects.listeners.keys().any(|name| takes_any(name.as_str())) {
            return BTreeMap::new();
        }
        let open = self.gateway.listeners().into_iter();
        let open = open.filter(|status| takes_any(status.name.as_str()));
        open.filter_map(|status| Some((status.name.as_str().parse().ok()?, status.address.port())))
            .collect()
    }

    /// Makes services reachable as they shall be from now on, and those without anything to serve not any more. The
    /// others stay as they are.
    ///
    /// # Errors
    /// Why not; then all are as they were.
    pub fn expose(&self, changes: Vec<(ServiceKey, Option<Served>)>) -> Result<(), Refusal> {
        let mut state = self.lock();
        let mut services = state.services.clone();
        let mut routes = Routes::Stay;
        for (key, served) in changes {
            routes = routes.max(replace(&mut services, &key, served.map(Arc::new)));
        }
        let scene = self.scene_of(state.objects.clone(), services);
        match routes {
            Routes::Stay => self.configure_groups(&mut state, scene),
            Routes::Change => self.put_in_force(&mut state, scene)?,
        }
        Ok(())
    }

    /// Puts what was applied in force.
    ///
    /// # Errors
    /// Why not; what was in force before still is.
    pub fn take_over(&self, objects: Arc<Objects>) -> Result<(), Refusal> {
        self.take_over_in(&mut self.lock(), objects)
    }

    fn take_over_in(&self, state: &mut State, objects: Arc<Objects>) -> Result<(), Refusal> {
        let scene = self.scene_of(objects, state.services.clone());
        self.put_in_force(state, scene)
    }

    /// A group's targets; none if there is no such group.
    pub fn targets(&self, group: &GroupName) -> Option<Vec<TargetStatus>> {
        Some(self.gateway.groups().get(group)?.targets())
    }

    /// What was counted, as Prometheus reads it.
    pub fn metrics(&self) -> String {
        self.gateway.metrics()
    }

    /// What would become of a request. None if nothing is known of its listener.
    ///
    /// # Errors
    /// If comparing it with all rules takes more than it may.
    pub fn explain(&self, sample: &RequestSample) -> Result<Option<Explanation>, TooMuchWork> {
        self.gateway.explain(sample)
    }

    /// What the services' groups are to be, while everything is routed as before.
    fn configure_groups(&self, state: &mut State, scene: Scene) {
        let groups = self.gateway.groups();
        for (before, after) in state.services.iter().zip(&scene.services) {
            if !Arc::ptr_eq(before, after) {
                let (name, spec) = after.group();
                groups.ensure(name, spec.clone());
            }
        }
        state.services = scene.services;
    }

    fn put_in_force(&self, state: &mut State, scene: Scene) -> Result<(), Refusal> {
        let groups = self.gateway.groups();
        let wanted = scene.groups()?;
        let mut names: BTreeSet<GroupName> = wanted.keys().cloned().collect();
        for (name, wanted) in &wanted {
            let group = groups.ensure(name, wanted.spec.clone());
            state
                .outside
                .register(&group, wanted.outside.as_ref(), &self.control);
        }
        // A service that isn't exposed yet has no tasks: 503, as long as it is like this.
        for rule in scene.rules() {
            for to in &rule.destinations {
                let name = rules::group_of(&rule.namespace, to)?;
                if names.insert(name.clone()) {
                    groups.ensure(&name, GroupSpec::default());
                }
            }
        }
        state.left_out = self.route(&scene)?;
        // Whoever comes to a new listener meets its rules.
        if state.waiting.is_none() {
            self.listen(state, &scene).map_err(rules::unusable)?;
        }
        for gone in state.groups.difference(&names) {
            if let Some(group) = groups.get(gone) {
                state.outside.register(&group, None, &self.control);
            }
            // Its targets hold it for as long as they drain.
            if let Err(error) = groups.delete(gone) {
                tracing::warn!(%error, "can't delete a target group");
            }
        }
        state.groups = names;
        let Scene {
            objects, services, ..
        } = scene;
        state.objects = objects;
        state.services = services;
        Ok(())
    }

    /// Puts rules in force. What was checked before it was written can be: if one can't all the same, it is left out, so
    /// that the others are.
    fn route(&self, scene: &Scene) -> Result<BTreeMap<RuleName, RoutingError>, Refusal> {
        let mut left_out = BTreeMap::new();
        loop {
            let mut routing = scene.routing()?;
            for of in &mut routing.listeners {
                of.rules.retain(|rule| !left_out.contains_key(&rule.name));
            }
            let Err(error) = self.gateway.apply(routing) else {
                return Ok(left_out);
            };
            let culprit = error.rule.clone().filter(|_| left_out.len() < MAX_LEFT_OUT);
            let Some(rule) = culprit else {
                return Err(Refusal::new(Kind::Internal, "RoutingFailed", error.to_string()));
            };
            tracing::error!(%rule, %error, "the rule can't be in force, and is left out");
            left_out.insert(rule, error);
        }
    }

    /// Rules that aren't in force, though they were applied, and why.
    pub fn left_out(&self) -> BTreeMap<RuleName, RoutingError> {
        self.lock().left_out.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a change is one of what the gateway routes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Routes {
    Stay,
    Change,
}

/// Puts a service in its place, or takes it out.
fn replace(services: &mut Vec<Arc<Served>>, key: &ServiceKey, served: Option<Arc<Served>>) -> Routes {
    let place = services.binary_search_by(|served| served.key().cmp(&(&key.0, &key.1)));
    match (place, served) {
        (Ok(at), Some(served)) => {
            let same = services.get(at).is_some_and(|before| before.routes_like(&served));
            services.splice(at..=at, [served]);
            if same { Routes::Stay } else { Routes::Change }
        }
        (Ok(at), None) => {
            services.remove(at);
            Routes::Change
        }
        (Err(at), Some(served)) => {
            services.insert(at, served);
            Routes::Change
        }
        (Err(_), None) => Routes::Stay,
    }
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge")
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
