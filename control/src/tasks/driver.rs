//! Drives one task through its life and reports each step to the control loop.
//!
//! The driver owns the task's place on the host: it is given back before the last report, so that who
//! waits for it finds it free.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{Executor, Exit, HealthReport, LiveTask, Order, Room};
use crate::model::TaskStatus;
use crate::names::TaskId;

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
        // Closed only if it were closed, which nothing does.
        let _permit = self.activations.acquire().await.map_err(|e| e.to_string())?;
        self.report(Step::Activating).await;
        self.executor.activate(self.order.clone()).await
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
                    live.stop(Duration::ZERO).await;
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
        self.report(Step::Leaving(TaskStatus::Deactivating)).await;
        live.drain(stop_timeout).await;
        self.report(Step::Leaving(TaskStatus::Stopping)).await;
        if let Some(exit) = live.stop(stop_timeout).await {
            self.report(Step::Exited(exit)).await;
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
