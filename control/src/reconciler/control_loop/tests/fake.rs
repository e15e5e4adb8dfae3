//! An executor without an engine: it keeps time, and fails on demand.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use wharf_gateway::{Demand, Hold, Tally};
use wharf_runtime::{Amount, Bytes, CpuUnits};

use crate::edge::rules;
use crate::model::{Health, Task, Usage, World};
use crate::names::{Digest, NamespaceName, Revision, ServiceName, TaskId};
use crate::refusal::Refusal;
use crate::scaling::Wakes;
use crate::tasks::{
    Drained, Executor, Exit, Exposure, HealthReport, HostCapacity, LiveTask, NotActivated, Order, Prepared,
    Remedy, Room, Traffic,
};

/// How tasks of a revision behave.
#[derive(Debug, Clone)]
pub(crate) enum Behaviour {
    /// RUNNING and healthy after this long.
    Healthy { after: Duration },
    /// RUNNING, and nobody knows whether it is well.
    Unsure,
    /// RUNNING and unhealthy.
    Unhealthy,
    /// RUNNING and not ready, for this reason.
    Unready(&'static str),
    /// Doesn't start.
    Refuses(&'static str),
    /// Never comes to RUNNING, nor to an end.
    Hangs,
    /// RUNNING, healthy after [`WELL_AFTER`], ends by itself after this long or when it is asked to.
    Exits { after: Duration, code: i32 },
}

impl Behaviour {
    pub(super) fn well() -> Self {
        Self::Healthy {
            after: Duration::from_millis(10),
        }
    }
}

/// How a task behaves on its way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Leaving {
    #[default]
    Promptly,
    /// Has so many requests still when its time is up.
    CutOff(u32),
    /// Doesn't keep to its limit.
    NeverDrains,
    /// The same.
    NeverStops,
}

/// How long its compiler takes.
pub(super) const COMPILED_AFTER: Duration = Duration::from_secs(120);

/// As a worker: one that ends at once was never healthy.
const WELL_AFTER: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(crate) struct Fake {
    /// How long each activation takes.
    pub(super) activation: Duration,
    pub(crate) behaviours: Mutex<HashMap<u64, Behaviour>>,
    /// Places that are taken, and how many there are.
    pub(crate) places: Arc<Mutex<(usize, Option<usize>)>>,
    pub(super) missing: Mutex<Option<String>>,
    pub(super) live: Mutex<HashMap<TaskId, Arc<FakeTask>>>,
    pub(super) exposed: Mutex<BTreeMap<(NamespaceName, ServiceName), u64>>,
    /// How requests wait, each time it was said.
    pub(super) holds: Mutex<Vec<Option<Hold>>>,
    /// The shares that were put in force, one after the other.
    pub(crate) shares: Mutex<Vec<Vec<(u64, u32)>>>,
    /// What is counted of the requests to each revision.
    pub(crate) tallies: Mutex<HashMap<u64, Tally>>,
    pub(crate) forgotten: Mutex<Vec<ServiceName>>,
    /// What components are, if not HTTP.
    pub(crate) world: Mutex<Option<World>>,
    /// Revisions whose component is not compiled.
    pub(super) uncompiled: Mutex<HashSet<u64>>,
    /// Tasks that were activated, in order.
    pub(super) activated: Mutex<Vec<TaskId>>,
    /// How many are being activated now, and the most there were.
    pub(super) activating: Mutex<(usize, usize)>,
    /// What is asked of services.
    pub(super) demand: Mutex<Demand>,
    /// Whom requests wait for.
    pub(super) wakes: Wakes,
}

/// More CPU than this fits no host.
pub(crate) const LARGEST_CPU: u32 = 2048;
/// What its components need.
const LEAST_MEMORY: Bytes = Bytes::kib(1500);

#[derive(Debug)]
pub(super) struct FakeTask {
    pub(super) health: watch::Sender<HealthReport>,
    pub(super) cpu_ms: AtomicU64,
    pub(super) leaving: Mutex<Leaving>,
    exit: Mutex<Option<oneshot::Receiver<Exit>>>,
    /// What it exits with when it is asked to stop.
    code: Option<i32>,
}

struct Place(Arc<Mutex<(usize, Option<usize>)>>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}

#[async_trait::async_trait]
impl Executor for Fake {
    async fn prepare(&self, _: &Path, _: &Digest) -> Result<Prepared, Refusal> {
        Ok(Prepared {
            world: self.world.lock().unwrap().unwrap_or(World::Http),
            least_memory: LEAST_MEMORY,
        })
    }

    fn could_ever_fit(&self, cpu: CpuUnits, _: Bytes) -> Result<(), String> {
        match cpu.get() {
            ..=LARGEST_CPU => Ok(()),
            more => Err(format!("cpu {more} is more than this host has")),
        }
    }

    fn capacity(&self) -> HostCapacity {
        HostCapacity {
            limit: Amount {
                cpu: 1000,
                memory: 1000,
            },
            ..HostCapacity::default()
        }
    }

    async fn missing(&self, _: &Order) -> Option<String> {
        self.missing.lock().unwrap().clone()
    }

    fn reserve(&self, _: &Order) -> Result<Room, String> {
        let mut places = self.places.lock().unwrap();
        let (taken, all) = *places;
        if all.is_some_and(|all| taken >= all) {
            return Err(format!("not enough places: {taken} are taken"));
        }
        places.0 += 1;
        Ok(Room::new(Place(self.places.clone())))
    }

    async fn activate(&self, order: Order) -> Result<Arc<dyn LiveTask>, NotActivated> {
        let revision = order.task.definition.revision.get();
        if self.uncompiled.lock().unwrap().contains(&revision) {
            return Err(NotActivated::NotCompiled);
        }
        self.activated.lock().unwrap().push(order.task.id.clone());
        {
            let mut activating = self.activating.lock().unwrap();
            activating.0 += 1;
            activating.1 = activating.1.max(activating.0);
        }
        tokio::time::sleep(self.activation).await;
        self.activating.lock().unwrap().0 -= 1;
        let behaviour = self.behaviours.lock().unwrap().get(&revision).cloned();
        let behaviour = behaviour.unwrap_or(Behaviour::well());
        let (health, exit) = match behaviour {
            Behaviour::Refuses(reason) => return Err(NotActivated::Failed(reason.to_owned())),
            Behaviour::Hangs => std::future::pending().await,
            Behaviour::Unsure => (HealthReport::unknown(), None),
            Behaviour::Unhealthy => (unhealthy("it says so"), None),
            Behaviour::Unready(reason) => (unready(reason), None),
            Behaviour::Healthy { after } => {
                tokio::time::sleep(after).await;
                (HealthReport::healthy(), None)
            }
            Behaviour::Exits { after, code } => {
                let (send, receive) = oneshot::channel();
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    // Nobody listens once it was stopped.
                    let _ = send.send(exited(code));
                });
                (HealthReport::unknown(), Some(receive))
            }
        };
        let code = match behaviour {
            Behaviour::Exits { code, .. } => Some(code),
            _ => None,
        };
        let task = Arc::new(FakeTask {
            code,
            health: watch::channel(health).0,
            cpu_ms: AtomicU64::new(5),
            leaving: Mutex::default(),
            exit: Mutex::new(exit),
        });
        if matches!(behaviour, Behaviour::Exits { .. }) {
            let task = task.clone();
            tokio::spawn(async move {
                tokio::time::sleep(WELL_AFTER).await;
                task.health.send_replace(HealthReport::healthy());
            });
        }
        self.live
            .lock()
            .unwrap()
            .insert(order.task.id.clone(), task.clone());
        Ok(Arc::new(Handle(task)))
    }

    async fn compile(&self, order: &Order) -> Result<(), String> {
        tokio::time::sleep(COMPILED_AFTER).await;
        self.uncompiled
            .lock()
            .unwrap()
            .remove(&order.task.definition.revision.get());
        Ok(())
    }

    fn expose(&self, changes: Vec<((NamespaceName, ServiceName), Option<Exposure>)>) -> Result<(), Refusal> {
        let number = |blueprint: &crate::blueprint::Blueprint| blueprint.id().revision.get();
        let mut exposed = self.exposed.lock().unwrap();
        for (service, exposure) in changes {
            let hold = exposure.as_ref().and_then(|exposure| exposure.hold);
            self.holds.lock().unwrap().push(hold);
            match exposure {
                Some(exposure) => exposed.insert(service, number(&exposure.blueprint)),
                None => exposed.remove(&service),
            };
        }
        Ok(())
    }

    fn share(&self, _: &NamespaceName, _: &ServiceName, shares: &[(Revision, u32)]) {
        let numbers = shares.iter().map(|(revision, share)| (revision.get(), *share));
        self.shares.lock().unwrap().push(numbers.collect());
    }

    fn tallies(&self, _: &NamespaceName, _: &ServiceName) -> Vec<(Revision, Tally)> {
        let tallies = self.tallies.lock().unwrap();
        let counted = tallies.iter();
        counted
            .map(|(revision, tally)| (Revision::new(*revision).unwrap(), tally.clone()))
            .collect()
    }

    async fn last_lines(&self, task: &Task, lines: usize) -> Vec<String> {
        let wrote = ["one", "two", "three", "four", "five", "six"];
        let last = wrote.iter().skip(wrote.len() - lines);
        last.map(|line| format!("{line} of {}", task.definition))
            .collect()
    }

    fn demand(&self, _: &NamespaceName, _: &ServiceName) -> Option<Demand> {
        Some(*self.demand.lock().unwrap())
    }

    async fn wanted(&self) -> Vec<(NamespaceName, ServiceName)> {
        let groups = self.wakes.wanted().await;
        groups.iter().filter_map(rules::service_of).collect()
    }

    async fn forget(&self, _: &NamespaceName, name: &ServiceName) {
        self.forgotten.lock().unwrap().push(name.clone());
    }
}

struct Handle(Arc<FakeTask>);

#[async_trait::async_trait]
impl LiveTask for Handle {
    fn usage(&self) -> Usage {
        Usage {
            cpu_ms: self.0.cpu_ms.load(Ordering::Relaxed),
            ..Usage::default()
        }
    }

    fn health(&self) -> watch::Receiver<HealthReport> {
        self.0.health.subscribe()
    }

    async fn exited(&self) -> Exit {
        let exit = self.0.exit.lock().unwrap().take();
        match exit {
            Some(exit) => exit.await.unwrap(),
            None => std::future::pending().await,
        }
    }

    async fn drain(&self, limit: Duration) -> Drained {
        let leaving = *self.0.leaving.lock().unwrap();
        match leaving {
            Leaving::Promptly | Leaving::NeverStops => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Drained::Idle
            }
            Leaving::CutOff(requests) => {
                tokio::time::sleep(limit).await;
                Drained::CutOff(requests)
            }
            Leaving::NeverDrains => std::future::pending().await,
        }
    }

    async fn stop(&self, _: Duration) -> Option<Exit> {
        let leaving = *self.0.leaving.lock().unwrap();
        if leaving == Leaving::NeverStops {
            std::future::pending::<()>().await;
        }
        self.0.code.map(exited)
    }
}

fn exited(code: i32) -> Exit {
    Exit {
        code: Some(code),
        reason: format!("exited with code {code}"),
    }
}

pub(super) fn unhealthy(reason: &str) -> HealthReport {
    HealthReport {
        health: Health::Unhealthy,
        reason: Some(reason.to_owned()),
        remedy: Remedy::Replace,
        traffic: Traffic::Withheld,
    }
}

/// Its liveness fails: requests reach it all the same.
pub(super) fn not_live(reason: &str) -> HealthReport {
    HealthReport {
        traffic: Traffic::Given,
        ..unhealthy(reason)
    }
}

pub(super) fn unready(reason: &str) -> HealthReport {
    HealthReport {
        remedy: Remedy::Wait,
        ..unhealthy(reason)
    }
}
