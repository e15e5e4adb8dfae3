//! What is in the data directory, opened, and the orchestrator over it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::{ServeConfig, ServeError};
use crate::aside::Aside;
use crate::blobs::Blobs;
use crate::blueprint::Blueprints;
use crate::clock::Clock;
use crate::edge::Edge;
use crate::events::EventLog;
use crate::key_value::KeyValueStore;
use crate::logs::Logs;
use crate::orchestrator::{Orchestrator, ensure_default};
use crate::reconciler::control_loop::{self, Parts};
use crate::secrets::Secrets;
use crate::store::{DataLock, RedbStore, SharedStore, StoreError};
use crate::tasks::{Executor, Registry};
use crate::tokens::Tokens;

/// What is in the data directory.
pub(super) struct Opened {
    store: SharedStore,
    tokens: Tokens,
    pub(super) secrets: Arc<Secrets>,
    pub(super) blobs: Blobs,
    pub(super) logs: Logs,
    pub(super) data: Arc<KeyValueStore>,
}

impl Opened {
    pub(super) async fn open(config: &ServeConfig, held: Option<DataLock>) -> Result<Self, ServeError> {
        let data = config.data.clone();
        let open = move || RedbStore::open(held.map_or_else(|| DataLock::take(&data), Ok)?);
        let store = tokio::task::spawn_blocking(open).await;
        let store: SharedStore = Arc::new(store.map_err(|e| StoreError::Io(io::Error::other(e)))??);
        ensure_default(&store).await?;
        Ok(Self {
            tokens: Tokens::open(store.clone(), &config.data).await?,
            secrets: Arc::new(Secrets::open(store.clone(), &config.master_key).await?),
            blobs: Blobs::open(&config.data)?,
            logs: Logs::open(&config.data)?,
            data: Arc::new(open_data(&config.data).await?),
            store,
        })
    }

    /// The truth.
    pub(super) fn store(&self) -> &SharedStore {
        &self.store
    }

    /// Starts the control loop over what the store holds, and what people ask for goes through.
    pub(super) async fn orchestrator(
        self,
        executor: Arc<dyn Executor>,
        edge: Arc<Edge>,
        http_port: u16,
    ) -> Result<Orchestrator, ServeError> {
        let parts = Parts {
            blueprints: Blueprints::new(self.store.clone()),
            executor,
            registry: Arc::new(Registry::default()),
            events: EventLog::start(self.store.clone()),
            store: self.store,
            clock: Clock::system(),
        };
        let reconciler = control_loop::start(parts.clone()).await?;
        Ok(Orchestrator {
            store: parts.store,
            blueprints: parts.blueprints,
            executor: parts.executor,
            registry: parts.registry,
            clock: parts.clock,
            events: parts.events,
            edge,
            aside: Aside::start().map_err(ServeError::Aside)?,
            reconciler,
            secrets: self.secrets,
            tokens: self.tokens,
            blobs: self.blobs,
            logs: self.logs,
            data: self.data,
            http_port,
            writes: Mutex::default(),
        })
    }
}

/// Opens what services keep; repairing a file after a crash takes its time.
async fn open_data(directory: &Path) -> Result<KeyValueStore, StoreError> {
    let directory = directory.to_owned();
    let opened = tokio::task::spawn_blocking(move || KeyValueStore::open(&directory)).await;
    opened.map_err(|e| StoreError::Io(io::Error::other(e)))?
}
