//! What every task has, whatever its world: its limits' books, its capabilities, room for its instances.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
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
use crate::host::RECHECK_EVERY;
use crate::memory::{Charge, Envelope, ExpectedPeak, InstanceMemory};
use crate::meter::Meter;
use crate::size::Bytes;
use crate::spec::TaskSpec;

/// The longest an instance may take to come up: start functions that run longer hold up a deployment.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(60);

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
    /// Requests answered, well or not, since the task began.
    pub requests: u64,
    /// Failures of the guest's own since its last success.
    pub failures_in_a_row: u32,
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
    own_slots: Arc<Semaphore>,
}

/// Room for one instance: memory within the task's envelope, a slot in the engine's pool.
#[derive(Debug)]
pub(crate) struct Room {
    memory: Charge,
    slot: Slot,
}

/// A slot in the engine's pool, and one of those that a single task may hold.
#[derive(Debug)]
pub(crate) struct Slot {
    _shared: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

/// The part of the engine's pool that one task may fill with its instances: a quarter.
const POOL_SHARE: usize = 4;

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
            log: &log,
            stop: &stop,
        };
        let capabilities = capability::configure(&context)?;
        let own_slots = (runtime.instances() / POOL_SHARE).max(1);
        Ok(Self {
            own_slots: Arc::new(Semaphore::new(own_slots)),
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

    /// Room for one instance if there is some now.
    pub(crate) fn try_room(&self) -> Option<Room> {
        if !self.runtime.host_memory().has_room() {
            return None;
        }
        let slot = Slot {
            _own: Arc::clone(&self.own_slots).try_acquire_owned().ok()?,
            _shared: Arc::clone(self.runtime.slots()).try_acquire_owned().ok()?,
        };
        let memory = self
            .envelope
            .charge(self.expected.get().min(self.envelope.limit()))?;
        Some(Room { memory, slot })
    }

    /// Waits until something was given back that may make room: memory of this task, of the host, or a slot.
    pub(crate) async fn room_may_be_free(&self, freed: impl Future<Output = ()>) {
        // The pool and the host's memory are shared with everybody: looked at now and then.
        let _ = tokio::time::timeout(RECHECK_EVERY, freed).await;
    }

    /// A store for one instance, with everything the task grants.
    pub(crate) fn store(
        &self,
        room: Room,
        meter: Arc<Meter>,
    ) -> Result<(Store<GuestState>, Slot), capability::PrepareError> {
        let parts = capability::prepare(&self.capabilities)?;
        let memory = InstanceMemory::new(room.memory, self.instance_charge);
        Ok((new_store(self.runtime.engine(), parts, memory, meter), room.slot))
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
