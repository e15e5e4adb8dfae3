//! The executor that is real: components in the runtime, requests from the gateway.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_gateway::{Checks, CohortName, Demand, Gateway, Tally, TargetGroup, TargetId};
use wharf_runtime::{
    ActivateError, Artifact, Bytes, Capacity, CommandTask, CpuUnits, HttpTask, Isolation, LogStream, Mount,
    PrepareError, Reach, Runtime, TaskSpec,
};

use super::live::{LiveCommand, LiveHttp, TargetPlace};
use super::target::Cost;
use super::{Executor, Exposure, HostCapacity, LiveTask, NotActivated, Order, Prepared, Room};
use crate::blobs::{Blobs, FolderContent};
use crate::edge::rules::{group_name, service_of};
use crate::edge::{Edge, Served};
use crate::key_value::KeyValueStore;
use crate::logs::{LogQuery, Logs};
use crate::manifest::{MountPath, Workload};
use crate::model::{Bundle, Group, Task, World};
use crate::names::{Digest, NamespaceName, Revision, ServiceName};
use crate::refusal::{Kind, Refusal};
use crate::scaling::Wakes;
use crate::secrets::Secrets;

/// How many lines of a task's log are looked through for the last that it wrote itself: what is said of a few traps.
const LOOK_BACK: usize = 1000;

/// Runs tasks on this machine.
#[derive(Debug)]
pub struct Host {
    runtime: Arc<Runtime>,
    gateway: Arc<Gateway>,
    capacity: Capacity,
    secrets: Arc<Secrets>,
    logs: Logs,
    blobs: Blobs,
    data: Arc<KeyValueStore>,
    edge: Arc<Edge>,
    wakes: Arc<Wakes>,
}

/// What a host is made of.
#[derive(Debug)]
pub struct HostParts {
    /// Runs components.
    pub runtime: Arc<Runtime>,
    /// Brings requests.
    pub gateway: Arc<Gateway>,
    /// Configures it.
    pub edge: Arc<Edge>,
    /// Counts what is promised.
    pub capacity: Capacity,
    /// Secrets.
    pub secrets: Arc<Secrets>,
    /// Tasks' output.
    pub logs: Logs,
    /// Components and files.
    pub blobs: Blobs,
    /// What services keep.
    pub data: Arc<KeyValueStore>,
}

impl Host {
    /// A host of these parts.
    pub fn new(parts: HostParts) -> Self {
        let HostParts {
            runtime,
            gateway,
            edge,
            capacity,
            secrets,
            logs,
            blobs,
            data,
        } = parts;
        let wakes = Arc::new(Wakes::default());
        gateway.groups().wake_with(wakes.clone());
        Self {
            runtime,
            gateway,
            capacity,
            secrets,
            logs,
            blobs,
            data,
            edge,
            wakes,
        }
    }

    async fn spec(&self, order: &Order) -> Result<TaskSpec, String> {
        let Order { task, blueprint } = order;
        let manifest = &blueprint.manifest.task;
        // A worker runs for as long as it is wanted: a request's or a job's time is no measure for it.
        let is_worker = matches!(task.group, Group::Service(_)) && blueprint.bundle.world == World::Command;
        let limit = |time: Duration| (!is_worker).then_some(time);
        let held = self.secrets.hold(&task.namespace, &manifest.secrets).await;
        let held = held.map_err(|error| error.to_string())?;
        Ok(TaskSpec {
            cpu: CpuUnits::new(task.cpu).unwrap_or(manifest.cpu),
            cpu_burst: manifest.cpu_burst,
            memory: Bytes::new(task.memory),
            timeout: limit(manifest.timeout),
            cpu_timeout: limit(manifest.cpu_timeout),
            concurrency: manifest.concurrency,
            queue: manifest.queue,
            isolation: manifest.isolation,
            args: manifest.args.clone(),
            env: environment(order),
            secrets: Arc::new(held),
            egress: manifest.egress.clone(),
            // What listens on the host's own addresses, the API for one, is the operator's.
            reach: match task.namespace.is_default() {
                true => Reach::Anywhere,
                false => Reach::BeyondThisHost,
            },
            files: self.files(&task.namespace, &blueprint.bundle).await?,
            key_value: self.data.of(&task.namespace, task.group.name()),
            log: self.logs.sink(&task.namespace, task.group.name(), &task.id),
        })
    }

    /// The bundle's files, in folders to show to the guest.
    async fn files(&self, namespace: &NamespaceName, bundle: &Bundle) -> Result<Vec<Mount>, String> {
        if bundle.mounts.is_empty() {
            return Ok(Vec::new());
        }
        let folders = bundle.mounts.iter().map(|mount| {
            let path: Result<MountPath, _> = mount.mount.parse();
            let path = path.map_err(|error| error.to_string())?;
            Ok(FolderContent {
                mount: path,
                files: mount.entries.clone(),
            })
        });
        let folders = folders.collect::<Result<_, String>>()?;
        let made = self.blobs.materialise(namespace, &bundle.digest, folders).await;
        let made = made.map_err(|error| with_causes(&error))?;
        Ok(made
            .into_iter()
            .map(|made| Mount {
                host: made.host,
                guest: made.mount.to_string(),
            })
            .collect())
    }

    async fn start_http(&self, order: &Order, artifact: Artifact) -> Result<Arc<dyn LiveTask>, NotActivated> {
        let spec = self.spec(order).await.map_err(NotActivated::Failed)?;
        let task = HttpTask::activate(&self.runtime, artifact, spec).await;
        let task = task.map_err(not_activated)?;
        let live = self.register(order, task).map_err(NotActivated::Failed)?;
        Ok(Arc::new(live))
    }

    fn register(&self, order: &Order, task: HttpTask) -> Result<LiveHttp, String> {
        let cost = match order.blueprint.manifest.task.isolation {
            Isolation::Request => Cost::PerRequest,
            Isolation::Task { .. } => Cost::Shared,
        };
        let name = group_name(&order.task.namespace, order.task.group.name()).map_err(|e| e.to_string())?;
        let group = self
            .gateway
            .groups()
            .get(&name)
            .ok_or_else(|| format!("target group {name} is gone"))?;
        let id = TargetId::new(order.task.id.as_str()).map_err(|e| e.to_string())?;
        let place = TargetPlace {
            group,
            id,
            cohort: cohort(order.task.definition.revision),
            checks: match &order.blueprint.manifest.workload {
                Workload::Service(service) => service.group.checks.clone(),
                Workload::Job(_) => Checks::default(),
            },
        };
        LiveHttp::register(task, cost, place)
    }

    fn group(&self, namespace: &NamespaceName, name: &ServiceName) -> Option<Arc<TargetGroup>> {
        self.gateway.groups().get(&group_name(namespace, name).ok()?)
    }

    async fn start_command(
        &self,
        order: &Order,
        artifact: Artifact,
    ) -> Result<Arc<dyn LiveTask>, NotActivated> {
        let spec = self.spec(order).await.map_err(NotActivated::Failed)?;
        let task = CommandTask::start(&self.runtime, artifact, spec).await;
        let task = task.map_err(not_activated)?;
        Ok(Arc::new(LiveCommand::follow(task, &order.task.group)))
    }
}

#[async_trait]
impl Executor for Host {
    async fn prepare(&self, component: &Path, digest: &Digest) -> Result<Prepared, Refusal> {
        let artifact = self
            .runtime
            .prepare(component, digest.as_str())
            .await
            .map_err(refused)?;
        let world = match artifact.world() {
            wharf_runtime::World::Http => World::Http,
            wharf_runtime::World::Command => World::Command,
        };
        Ok(Prepared {
            world,
            least_memory: artifact.least_memory(),
        })
    }

    fn could_ever_fit(&self, cpu: CpuUnits, memory: Bytes) -> Result<(), String> {
        self.capacity
            .could_ever_fit(cpu, memory)
            .map_err(|shortfall| shortfall.to_string())
    }

    fn capacity(&self) -> HostCapacity {
        HostCapacity {
            host: self.capacity.host(),
            limit: self.capacity.limit(),
            reserved: self.capacity.reserved(),
        }
    }

    async fn missing(&self, order: &Order) -> Option<String> {
        let references = &order.blueprint.manifest.task.secrets;
        let held = self.secrets.hold(&order.task.namespace, references).await;
        held.err().map(|error| error.to_string())
    }

    fn reserve(&self, order: &Order) -> Result<Room, String> {
        let cpu = CpuUnits::new(order.task.cpu).unwrap_or(order.blueprint.manifest.task.cpu);
        let reserved = self.capacity.reserve(cpu, Bytes::new(order.task.memory));
        reserved.map(Room::new).map_err(|shortfall| shortfall.to_string())
    }

    async fn activate(&self, order: Order) -> Result<Arc<dyn LiveTask>, NotActivated> {
        let bundle = &order.blueprint.bundle;
        let prepared = self.runtime.prepared(bundle.component.as_str()).await;
        let prepared = prepared.map_err(|error| NotActivated::Failed(with_causes(&error)))?;
        let artifact = prepared.ok_or(NotActivated::NotCompiled)?;
        match bundle.world {
            World::Http => self.start_http(&order, artifact).await,
            World::Command => self.start_command(&order, artifact).await,
        }
    }

    async fn compile(&self, order: &Order) -> Result<(), String> {
        let component = &order.blueprint.bundle.component;
        let path = self.blobs.path(&order.task.namespace, component);
        let prepared = self.runtime.prepare(&path, component.as_str()).await;
        prepared.map(drop).map_err(|error| with_causes(&error))
    }

    fn expose(&self, changes: Vec<((NamespaceName, ServiceName), Option<Exposure>)>) -> Result<(), Refusal> {
        let served = changes.into_iter().map(|(service, exposure)| {
            let served = exposure.map(|exposure| served(&exposure)).transpose()?;
            Ok((service, served))
        });
        self.edge.expose(served.collect::<Result<_, Refusal>>()?)
    }

    fn share(&self, namespace: &NamespaceName, name: &ServiceName, shares: &[(Revision, u32)]) {
        let Some(group) = self.group(namespace, name) else {
            return;
        };
        let named = shares
            .iter()
            .filter_map(|(revision, share)| Some((cohort(*revision)?, *share)));
        group.share(named.collect());
    }

    fn tallies(&self, namespace: &NamespaceName, name: &ServiceName) -> Vec<(Revision, Tally)> {
        let tallies = self.group(namespace, name).map(|group| group.tallies());
        let read = tallies.into_iter().flatten();
        read.filter_map(|(cohort, tally)| Some((cohort.as_str().parse().ok()?, tally)))
            .collect()
    }

    async fn last_lines(&self, task: &Task, lines: usize) -> Vec<String> {
        // What was handed over is on its way to the disk.
        if self.logs.flush().await.is_err() {
            return Vec::new();
        }
        let query = LogQuery {
            task: Some(task.id.clone()),
            since: None,
            tail: Some(LOOK_BACK),
            follow: false,
        };
        let mut reader = self.logs.read(&task.namespace, task.group.name(), query);
        let (mut own, mut about) = (VecDeque::new(), VecDeque::new());
        // A log that can't be read has no lines to show; who reads it for its own sake is told.
        while let Ok(Some(records)) = reader.next().await {
            for record in records {
                let kept = match record.stream {
                    LogStream::Stdout | LogStream::Stderr => &mut own,
                    LogStream::System => &mut about,
                };
                kept.push_back(record.line);
                if kept.len() > lines {
                    kept.pop_front();
                }
            }
        }
        // One that said nothing is told of by what is said about it.
        if own.is_empty() { about.into() } else { own.into() }
    }

    fn demand(&self, namespace: &NamespaceName, service: &ServiceName) -> Option<Demand> {
        let name = group_name(namespace, service).ok()?;
        Some(self.gateway.groups().get(&name)?.demand())
    }

    async fn wanted(&self) -> Vec<(NamespaceName, ServiceName)> {
        let groups = self.wakes.wanted().await;
        groups.iter().filter_map(service_of).collect()
    }

    async fn forget(&self, namespace: &NamespaceName, name: &ServiceName) {
        self.logs.remove(namespace, name);
        if let Err(error) = self.data.remove(namespace, name).await {
            tracing::error!(%namespace, service = %name, %error, "can't remove its data yet; nobody sees it any more");
        }
    }
}

/// The cohort of a revision's tasks.
fn cohort(revision: Revision) -> Option<CohortName> {
    CohortName::new(&revision.to_string()).ok()
}

/// The definition's environment, and what every guest finds.
fn environment(Order { task, blueprint }: &Order) -> Vec<(String, String)> {
    let manifest = &blueprint.manifest.task;
    let of_definition = manifest
        .env
        .iter()
        .map(|(name, value)| (name.to_string(), value.clone()));
    let mut env: Vec<(String, String)> = of_definition.collect();
    env.extend([
        ("WHARF_TASK_ID".to_owned(), task.id.to_string()),
        ("WHARF_SERVICE".to_owned(), task.group.name().to_string()),
        ("WHARF_REVISION".to_owned(), task.definition.revision.to_string()),
        ("WHARF_NAMESPACE".to_owned(), task.namespace.to_string()),
    ]);
    if let Some(place) = task.place {
        env.extend([
            (
                "WHARF_RUN".to_owned(),
                format!("{}/{}", task.group.name(), place.run),
            ),
            ("WHARF_TASK_INDEX".to_owned(), place.index.to_string()),
            ("WHARF_ATTEMPT".to_owned(), place.attempt.to_string()),
        ]);
    }
    env
}

fn not_activated(error: ActivateError) -> NotActivated {
    match error {
        ActivateError::NoRoom => NotActivated::NoRoom,
        error => NotActivated::Failed(error.to_string()),
    }
}

/// What a service comes to at the gateway.
fn served(exposure: &Exposure) -> Result<Served, Refusal> {
    let Exposure { blueprint, hold } = exposure;
    let served = Served::new(&blueprint.namespace, &blueprint.manifest)?;
    Ok(served.of(blueprint.id().revision).holding(*hold))
}

fn refused(error: PrepareError) -> Refusal {
    let message = with_causes(&error);
    match error {
        PrepareError::Refused(_) => Refusal::unprocessable("ComponentRefused", message).field("component"),
        PrepareError::Compiler(_) => Refusal::unprocessable("CompilationFailed", message).field("component"),
        PrepareError::Digest(_) => Refusal::new(Kind::Malformed, "InvalidDigest", message).field("component"),
        PrepareError::Io { .. } => Refusal::new(Kind::Internal, "PrepareFailed", message),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
