//! From a plan's actions to one transaction, and what follows once it is committed.

use jiff::Timestamp;

use super::super::{ControlLoop, LoopError, ServiceKey};
use super::wording;
use crate::events::Word;
use crate::events::run::cancelled;
use crate::jobs::plan::{Action, StopWhy, Verdict};
use crate::model::stored::Record as _;
use crate::model::{
    Cancellation, Group, Job, Overrides, Place, Run, RunNumber, RunState, StopCode, TaskStatus, keys,
};
use crate::reconciler::plan::Blocker;
use crate::store::{Expect, Transaction};
use crate::tasks::{Order, Room};

/// What shall be written of a job, and done then.
pub(super) struct Intent {
    pub(super) key: ServiceKey,
    transaction: Transaction,
    /// The job's record, if it changes.
    pub(super) job: Option<Job>,
    /// Runs that are new or change.
    pub(super) runs: Vec<Run>,
    /// Tasks that begin.
    pub(super) starts: Vec<Start>,
    /// Runs that are forgotten.
    pub(super) forgotten: Vec<RunNumber>,
    /// What is told of it.
    pub(super) words: Vec<Word>,
}

/// A task that begins: with its room, or with what it waits for.
pub(super) struct Start {
    pub(super) order: Order,
    pub(super) room: Result<Room, (Blocker, String)>,
}

impl Intent {
    fn new(key: &ServiceKey) -> Self {
        Self {
            key: key.clone(),
            transaction: Transaction::new(),
            job: None,
            runs: Vec::new(),
            starts: Vec::new(),
            forgotten: Vec::new(),
            words: Vec::new(),
        }
    }

    pub(super) fn ends_runs(&self) -> bool {
        self.runs.iter().any(Run::is_over)
    }

    /// What is to be committed: the changes, with what is told of them.
    pub(super) fn take_transaction(&mut self) -> Transaction {
        let transaction = std::mem::take(&mut self.transaction);
        self.words
            .iter()
            .fold(transaction, |transaction, word| word.put(transaction))
    }

    fn tell(&mut self, message: String) {
        self.words.push(Word::new(&self.key.0, &self.key.1, message));
    }

    fn write(&mut self, with: impl FnOnce(Transaction) -> Transaction) {
        self.transaction = with(std::mem::take(&mut self.transaction));
    }
}

impl ControlLoop {
    /// Does what needs no writing, and gathers the rest; nothing if nothing is to be written.
    pub(super) async fn write_down(
        &mut self,
        key: &ServiceKey,
        actions: Vec<Action>,
        now: Timestamp,
    ) -> Result<Option<Intent>, LoopError> {
        let mut intent = Intent::new(key);
        for action in actions {
            tracing::debug!(namespace = %key.0, job = %key.1, ?action, "decided");
            match action {
                Action::WakeAt(_) => {}
                Action::Hold { due } => self.hold(key, due),
                Action::Stop { task, why } => {
                    let (code, reason) = stop_reason(why);
                    self.stop_task(&task, code, reason);
                }
                Action::Begin { due, missed_since } => self.begin(&mut intent, due, missed_since, now),
                Action::Miss { due } => self.miss(&mut intent, due),
                Action::Replace { run, due } => self.replace(&mut intent, run, due, now),
                Action::Start {
                    run,
                    index,
                    attempt,
                    last_reason,
                } => {
                    let place = Place { run, index, attempt };
                    self.start_task(&mut intent, place, last_reason, now).await?;
                }
                Action::End { run, verdict } => self.end(&mut intent, run, verdict, now),
                Action::Forget { run } => self.forget_run(&mut intent, run),
            }
        }
        Ok((!intent.transaction.ops().is_empty()).then_some(intent))
    }

    fn hold(&mut self, key: &ServiceKey, due: Timestamp) {
        let Some(watched) = self.jobs.watched.get_mut(key) else {
            return;
        };
        let Some(scheduled) = watched.scheduled.as_ref().filter(|_| watched.held != Some(due)) else {
            return;
        };
        let message = wording::held(&key.1, &scheduled.spec, due);
        watched.held = Some(due);
        self.say(key, message);
    }

    /// A run for a time that is due: the time is decided upon and the run there, or neither.
    fn begin(&self, intent: &mut Intent, due: Timestamp, missed_since: Option<Timestamp>, now: Timestamp) {
        let Some(watched) = self.jobs.watched.get(&intent.key) else {
            return;
        };
        let (Some(scheduled), Some(schedule)) = (&watched.scheduled, &watched.job.schedule) else {
            return;
        };
        let Some(spec) = scheduled.blueprint.job() else {
            return;
        };
        let mut job = watched.job.clone();
        job.latest = RunNumber(job.latest.0.saturating_add(1));
        let run = Run {
            namespace: job.namespace.clone(),
            job: job.name.clone(),
            number: job.latest,
            definition: scheduled.blueprint.id().clone(),
            spec: spec.run.clone(),
            overrides: Overrides::default(),
            due: Some(due),
            state: RunState::InProgress,
            cancelled: None,
            reason: None,
            exit_code: None,
            created_at: now,
            ended_at: None,
        };
        let mut schedule = schedule.clone();
        schedule.decided = due;
        job.schedule = Some(schedule);
        intent.tell(wording::due(&run, &scheduled.spec.cron, due, missed_since));
        let run_key = keys::run(&run.namespace, &run.job, run.number);
        intent.write(|transaction| {
            transaction
                .expect(&run_key, Expect::Absent)
                .put(&run_key, run.encode())
        });
        intent.runs.push(run);
        self.write_job(intent, job);
    }

    fn miss(&self, intent: &mut Intent, due: Timestamp) {
        let Some(watched) = self.jobs.watched.get(&intent.key) else {
            return;
        };
        let (Some(scheduled), Some(schedule)) = (&watched.scheduled, &watched.job.schedule) else {
            return;
        };
        let mut schedule = schedule.clone();
        schedule.decided = due;
        let mut job = watched.job.clone();
        job.schedule = Some(schedule);
        intent.tell(wording::missed(&job.name, &scheduled.spec, due));
        self.write_job(intent, job);
    }

    fn write_job(&self, intent: &mut Intent, job: Job) {
        let Some(watched) = self.jobs.watched.get(&intent.key) else {
            return;
        };
        let job_key = keys::job(&job.namespace, &job.name);
        intent.write(|transaction| {
            transaction
                .expect(&job_key, Expect::Revision(watched.revision))
                .put(&job_key, job.encode())
        });
        intent.job = Some(job);
    }

    fn replace(&self, intent: &mut Intent, number: RunNumber, due: Timestamp, now: Timestamp) {
        let Some(watched) = self.jobs.watched.get(&intent.key) else {
            return;
        };
        let (Some(before), Some(scheduled)) = (watched.runs.get(&number), &watched.scheduled) else {
            return;
        };
        let mut run = before.run.clone();
        run.cancelled = Some(Cancellation {
            code: StopCode::ServiceSchedulerInitiated,
            reason: wording::replaced(&scheduled.spec.cron, due),
            at: now,
        });
        if let Some(message) = cancelled(&run) {
            intent.tell(message);
        }
        self.write_run(intent, run);
    }

    /// Writes a changed run, which nobody else may have changed.
    fn write_run(&self, intent: &mut Intent, run: Run) {
        let Some(before) = self.watched_run(&intent.key, run.number) else {
            return;
        };
        let run_key = keys::run(&run.namespace, &run.job, run.number);
        let expected = Expect::Revision(before.revision);
        intent.write(|transaction| transaction.expect(&run_key, expected).put(&run_key, run.encode()));
        intent.runs.push(run);
    }

    fn watched_run(&self, key: &ServiceKey, number: RunNumber) -> Option<&super::watched::WatchedRun> {
        self.jobs.watched.get(key)?.runs.get(&number)
    }

    /// A task of a run. With room for it, it is written down as ACTIVATING at once: from then on it may have run.
    async fn start_task(
        &mut self,
        intent: &mut Intent,
        place: Place,
        last_reason: Option<String>,
        now: Timestamp,
    ) -> Result<(), LoopError> {
        let blueprint = match self.run_blueprint(&intent.key, place.run).await {
            Ok(Some(blueprint)) => blueprint,
            Ok(None) => return Ok(()),
            Err(LoopError::Store(error)) => return Err(error.into()),
            Err(error) => {
                self.give_up(intent, place.run, &error, now);
                return Ok(());
            }
        };
        let Some(watched) = self.watched_run(&intent.key, place.run) else {
            return Ok(());
        };
        let mut task = blueprint.new_task(Group::Job(intent.key.1.clone()));
        task.place = Some(place);
        task.overrides = watched.run.overrides.clone();
        task.restarts = place.attempt.saturating_sub(1);
        task.last_reason = last_reason;
        task.created_at = self.parts.clock.now();
        let run_key = keys::run(&task.namespace, &intent.key.1, place.run);
        let expected = Expect::Revision(watched.revision);
        let mut order = Order { task, blueprint };
        let room = self.room_for(&order).await;
        order.task.status = match &room {
            Ok(_) => TaskStatus::Activating,
            Err(_) => TaskStatus::Pending,
        };
        let task = &order.task;
        intent.write(|transaction| {
            transaction
                .expect(run_key, expected)
                .put(keys::task(&task.namespace, &task.id), task.encode())
        });
        intent.starts.push(Start { order, room });
        Ok(())
    }

    /// A run whose tasks can't be made, whatever is tried, has failed.
    fn give_up(&self, intent: &mut Intent, number: RunNumber, error: &LoopError, now: Timestamp) {
        let is_given_up = intent.runs.iter().any(|run| run.number == number);
        if !is_given_up {
            let verdict = Verdict {
                state: RunState::Failed,
                reason: Some(error.to_string()),
                exit_code: None,
            };
            self.end(intent, number, verdict, now);
        }
    }

    fn end(&self, intent: &mut Intent, number: RunNumber, verdict: Verdict, now: Timestamp) {
        let Some(before) = self.watched_run(&intent.key, number) else {
            return;
        };
        let mut run = before.run.clone();
        run.state = verdict.state;
        run.reason = verdict.reason;
        run.exit_code = verdict.exit_code;
        run.ended_at = Some(now);
        intent.tell(wording::ended(&run));
        self.write_run(intent, run);
    }

    fn forget_run(&self, intent: &mut Intent, number: RunNumber) {
        let (namespace, name) = intent.key.clone();
        intent.write(|transaction| transaction.delete(keys::run(&namespace, &name, number)));
        intent.forgotten.push(number);
    }
}

fn stop_reason(why: StopWhy) -> (StopCode, String) {
    match why {
        StopWhy::Cancelled(Cancellation { code, reason, .. }) => (code, reason),
        StopWhy::RunFailed => (
            StopCode::ServiceSchedulerInitiated,
            wording::OTHER_FAILED.to_owned(),
        ),
        StopWhy::Deadline(length) => (StopCode::ServiceSchedulerInitiated, wording::overdue(length)),
    }
}
