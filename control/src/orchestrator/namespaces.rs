//! Namespaces: made, listed, deleted when nothing is left in them.

use jiff::Timestamp;

use super::{MAX_NAMESPACES, Orchestrator, no_namespace};
use crate::model::stored::Record as _;
use crate::model::{Namespace, Run, Service, TaskStatus, keys};
use crate::names::NamespaceName;
use crate::refusal::Refusal;
use crate::store::{Expect, SharedStore, StoreError, Transaction};

/// Names listed when a namespace can't be deleted; more are counted.
const NAMED_AT_MOST: usize = 5;

/// Makes the namespace `default`, which exists from the start.
///
/// # Errors
/// If the store fails.
pub async fn ensure_default(store: &SharedStore) -> Result<(), StoreError> {
    let namespace = Namespace {
        name: NamespaceName::default_namespace(),
        created_at: Timestamp::now(),
    };
    let key = keys::namespace(&namespace.name);
    match store.put_if(&key, Expect::Absent, namespace.encode()).await {
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Orchestrator {
    /// All namespaces, by name.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn namespaces(&self) -> Result<Vec<Namespace>, Refusal> {
        self.records(keys::NAMESPACES).await
    }

    /// The namespace, or the one answer there is when there is none.
    ///
    /// # Errors
    /// If it doesn't exist or the store fails.
    pub async fn namespace(&self, name: &NamespaceName) -> Result<Namespace, Refusal> {
        self.record(&keys::namespace(name))
            .await?
            .ok_or_else(|| no_namespace(name))
    }

    /// Makes a namespace.
    ///
    /// # Errors
    /// If it exists, or there are too many.
    pub async fn create_namespace(&self, name: NamespaceName) -> Result<Namespace, Refusal> {
        let _writing = self.writes.lock().await;
        if self.namespaces().await?.len() >= MAX_NAMESPACES {
            let message = format!("there are {MAX_NAMESPACES} namespaces, which is all there may be");
            return Err(Refusal::conflict("LimitExceeded", message).hint("delete one that isn't needed"));
        }
        let namespace = Namespace {
            name,
            created_at: Timestamp::now(),
        };
        let key = keys::namespace(&namespace.name);
        match self.store.put_if(&key, Expect::Absent, namespace.encode()).await {
            Ok(_) => {
                tracing::info!(namespace = %namespace.name, "a namespace was made");
                Ok(namespace)
            }
            Err(StoreError::Conflict { .. }) => {
                let message = format!("the namespace `{}` exists already", namespace.name);
                Err(Refusal::conflict("NamespaceExists", message).field("name"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes an empty namespace, with its definitions, tokens and history.
    ///
    /// # Errors
    /// If something is in it, or it is `default`.
    pub async fn delete_namespace(&self, name: &NamespaceName) -> Result<(), Refusal> {
        let _writing = self.writes.lock().await;
        self.namespace(name).await?;
        if name.is_default() {
            let message = "the namespace `default` always exists";
            return Err(Refusal::conflict("NamespaceInUse", message));
        }
        let contents = self.contents(name).await?;
        if !contents.is_empty() {
            let message = format!(
                "the namespace `{name}` is not empty: it has {}",
                listed(&contents)
            );
            return Err(Refusal::conflict("NamespaceInUse", message).hint("delete them first"));
        }
        self.tokens.revoke_all(name).await?;
        let transaction = Transaction::new()
            .expect(keys::namespace(name), Expect::Present)
            .delete(keys::namespace(name))
            .delete_prefix(keys::bundles(name))
            .delete_prefix(keys::definitions(name))
            .delete_prefix(keys::deployments(name))
            .delete_prefix(keys::deployment_services(name))
            .delete_prefix(keys::jobs(name))
            .delete_prefix(keys::runs(name))
            // Those whose records are damaged: no others are left.
            .delete_prefix(keys::routes(name))
            .delete_prefix(keys::target_groups(name));
        self.store.commit(transaction).await?;
        self.registry.remove_namespace(name);
        self.events.remove_namespace(name).await;
        self.logs.remove_namespace(name);
        self.data.remove_namespace(name).await?;
        self.blobs.remove_namespace(name).await?;
        Ok(())
    }

    /// What keeps a namespace from being deleted.
    async fn contents(&self, name: &NamespaceName) -> Result<Vec<String>, Refusal> {
        let services: Vec<Service> = self.records(&keys::services(name)).await?;
        let mut contents: Vec<String> = services
            .iter()
            .map(|service| format!("service `{}`", service.name))
            .collect();
        let jobs = self.jobs(name).await?;
        let scheduled = jobs.iter().filter(|job| job.schedule.is_some());
        contents.extend(scheduled.map(|job| format!("job `{}`", job.name)));
        let runs: Vec<Run> = self.records(&keys::runs(name)).await?;
        let active = runs.iter().filter(|run| !run.is_over());
        contents.extend(active.map(|run| format!("run `{}`", run.name())));
        let secrets = self.secrets.list(name);
        contents.extend(secrets.iter().map(|secret| format!("secret `{}`", secret.name)));
        let objects = self.edge.objects();
        let routes = objects
            .routes_of(name)
            .filter_map(|standing| standing.route.name.as_ref());
        contents.extend(routes.map(|route| format!("route `{route}`")));
        contents.extend(
            objects
                .groups_of(name)
                .map(|group| format!("target group `{}`", group.name)),
        );
        let tasks = self.registry.of_namespace(name);
        let running = tasks.iter().filter(|task| task.status != TaskStatus::Stopped);
        contents.extend(running.map(|task| format!("task `{}`", task.id)));
        Ok(contents)
    }
}

fn listed(contents: &[String]) -> String {
    let mut text = contents
        .iter()
        .take(NAMED_AT_MOST)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(more) = contents.len().checked_sub(NAMED_AT_MOST).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
