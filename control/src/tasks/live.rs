//! Tasks that are RUNNING, of either world.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use wharf_gateway::{
    Checks, CohortName, Health as TargetHealth, HealthReason, Membership, TargetGroup, TargetId,
};
use wharf_runtime::{CommandTask, HttpTask, TaskUsage};

use super::target::{Cost, HttpTarget};
use super::{Drained, Exit, HealthReport, LiveTask, Remedy, Traffic};
use crate::model::{Group, Health, Usage};

/// A worker that runs this long has started well: one that crashes at once shall not end a deployment as
/// completed. (ECS waits 40 s.)
const WORKER_WELL_AFTER: Duration = Duration::from_secs(2);

/// Where a task is registered.
pub(super) struct TargetPlace {
    pub(super) group: Arc<TargetGroup>,
    pub(super) id: TargetId,
    /// Its revision's.
    pub(super) cohort: Option<CohortName>,
    /// Its revision's: while another replaces it, each is judged by its own.
    pub(super) checks: Checks,
}

/// A task that answers requests, registered with its target group.
pub(super) struct LiveHttp {
    task: HttpTask,
    group: Arc<TargetGroup>,
    id: TargetId,
    health: watch::Receiver<HealthReport>,
}

impl LiveHttp {
    /// Registers the task: from now on it gets requests, or health checks first.
    pub(super) fn register(task: HttpTask, cost: Cost, place: TargetPlace) -> Result<Self, String> {
        let TargetPlace {
            group,
            id,
            cohort,
            checks,
        } = place;
        let target = Arc::new(HttpTarget {
            task: task.clone(),
            cost,
        });
        let membership = Membership {
            cohort,
            checks: Some(checks),
            ..Membership::default()
        };
        let mut seen = group
            .register(id.clone(), target, membership)
            .map_err(|error| error.to_string())?;
        let asked = group.replacement(&id);
        let mut asked = asked.ok_or_else(|| format!("target {id} is gone"))?;
        let look = |seen: &mut watch::Receiver<TargetHealth>,
                    asked: &mut watch::Receiver<Option<HealthReason>>| {
            let health = seen.borrow_and_update().clone();
            report_of(&health, asked.borrow_and_update().as_ref())
        };
        let (report, health) = watch::channel(look(&mut seen, &mut asked));
        tokio::spawn(async move {
            // Ends when the target is gone.
            while let Ok(()) = either_changed(&mut seen, &mut asked).await {
                let now = look(&mut seen, &mut asked);
                report.send_if_modified(|report| {
                    let changed = *report != now;
                    *report = now;
                    changed
                });
            }
        });
        Ok(Self {
            task,
            group,
            id,
            health,
        })
    }
}

async fn either_changed(
    seen: &mut watch::Receiver<TargetHealth>,
    asked: &mut watch::Receiver<Option<HealthReason>>,
) -> Result<(), watch::error::RecvError> {
    tokio::select! {
        changed = seen.changed() => changed,
        changed = asked.changed() => changed,
    }
}

/// A task's health, from what its target gets and what is asked of its owner.
fn report_of(health: &TargetHealth, replace: Option<&HealthReason>) -> HealthReport {
    let unhealthy = |reason: &HealthReason, remedy| HealthReport {
        health: Health::Unhealthy,
        reason: Some(reason.to_string()),
        remedy,
        traffic: match health {
            TargetHealth::Healthy => Traffic::Given,
            _ => Traffic::Withheld,
        },
    };
    match (health, replace) {
        (TargetHealth::Draining, _) => HealthReport::unknown(),
        (_, Some(reason)) => unhealthy(reason, Remedy::Replace),
        (TargetHealth::Unhealthy { reason }, None) => unhealthy(reason, Remedy::Wait),
        (TargetHealth::Initial, None) => HealthReport::unknown(),
        (TargetHealth::Healthy, None) => HealthReport::healthy(),
    }
}

#[async_trait]
impl LiveTask for LiveHttp {
    fn usage(&self) -> Usage {
        usage_of(&self.task.usage())
    }

    fn health(&self) -> watch::Receiver<HealthReport> {
        self.health.clone()
    }

    async fn exited(&self) -> Exit {
        pending().await
    }

    async fn drain(&self, limit: Duration) -> Drained {
        let Some(drain) = self.group.deregister(&self.id, limit) else {
            return Drained::Idle;
        };
        match drain.await {
            wharf_gateway::Drained::Idle => Drained::Idle,
            wharf_gateway::Drained::TimedOut { in_flight } => Drained::CutOff(in_flight),
        }
    }

    async fn stop(&self, _limit: Duration) -> Option<Exit> {
        self.task.stop();
        None
    }
}

/// A job or a worker.
pub(super) struct LiveCommand {
    task: CommandTask,
    health: watch::Receiver<HealthReport>,
    becoming_well: Option<AbortHandle>,
}

impl LiveCommand {
    /// Follows a program that has begun.
    pub(super) fn follow(task: CommandTask, group: &Group) -> Self {
        match group {
            // A job that runs does what it is there for.
            Group::Job(_) => {
                let (_, health) = watch::channel(HealthReport::healthy());
                Self {
                    task,
                    health,
                    becoming_well: None,
                }
            }
            Group::Service(_) => {
                let (report, health) = watch::channel(HealthReport::unknown());
                let becoming_well = tokio::spawn(async move {
                    tokio::time::sleep(WORKER_WELL_AFTER).await;
                    report.send_replace(HealthReport::healthy());
                });
                Self {
                    task,
                    health,
                    becoming_well: Some(becoming_well.abort_handle()),
                }
            }
        }
    }
}

impl Drop for LiveCommand {
    fn drop(&mut self) {
        if let Some(timer) = &self.becoming_well {
            timer.abort();
        }
    }
}

#[async_trait]
impl LiveTask for LiveCommand {
    fn usage(&self) -> Usage {
        usage_of(&self.task.usage())
    }

    fn health(&self) -> watch::Receiver<HealthReport> {
        self.health.clone()
    }

    async fn exited(&self) -> Exit {
        exit_of(self.task.exited().await)
    }

    async fn drain(&self, _limit: Duration) -> Drained {
        Drained::Idle
    }

    async fn stop(&self, limit: Duration) -> Option<Exit> {
        self.task.request_stop();
        match tokio::time::timeout(limit, self.task.exited()).await {
            Ok(exit) => Some(exit_of(exit)),
            Err(_) => {
                self.task.kill();
                self.task.exited().await;
                None
            }
        }
    }
}

fn exit_of(exit: wharf_runtime::Exit) -> Exit {
    use wharf_runtime::Exit as Ended;
    match exit {
        Ended::Code(code) => Exit {
            code: Some(code),
            reason: format!("exited with code {code}"),
        },
        Ended::Trapped(reason) => Exit {
            code: None,
            reason: format!("trapped: {reason}"),
        },
        Ended::TimedOut(reason) => Exit {
            code: None,
            reason: format!("timed out: {reason}"),
        },
        Ended::CpuTimedOut(reason) => Exit {
            code: None,
            reason: format!("used up its CPU time: {reason}"),
        },
        Ended::OutOfMemory(reason) => Exit {
            code: None,
            reason: format!("out of memory: {reason}"),
        },
        Ended::Stopped => Exit {
            code: None,
            reason: "stopped".to_owned(),
        },
    }
}

fn usage_of(usage: &TaskUsage) -> Usage {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Usage {
        cpu_ms: ms(usage.cpu),
        throttled_ms: ms(usage.throttled),
        memory: usage.memory,
        memory_peak: usage.memory_peak,
        requests: usage.requests,
        in_flight: usage.in_flight,
    }
}
