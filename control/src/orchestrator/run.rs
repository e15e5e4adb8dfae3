//! Jobs: a definition is run once, and its end recorded.

use wharf_runtime::{Bytes, CpuUnits};

use super::definitions::{check_memory, next_revision, put_definition, too_large};
use super::{MAX_TASKS_PER_RUN, Orchestrator};
use crate::model::stored::Record as _;
use crate::model::{Group, Overrides, Task, World, keys};
use crate::names::{Digest, EnvName, FamilyRevision, NamespaceName};
use crate::refusal::Refusal;
use crate::secrets::SecretReference;
use crate::store::Transaction;
use crate::tasks::Order;

/// Asks for a job to be run.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// What is run.
    pub what: What,
    /// What is different this time.
    pub overrides: Overrides,
    /// How many tasks.
    pub count: u32,
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
    /// Runs a job once; its tasks are recorded before the answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn run(&self, namespace: &NamespaceName, ask: NewRun) -> Result<Vec<Task>, Refusal> {
        let _writing = self.writes.lock().await;
        self.namespace(namespace).await?;
        if !(1..=MAX_TASKS_PER_RUN).contains(&ask.count) {
            let message = format!("count is {}, it goes from 1 to {MAX_TASKS_PER_RUN}", ask.count);
            return Err(Refusal::unprocessable("InvalidCount", message).field("count"));
        }
        let id = match &ask.what {
            What::Definition(text) => self.find_definition(namespace, text).await?,
            What::Bundle { bundle, manifest } => self.define_job(namespace, bundle, manifest.clone()).await?,
        };
        let blueprint = self.blueprints.load(namespace, &id).await?;
        if blueprint.bundle.world == World::Http {
            let message = format!("`{}` answers requests, it doesn't run to an end", id.family);
            return Err(Refusal::unprocessable("NotAJob", message).hint("use `wharf deploy`"));
        }
        check_overrides(&ask.overrides)?;
        let tasks = (0..ask.count).map(|_| {
            let mut task = blueprint.new_task(Group::Job(id.family.clone()));
            task.cpu = ask.overrides.cpu.unwrap_or(task.cpu);
            task.memory = ask.overrides.memory.unwrap_or(task.memory);
            task.overrides = ask.overrides.clone();
            task
        });
        let tasks: Vec<Task> = tasks.collect();
        self.check_size(&tasks)?;
        if let Some(memory) = ask.overrides.memory {
            check_memory(&blueprint.bundle, Bytes::new(memory), "overrides.memory")?;
        }
        let recorded = tasks.iter().fold(Transaction::new(), |transaction, task| {
            transaction.put(keys::task(namespace, &task.id), task.encode())
        });
        self.store.commit(recorded).await?;
        for task in &tasks {
            let order = Order {
                task: task.clone(),
                blueprint: blueprint.clone(),
            };
            self.reconciler.run(order).await;
        }
        Ok(tasks)
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
        let revisions = self.revisions(namespace, &family).await?;
        if let Some(latest) = revisions.last().filter(|latest| draft.is(latest)) {
            return Ok(latest.id.clone());
        }
        let definition = draft.definition(next_revision(&revisions));
        let service = self
            .record::<crate::model::Service>(&keys::service(namespace, &family))
            .await?;
        let used = service
            .map(|service| vec![service.goal, service.stable])
            .unwrap_or_default();
        let put = put_definition(Transaction::new(), namespace, &definition, &revisions, &used);
        self.store.commit(put).await?;
        Ok(definition.id)
    }

    fn check_size(&self, tasks: &[Task]) -> Result<(), Refusal> {
        let Some(task) = tasks.first() else { return Ok(()) };
        let cpu = CpuUnits::new(task.cpu).ok_or_else(|| {
            let message = format!("cpu is {}, it goes from 1 to {}", task.cpu, CpuUnits::MAX);
            Refusal::unprocessable("InvalidCpu", message).field("overrides.cpu")
        })?;
        let fits = self.executor.could_ever_fit(cpu, Bytes::new(task.memory));
        fits.map_err(|lacks| too_large(&lacks))
    }
}

/// Names and references are as in a manifest.
fn check_overrides(overrides: &Overrides) -> Result<(), Refusal> {
    let bad = |field: String, error: &dyn std::fmt::Display| {
        Refusal::unprocessable("InvalidOverride", error.to_string()).field(field)
    };
    for (name, _) in &overrides.env {
        name.parse::<EnvName>()
            .map_err(|e| bad(format!("overrides.environment.{name}"), &e))?;
        if overrides.secrets.iter().any(|(secret, _)| secret == name) {
            let message = "the same name is in environment and in secrets";
            return Err(bad(format!("overrides.environment.{name}"), &message).hint("remove one of them"));
        }
    }
    for (name, reference) in &overrides.secrets {
        let field = || format!("overrides.secrets.{name}");
        name.parse::<EnvName>().map_err(|e| bad(field(), &e))?;
        reference
            .parse::<SecretReference>()
            .map_err(|e| bad(field(), &e))?;
    }
    Ok(())
}
