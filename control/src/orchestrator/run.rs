//! Jobs: a definition is run once, and its end recorded.

use std::sync::Arc;

use wharf_runtime::{Bytes, CpuUnits};

use super::definitions::{next_revision, put_definition};
use super::{MAX_TASKS_PER_RUN, Orchestrator};
use crate::blueprint::Blueprint;
use crate::manifest::{self, EnvOverride, Manifest, ManifestText, SecretOverride};
use crate::model::stored::Record as _;
use crate::model::{Bundle, Group, Overrides, Task, World, keys};
use crate::names::{Digest, Family, FamilyRevision, NamespaceName};
use crate::refusal::{Kind, Refusal};
use crate::store::Transaction;
use crate::tasks::Order;

/// The code of a refusal of what a run would change.
const INVALID_OVERRIDE: &str = "InvalidOverride";

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
        let blueprint = overridden(self.blueprints.load(namespace, &id).await?, &ask.overrides)?;
        check_ends(&blueprint.bundle, &id.family)?;
        self.check_size(&blueprint.manifest.task, &blueprint.bundle)?;
        let tasks = (0..ask.count).map(|_| Task {
            overrides: ask.overrides.clone(),
            ..blueprint.new_task(Group::Job(id.family.clone()))
        });
        let tasks: Vec<Task> = tasks.collect();
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
        check_ends(&draft.bundle, &family)?;
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
}

fn check_ends(bundle: &Bundle, family: &Family) -> Result<(), Refusal> {
    if bundle.world == World::Command {
        return Ok(());
    }
    let message = format!("`{family}` answers requests, it doesn't run to an end");
    Err(Refusal::unprocessable("NotAJob", message).hint("use `wharf deploy`"))
}

/// A definition as one run has it: with what is different this time, which makes no revision.
fn overridden(blueprint: Arc<Blueprint>, overrides: &Overrides) -> Result<Arc<Blueprint>, Refusal> {
    if *overrides == Overrides::default() {
        return Ok(blueprint);
    }
    let unreadable = |e: serde_json::Error| Refusal::new(Kind::Internal, "InvalidManifest", e.to_string());
    let stored = blueprint.definition.manifest.clone();
    let mut text: ManifestText = serde_json::from_value(stored).map_err(unreadable)?;
    let typed = typed(overrides)?;
    typed
        .apply(&mut text)
        .map_err(|e| bad_override("overrides".to_owned(), &e))?;
    if let Some(args) = &overrides.args {
        text.task.args.clone_from(args);
    }
    let manifest = Manifest::from_text(&text).map_err(|errors| Refusal {
        code: INVALID_OVERRIDE,
        ..errors.into()
    })?;
    Ok(Arc::new(Blueprint {
        manifest,
        ..(*blueprint).clone()
    }))
}

/// Names and references are as in a manifest.
fn typed(overrides: &Overrides) -> Result<manifest::Overrides, Refusal> {
    let env = overrides.env.iter().map(|(name, value)| {
        let field = || format!("overrides.environment.{name}");
        if overrides.secrets.iter().any(|(secret, _)| secret == name) {
            let message = "the same name is in environment and in secrets";
            return Err(bad_override(field(), &message).hint("remove one of them"));
        }
        Ok(EnvOverride {
            name: name.parse().map_err(|e| bad_override(field(), &e))?,
            value: value.clone(),
        })
    });
    let secrets = overrides.secrets.iter().map(|(name, reference)| {
        let field = || format!("overrides.secrets.{name}");
        Ok(SecretOverride {
            name: name.parse().map_err(|e| bad_override(field(), &e))?,
            reference: reference.parse().map_err(|e| bad_override(field(), &e))?,
        })
    });
    let cpu = overrides.cpu.map(|cpu| {
        CpuUnits::new(cpu).ok_or_else(|| {
            let message = format!("cpu is {cpu}, it goes from 1 to {}", CpuUnits::MAX);
            bad_override("overrides.cpu".to_owned(), &message)
        })
    });
    Ok(manifest::Overrides {
        env: env.collect::<Result<_, _>>()?,
        secrets: secrets.collect::<Result<_, Refusal>>()?,
        cpu: cpu.transpose()?,
        memory: overrides.memory.map(Bytes::new),
        count: None,
    })
}

fn bad_override(field: String, error: &dyn std::fmt::Display) -> Refusal {
    Refusal::unprocessable(INVALID_OVERRIDE, error.to_string()).field(field)
}
