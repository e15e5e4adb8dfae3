//! The control loop: the one task that decides, for all services and jobs.
//!
//! It is level-triggered: a command only says what to look at again, a driver's report only changes what
//! is seen, and then the plan is made anew. What it has in memory it had from the store or saw for
//! itself, so it can always start over. It never waits for a task; drivers do.

mod batch;
mod commands;
mod counts;
mod course;
mod deployment;
mod exposing;
mod jobs;
mod place;
mod reports;
mod resync;
mod scaling;
mod service;
mod shutdown;
mod timers;
mod watched;
mod wording;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::commands::Command;
use self::jobs::Jobs;
use self::timers::Timers;
use self::watched::{Stale, Watched, was_started};
use crate::blueprint::{BlueprintError, Blueprints};
use crate::clock::Clock;
use crate::events::{EventLog, rollout};
use crate::model::stored::{RecordError, readable};
use crate::model::{Group, Service, Task, keys};
use crate::names::{NamespaceName, ServiceName, TaskId};
use crate::store::{SharedStore, StoreError};
use crate::tasks::Executor;
use crate::tasks::driver::Report;
use crate::tasks::registry::{Entry, Registry, Saved};

pub use self::commands::Reconciler;

/// Commands that wait for the loop.
const QUEUED_COMMANDS: usize = 1024;

/// Reports that wait for the loop; drivers wait beyond.
const QUEUED_REPORTS: usize = 1024;

/// Tasks that are activated at once: enough to keep the cores busy, few enough to leave them to requests.
const ACTIVATIONS_AT_ONCE: usize = 16;

/// How soon what couldn't be done is tried again (the store was full, say).
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How often one service is planned in a row; more would mean that two actions undo each other.
const MAX_ROUNDS: usize = 16;

/// A service, by its name.
pub type ServiceKey = (NamespaceName, ServiceName);

/// What the loop works with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Desired state, and where observed state is written.
    pub store: SharedStore,
    /// Definitions with all that belongs to them.
    pub blueprints: Blueprints,
    /// Who carries out what is decided.
    pub executor: Arc<dyn Executor>,
    /// The tasks.
    pub registry: Arc<Registry>,
    /// Where it says what it does.
    pub events: EventLog,
    /// What time it is.
    pub clock: Clock,
}

/// Something the loop needs couldn't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LoopError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record is damaged.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A definition can't be used.
    #[error(transparent)]
    Blueprint(#[from] BlueprintError),
    /// What a run changes over its definition can't be applied.
    #[error("what run {run} changes can't be applied: {reason}")]
    Overrides {
        /// `report/17`.
        run: String,
        /// Why.
        reason: String,
    },
}

/// The loop's state.
pub(super) struct ControlLoop {
    parts: Parts,
    services: HashMap<ServiceKey, Watched>,
    jobs: Jobs,
    /// Services to plan.
    dirty: BTreeSet<ServiceKey>,
    /// When which service is planned again.
    timers: Timers,
    activations: Arc<Semaphore>,
    commands: mpsc::Receiver<Command>,
    reports: mpsc::Receiver<Report>,
    report_to: mpsc::Sender<Report>,
    /// Tasks that wait for room or a secret.
    waiting: BTreeSet<TaskId>,
    /// Tasks that have a driver.
    driven: usize,
    /// Services of the store that were not started yet since this process began.
    unstarted: HashSet<ServiceKey>,
    ready: watch::Sender<bool>,
    /// What is in force of each service that requests can reach.
    exposed: BTreeMap<ServiceKey, exposing::Exposed>,
    next_batch: Option<Instant>,
    /// The batch that is being written.
    batch: Option<JoinHandle<batch::Ended>>,
    /// When usage is looked at, while there is any.
    next_usage: Option<Instant>,
    /// When what is known is compared with the store.
    next_resync: Instant,
    /// Services that scale and are awake.
    awake: BTreeSet<ServiceKey>,
    /// When they are looked at, while there are any.
    next_look: Option<Instant>,
    /// Services whose count was chosen and isn't in the store yet.
    unsaved_counts: BTreeSet<ServiceKey>,
}

/// Starts the loop over what the store holds. It runs until [`Reconciler::shut_down`].
///
/// # Errors
/// [`LoopError`] if the store can't be read or holds what can't be understood.
pub async fn start(parts: Parts) -> Result<Reconciler, LoopError> {
    let (command_to, commands) = mpsc::channel(QUEUED_COMMANDS);
    let (report_to, reports) = mpsc::channel(QUEUED_REPORTS);
    let (ready, is_ready) = watch::channel(false);
    let mut control = ControlLoop {
        parts,
        services: HashMap::new(),
        jobs: Jobs::default(),
        dirty: BTreeSet::new(),
        timers: Timers::default(),
        activations: Arc::new(Semaphore::new(ACTIVATIONS_AT_ONCE)),
        commands,
        reports,
        report_to,
        waiting: BTreeSet::new(),
        driven: 0,
        unstarted: HashSet::new(),
        ready,
        exposed: BTreeMap::new(),
        next_batch: None,
        batch: None,
        next_usage: None,
        next_resync: Instant::now() + resync::RESYNC_EVERY,
        awake: BTreeSet::new(),
        next_look: None,
        unsaved_counts: BTreeSet::new(),
    };
    control.recover().await?;
    let running = tokio::spawn(control.run());
    Ok(Reconciler::new(command_to, is_ready, running))
}

impl ControlLoop {
    /// Takes over what the store holds: tasks that were running are not any more, services shall run.
    async fn recover(&mut self) -> Result<(), LoopError> {
        let mut lost = shutdown::Lost::new();
        for entry in self.parts.store.list(keys::TASKS).await?.entries {
            let Some(mut task) = readable::<Task>(&entry) else {
                continue;
            };
            let ended = shutdown::end_of_a_lost_task(&mut task, self.parts.clock.now());
            if ended == Saved::No {
                let stopped = task.stopped.iter();
                let why = stopped.map(|stopped| stopped.reason.clone()).collect();
                let whose = (task.namespace.clone(), task.group.clone(), why);
                lost.entry(whose).or_default().push(task.id.clone());
            }
            self.parts.registry.adopt(Entry::new(task, None), ended);
        }
        self.save().await?;
        for entry in self.parts.store.list(keys::SERVICES).await?.entries {
            let Some(service) = readable::<Service>(&entry) else {
                continue;
            };
            let key = (service.namespace, service.name);
            if let Err(error) = self.load(&key).await {
                // One damaged service must not keep the others down.
                tracing::error!(namespace = %key.0, service = %key.1, %error, "can't load the service");
                self.wake(&key, Instant::now() + RETRY_AFTER);
            }
            let goes_on = self
                .services
                .get(&key)
                .and_then(|watched| watched.deployment.as_ref());
            if let Some(goes_on) = goes_on {
                self.say(&key, rollout::begins(&goes_on.record));
            }
            self.unstarted.insert(key.clone());
            self.dirty.insert(key);
        }
        self.expose_all();
        self.recover_jobs().await?;
        self.say_lost(lost);
        self.settle_readiness();
        Ok(())
    }

    async fn run(mut self) {
        loop {
            self.reconcile_dirty().await;
            self.reconcile_jobs().await;
            self.settle_readiness();
            self.schedule_batch();
            let timer = self.timers.first();
            let next_job = self.next_job();
            let executor = self.parts.executor.clone();
            tokio::select! {
                biased;
                Some(report) = self.reports.recv() => self.take_reports(report).await,
                wanted = executor.wanted() => self.wake_up(&wanted),
                command = self.commands.recv() => match command {
                    Some(Command::ShutDown) | None => return self.shut_down().await,
                    Some(command) => self.take_command(command).await,
                },
                () = sleep_until(timer) => self.take_timers(),
                () = sleep_until(next_job) => self.take_due_jobs(),
                () = sleep_until(self.next_batch) => self.write_batch(),
                ended = batch::ended(&mut self.batch) => self.take_batch(ended),
                () = sleep_until(self.next_usage) => self.note_usage(),
                () = tokio::time::sleep_until(self.next_resync) => self.resync().await,
                () = sleep_until(self.next_look) => self.look_at_awake(),
            }
        }
    }

    async fn reconcile_dirty(&mut self) {
        while let Some(key) = self.dirty.pop_first() {
            if let Err(error) = self.reconcile(&key).await {
                tracing::error!(namespace = %key.0, service = %key.1, %error, "can't reconcile the service");
                self.mark_stale(&key);
                self.wake(&key, Instant::now() + RETRY_AFTER);
            }
            // Whatever happens to a service's tasks has it planned: looking at it here, once, misses nothing.
            if self.unstarted.contains(&key) && was_started(&self.parts.registry, &key) {
                self.unstarted.remove(&key);
            }
        }
    }

    fn take_timers(&mut self) {
        let now = Instant::now();
        while let Some(key) = self.timers.take_due(now) {
            self.dirty.insert(key);
        }
    }

    /// Plans the service again at `at`, if nothing happens before.
    fn wake(&mut self, key: &ServiceKey, at: Instant) {
        self.timers.wake(key, at);
    }

    /// The service's cached records are read again before it is planned.
    fn mark_stale(&mut self, key: &ServiceKey) {
        if let Some(watched) = self.services.get_mut(key) {
            watched.stale = Stale::Yes;
        }
    }

    /// Ready when every service the store had was started once.
    fn settle_readiness(&mut self) {
        if *self.ready.borrow() {
            return;
        }
        if self.unstarted.is_empty() && self.dirty.is_empty() {
            self.ready.send_replace(true);
        }
    }

    /// Something of a service's or a job's is different.
    fn look_again(&mut self, namespace: NamespaceName, group: Group) {
        match group {
            Group::Service(name) => self.dirty.insert((namespace, name)),
            Group::Job(name) => self.jobs.look_at((namespace, name)),
        };
    }

    fn say(&self, key: &ServiceKey, message: String) {
        self.parts.events.record(&key.0, &key.1, message);
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
pub(crate) mod tests;
