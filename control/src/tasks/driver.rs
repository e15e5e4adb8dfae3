//! Drives one task through its life and reports each step to the control loop.
//!
//! The driver owns the task's place on the host: it is given back before the last report, so that who
//! waits for it finds it free. Nothing it waits for is without an end: what doesn't come about in its time is
//! given up, with a reason.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Drained, Executor, Exit, HealthReport, LiveTask, NotActivated, Order, Room};
use crate::model::TaskStatus;
use crate::names::TaskId;

/// How long a task may take from ACTIVATING to RUNNING. Nearly all of it is for a component whose compiled form was
/// lost: its compiler may use five minutes of CPU time, and share the CPU.
pub(crate) const ACTIVATION_DEADLINE: Duration = Duration::from_secs(10 * 60);

/// How soon a task that the host had no memory for is tried again.
const ROOM_RECHECK: Duration = Duration::from_millis(500);

/// How much longer than its `stop_timeout` a task's drain and its end may each take before they are given up: both
/// end by themselves in time, unless something is broken.
pub(crate) const OVERTIME: Duration = Duration::from_secs(10);

/// A step in a task's life.
pub(crate) enum Step {
    /// Its first instance is being made.
    Activating,
    /// It never came to RUNNING.
    FailedToStart(String),
    /// It is RUNNING.
    Running(Arc<dyn LiveTask>),
    /// Its health changed.
    Health(HealthReport),
    /// The guest ended by itself, asked to or not.
    Exited(Exit),
    /// It was told to stop and is on its way out.
    Leaving(TaskStatus),
    /// Its time to drain was over, with this many requests left.
    CutOff(u32),
    /// What it was doing was given up: it took too long.
    GivenUp(TaskStatus),
    /// Nothing of it is left.
    Gone,
}

/// A task's step, as the control loop receives it.
pub(crate) struct Report {
    pub(crate) task: TaskId,
    pub(crate) step: Step,
}

/// What a driver needs besides its task.
pub(crate) struct Drive {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) order: Order,
    pub(crate) room: Room,
    /// Cancelled when the task shall stop.
    pub(crate) stop: CancellationToken,
    /// Bounds how many tasks are activated at once.
    pub(crate) activations: Arc<Semaphore>,
    pub(crate) reports: mpsc::Sender<Report>,
}

impl Drive {
    /// Runs until the task is gone.
    pub(crate) async fn run(self) {
        let stop_timeout = self.order.blueprint.stop_timeout();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            activated = self.activate() => match activated {
                Ok(live) => {
                    self.report(Step::Running(live.clone())).await;
                    self.attend(live.as_ref(), stop_timeout).await;
                }
                Err(reason) => self.report(Step::FailedToStart(reason)).await,
            }
        }
        let Self {
            order, room, reports, ..
        } = self;
        drop(room);
        send(&reports, &order.task.id, Step::Gone).await;
    }

    async fn activate(&self) -> Result<Arc<dyn LiveTask>, String> {
        let permit = self.permit().await?;
        self.report(Step::Activating).await;
        match timeout(ACTIVATION_DEADLINE, self.bring_up(permit)).await {
            Ok(activated) => activated,
            Err(_) => Err(format!(
                "it was not RUNNING after {} minutes of ACTIVATING",
                ACTIVATION_DEADLINE.as_secs() / 60
            )),
        }
    }

    /// One of those that are activated at once. Who waits for a compiler or for memory lets another go ahead: what needs
    /// neither, a service that wakes above all, is RUNNING within milliseconds.
    async fn bring_up<'d>(&'d self, mut permit: SemaphorePermit<'d>) -> Result<Arc<dyn LiveTask>, String> {
        loop {
            let failed = match self.executor.activate(self.order.clone()).await {
                Ok(live) => return Ok(live),
                Err(failed) => failed,
            };
            drop(permit);
            match failed {
                NotActivated::NotCompiled => self.executor.compile(&self.order).await?,
                NotActivated::NoRoom => tokio::time::sleep(ROOM_RECHECK).await,
                NotActivated::Failed(reason) => return Err(reason),
            }
            permit = self.permit().await?;
        }
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, String> {
        // Closed only if it were closed, which nothing does.
        self.activations.acquire().await.map_err(|e| e.to_string())
    }

    async fn attend(&self, live: &dyn LiveTask, stop_timeout: Duration) {
        let mut health = live.health();
        health.mark_changed();
        let exited = live.exited();
        tokio::pin!(exited);
        let mut watched = true;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                exit = &mut exited => {
                    self.report(Step::Exited(exit)).await;
                    // It has ended: there is nothing to wait for.
                    let _ = timeout(OVERTIME, live.stop(Duration::ZERO)).await;
                    return;
                }
                changed = health.changed(), if watched => {
                    watched = changed.is_ok();
                    if watched {
                        let report = health.borrow_and_update().clone();
                        self.report(Step::Health(report)).await;
                    }
                }
            }
        }
        let limit = stop_timeout + OVERTIME;
        self.report(Step::Leaving(TaskStatus::Deactivating)).await;
        match timeout(limit, live.drain(stop_timeout)).await {
            Ok(Drained::Idle) => {}
            Ok(Drained::CutOff(requests)) => self.report(Step::CutOff(requests)).await,
            Err(_) => self.report(Step::GivenUp(TaskStatus::Deactivating)).await,
        }
        self.report(Step::Leaving(TaskStatus::Stopping)).await;
        match timeout(limit, live.stop(stop_timeout)).await {
            Ok(Some(exit)) => self.report(Step::Exited(exit)).await,
            Ok(None) => {}
            Err(_) => self.report(Step::GivenUp(TaskStatus::Stopping)).await,
        }
        self.report(Step::Leaving(TaskStatus::Deprovisioning)).await;
    }

    async fn report(&self, step: Step) {
        send(&self.reports, &self.order.task.id, step).await;
    }
}

async fn send(reports: &mpsc::Sender<Report>, task: &TaskId, step: Step) {
    // The loop is gone only when the whole server is.
    let _ = reports
        .send(Report {
            task: task.clone(),
            step,
        })
        .await;
}
