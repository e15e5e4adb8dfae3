//! What people ask for: each operation checks, writes the desired state durably, and tells the control loop.
//!
//! Nothing here starts or stops anything. An operation that was answered survives the server; what it asks
//! for happens, now or after the next start.

mod bundles;
mod capacity;
mod definitions;
mod deploy;
mod deployments;
mod edge;
mod jobs;
mod namespaces;
mod rollouts;
mod run;
mod secrets;
mod services;

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::aside::Aside;
use crate::blobs::Blobs;
use crate::blueprint::Blueprints;
use crate::clock::Clock;
use crate::edge::Edge;
use crate::events::{EventLog, Word};
use crate::key_value::KeyValueStore;
use crate::logs::Logs;
use crate::model::stored::Record;
use crate::names::NamespaceName;
use crate::reconciler::control_loop::Reconciler;
use crate::refusal::Refusal;
use crate::secrets::Secrets;
use crate::store::{SharedStore, StoreError, Transaction};
use crate::tasks::{Executor, Registry};
use crate::tokens::Tokens;

pub use bundles::NewBundle;
pub use capacity::{CapacityReport, Holder, HolderKind, MAX_HOLDERS, MAX_WAITING};
pub use deploy::{Deployed, NewDeployment, ServiceChange};
pub use edge::{AppliedChange, ObjectName, no_object};
pub use jobs::Scheduled;
pub use namespaces::ensure_default;
pub use run::{NewRun, What};
pub use services::{DamagedService, Scaled, Services};

/// Revisions kept per family; ECS keeps a million, this is a file on one disk.
pub const REVISIONS_KEPT: usize = 50;

/// Deployments kept per service.
pub const DEPLOYMENTS_KEPT: usize = 20;

/// Namespaces there may be.
pub const MAX_NAMESPACES: usize = 1000;

/// Services there may be in a namespace (ECS: 5000 a cluster).
pub const MAX_SERVICES: usize = 5000;

/// Jobs there may be in a namespace.
pub const MAX_JOBS: usize = 5000;

/// How often something is begun anew; the control loop takes few steps in a row that write.
const MOST_DISTURBED: usize = 16;

/// Everything operations need.
#[derive(Debug)]
pub struct Orchestrator {
    /// The truth.
    pub store: SharedStore,
    /// Definitions, read from it.
    pub blueprints: Blueprints,
    /// Who carries out; here it compiles and says what fits.
    pub executor: Arc<dyn Executor>,
    /// The tasks there are.
    pub registry: Arc<Registry>,
    /// The control loop.
    pub reconciler: Reconciler,
    /// The gateway's configuration.
    pub edge: Arc<Edge>,
    /// Where large changes of that are worked out.
    pub aside: Aside,
    /// What happened.
    pub events: EventLog,
    /// Secrets.
    pub secrets: Arc<Secrets>,
    /// Tokens.
    pub tokens: Tokens,
    /// Uploaded bytes.
    pub blobs: Blobs,
    /// Tasks' output.
    pub logs: Logs,
    /// What services keep.
    pub data: Arc<KeyValueStore>,
    /// What time it is.
    pub clock: Clock,
    /// The port the gateway listens on, for URLs.
    pub http_port: u16,
    /// Held while desired state that depends on other desired state is written: two deploys can't both
    /// find a route free.
    pub writes: Mutex<()>,
}

impl Orchestrator {
    async fn record<R: Record>(&self, key: &str) -> Result<Option<R>, Refusal> {
        let entry = self.store.get(key).await?;
        Ok(entry.as_ref().map(R::decode).transpose()?)
    }

    /// Writes a change with what is told of it.
    async fn commit_told(&self, transaction: Transaction, words: Vec<Word>) -> Result<(), StoreError> {
        let transaction = words
            .iter()
            .fold(transaction, |transaction, word| word.put(transaction));
        self.store.commit(transaction).await?;
        for word in words {
            self.events.tell(word);
        }
        Ok(())
    }

    async fn records<R: Record>(&self, prefix: &str) -> Result<Vec<R>, Refusal> {
        let entries = self.store.list(prefix).await?.entries;
        Ok(entries.iter().map(R::decode).collect::<Result<_, _>>()?)
    }
}

/// How often the control loop took a step between what was read and what was to be written for it.
#[derive(Debug, Default)]
struct Disturbed(usize);

impl Disturbed {
    /// Whether it is begun anew after this refusal.
    fn once_more(&mut self, refusal: &Refusal) -> bool {
        self.0 += 1;
        refusal.is_of_a_concurrent_change() && self.0 < MOST_DISTURBED
    }
}

/// The one answer to a namespace that isn't there and to one that isn't for who asks.
pub fn no_namespace(namespace: &NamespaceName) -> Refusal {
    Refusal::not_found(
        "NamespaceNotFound",
        format!("there is no namespace `{namespace}`"),
    )
    .hint("`wharf namespace list` shows those you can use")
}

#[cfg(test)]
mod tests;
