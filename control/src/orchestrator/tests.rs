//! Operations over a real store and loop, with an executor without an engine.

mod capacity;
mod data;
mod deploys;
mod edge;
mod jobs;
mod limits;
mod reads;
mod rollouts;
mod scaling;
mod schedules;
mod secrets;

use std::path::Path;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::aside::Aside;
use crate::model::{Deployment, RolloutState, World};
use crate::names::Digest;
use crate::reconciler::control_loop::tests::fake::Fake;
use crate::reconciler::control_loop::{Parts, start};
use crate::secrets::MasterKeySource;

/// Operations, and what they stand on.
struct Harbour {
    orchestrator: Orchestrator,
    fake: Arc<Fake>,
    namespace: NamespaceName,
    _directory: tempfile::TempDir,
}

impl Harbour {
    async fn open() -> Self {
        Self::over(crate::store::tests::memory()).await
    }

    async fn over(store: SharedStore) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (orchestrator, fake) = open(store, directory.path()).await;
        let namespace = NamespaceName::default_namespace();
        Self {
            orchestrator,
            fake,
            namespace,
            _directory: directory,
        }
    }

    /// Registers a bundle of a component with this content.
    async fn bundle(&self, content: &'static str) -> (Digest, Digest) {
        let component = Digest::from_sha256(Sha256::digest(content).into());
        let body =
            futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(content.as_bytes()))]);
        let blobs = &self.orchestrator.blobs;
        blobs.put(&self.namespace, &component, 1024, body).await.unwrap();
        let ask = NewBundle {
            component: component.clone(),
            mounts: Vec::new(),
        };
        let bundle = self
            .orchestrator
            .register_bundle(&self.namespace, ask)
            .await
            .unwrap();
        (bundle.digest, component)
    }

    /// Deploys a component as `manifest` says.
    async fn deploy(
        &self,
        content: &'static str,
        mut manifest: serde_json::Value,
    ) -> Result<Deployed, Refusal> {
        let (bundle, component) = self.bundle(content).await;
        manifest["task"]["component"] = component.as_str().into();
        self.orchestrator
            .deploy(&self.namespace, NewDeployment { bundle, manifest })
            .await
    }

    /// Waits until a deployment has ended.
    async fn ended(&self, deployed: Deployed) -> Deployment {
        let (Deployed::New(deployment) | Deployed::Unchanged(deployment, _)) = deployed;
        let mut changes = self.orchestrator.registry.changes();
        loop {
            let found = self
                .orchestrator
                .find_deployment(&self.namespace, &deployment.id)
                .await
                .unwrap();
            if found.state != RolloutState::InProgress {
                return found;
            }
            tokio::time::timeout(std::time::Duration::from_secs(30), changes.changed())
                .await
                .unwrap()
                .unwrap();
        }
    }

    fn is_command(&self) {
        *self.fake.world.lock().unwrap() = Some(World::Command);
    }
}

async fn open(store: SharedStore, data: &Path) -> (Orchestrator, Arc<Fake>) {
    ensure_default(&store).await.unwrap();
    let fake = Arc::new(Fake::default());
    let parts = Parts {
        store: store.clone(),
        blueprints: Blueprints::new(store.clone()),
        executor: fake.clone(),
        registry: Arc::new(Registry::default()),
        events: EventLog::start(store.clone()),
        clock: Clock::system(),
    };
    let reconciler = start(parts.clone()).await.unwrap();
    let source = MasterKeySource::DataDirectory(data.to_owned());
    let orchestrator = Orchestrator {
        secrets: Arc::new(Secrets::open(store.clone(), &source).await.unwrap()),
        tokens: Tokens::open(store, data).await.unwrap(),
        blobs: Blobs::open(data).unwrap(),
        logs: Logs::open(data).unwrap(),
        data: Arc::new(crate::key_value::KeyValueStore::open(data).unwrap()),
        edge: crate::edge::tests::edge(),
        aside: Aside::start().unwrap(),
        http_port: 8080,
        writes: Mutex::default(),
        reconciler,
        store: parts.store,
        blueprints: parts.blueprints,
        executor: parts.executor,
        registry: parts.registry,
        clock: parts.clock,
        events: parts.events,
    };
    (orchestrator, fake)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>, code: &str) -> Refusal {
    let refusal = result.unwrap_err();
    assert_eq!(refusal.code, code, "{refusal:?}");
    refusal
}
