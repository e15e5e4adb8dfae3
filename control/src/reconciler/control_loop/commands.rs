//! What others ask of the loop.

use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{ControlLoop, ServiceKey, wording};
use crate::model::{DesiredStatus, Group, ServiceKind, StopCode, Stopped, Task, TaskStatus};
use crate::names::{NamespaceName, TaskId};
use crate::store::StoreError;
use crate::tasks::registry::{Driven, Entry};

/// How long a task that a person stopped goes on for want of another: a successor that takes longer isn't coming.
pub(super) const KEPT_AT_MOST: Duration = Duration::from_secs(30);

/// Asks the loop for something.
pub(super) enum Command {
    /// The service's desired state changed.
    Reconcile(ServiceKey),
    /// Something tasks of the namespace may wait for is there now.
    Retry(NamespaceName),
    /// A job's records changed; who asked is told when that was looked at.
    Job(ServiceKey, oneshot::Sender<()>),
    /// A person wants the task stopped; who asked is told when the store has that.
    StopTask {
        task: TaskId,
        reason: String,
        written: oneshot::Sender<Result<(), StoreError>>,
    },
    /// The server ends.
    ShutDown,
}

/// The way to the control loop.
#[derive(Debug)]
pub struct Reconciler {
    commands: mpsc::Sender<Command>,
    ready: watch::Receiver<bool>,
    running: Mutex<Option<JoinHandle<()>>>,
}

impl Reconciler {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        ready: watch::Receiver<bool>,
        running: JoinHandle<()>,
    ) -> Self {
        Self {
            commands,
            ready,
            running: Mutex::new(Some(running)),
        }
    }

    /// Whether every service that the store held was started once.
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Looks at a service again: its desired state in the store changed.
    pub async fn reconcile(&self, key: ServiceKey) {
        self.send(Command::Reconcile(key)).await;
    }

    /// Tries again what waits in a namespace: a secret was set.
    pub async fn retry(&self, namespace: NamespaceName) {
        self.send(Command::Retry(namespace)).await;
    }

    /// Looks at a job again: its records in the store changed. When this returns what could be done at once was done.
    pub async fn job(&self, key: ServiceKey) {
        let (seen, is_seen) = oneshot::channel();
        self.send(Command::Job(key, seen)).await;
        // A loop that is gone does nothing; the records are there.
        let _ = is_seen.await;
    }

    /// Stops a task. When this returns the store has that it shall: a server that is killed then doesn't run it again.
    ///
    /// # Errors
    /// If that can't be written, or the server ends; the task may stop all the same.
    pub async fn stop_task(&self, task: TaskId, reason: String) -> Result<(), StoreError> {
        let (written, is_written) = oneshot::channel();
        let command = Command::StopTask {
            task,
            reason,
            written,
        };
        self.send(command).await;
        is_written.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Stops all tasks, writes what is to be written and ends the loop.
    pub async fn shut_down(&self) {
        self.send(Command::ShutDown).await;
        if let Some(running) = self.running.lock().await.take() {
            // A loop that panicked has said so already.
            let _ = running.await;
        }
    }

    /// Ends the loop as a crash does: without a word.
    #[cfg(test)]
    pub(super) async fn crash(&self) {
        if let Some(running) = self.running.lock().await.take() {
            running.abort();
        }
    }

    async fn send(&self, command: Command) {
        // The loop is gone only when the server ends; then there is nothing to be done.
        let _ = self.commands.send(command).await;
    }
}

impl ControlLoop {
    pub(super) async fn take_command(&mut self, command: Command) {
        match command {
            Command::Reconcile(key) => {
                self.mark_stale(&key);
                self.dirty.insert(key);
            }
            Command::Retry(namespace) => self.retry_blocked(Some(&namespace)).await,
            Command::Job(key, seen) => self.jobs.ask(key, seen),
            Command::StopTask {
                task,
                reason,
                written,
            } => {
                self.retire(&task, reason);
                // Who asked may have gone.
                let _ = written.send(self.save().await);
            }
            // Taken by the loop itself.
            Command::ShutDown => {}
        }
    }

    /// A person wants a task stopped. One that answers requests may have to go on with that until another does: the plan
    /// says when it goes.
    fn retire(&mut self, id: &TaskId, reason: String) {
        let Some(task) = self.parts.registry.task(id) else {
            return;
        };
        let key = (task.namespace.clone(), task.group.name().clone());
        if !(self.serves(&task) && self.takes_requests(&key, id)) {
            if let Some(target) = self.target_of(id) {
                self.say(&key, wording::draining(&key.1, &[target]));
            }
            return self.stop_task(id, StopCode::UserInitiated, reason);
        }
        if task.desired == DesiredStatus::Running {
            let now = self.parts.clock.now();
            self.say(&key, wording::retiring(&key.1, id, &reason));
            self.parts.registry.update(id, |entry| {
                begin_to_stop(entry, StopCode::UserInitiated, reason, now);
                entry.kept = Some(Instant::now() + KEPT_AT_MOST);
            });
        }
        self.dirty.insert(key);
    }

    /// Whether requests come to the task as things are.
    fn takes_requests(&mut self, key: &ServiceKey, id: &TaskId) -> bool {
        let Some(watched) = self.services.get_mut(key) else {
            return false;
        };
        let observed = watched.observe(&self.parts.registry);
        let (_, takers) = observed.takers();
        takers.into_iter().any(|task| task.id == *id)
    }

    /// Whether requests come to it, of a service that is to stay.
    pub(super) fn serves(&self, task: &Task) -> bool {
        let Group::Service(name) = &task.group else {
            return false;
        };
        let watched = self.services.get(&(task.namespace.clone(), name.clone()));
        watched.is_some_and(|watched| watched.service.kind == ServiceKind::Http)
    }

    /// The task, if it is one that requests come to and that is to be drained.
    pub(super) fn target_of(&self, id: &TaskId) -> Option<TaskId> {
        let task = self.parts.registry.task(id)?;
        (task.status == TaskStatus::Running && self.serves(&task)).then_some(task.id)
    }

    /// Tells a task to stop. One that has no place yet is stopped with that.
    pub(super) fn stop_task(&mut self, id: &TaskId, code: StopCode, reason: String) {
        self.waiting.remove(id);
        let now = self.parts.clock.now();
        let stopped = self.parts.registry.update(id, |entry| {
            match (entry.task.status, entry.task.desired) {
                (TaskStatus::Stopped, _) => return None,
                (_, DesiredStatus::Running) => begin_to_stop(entry, code, reason, now),
                // It was kept until now; why it goes was said before.
                (_, DesiredStatus::Stopped) if entry.kept_until().is_some() => {}
                (_, DesiredStatus::Stopped) => return None,
            }
            if entry.driven == Driven::No {
                entry.task.status = TaskStatus::Stopped;
                entry.task.stopped_at = Some(now);
                entry.blocked = None;
                entry.task.reason = None;
            }
            entry.stop.cancel();
            Some((
                entry.task.namespace.clone(),
                entry.task.group.clone(),
                entry.driven,
            ))
        });
        let Some(Some((namespace, group, driven))) = stopped else {
            return;
        };
        if driven == Driven::No {
            self.say_stopped(id);
        }
        self.look_again(namespace, group);
    }
}

fn begin_to_stop(entry: &mut Entry, code: StopCode, reason: String, now: jiff::Timestamp) {
    entry.task.desired = DesiredStatus::Stopped;
    entry.task.stopping_at = Some(now);
    entry.task.stopped = Some(Stopped {
        code,
        reason,
        exit_code: None,
    });
}
