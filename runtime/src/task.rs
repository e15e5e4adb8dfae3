//! What every task has, whatever its world: its limits' books, its capabilities, room for its instances.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;
use wasmtime::Store;

use crate::Runtime;
use crate::artifact::Artifact;
use crate::capability::logging::TaskLog;
use crate::capability::{self, Prepare, TaskContext};
use crate::cpu::{CpuAccount, OverBudget};
use crate::error::ActivateError;
use crate::failure::{Failure, FailureKind};
use crate::guest_state::{GuestState, new_store};
use crate::memory::{Charge, Envelope, ExpectedPeak, InstanceMemory};
use crate::meter::Meter;
use crate::pool::{Place, Places, Pool};
use crate::size::Bytes;
use crate::spec::TaskSpec;

/// The longest an instance may take to come up: start functions that run longer hold up a deployment.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest a start waits in line for room before its caller is told, who may have something to say about it.
const START_ROOM_TIMEOUT: Duration = Duration::from_secs(2);

/// What a task has used and holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TaskUsage {
    /// CPU time used since the task began.
    pub cpu: Duration,
    /// Wall time in which the task wanted to run and was held back by its CPU limit.
    pub throttled: Duration,
    /// Bytes charged to the task's memory now.
    pub memory: u64,
    /// The most that was ever charged, in bytes.
    pub memory_peak: u64,
    /// Requests (or runs) under way.
    pub in_flight: u32,
    /// Requests waiting for a place.
    pub queued: u32,
    /// Requests that were let in, whatever became of them, since the task began; health checks are among them.
    pub requests: u64,
    /// Failures of the guest's own since its last success.
    pub failures_in_a_row: u32,
    /// Requests since its last success whose deadline passed while the guest had them and had not answered.
    pub timeouts_in_a_row: u32,
    /// What is left of the task's CPU bucket, from 0 (in debt) to 1 (full).
    pub cpu_credit: f32,
}

/// The parts common to tasks of both worlds.
#[derive(Debug)]
pub(crate) struct TaskCore {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) account: Arc<CpuAccount>,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) log: TaskLog,
    /// Cancelled when the task is asked to stop.
    pub(crate) stop: CancellationToken,
    /// Cancelled when the task must end at once.
    pub(crate) kill: CancellationToken,
    pub(crate) timeout: Option<Duration>,
    cpu_timeout: Option<Duration>,
    instance_charge: Bytes,
    expected: ExpectedPeak,
    capabilities: Vec<Box<dyn Prepare>>,
    /// What an instance takes of the engine's pool.
    places: Places,
    /// The task's share of the pool.
    share: Pool,
    /// Held by whoever is first among those who want an instance.
    turn: Mutex<()>,
}

/// Room for one instance: memory within the task's envelope, places in the engine's pool.
#[derive(Debug)]
pub(crate) struct Room {
    memory: Charge,
    slot: Slot,
}

/// Places in the engine's pool, which are the task's own share of it too.
#[derive(Debug)]
struct Slot {
    _pool: Place,
    _share: Place,
}

/// A store in its slot, which is free again when the store has gone: fields are dropped in this order.
pub(crate) struct PlacedStore {
    pub(crate) store: Store<GuestState>,
    _slot: Slot,
}

/// The part of the engine's pool that one task may fill with its instances: a quarter.
const POOL_SHARE: u32 = 4;

impl TaskCore {
    pub(crate) fn new(
        runtime: Arc<Runtime>,
        artifact: &Artifact,
        spec: &TaskSpec,
    ) -> Result<Self, ActivateError> {
        let least = artifact.least_memory();
        if least > spec.memory {
            return Err(ActivateError::too_little_memory(least, spec.memory));
        }
        let over_budget = if spec.cpu_burst {
            OverBudget::RunWhenIdle
        } else {
            OverBudget::Pause
        };
        let account = Arc::new(CpuAccount::new(spec.cpu, over_budget, runtime.clock()));
        let envelope = Arc::new(Envelope::new(spec.memory));
        let log = TaskLog::new(Arc::clone(&spec.log));
        let stop = CancellationToken::new();
        let context = TaskContext {
            spec,
            envelope: &envelope,
            account: &account,
            log: &log,
            stop: &stop,
        };
        let capabilities = capability::configure(&context)?;
        let places = artifact.places();
        Ok(Self {
            places,
            share: Pool::new(runtime.pool_size().share(POOL_SHARE, places)),
            turn: Mutex::new(()),
            runtime,
            account,
            envelope,
            log,
            stop,
            kill: CancellationToken::new(),
            timeout: spec.timeout,
            cpu_timeout: spec.cpu_timeout,
            instance_charge: artifact.instance_charge(),
            expected: ExpectedPeak::new(least.get()),
            capabilities,
        })
    }

    pub(crate) fn meter(&self) -> Arc<Meter> {
        Arc::new(Meter::new(Arc::clone(&self.account), self.cpu_timeout))
    }

    /// The turn of whoever wants an instance, in the order in which they ask.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The turn, if nobody waits.
    pub(crate) fn try_turn(&self) -> Option<MutexGuard<'_, ()>> {
        self.turn.try_lock().ok()
    }

    /// Room for one instance if there is some now. For whoever has the turn.
    pub(crate) fn try_room(&self) -> Option<Room> {
        if !self.runtime.host_memory().has_room() {
            return None;
        }
        let memory = self.envelope.charge(self.expected_memory())?;
        let slot = Slot {
            _share: self.share.try_take(self.places)?,
            _pool: self.runtime.pool().try_take(self.places)?,
        };
        Some(Room { memory, slot })
    }

    /// Room for one instance, when there is some: memory of the task, then places in the pool, in line with the other
    /// tasks, then memory of the host. For whoever has the turn.
    pub(crate) async fn room(&self) -> Room {
        let memory = self.envelope.charge_when_free(|| self.expected_memory()).await;
        let slot = Slot {
            _share: self.share.take(self.places).await,
            _pool: self.runtime.pool().take(self.places).await,
        };
        self.runtime.host_memory().room().await;
        Room { memory, slot }
    }

    /// Room for the task's first instance; nobody else of the task wants one.
    pub(crate) async fn room_for_start(&self) -> Result<Room, ActivateError> {
        let room = tokio::time::timeout(START_ROOM_TIMEOUT, self.room()).await;
        room.map_err(|_| ActivateError::NoRoom)
    }

    /// What the next instance will probably come to hold.
    fn expected_memory(&self) -> u64 {
        self.expected.get().min(self.envelope.limit())
    }

    /// A store for one instance, with everything the task grants.
    pub(crate) fn store(
        &self,
        room: Room,
        meter: Arc<Meter>,
    ) -> Result<PlacedStore, capability::PrepareError> {
        let parts = capability::prepare(&self.capabilities)?;
        let memory = InstanceMemory::new(room.memory, self.instance_charge);
        Ok(PlacedStore {
            store: new_store(self.runtime.engine(), parts, memory, meter),
            _slot: room.slot,
        })
    }

    /// Learns from an instance that ends (or goes idle) what the next one will need.
    pub(crate) fn observe(&self, state: &GuestState) {
        self.expected.observe(state.memory.peak());
    }

    /// Says in the task's log why a request or a run failed.
    pub(crate) fn report(&self, failure: &Failure) {
        let Failure {
            kind,
            reason,
            details,
        } = failure;
        self.log.system(&format!("{}: {reason}", kind.as_str()));
        if let Some(details) = details {
            self.log.system(details);
        }
    }

    pub(crate) fn deadline_failure(&self) -> Failure {
        let limit = self.timeout.unwrap_or_default();
        Failure::new(
            FailureKind::Deadline,
            format!("not finished within the timeout of {}", Seconds(limit)),
        )
    }
}

/// A time as people write it.
pub(crate) struct Seconds(pub(crate) Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.subsec_millis() == 0 {
            write!(f, "{} s", self.0.as_secs())
        } else {
            write!(f, "{} ms", self.0.as_millis())
        }
    }
}
