//! Jobs: deployed with a schedule, paused, continued, deleted.

use super::definitions::{next_revision, put_definition};
use super::run::check_ends;
use super::{Disturbed, MAX_JOBS, NewDeployment, Orchestrator};
use crate::events::{self, Word};
use crate::jobs::cron::Cron;
use crate::model::stored::Record as _;
use crate::model::{Group, Job, Run, Schedule, ScheduleStatus, Service, TaskStatus, keys};
use crate::names::{Family, NamespaceName, Revision};
use crate::refusal::Refusal;
use crate::store::{Expect, StoreError, Transaction};

/// What deploying a job came to.
#[derive(Debug, Clone)]
pub enum Scheduled {
    /// The schedule is new, or runs something new.
    New(Job),
    /// It was so already.
    Unchanged(Job),
}

impl Orchestrator {
    /// Has a job run by its schedule.
    ///
    /// # Errors
    /// What is wrong with the manifest, or that it has no schedule.
    pub async fn deploy_job(
        &self,
        namespace: &NamespaceName,
        ask: NewDeployment,
    ) -> Result<Scheduled, Refusal> {
        let _writing = self.writes.lock().await;
        let mut disturbed = Disturbed::default();
        loop {
            match self.deploy_next_job(namespace, ask.clone()).await {
                Err(refusal) if disturbed.once_more(&refusal) => {}
                done => return done,
            }
        }
    }

    /// While nobody else writes but the control loop.
    async fn deploy_next_job(
        &self,
        namespace: &NamespaceName,
        ask: NewDeployment,
    ) -> Result<Scheduled, Refusal> {
        self.namespace(namespace).await?;
        let draft = self.draft(namespace, &ask.bundle, ask.manifest).await?;
        let family = draft.manifest.name.clone();
        let schedule = draft.manifest.job().and_then(|job| job.schedule.as_ref());
        let Some(schedule) = schedule.cloned() else {
            return Err(no_schedule(&family));
        };
        check_ends(&draft.bundle, &family)?;
        self.check_size(&draft.manifest.task, &draft.bundle)?;
        self.check_no_service(namespace, &family).await?;
        let revisions = self.revisions(namespace, &family).await?;
        let job_key = keys::job(namespace, &family);
        let (mut job, expect) = match self.store.get(&job_key).await? {
            Some(entry) => (Job::decode(&entry)?, Expect::Revision(entry.revision)),
            None => (self.room_for_job(namespace, &family).await?, Expect::Absent),
        };
        let running = job.schedule.as_ref().map(|schedule| schedule.revision);
        let current = revisions.iter().find(|old| Some(old.id.revision) == running);
        if current.is_some_and(|current| draft.is(current)) {
            return Ok(Scheduled::Unchanged(job));
        }
        let mut transaction = Transaction::new();
        let revision = match revisions.last().filter(|latest| draft.is(latest)) {
            Some(latest) => latest.id.revision,
            None => {
                let definition = draft.definition(next_revision(&revisions));
                let used = self.revisions_in_use(namespace, &family).await?;
                self.begin_without_data(namespace, &family, &revisions).await?;
                transaction = put_definition(transaction, namespace, &definition, &revisions, &used);
                definition.id.revision
            }
        };
        let before = self.schedule_of(&job).await;
        let now = self.clock.now();
        let is_as_before = before.as_ref().is_some_and(|before| before.cron == schedule.cron);
        let old = job.schedule.take();
        let is_new = old.is_none();
        job.schedule = Some(Schedule {
            revision,
            // Who paused it has it go on.
            status: old.as_ref().map_or(ScheduleStatus::Active, |old| old.status),
            // What another schedule would have run before it was there, it didn't miss.
            decided: old.filter(|_| is_as_before).map_or(now, |old| old.decided),
            updated_at: now,
        });
        let written = transaction.expect(&job_key, expect).put(&job_key, job.encode());
        let change = match (is_new, is_as_before) {
            (true, _) => Change::New,
            (false, true) => Change::Revision,
            (false, false) => Change::Times,
        };
        let said = said(&family, revision, &schedule.cron, change);
        let word = Word::new(namespace, &family, said);
        self.commit_told(written, vec![word]).await?;
        self.reconciler.job((namespace.clone(), family)).await;
        Ok(Scheduled::New(job))
    }

    /// Suspends a schedule, or has it go on; what is due while it is paused is left out.
    ///
    /// # Errors
    /// If the job doesn't exist or has no schedule.
    pub async fn set_schedule(
        &self,
        namespace: &NamespaceName,
        name: &Family,
        status: ScheduleStatus,
    ) -> Result<Job, Refusal> {
        let _writing = self.writes.lock().await;
        let key = keys::job(namespace, name);
        let job = loop {
            let Some(entry) = self.store.get(&key).await? else {
                return Err(self.no_job(namespace, name).await);
            };
            let mut job = Job::decode(&entry)?;
            let Some(schedule) = &mut job.schedule else {
                return Err(
                    Refusal::conflict("NoSchedule", format!("the job `{name}` has no schedule"))
                        .hint("it runs when `wharf run` says so"),
                );
            };
            if schedule.status == status {
                return Ok(job);
            }
            let now = self.clock.now();
            if status == ScheduleStatus::Active {
                schedule.decided = now;
            }
            schedule.status = status;
            schedule.updated_at = now;
            let said = match status {
                ScheduleStatus::Paused => format!("(job {name}) schedule paused."),
                ScheduleStatus::Active => format!("(job {name}) schedule continued."),
            };
            let written = Transaction::new()
                .expect(&key, Expect::Revision(entry.revision))
                .put(&key, job.encode());
            let word = Word::new(namespace, name, said);
            match self.commit_told(written, vec![word]).await {
                Ok(()) => break job,
                // The schedule began a run meanwhile.
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        };
        self.reconciler.job((namespace.clone(), name.clone())).await;
        Ok(job)
    }

    /// A namespace's jobs, by name.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn jobs(&self, namespace: &NamespaceName) -> Result<Vec<Job>, Refusal> {
        self.records(&keys::jobs(namespace)).await
    }

    /// A job.
    ///
    /// # Errors
    /// If it doesn't exist.
    pub async fn job(&self, namespace: &NamespaceName, name: &Family) -> Result<Job, Refusal> {
        let found = self.record(&keys::job(namespace, name)).await?;
        match found {
            Some(job) => Ok(job),
            None => Err(self.no_job(namespace, name).await),
        }
    }

    /// Forgets a job: its schedule, its definitions, its ended runs with their tasks, its events and logs.
    ///
    /// # Errors
    /// If a service runs the family, or a run of it goes on.
    pub async fn delete_job(&self, namespace: &NamespaceName, name: &Family) -> Result<(), Refusal> {
        let _writing = self.writes.lock().await;
        if !self.is_known(namespace, name).await? {
            return Err(self.no_job(namespace, name).await);
        }
        self.check_no_service(namespace, name).await?;
        let runs = self.runs(namespace, name).await?;
        if let Some(run) = runs.iter().find(|run| !run.is_over()) {
            let message = format!("run {} goes on", run.name());
            return Err(
                Refusal::conflict("JobInUse", message).hint(format!("`wharf cancel {name}`, or let it end"))
            );
        }
        let group = (namespace.clone(), Group::Job(name.clone()));
        let tasks = self.registry.of_group(&group);
        if let Some(task) = tasks.iter().find(|task| task.status != TaskStatus::Stopped) {
            let message = format!("task {} of `{name}` is not stopped", task.id);
            return Err(Refusal::conflict("JobInUse", message).hint("stop it, or let it end"));
        }
        let job_key = keys::job(namespace, name);
        let expect = match self.store.get(&job_key).await? {
            Some(entry) => Expect::Revision(entry.revision),
            None => Expect::Absent,
        };
        // As when a service is deleted: nothing that is written yet comes after this.
        self.events.flush().await;
        let gone = events::removal(Transaction::new(), namespace, name)
            .expect(&job_key, expect)
            .delete(&job_key)
            .delete_prefix(keys::job_runs(namespace, name))
            .delete_prefix(keys::family(namespace, name));
        self.store.commit(gone).await?;
        self.reconciler.job((namespace.clone(), name.clone())).await;
        self.registry.remove_group(&group);
        self.executor.forget(namespace, name).await;
        self.events.remove(namespace, name).await;
        Ok(())
    }

    /// The revisions of a family that something needs: a service, a schedule, runs that go on.
    pub(super) async fn revisions_in_use(
        &self,
        namespace: &NamespaceName,
        family: &Family,
    ) -> Result<Vec<Option<Revision>>, Refusal> {
        let service: Option<Service> = self.record(&keys::service(namespace, family)).await?;
        let job: Option<Job> = self.record(&keys::job(namespace, family)).await?;
        let mut used: Vec<Option<Revision>> = service
            .map(|service| vec![service.goal, service.stable])
            .unwrap_or_default();
        used.extend(job.map(|job| job.schedule.map(|schedule| schedule.revision)));
        let runs: Vec<Run> = self.runs(namespace, family).await?;
        let active = runs.iter().filter(|run| !run.is_over());
        used.extend(active.map(|run| Some(run.definition.revision)));
        Ok(used)
    }

    /// When the job is due, as its schedule's revision says.
    pub async fn schedule_of(&self, job: &Job) -> Option<crate::manifest::ScheduleSpec> {
        let id = crate::names::FamilyRevision {
            family: job.name.clone(),
            revision: job.schedule.as_ref()?.revision,
        };
        let blueprint = self.blueprints.load(&job.namespace, &id).await.ok()?;
        blueprint.job()?.schedule.clone()
    }

    /// The answer where there is no job of this name; what has it is said.
    async fn no_job(&self, namespace: &NamespaceName, name: &Family) -> Refusal {
        let message = format!("there is no job `{name}` in namespace `{namespace}`");
        match self.store.get(&keys::service(namespace, name)).await {
            Ok(Some(_)) => Refusal::not_found("JobNotFound", format!("{message}: `{name}` is a service"))
                .hint(format!("`wharf describe service {name}` shows it")),
            _ => Refusal::not_found("JobNotFound", message).hint("`wharf jobs` shows those there are"),
        }
    }

    async fn check_no_service(&self, namespace: &NamespaceName, name: &Family) -> Result<(), Refusal> {
        match self.store.get(&keys::service(namespace, name)).await? {
            None => Ok(()),
            Some(_) => Err(
                Refusal::conflict("NameInUse", format!("there is a service `{name}`"))
                    .hint("delete the service, or give the job another name"),
            ),
        }
    }

    /// A schedule and a service can't share a family.
    pub(super) async fn check_no_schedule(
        &self,
        namespace: &NamespaceName,
        name: &Family,
    ) -> Result<(), Refusal> {
        let job: Option<Job> = self.record(&keys::job(namespace, name)).await?;
        match job.and_then(|job| job.schedule) {
            None => Ok(()),
            Some(_) => Err(Refusal::conflict(
                "NameInUse",
                format!("there is a job `{name}` with a schedule"),
            )
            .hint("delete the job, or give the service another name")),
        }
    }

    pub(super) async fn room_for_job(
        &self,
        namespace: &NamespaceName,
        name: &Family,
    ) -> Result<Job, Refusal> {
        let jobs = self.store.count(&keys::jobs(namespace)).await?;
        if jobs < MAX_JOBS {
            return Ok(self.new_job(namespace, name));
        }
        let message = format!("the namespace `{namespace}` has {jobs} jobs, which is all it may have");
        Err(Refusal::conflict("LimitExceeded", message).hint("delete one that isn't needed"))
    }
}

/// What a deploy changed of a job's schedule.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// There was none.
    New,
    /// When it is due.
    Times,
    /// Only what it runs.
    Revision,
}

/// What is said of a schedule that was deployed.
fn said(job: &Family, revision: Revision, cron: &Cron, change: Change) -> String {
    let (expression, zone) = (cron.expression(), cron.zone().name());
    let times = match change {
        Change::New => format!("schedule deployed: {expression} ({zone})"),
        Change::Times => format!("schedule changed to {expression} ({zone})"),
        Change::Revision => "schedule updated".to_owned(),
    };
    format!("(job {job}) {times}, it runs {job}:{revision}.")
}

fn no_schedule(name: &Family) -> Refusal {
    let message = format!("`{name}` is a job without a schedule, which is not deployed but run");
    Refusal::unprocessable("NotAService", message)
        .field("job")
        .hint("use `wharf run`, or add a `schedule` to [job]")
}
