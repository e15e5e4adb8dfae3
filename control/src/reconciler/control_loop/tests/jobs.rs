//! Jobs: what is asked for or due runs, as often as it shall and no more, whatever fails meanwhile.

mod faults;
mod runs;
mod schedules;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::cluster::{BEGINNING, key};
use super::*;
use crate::model::stored::Record as _;
use crate::model::{
    Cancellation, Group, Job, Overrides, Place, Run, RunNumber, RunSpec, RunState, Schedule, ScheduleStatus,
    Task, keys,
};
use crate::names::{FamilyRevision, Revision, ServiceName, TaskId};
use crate::store::{Expect, Transaction};

/// How long (of paused time) a run may take.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

fn exits(seconds: u64, code: i32) -> Behaviour {
    Behaviour::Exits {
        after: Duration::from_secs(seconds),
        code,
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn first() -> Revision {
    Revision::new(1).unwrap()
}

impl Cluster {
    /// What it takes to run `api`, and the job's record.
    async fn define_job(&self, name: &ServiceName, job: serde_json::Value) -> FamilyRevision {
        self.define_as(name, first(), json!({ "job": job })).await
    }

    async fn job_of(&self, name: &ServiceName) -> Option<Job> {
        let entry = self.store.get(&keys::job(&key().0, name)).await.unwrap()?;
        Some(Job::decode(&entry).unwrap())
    }

    /// Writes what `wharf run` writes.
    async fn record_run(&self, spec: RunSpec) -> RunNumber {
        self.record_run_of(&key().1, first(), spec).await
    }

    /// Runs another job's revision, in so many tasks at once.
    pub(super) async fn run_other(&self, name: &ServiceName, revision: u64, count: u32) {
        let revision = Revision::new(revision).unwrap();
        let spec = RunSpec::default().with_count(count);
        self.record_run_of(name, revision, spec).await;
        self.reconciler.job((key().0, name.clone())).await;
    }

    async fn record_run_of(&self, name: &ServiceName, revision: Revision, spec: RunSpec) -> RunNumber {
        let (namespace, name) = (key().0, name.clone());
        let id = self.define_as(&name, revision, json!({"job": {}})).await;
        let mut job = self.job_of(&name).await.unwrap_or(Job {
            namespace: namespace.clone(),
            name: name.clone(),
            latest: RunNumber(0),
            schedule: None,
            created_at: self.clock.now(),
        });
        job.latest = RunNumber(job.latest.0 + 1);
        let run = Run {
            namespace,
            job: name,
            number: job.latest,
            definition: id,
            spec,
            overrides: Overrides::default(),
            due: None,
            state: RunState::InProgress,
            cancelled: None,
            reason: None,
            exit_code: None,
            created_at: self.clock.now(),
            ended_at: None,
        };
        let written = Transaction::new()
            .put(keys::job(&job.namespace, &job.name), job.encode())
            .put(keys::run(&run.namespace, &run.job, run.number), run.encode());
        self.store.commit(written).await.unwrap();
        run.number
    }

    /// Asks for a run.
    async fn ask(&self, spec: RunSpec) -> RunNumber {
        let number = self.record_run(spec).await;
        self.reconciler.job(key()).await;
        number
    }

    /// Asks for a run of one task: its task.
    async fn run_job(&self) -> TaskId {
        let number = self.ask(RunSpec::default()).await;
        self.tasks_of(number)[0].id.clone()
    }

    async fn run_of(&self, number: RunNumber) -> Option<Run> {
        let entry = self
            .store
            .get(&keys::run(&key().0, &key().1, number))
            .await
            .unwrap()?;
        Some(Run::decode(&entry).unwrap())
    }

    async fn runs(&self) -> Vec<Run> {
        let entries = self
            .store
            .list(&keys::job_runs(&key().0, &key().1))
            .await
            .unwrap()
            .entries;
        entries.iter().map(|entry| Run::decode(entry).unwrap()).collect()
    }

    async fn cancel(&self, number: RunNumber, reason: &str) {
        self.record_cancel(number, reason).await;
        self.reconciler.job(key()).await;
    }

    /// Writes what `wharf cancel` writes.
    async fn record_cancel(&self, number: RunNumber, reason: &str) {
        let mut run = self.run_of(number).await.unwrap();
        run.cancelled = Some(Cancellation {
            at: self.clock.now(),
            code: StopCode::UserInitiated,
            reason: reason.to_owned(),
        });
        let run_key = keys::run(&run.namespace, &run.job, number);
        self.store
            .put_if(&run_key, Expect::Present, run.encode())
            .await
            .unwrap();
    }

    fn tasks_of(&self, number: RunNumber) -> Vec<Task> {
        let tasks = self.registry.of_group(&(key().0, Group::Job(key().1)));
        tasks
            .into_iter()
            .filter(|task| task.place.is_some_and(|place| place.run == number))
            .collect()
    }

    /// Waits until a run has ended.
    async fn ended_run(&self, number: RunNumber) -> Run {
        let mut changes = self.registry.changes();
        let over = async {
            loop {
                if let Some(run) = self.run_of(number).await.filter(Run::is_over) {
                    return run;
                }
                changes.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, over).await {
            Ok(run) => run,
            Err(_) => panic!(
                "run {number} never ended: {:?}\n{}",
                self.tasks_of(number),
                self.said().await.join("\n")
            ),
        }
    }

    /// How each attempt ended: `index#attempt:code`.
    fn attempts(&self, number: RunNumber) -> Vec<String> {
        let show = |task: &Task| {
            let Place { index, attempt, .. } = task.place.unwrap();
            let code = task.stopped.as_ref().and_then(|stopped| stopped.exit_code);
            let end = match (task.status, code) {
                (TaskStatus::Stopped, Some(code)) => code.to_string(),
                (TaskStatus::Stopped, None) => task.stopped.as_ref().unwrap().reason.clone(),
                (status, _) => status.to_string(),
            };
            format!("{index}#{attempt}:{end}")
        };
        self.tasks_of(number).iter().map(show).collect()
    }

    /// Seconds of the clock since it began.
    fn second(&self) -> i64 {
        self.clock.now().duration_since(time(BEGINNING)).as_secs()
    }
}

/// No task was activated twice, and no attempt was made twice.
fn check_identities(activated: &[TaskId], tasks: &[Task]) {
    let distinct: BTreeSet<&TaskId> = activated.iter().collect();
    assert_eq!(distinct.len(), activated.len(), "a task ran twice");
    let places: BTreeSet<Place> = tasks.iter().map(|task| task.place.unwrap()).collect();
    assert_eq!(places.len(), tasks.len(), "an attempt was made twice: {tasks:?}");
}
