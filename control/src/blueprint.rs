//! A definition with all that belongs to it, ready to make tasks from: spec, bundle, and its namespace.

mod overrides;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;

use crate::manifest::{JobSpec, Manifest, ManifestErrors, ServiceSpec, Workload};
use crate::model::stored::{Record as _, RecordError};
use crate::model::{
    Bundle, Definition, DesiredStatus, Group, Health, Overrides, Task, TaskStatus, Usage, keys,
};
use crate::names::{FamilyRevision, NamespaceName, TaskId};
use crate::store::{SharedStore, StoreError, StoreRevision};

/// What tasks of one revision are made from.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// Where it belongs.
    pub namespace: NamespaceName,
    /// The definition.
    pub definition: Definition,
    /// Its manifest, checked.
    pub manifest: Manifest,
    /// Its bundle.
    pub bundle: Bundle,
}

/// A definition that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BlueprintError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record is damaged.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// There is no such definition.
    #[error("there is no task definition `{id}` in namespace `{namespace}`")]
    NoDefinition {
        /// Where it was looked for.
        namespace: NamespaceName,
        /// What was looked for.
        id: FamilyRevision,
    },
    /// The definition's bundle is gone.
    #[error("the bundle {digest} of task definition {id} is not in the store")]
    NoBundle {
        /// The bundle.
        digest: String,
        /// Whose it is.
        id: FamilyRevision,
    },
    /// The stored manifest isn't one any more.
    #[error("the manifest of task definition {id} is not valid for this version of wharf: {errors}")]
    Manifest {
        /// Whose it is.
        id: FamilyRevision,
        /// What is wrong with it.
        errors: ManifestErrors,
    },
}

/// Reads blueprints from the store. Those that somebody has are not made again.
#[derive(Debug, Clone)]
pub struct Blueprints {
    store: SharedStore,
    in_use: Arc<Mutex<InUse>>,
}

type InUse = HashMap<(NamespaceName, FamilyRevision), Made>;

/// A blueprint, and the write of the definition it was made of.
#[derive(Debug)]
struct Made {
    of: StoreRevision,
    blueprint: Weak<Blueprint>,
}

impl Blueprint {
    /// `family:revision`.
    pub fn id(&self) -> &FamilyRevision {
        &self.definition.id
    }

    /// How long a task of it may take to stop.
    pub fn stop_timeout(&self) -> Duration {
        self.manifest.task.stop_timeout
    }

    /// A new task of it.
    pub fn new_task(&self, group: Group) -> Task {
        Task {
            id: TaskId::generate(),
            namespace: self.namespace.clone(),
            group,
            definition: self.id().clone(),
            deployment: None,
            place: None,
            status: TaskStatus::Provisioning,
            desired: DesiredStatus::Running,
            health: Health::Unknown,
            reason: None,
            stopped: None,
            restarts: 0,
            last_reason: None,
            cpu: self.manifest.task.cpu.get(),
            memory: self.manifest.task.memory.get(),
            overrides: Overrides::default(),
            usage: Usage::default(),
            created_at: Timestamp::now(),
            started_at: None,
            stopping_at: None,
            stopped_at: None,
        }
    }

    /// What makes it a service, if it is one.
    pub fn service(&self) -> Option<&ServiceSpec> {
        match &self.manifest.workload {
            Workload::Service(service) => Some(service),
            Workload::Job(_) => None,
        }
    }

    /// What makes it a job, if it says that it is one.
    pub fn job(&self) -> Option<&JobSpec> {
        self.manifest.job()
    }
}

impl Blueprints {
    /// Blueprints of the definitions in `store`.
    pub fn new(store: SharedStore) -> Self {
        Self {
            store,
            in_use: Arc::default(),
        }
    }

    /// The blueprint of a definition.
    ///
    /// # Errors
    /// If it isn't there or can't be used.
    pub async fn load(
        &self,
        namespace: &NamespaceName,
        id: &FamilyRevision,
    ) -> Result<Arc<Blueprint>, BlueprintError> {
        let absent = || BlueprintError::NoDefinition {
            namespace: namespace.clone(),
            id: id.clone(),
        };
        let entry = self
            .store
            .get(&keys::definition(namespace, id))
            .await?
            .ok_or_else(absent)?;
        if let Some(known) = self.find(namespace, id, entry.revision) {
            return Ok(known);
        }
        let definition = Definition::decode(&entry)?;
        let bundle = self
            .store
            .get(&keys::bundle(namespace, &definition.bundle))
            .await?;
        let no_bundle = || BlueprintError::NoBundle {
            digest: definition.bundle.to_string(),
            id: id.clone(),
        };
        let bundle = Bundle::decode(&bundle.ok_or_else(no_bundle)?)?;
        let manifest = Manifest::from_stored(definition.manifest.clone()).map_err(|errors| {
            BlueprintError::Manifest {
                id: id.clone(),
                errors,
            }
        })?;
        if let Workload::Service(service) = &manifest.workload {
            for route in &service.unusable_routes {
                tracing::error!(%namespace, %id, reason = route.reason, "can't use a route, which is left out");
            }
        }
        let blueprint = Arc::new(Blueprint {
            namespace: namespace.clone(),
            definition,
            manifest,
            bundle,
        });
        self.keep(&blueprint, entry.revision);
        Ok(blueprint)
    }

    /// One of the same write: a definition is written once, but a family that was deleted counts from 1 again.
    fn find(
        &self,
        namespace: &NamespaceName,
        id: &FamilyRevision,
        of: StoreRevision,
    ) -> Option<Arc<Blueprint>> {
        let in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        let made = in_use.get(&(namespace.clone(), id.clone()))?;
        made.blueprint.upgrade().filter(|_| made.of == of)
    }

    fn keep(&self, blueprint: &Arc<Blueprint>, of: StoreRevision) {
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        // Now and then, so that keeping stays cheap on the average.
        if in_use.len() == in_use.capacity() {
            in_use.retain(|_, made| made.blueprint.strong_count() > 0);
        }
        let key = (blueprint.namespace.clone(), blueprint.id().clone());
        let blueprint = Arc::downgrade(blueprint);
        in_use.insert(key, Made { of, blueprint });
    }
}

#[cfg(test)]
mod tests;
