//! Stored forms of what shall be: namespaces, bundles, definitions, services.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wharf_runtime::Bytes;

use super::Record;
use super::deployment::{StoredSpec, read_spec, store_spec};
use super::scaling::StoredScaling;
use crate::model::{
    Applied, Bundle, BundleMount, Definition, DeploymentId, Namespace, Service, ServiceKind, ServiceStatus,
    World,
};
use crate::names::{Digest, Family, FamilyRevision, NamespaceName, Revision, ServiceName};

/// A stored [`Namespace`].
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredNamespace {
    name: NamespaceName,
    created_at: Timestamp,
}

impl Record for Namespace {
    type Stored = StoredNamespace;

    fn to_stored(&self) -> StoredNamespace {
        StoredNamespace {
            name: self.name.clone(),
            created_at: self.created_at,
        }
    }

    fn from_stored(stored: StoredNamespace) -> Result<Self, String> {
        Ok(Self {
            name: stored.name,
            created_at: stored.created_at,
        })
    }
}

/// A stored [`Applied`].
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredApplied {
    definition: serde_json::Value,
    applied_at: Timestamp,
}

impl Record for Applied {
    type Stored = StoredApplied;

    fn to_stored(&self) -> StoredApplied {
        StoredApplied {
            definition: self.definition.clone(),
            applied_at: self.applied_at,
        }
    }

    fn from_stored(stored: StoredApplied) -> Result<Self, String> {
        Ok(Self {
            definition: stored.definition,
            applied_at: stored.applied_at,
        })
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredWorld {
    Http,
    Command,
}

impl From<World> for StoredWorld {
    fn from(world: World) -> Self {
        match world {
            World::Http => Self::Http,
            World::Command => Self::Command,
        }
    }
}

impl From<StoredWorld> for World {
    fn from(world: StoredWorld) -> Self {
        match world {
            StoredWorld::Http => Self::Http,
            StoredWorld::Command => Self::Command,
        }
    }
}

/// A stored [`Bundle`].
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredBundle {
    digest: Digest,
    component: Digest,
    world: StoredWorld,
    /// In bytes. Bundles of before it was recorded have 0: what they need is found at their start.
    #[serde(default)]
    least_memory: u64,
    mounts: Vec<StoredMount>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredMount {
    mount: String,
    entries: Vec<(String, Digest)>,
}

impl Record for Bundle {
    type Stored = StoredBundle;

    fn to_stored(&self) -> StoredBundle {
        let mounts = self.mounts.iter().cloned();
        StoredBundle {
            digest: self.digest.clone(),
            component: self.component.clone(),
            world: self.world.into(),
            least_memory: self.least_memory.get(),
            mounts: mounts
                .map(|BundleMount { mount, entries }| StoredMount { mount, entries })
                .collect(),
        }
    }

    fn from_stored(stored: StoredBundle) -> Result<Self, String> {
        let mounts = stored.mounts.into_iter();
        Ok(Self {
            digest: stored.digest,
            component: stored.component,
            world: stored.world.into(),
            least_memory: Bytes::new(stored.least_memory),
            mounts: mounts
                .map(|StoredMount { mount, entries }| BundleMount { mount, entries })
                .collect(),
        })
    }
}

/// A stored [`Definition`].
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredDefinition {
    family: Family,
    revision: Revision,
    bundle: Digest,
    world: StoredWorld,
    content: Digest,
    manifest: serde_json::Value,
    registered_at: Timestamp,
}

impl Record for Definition {
    type Stored = StoredDefinition;

    fn to_stored(&self) -> StoredDefinition {
        StoredDefinition {
            family: self.id.family.clone(),
            revision: self.id.revision,
            bundle: self.bundle.clone(),
            world: self.world.into(),
            content: self.content.clone(),
            manifest: self.manifest.clone(),
            registered_at: self.registered_at,
        }
    }

    fn from_stored(stored: StoredDefinition) -> Result<Self, String> {
        Ok(Self {
            id: FamilyRevision {
                family: stored.family,
                revision: stored.revision,
            },
            bundle: stored.bundle,
            world: stored.world.into(),
            content: stored.content,
            manifest: stored.manifest,
            registered_at: stored.registered_at,
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredKind {
    Http,
    Worker,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredStatus {
    Active,
    Draining,
}

/// A stored [`Service`].
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredService {
    namespace: NamespaceName,
    name: ServiceName,
    kind: StoredKind,
    status: StoredStatus,
    count: u32,
    /// Came later; as `count` where it is absent.
    #[serde(default)]
    stable_count: Option<u32>,
    /// Came later.
    #[serde(default)]
    choices: u64,
    goal: Option<Revision>,
    stable: Option<Revision>,
    rollout: Option<String>,
    /// Came later; the default where it is absent.
    #[serde(default)]
    deployment: Option<StoredSpec>,
    #[serde(default)]
    scaling: Option<StoredScaling>,
    created_at: Timestamp,
}

impl Record for Service {
    type Stored = StoredService;

    fn to_stored(&self) -> StoredService {
        StoredService {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            kind: match self.kind {
                ServiceKind::Http => StoredKind::Http,
                ServiceKind::Worker => StoredKind::Worker,
            },
            status: match self.status {
                ServiceStatus::Active => StoredStatus::Active,
                ServiceStatus::Draining => StoredStatus::Draining,
            },
            count: self.count,
            stable_count: Some(self.stable_count),
            choices: self.choices,
            goal: self.goal,
            stable: self.stable,
            rollout: self.rollout.as_ref().map(ToString::to_string),
            deployment: Some(store_spec(&self.deployment)),
            scaling: self.scaling.as_ref().map(StoredScaling::of),
            created_at: self.created_at,
        }
    }

    fn from_stored(stored: StoredService) -> Result<Self, String> {
        Ok(Self {
            namespace: stored.namespace,
            name: stored.name,
            kind: match stored.kind {
                StoredKind::Http => ServiceKind::Http,
                StoredKind::Worker => ServiceKind::Worker,
            },
            status: match stored.status {
                StoredStatus::Active => ServiceStatus::Active,
                StoredStatus::Draining => ServiceStatus::Draining,
            },
            count: stored.count,
            stable_count: stored.stable_count.unwrap_or(stored.count),
            choices: stored.choices,
            goal: stored.goal,
            stable: stored.stable,
            rollout: stored.rollout.as_deref().map(DeploymentId::from_text),
            deployment: stored.deployment.map(read_spec).unwrap_or_default(),
            scaling: stored.scaling.map(StoredScaling::read).transpose()?,
            created_at: stored.created_at,
        })
    }
}
