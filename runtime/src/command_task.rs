//! A task that runs a program: a job that ends, or a worker that goes on.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::{Command, CommandPre};

use crate::Runtime;
use crate::artifact::{Artifact, Entry, World};
use crate::drive::{Guest, GuestFuture, drive};
use crate::error::ActivateError;
use crate::failure::{Failure, FailureKind};
use crate::guest_state::GuestState;
use crate::spec::TaskSpec;
use crate::task::{PlacedStore, Room, START_TIMEOUT, TaskCore, TaskUsage};

/// A live task of the `wasi:cli/command` world. Cheap to clone; the program ends when it is killed, not when
/// handles are dropped.
#[derive(Debug, Clone)]
pub struct CommandTask {
    core: Arc<TaskCore>,
    exit: watch::Receiver<Option<Exit>>,
    running: Arc<AtomicU32>,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It returned or exited with this code.
    Code(i32),
    /// It trapped or panicked.
    Trapped(String),
    /// It was still running at its timeout.
    TimedOut(String),
    /// It used up its CPU time.
    CpuTimedOut(String),
    /// It died of a growth that did not fit the task's memory.
    OutOfMemory(String),
    /// It was killed.
    Stopped,
}

impl CommandTask {
    /// Makes the instance and calls `run`; answers when the program has begun.
    ///
    /// # Errors
    /// An [`ActivateError`] that says whether waiting can help.
    pub async fn start(
        runtime: &Arc<Runtime>,
        artifact: Artifact,
        spec: TaskSpec,
    ) -> Result<Self, ActivateError> {
        let Entry::Command(pre) = artifact.entry() else {
            return Err(ActivateError::wrong_world(World::Command));
        };
        let core = Arc::new(TaskCore::new(Arc::clone(runtime), &artifact, &spec)?);
        let room = core.room_for_start().await?;
        let (begun, has_begun) = oneshot::channel();
        let (report, exit) = watch::channel(None);
        let running = Arc::new(AtomicU32::new(0));
        let program = Program {
            core: Arc::clone(&core),
            pre: pre.clone(),
            artifact: artifact.clone(),
            running: Arc::clone(&running),
        };
        runtime.serve().spawn(async move {
            // Nobody waits for a program that was started and forgotten.
            let _ = report.send(Some(program.live(room, begun).await));
        });
        // Whoever gives up waiting has no handle to end the program with.
        let orphan = core.kill.clone().drop_guard();
        let limit = core
            .timeout
            .map_or(START_TIMEOUT, |timeout| timeout.min(START_TIMEOUT));
        let begun = tokio::time::timeout(limit, has_begun).await;
        // Ended by its own timeout, which may be as short, it says nothing.
        let begun = begun
            .ok()
            .and_then(Result::ok)
            .ok_or_else(|| ActivateError::slow_start(limit))?;
        begun?;
        orphan.disarm();
        Ok(Self { core, exit, running })
    }

    /// Resolves with the program's end.
    pub async fn exited(&self) -> Exit {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        // The sender reports before it goes; without a report the serving runtime was torn down.
        ended.map_or(Exit::Stopped, |exit| exit.clone().unwrap_or(Exit::Stopped))
    }

    /// Asks the program to end: its standard input closes, and if it sleeps it is woken.
    pub fn request_stop(&self) {
        self.core.stop.cancel();
    }

    /// Ends the program at once.
    pub fn kill(&self) {
        self.core.kill.cancel();
        self.core.stop.cancel();
    }

    /// What the task has used and holds.
    pub fn usage(&self) -> TaskUsage {
        let core = &self.core;
        TaskUsage {
            cpu: core.account.used(),
            throttled: core.account.throttled(),
            memory: core.envelope.used(),
            memory_peak: core.envelope.peak(),
            in_flight: self.running.load(Ordering::Relaxed),
            queued: 0,
            requests: 0,
            failures_in_a_row: 0,
            timeouts_in_a_row: 0,
            cpu_credit: core.account.credit(),
        }
    }
}

/// A program from its instance to its end.
struct Program {
    core: Arc<TaskCore>,
    pre: CommandPre<GuestState>,
    /// Kept so that others can share it while this runs.
    artifact: Artifact,
    running: Arc<AtomicU32>,
}

type Begun = oneshot::Sender<Result<(), Failure>>;

impl Program {
    async fn live(self, room: Room, begun: Begun) -> Exit {
        let (core, running) = (Arc::clone(&self.core), Arc::clone(&self.running));
        let meter = core.meter();
        let result = Arc::new(Mutex::new(None));
        let guest: GuestFuture = Box::pin({
            let (result, meter) = (Arc::clone(&result), Arc::clone(&meter));
            async move {
                let ended = self.run(room, begun, meter).await;
                *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
            }
        });
        let guest = Guest::new(guest, meter, Arc::clone(&core.runtime));
        running.store(1, Ordering::Relaxed);
        let ended = until_killed(drive(guest, Arc::clone(&core.account)), &core).await;
        running.store(0, Ordering::Relaxed);
        let ended = ended.and_then(|()| {
            let result = result.lock().unwrap_or_else(PoisonError::into_inner).take();
            result.unwrap_or_else(|| Err(Failure::new(FailureKind::Stopped, "the program was dropped")))
        });
        ended.map_or_else(
            |failure| {
                core.report(&failure);
                Exit::from(failure)
            },
            Exit::Code,
        )
    }

    /// The guest's part: its start functions, then `run`.
    async fn run(self, room: Room, begun: Begun, meter: Arc<crate::meter::Meter>) -> Result<i32, Failure> {
        let (mut placed, command) = match self.instantiate(room, meter).await {
            Ok(instance) => instance,
            Err(failure) => {
                // The starter reports it; nobody hears it a second time if it has gone.
                let _ = begun.send(Err(failure.clone()));
                return Err(failure);
            }
        };
        let _ = begun.send(Ok(()));
        let returned = command.wasi_cli_run().call_run(&mut placed.store).await;
        self.core.observe(placed.store.data());
        drop(self.artifact);
        match returned {
            Ok(Ok(())) => Ok(0),
            Ok(Err(())) => Ok(1),
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(exit) => Ok(exit.0),
                None => Err(Failure::of_guest(&error, placed.store.data())),
            },
        }
    }

    async fn instantiate(
        &self,
        room: Room,
        meter: Arc<crate::meter::Meter>,
    ) -> Result<(PlacedStore, Command), Failure> {
        let mut placed = self.core.store(room, meter)?;
        match self.pre.instantiate_async(&mut placed.store).await {
            Ok(command) => Ok((placed, command)),
            Err(error) => Err(Failure::of_start(&error, placed.store.data())),
        }
    }
}

/// Runs `program` until it ends, is killed, or its time is up.
async fn until_killed(program: impl Future<Output = ()>, core: &TaskCore) -> Result<(), Failure> {
    let timeout = async {
        match core.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let killed: &CancellationToken = &core.kill;
    tokio::select! {
        () = program => Ok(()),
        () = killed.cancelled() => Err(Failure::new(FailureKind::Stopped, "the program was stopped")),
        () = timeout => Err(core.deadline_failure()),
    }
}

impl From<Failure> for Exit {
    fn from(failure: Failure) -> Self {
        let Failure { kind, reason, .. } = failure;
        match kind {
            FailureKind::Deadline => Self::TimedOut(reason),
            FailureKind::CpuTimeout => Self::CpuTimedOut(reason),
            FailureKind::OutOfMemory => Self::OutOfMemory(reason),
            FailureKind::Stopped => Self::Stopped,
            _ => Self::Trapped(reason),
        }
    }
}
