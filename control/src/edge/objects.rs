//! What was applied: listeners, target groups and routes that are no service's, as the store holds them, checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rules::Rule;
use crate::manifest::{self, Listener, Objects as Written, Route, TargetGroup, UnusableRoute};
use crate::model::stored::Record as _;
use crate::model::{Applied, keys};
use crate::names::{ListenerName, NamespaceName, RouteName, TargetGroupName};
use crate::refusal::Refusal;
use crate::store::{Entry, SharedStore, StoreError};

/// A route that is no service's, and its rule.
#[derive(Debug)]
pub struct StandingRoute {
    /// What was asked for.
    pub route: Route,
    /// What it comes to.
    pub rule: Rule,
}

/// Everything that was applied. Cheap to copy: what is in it is shared.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    /// The whole server's.
    pub listeners: BTreeMap<ListenerName, Arc<Listener>>,
    /// By namespace and name.
    pub target_groups: BTreeMap<(NamespaceName, TargetGroupName), Arc<TargetGroup>>,
    /// By namespace and name.
    pub routes: BTreeMap<(NamespaceName, RouteName), Arc<StandingRoute>>,
    /// Routes that make no sense to this version, by namespace and name: they are shown, and wait to be changed.
    unusable: BTreeMap<(NamespaceName, RouteName), Arc<UnusableRoute>>,
}

impl Objects {
    /// Reads what was applied. What this version can't make sense of (a regular expression that doesn't compile any
    /// more, a damaged record) is said, and left out: one route must not keep the others down.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn load(store: &SharedStore) -> Result<Self, StoreError> {
        let mut objects = Self::default();
        for prefix in [keys::LISTENERS, keys::TARGET_GROUPS, keys::ROUTES] {
            for entry in store.list(prefix).await?.entries {
                if let Err(reason) = objects.take(prefix, &entry) {
                    tracing::error!(key = entry.key, reason, "can't take over what was applied");
                    if prefix == keys::ROUTES {
                        objects.leave_out(&entry, reason);
                    }
                }
            }
        }
        Ok(objects)
    }

    fn take(&mut self, prefix: &str, entry: &Entry) -> Result<(), String> {
        let applied = Applied::decode(entry).map_err(|error| error.to_string())?;
        let kind = match prefix {
            keys::LISTENERS => "listener",
            keys::TARGET_GROUPS => "target_group",
            _ => "route",
        };
        let path = entry.key.strip_prefix(prefix).unwrap_or_default();
        let namespace = match path.split_once('/') {
            Some((namespace, _)) => namespace.parse().map_err(|error| format!("{error}"))?,
            None => NamespaceName::default_namespace(),
        };
        let file = serde_json::json!({ kind: [applied.definition] });
        let written = manifest::objects_from_json(file).map_err(|errors| errors.to_string())?;
        self.put(&namespace, written).map_err(|refusal| refusal.message)
    }

    /// A route that can't be in force, unless not even its name can be read.
    fn leave_out(&mut self, entry: &Entry, reason: String) {
        let path = entry.key.strip_prefix(keys::ROUTES).unwrap_or_default();
        let Some((Ok(namespace), Ok(name))) = path
            .split_once('/')
            .map(|(namespace, name)| (namespace.parse(), name.parse()))
        else {
            return;
        };
        let applied = Applied::decode(entry).ok();
        let text = applied.and_then(|applied| serde_json::from_value(applied.definition).ok());
        let route = UnusableRoute { at: 0, text, reason };
        self.unusable.insert((namespace, name), Arc::new(route));
    }

    /// Takes a route out; whether it was in force.
    pub fn remove_route(&mut self, key: &(NamespaceName, RouteName)) -> bool {
        self.unusable.remove(key);
        self.routes.remove(key).is_some()
    }

    /// Adds these, over those of the same names.
    ///
    /// # Errors
    /// Never for names that were parsed.
    pub fn put(&mut self, namespace: &NamespaceName, written: Written) -> Result<(), Refusal> {
        for listener in written.listeners {
            self.listeners.insert(listener.name.clone(), Arc::new(listener));
        }
        for group in written.target_groups {
            let key = (namespace.clone(), group.name.clone());
            self.target_groups.insert(key, Arc::new(group));
        }
        for route in written.routes {
            let Some(name) = route.name.clone() else { continue };
            let rule = Rule::standing(namespace, &name, &route)?;
            let standing = Arc::new(StandingRoute { route, rule });
            let key = (namespace.clone(), name);
            self.unusable.remove(&key);
            self.routes.insert(key, standing);
        }
        Ok(())
    }

    /// A namespace's target groups, by name.
    pub fn groups_of(&self, namespace: &NamespaceName) -> impl Iterator<Item = &Arc<TargetGroup>> {
        let of = self
            .target_groups
            .iter()
            .filter(move |((of, _), _)| of == namespace);
        of.map(|(_, group)| group)
    }

    /// A namespace's routes that make no sense to this version, by name.
    pub(super) fn unusable_of(
        &self,
        namespace: &NamespaceName,
    ) -> impl Iterator<Item = (&RouteName, &UnusableRoute)> {
        let of = self.unusable.iter().filter(move |((of, _), _)| of == namespace);
        of.map(|((_, name), route)| (name, &**route))
    }

    /// A namespace's routes, by name.
    pub fn routes_of(&self, namespace: &NamespaceName) -> impl Iterator<Item = &Arc<StandingRoute>> {
        let of = self.routes.iter().filter(move |((of, _), _)| of == namespace);
        of.map(|(_, route)| route)
    }
}
