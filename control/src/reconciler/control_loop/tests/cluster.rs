//! One loop over a store, and a service `api` in it.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::fake::Fake;
use super::paced::{Fault, Faults, Paced};
use super::records::{new_service, scaling_of};
use super::*;
use crate::blueprint::Blueprints;
use crate::clock::Clock;
use crate::events::{EventLog, EventQuery, rollout};
use crate::manifest::DeploymentSpec;
use crate::model::stored::Record as _;
use crate::model::{Bundle, Definition, Deployment, Group, RolloutState, Service, Task, World, keys};
use crate::names::{Digest, FamilyRevision, NamespaceName, Revision, ServiceName, TaskId};
use crate::reconciler::control_loop::{Parts, Reconciler, ServiceKey, start};
use crate::scaling::ScalingSpec;
use crate::store::{Expect, SharedStore, Transaction};
use crate::tasks::{HealthReport, Registry};

/// A loop, its store, and a service `api` in it.
pub(super) struct Cluster {
    pub(super) fake: Arc<Fake>,
    pub(super) registry: Arc<Registry>,
    pub(super) reconciler: Reconciler,
    pub(super) events: EventLog,
    pub(super) store: SharedStore,
    pub(super) clock: Clock,
    paced: Arc<Paced>,
    /// How what is deployed scales.
    scaling: Mutex<Option<ScalingSpec>>,
}

/// How long (of paused time) something may take to come about: longer than a deployment's deadline.
const PATIENCE: Duration = Duration::from_secs(3600);

/// When the clock of a cluster begins: half a minute past a minute, in winter.
pub(super) const BEGINNING: &str = "2026-01-15T10:00:30Z";

pub(super) fn key() -> ServiceKey {
    (NamespaceName::default_namespace(), "api".parse().unwrap())
}

impl Cluster {
    /// With `count` tasks of revision 1, steady.
    pub(super) async fn steady(count: u32) -> Self {
        let cluster = Self::empty().await;
        cluster.deploy(1, count).await;
        cluster.ended(1).await;
        cluster
    }

    pub(super) async fn empty() -> Self {
        Self::with(Fake::default()).await
    }

    pub(super) async fn with(fake: Fake) -> Self {
        let clock = Clock::paused(BEGINNING.parse().unwrap());
        Self::over(Arc::new(Paced::new()), clock, fake).await
    }

    async fn over(paced: Arc<Paced>, clock: Clock, fake: Fake) -> Self {
        let store: SharedStore = paced.clone();
        let fake = Arc::new(fake);
        let registry = Arc::new(Registry::default());
        let events = EventLog::start(store.clone());
        let parts = Parts {
            store: store.clone(),
            blueprints: Blueprints::new(store.clone()),
            executor: fake.clone(),
            registry: registry.clone(),
            events: events.clone(),
            clock: clock.clone(),
        };
        let reconciler = start(parts).await.unwrap();
        Self {
            fake,
            registry,
            reconciler,
            events,
            store,
            clock,
            paced,
            scaling: Mutex::default(),
        }
    }

    /// What is deployed from now on scales like this.
    pub(super) fn scales(&self, scaling: serde_json::Value) {
        *self.scaling.lock().unwrap() = Some(scaling_of(scaling));
    }

    /// Has the store's next commits meet this.
    pub(super) fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.paced.faults.lock().unwrap());
    }

    /// Something is wrong with the store from now on, or isn't any more.
    pub(super) fn fault(&self, fault: Fault) {
        self.faults(|faults| faults.lasting = fault);
    }

    /// Whether a commit got stuck, as was asked.
    pub(super) fn is_stuck(&self) -> bool {
        self.paced.faults.lock().unwrap().is_stuck
    }

    /// The same store in a new process; the old one had no chance to say anything.
    pub(super) async fn crash(self) -> Self {
        self.crash_with(Fake::default()).await
    }

    /// As [`Cluster::crash`], on another host.
    pub(super) async fn crash_with(self, fake: Fake) -> Self {
        let Self {
            paced,
            reconciler,
            clock,
            ..
        } = self;
        reconciler.crash().await;
        *paced.faults.lock().unwrap() = Faults::default();
        Self::over(paced, clock, fake).await
    }

    pub(super) fn behave(&self, revision: u64, behaviour: Behaviour) {
        self.fake.behaviours.lock().unwrap().insert(revision, behaviour);
    }

    pub(super) fn places(&self, all: usize) {
        self.fake.places.lock().unwrap().1 = Some(all);
    }

    pub(super) fn lacks(&self, what: Option<&str>) {
        *self.fake.missing.lock().unwrap() = what.map(str::to_owned);
    }

    pub(super) fn exposed(&self) -> Vec<u64> {
        self.fake.exposed.lock().unwrap().values().copied().collect()
    }

    /// A task's health changes.
    pub(super) fn turn(&self, task: &TaskId, report: HealthReport) {
        self.fake.live.lock().unwrap()[task].health.send_replace(report);
    }

    /// Writes what a deploy writes.
    pub(super) async fn deploy(&self, revision: u64, count: u32) {
        self.roll(revision, count, DeploymentSpec::default()).await;
    }

    /// Writes what a deploy writes, of a manifest that says how.
    pub(super) async fn roll(&self, revision: u64, count: u32, spec: DeploymentSpec) {
        self.write_roll(revision, count, spec).await;
        self.reconciler.reconcile(key()).await;
    }

    /// The same, but the loop isn't told.
    pub(super) async fn write_roll(&self, revision: u64, count: u32, spec: DeploymentSpec) {
        let (namespace, name) = key();
        let revision = Revision::new(revision).unwrap();
        let id = self.define(revision).await;
        let service_key = keys::service(&namespace, &name);
        let old = self
            .store
            .get(&service_key)
            .await
            .unwrap()
            .map(|entry| Service::decode(&entry).unwrap());
        let mut service = old.unwrap_or_else(|| new_service(count));
        service.deployment = spec.clone();
        service.scaling = self.scaling.lock().unwrap().clone();
        let deployment = Deployment::new(&service, revision, spec, self.clock.now());
        let mut words = Vec::new();
        let mut superseded = None;
        if let Some(old) = &service.rollout {
            let at = keys::deployment(&namespace, &name, old);
            let entry = self.store.get(&at).await.unwrap().unwrap();
            let mut old = Deployment::decode(&entry).unwrap();
            let reason = format!("superseded by deployment {}", deployment.id);
            let was = old.clone();
            old.end(RolloutState::Superseded, reason);
            words.extend(rollout::changed(&was, &old).map(|message| old.word(message)));
            superseded = Some((at, old));
        }
        service.goal = Some(id.revision);
        service.rollout = Some(deployment.id.clone());
        service.count = count;
        let written = deployment.begin(Transaction::new().put(&service_key, service.encode()));
        let written = match superseded {
            Some((at, old)) => written.put(at, old.encode()),
            None => written,
        };
        words.push(deployment.word(rollout::begins(&deployment)));
        let written = words.iter().fold(written, |written, word| word.put(written));
        self.store.commit(written).await.unwrap();
        for word in words {
            self.events.tell(word);
        }
    }

    async fn define(&self, revision: Revision) -> FamilyRevision {
        self.define_as(&key().1, revision, serde_json::json!({})).await
    }

    /// Writes a definition with `more` in its manifest.
    pub(super) async fn define_as(
        &self,
        name: &ServiceName,
        revision: Revision,
        more: serde_json::Value,
    ) -> FamilyRevision {
        let (namespace, name) = (key().0, name.clone());
        let digest = Digest::from_sha256([u8::try_from(revision.get()).unwrap(); 32]);
        let bundle = Bundle {
            least_memory: wharf_runtime::Bytes::mib(1),
            digest: digest.clone(),
            component: digest.clone(),
            world: World::Http,
            mounts: Vec::new(),
        };
        let id = FamilyRevision {
            family: name.clone(),
            revision,
        };
        let mut manifest = more;
        manifest["name"] = name.as_str().into();
        manifest["task"] = serde_json::json!({"component": digest.as_str()});
        let definition = Definition {
            id: id.clone(),
            bundle: digest.clone(),
            world: World::Http,
            content: digest.clone(),
            manifest,
            registered_at: Timestamp::now(),
        };
        let written = Transaction::new()
            .put(keys::bundle(&namespace, &digest), bundle.encode())
            .put(keys::definition(&namespace, &id), definition.encode());
        self.store.commit(written).await.unwrap();
        id
    }

    /// Changes the service's record as an operation would.
    pub(super) async fn change(&self, change: impl FnOnce(&mut Service)) {
        self.change_in_secret(change).await;
        self.reconciler.reconcile(key()).await;
    }

    /// The same, and the loop isn't told.
    pub(super) async fn change_in_secret(&self, change: impl FnOnce(&mut Service)) {
        let mut service = self.service().await.unwrap();
        change(&mut service);
        let service_key = keys::service(&service.namespace, &service.name);
        self.store
            .put_if(&service_key, Expect::Present, service.encode())
            .await
            .unwrap();
    }

    pub(super) async fn service(&self) -> Option<Service> {
        let (namespace, name) = key();
        let entry = self.store.get(&keys::service(&namespace, &name)).await.unwrap()?;
        Some(Service::decode(&entry).unwrap())
    }

    /// All tasks of the service, oldest first.
    pub(super) fn tasks(&self) -> Vec<Task> {
        let (namespace, name) = key();
        self.registry.of_group(&(namespace, Group::Service(name)))
    }

    /// `<revision><state>` of the tasks that are not stopped: `1h 2s`.
    pub(super) fn picture(&self) -> String {
        let letter = |task: &Task| match (task.status, task.health) {
            (TaskStatus::Stopped, _) => None,
            (TaskStatus::Running, Health::Healthy) => Some('h'),
            (TaskStatus::Running, Health::Unhealthy) => Some('u'),
            (TaskStatus::Running, Health::Unknown) => Some('?'),
            (TaskStatus::Pending, _) => Some('P'),
            (TaskStatus::Provisioning | TaskStatus::Activating, _) => Some('s'),
            _ => Some('L'),
        };
        let tasks = self.tasks();
        let written = tasks
            .iter()
            .filter_map(|task| letter(task).map(|letter| format!("{}{letter}", task.definition.revision)));
        written.collect::<Vec<_>>().join(" ")
    }

    /// The service's events, oldest first.
    pub(super) async fn said(&self) -> Vec<String> {
        self.events.flush().await;
        let query = EventQuery {
            service: Some(key().1),
            since: None,
        };
        let events = self.events.list(&key().0, &query).await.unwrap();
        events.into_iter().map(|event| event.message).collect()
    }

    /// Waits until an event says `text`.
    pub(super) async fn until_said(&self, text: &str) {
        self.until_said_times(text, 1).await;
    }

    /// Waits until so many events say `text`. What is said changes nothing that could be waited for, so it looks again
    /// and again.
    pub(super) async fn until_said_times(&self, text: &str, times: usize) {
        let said = async {
            loop {
                let said = self.said().await;
                if said.iter().filter(|message| message.contains(text)).count() >= times {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, said).await.is_err() {
            panic!("never said {text}:\n{}", self.said().await.join("\n"));
        }
    }

    /// Waits until `condition` holds.
    pub(super) async fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let mut changes = self.registry.changes();
        let reached = async {
            while !condition(self) {
                changes.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            panic!(
                "never {what}: {}\n{}",
                self.picture(),
                self.said().await.join("\n")
            );
        }
    }

    pub(super) async fn until_picture(&self, picture: &str) {
        self.until(picture, |cluster| cluster.picture() == picture).await;
    }

    /// Waits until the deployment of a revision has ended.
    pub(super) async fn ended(&self, revision: u64) -> Deployment {
        let mut changes = self.registry.changes();
        let ended = async {
            loop {
                let deployment = self.deployment(revision).await;
                if deployment.state != RolloutState::InProgress {
                    return deployment;
                }
                changes.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, ended).await {
            Ok(deployment) => deployment,
            Err(_) => panic!(
                "never ended: {}\n{}",
                self.picture(),
                self.said().await.join("\n")
            ),
        }
    }

    pub(super) async fn deployment(&self, revision: u64) -> Deployment {
        self.deployments(revision).await.pop().unwrap()
    }

    /// The deployments of a revision, oldest first.
    pub(super) async fn deployments(&self, revision: u64) -> Vec<Deployment> {
        let (namespace, name) = key();
        let entries = self
            .store
            .list(&keys::service_deployments(&namespace, &name))
            .await
            .unwrap()
            .entries;
        let all = entries.iter().map(|entry| Deployment::decode(entry).unwrap());
        all.filter(|deployment| deployment.revision.get() == revision)
            .collect()
    }
}
