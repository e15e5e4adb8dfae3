//! Runs of jobs: asked for, looked at, cancelled.

use super::Orchestrator;
use super::definitions::{next_revision, put_definition};
use crate::blueprint::BlueprintError;
use crate::events::Word;
use crate::events::run::cancelled;
use crate::jobs::plan::MAX_ACTIVE_RUNS;
use crate::model::stored::Record as _;
use crate::model::{
    Bundle, Cancellation, Job, MAX_ATTEMPTS, MAX_JOB_TASKS, Overrides, Run, RunNumber, RunSpec, RunState,
    StopCode, World, keys,
};
use crate::names::{Digest, Family, FamilyRevision, NamespaceName};
use crate::refusal::Refusal;
use crate::store::{Expect, StoreError, Transaction};

/// Why a run was cancelled when nothing else was said.
const CANCELLED_BY_USER: &str = "cancelled by user";

/// Asks for a job to be run.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// What is run.
    pub what: What,
    /// What is different this time.
    pub overrides: Overrides,
    /// How many tasks; none: as many as the definition says.
    pub count: Option<u32>,
}

/// What is run.
#[derive(Debug, Clone)]
pub enum What {
    /// A definition that is there: `family` or `family:revision`.
    Definition(String),
    /// A bundle as a manifest says.
    Bundle {
        /// A registered bundle.
        bundle: Digest,
        /// The manifest's text form as JSON.
        manifest: serde_json::Value,
    },
}

impl Orchestrator {
    /// Runs a job; the run is recorded before the answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn run(&self, namespace: &NamespaceName, ask: NewRun) -> Result<Run, Refusal> {
        let _writing = self.writes.lock().await;
        self.namespace(namespace).await?;
        let id = match &ask.what {
            What::Definition(text) => self.find_definition(namespace, text).await?,
            What::Bundle { bundle, manifest } => self.define_job(namespace, bundle, manifest.clone()).await?,
        };
        let blueprint = self.blueprints.load(namespace, &id).await?;
        // A worker's definition may be run to its end, too.
        let spec = blueprint.job().map(|job| job.run.clone()).unwrap_or_default();
        let spec = counted(spec, ask.count)?;
        let blueprint = blueprint.overridden(&ask.overrides)?;
        check_ends(&blueprint.bundle, &id.family)?;
        self.check_size(&blueprint.manifest.task, &blueprint.bundle)?;
        self.check_active(namespace, &id.family).await?;
        let run = Run {
            namespace: namespace.clone(),
            job: id.family.clone(),
            number: RunNumber::default(),
            definition: id,
            spec,
            overrides: ask.overrides,
            due: None,
            state: RunState::InProgress,
            cancelled: None,
            reason: None,
            exit_code: None,
            created_at: self.clock.now(),
            ended_at: None,
        };
        self.record_run(run).await
    }

    /// Gives the run its number and writes it, with the job.
    pub(super) async fn record_run(&self, mut run: Run) -> Result<Run, Refusal> {
        let job_key = keys::job(&run.namespace, &run.job);
        let definition_key = keys::definition(&run.namespace, &run.definition);
        loop {
            // A service that is gone since took its definitions with it.
            if self.store.get(&definition_key).await?.is_none() {
                let (namespace, id) = (run.namespace, run.definition);
                return Err(BlueprintError::NoDefinition { namespace, id }.into());
            }
            let (mut job, expect) = match self.store.get(&job_key).await? {
                Some(entry) => (Job::decode(&entry)?, Expect::Revision(entry.revision)),
                None => (self.room_for_job(&run.namespace, &run.job).await?, Expect::Absent),
            };
            job.latest = RunNumber(job.latest.0.saturating_add(1));
            run.number = job.latest;
            let run_key = keys::run(&run.namespace, &run.job, run.number);
            let written = Transaction::new()
                .expect(&definition_key, Expect::Present)
                .expect(&job_key, expect)
                .put(&job_key, job.encode())
                .expect(&run_key, Expect::Absent)
                .put(&run_key, run.encode());
            let begins = format!("(job {}) (run {}) begins: it was asked for.", run.job, run.number);
            let word = Word::new(&run.namespace, &run.job, begins);
            match self.commit_told(written, vec![word]).await {
                Ok(()) => break,
                // The schedule began a run meanwhile: this one is the next.
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.reconciler
            .job((run.namespace.clone(), run.job.clone()))
            .await;
        Ok(run)
    }

    async fn check_active(&self, namespace: &NamespaceName, job: &Family) -> Result<(), Refusal> {
        let active = self
            .runs(namespace, job)
            .await?
            .iter()
            .filter(|run| !run.is_over())
            .count();
        if active < MAX_ACTIVE_RUNS {
            return Ok(());
        }
        let message = format!("{active} runs of `{job}` go on, which is all it may have at once");
        Err(Refusal::conflict("LimitExceeded", message)
            .hint(format!("let one end, or `wharf cancel {job}/NUMBER`")))
    }

    /// The revision of this content: the family's latest if it is the same, else a new one.
    async fn define_job(
        &self,
        namespace: &NamespaceName,
        bundle: &Digest,
        manifest: serde_json::Value,
    ) -> Result<FamilyRevision, Refusal> {
        let draft = self.draft(namespace, bundle, manifest).await?;
        let family = draft.manifest.name.clone();
        check_ends(&draft.bundle, &family)?;
        let revisions = self.revisions(namespace, &family).await?;
        if let Some(latest) = revisions.last().filter(|latest| draft.is(latest)) {
            return Ok(latest.id.clone());
        }
        let definition = draft.definition(next_revision(&revisions));
        let used = self.revisions_in_use(namespace, &family).await?;
        self.begin_without_data(namespace, &family, &revisions).await?;
        let put = put_definition(Transaction::new(), namespace, &definition, &revisions, &used);
        self.store.commit(put).await?;
        Ok(definition.id)
    }

    /// A job's runs, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn runs(&self, namespace: &NamespaceName, job: &Family) -> Result<Vec<Run>, Refusal> {
        self.records(&keys::job_runs(namespace, job)).await
    }

    /// A run.
    ///
    /// # Errors
    /// If it doesn't exist, or is forgotten.
    pub async fn find_run(
        &self,
        namespace: &NamespaceName,
        job: &Family,
        number: RunNumber,
    ) -> Result<Run, Refusal> {
        if let Some(run) = self.record(&keys::run(namespace, job, number)).await? {
            return Ok(run);
        }
        let job = self.job(namespace, job).await?;
        let message = match number <= job.latest && number.0 > 0 {
            true => format!("run {number} of `{}` is not kept any more", job.name),
            false => format!("there is no run {number} of `{}`", job.name),
        };
        let hint = format!("`wharf describe job {}` shows those there are", job.name);
        Err(Refusal::not_found("RunNotFound", message).hint(hint))
    }

    /// Ends a run before it is done: its tasks are stopped, and none begins any more.
    ///
    /// # Errors
    /// If it doesn't exist, or has ended.
    pub async fn cancel_run(
        &self,
        namespace: &NamespaceName,
        job: &Family,
        number: RunNumber,
        reason: Option<String>,
    ) -> Result<Run, Refusal> {
        let reason = super::services::stop_reason(reason, CANCELLED_BY_USER)?;
        let key = keys::run(namespace, job, number);
        let run = loop {
            let Some(entry) = self.store.get(&key).await? else {
                return self.find_run(namespace, job, number).await;
            };
            let mut run = Run::decode(&entry)?;
            if run.is_over() {
                let message = format!("run {} has ended: it is {}", run.name(), run.state);
                return Err(Refusal::conflict("RunEnded", message));
            }
            if run.cancelled.is_some() {
                break run;
            }
            run.cancelled = Some(Cancellation {
                code: StopCode::UserInitiated,
                reason: reason.clone(),
                at: self.clock.now(),
            });
            let written = Transaction::new()
                .expect(&key, Expect::Revision(entry.revision))
                .put(&key, run.encode());
            let words = Vec::from_iter(cancelled(&run).map(|said| Word::new(namespace, job, said)));
            match self.commit_told(written, words).await {
                Ok(()) => break run,
                // It was replaced, or it ended: which of them is seen with the next look.
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        };
        self.reconciler.job((namespace.clone(), job.clone())).await;
        Ok(run)
    }

    pub(super) fn new_job(&self, namespace: &NamespaceName, name: &Family) -> Job {
        Job {
            namespace: namespace.clone(),
            name: name.clone(),
            latest: RunNumber::default(),
            schedule: None,
            created_at: self.clock.now(),
        }
    }
}

fn counted(spec: RunSpec, count: Option<u32>) -> Result<RunSpec, Refusal> {
    let Some(count) = count else { return Ok(spec) };
    let bad = |message: String| Err(Refusal::unprocessable("InvalidCount", message).field("count"));
    if !(1..=MAX_JOB_TASKS).contains(&count) {
        return bad(format!("count is {count}, it goes from 1 to {MAX_JOB_TASKS}"));
    }
    let spec = spec.with_count(count);
    match spec.attempts() {
        ..=MAX_ATTEMPTS => Ok(spec),
        attempts => bad(format!(
            "{count} tasks with {} retries each make {attempts} attempts, a run may have {MAX_ATTEMPTS}",
            spec.retries
        )),
    }
}

pub(super) fn check_ends(bundle: &Bundle, family: &Family) -> Result<(), Refusal> {
    if bundle.world == World::Command {
        return Ok(());
    }
    let message = format!("`{family}` answers requests, it doesn't run to an end");
    Err(Refusal::unprocessable("NotAJob", message).hint("use `wharf deploy`"))
}
