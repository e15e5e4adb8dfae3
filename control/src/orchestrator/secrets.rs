//! Secrets: set, and deleted when nobody refers to them.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;

use super::Orchestrator;
use crate::model::{Run, keys};
use crate::names::{FamilyRevision, NamespaceName, SecretName};
use crate::refusal::Refusal;
use crate::secrets::{SecretReference, SecretSummary};

impl Orchestrator {
    /// Sets a secret's next version; tasks that wait for it start.
    ///
    /// # Errors
    /// If the value can't be a secret's, or the store fails.
    pub async fn set_secret(
        &self,
        namespace: &NamespaceName,
        name: &SecretName,
        value: &SecretString,
    ) -> Result<SecretSummary, Refusal> {
        let _writing = self.writes.lock().await;
        let mut pinned = BTreeSet::new();
        for (id, _) in self.current(namespace).await? {
            let blueprint = self.blueprints.load(namespace, &id).await?;
            let references = blueprint.manifest.task.secrets.values();
            pinned.extend(references.filter(|r| r.name == *name).filter_map(|r| r.version));
        }
        for run in self.runs_in_progress(namespace).await? {
            pinned.extend(overriding(&run, name).filter_map(|reference| reference.version));
        }
        let secret = self.secrets.set(namespace, name, value, &pinned).await?;
        tracing::info!(%namespace, secret = %name, version = %secret.version, "a secret was set");
        self.reconciler.retry(namespace.clone()).await;
        Ok(secret)
    }

    /// Deletes a secret.
    ///
    /// # Errors
    /// If it doesn't exist, or a current definition refers to it.
    pub async fn delete_secret(&self, namespace: &NamespaceName, name: &SecretName) -> Result<(), Refusal> {
        // No deploy can begin to refer to it meanwhile.
        let _writing = self.writes.lock().await;
        self.namespace(namespace).await?;
        self.secrets.get(namespace, name)?;
        let users = self.users_of(namespace, name).await?;
        if !users.is_empty() {
            let message = format!("the secret `{name}` is referred to by {}", users.join(", "));
            return Err(Refusal::conflict("SecretInUse", message)
                .hint("deploy them without it, or delete them, first"));
        }
        self.secrets.delete(namespace, name).await?;
        tracing::info!(%namespace, secret = %name, "a secret was deleted");
        Ok(())
    }

    /// Whose current definitions refer to a secret.
    async fn users_of(&self, namespace: &NamespaceName, name: &SecretName) -> Result<Vec<String>, Refusal> {
        let runs = self.runs_in_progress(namespace).await?;
        let overriding = runs.iter().filter(|run| overriding(run, name).next().is_some());
        let mut users: Vec<String> = overriding.map(who_runs).collect();
        for (id, who) in self.current(namespace).await? {
            let blueprint = self.blueprints.load(namespace, &id).await?;
            let refers = blueprint
                .manifest
                .task
                .secrets
                .values()
                .any(|reference| reference.name == *name);
            if refers && !users.contains(&who) {
                users.push(who);
            }
        }
        Ok(users)
    }

    /// A namespace's current definitions and whose they are: a service's goal and stable revision, a job
    /// family's latest, what runs in progress run.
    async fn current(&self, namespace: &NamespaceName) -> Result<Vec<(FamilyRevision, String)>, Refusal> {
        let services = self.services(namespace).await?.readable;
        let mut current: Vec<(FamilyRevision, String)> = Vec::new();
        for service in &services {
            let revisions = [service.goal, service.stable].into_iter().flatten();
            current.extend(revisions.map(|revision| {
                let id = FamilyRevision {
                    family: service.name.clone(),
                    revision,
                };
                let who = format!("service `{}` ({id})", service.name);
                (id, who)
            }));
        }
        let mut latest = BTreeMap::new();
        for definition in self.definitions(namespace).await? {
            latest.insert(definition.id.family.clone(), definition.id);
        }
        let jobs = latest
            .into_values()
            .filter(|id| services.iter().all(|service| service.name != id.family));
        current.extend(jobs.map(|id| {
            let who = format!("job `{}` ({id})", id.family);
            (id, who)
        }));
        for job in self.jobs(namespace).await? {
            let Some(schedule) = job.schedule else { continue };
            let (family, revision) = (job.name, schedule.revision);
            let id = FamilyRevision { family, revision };
            if current.iter().all(|(known, _)| *known != id) {
                let who = format!("the schedule of job `{}` ({id})", id.family);
                current.push((id, who));
            }
        }
        let runs = self.runs_in_progress(namespace).await?;
        current.extend(runs.iter().map(|run| (run.definition.clone(), who_runs(run))));
        Ok(current)
    }

    /// A namespace's runs that go on: with a task, or between two attempts at one.
    async fn runs_in_progress(&self, namespace: &NamespaceName) -> Result<Vec<Run>, Refusal> {
        let mut runs: Vec<Run> = self.records(&keys::runs(namespace)).await?;
        runs.retain(|run| !run.is_over());
        Ok(runs)
    }
}

fn who_runs(run: &Run) -> String {
    format!("run `{}` ({})", run.name(), run.definition)
}

/// The references to a secret that a run was given over its definition.
fn overriding(run: &Run, name: &SecretName) -> impl Iterator<Item = SecretReference> {
    let references = run.overrides.secrets.iter();
    let parsed = references.filter_map(|(_, text)| text.parse::<SecretReference>().ok());
    parsed.filter(move |reference| reference.name == *name)
}
