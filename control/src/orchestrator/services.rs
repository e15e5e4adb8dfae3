//! Services: looked at, scaled, deleted; and their tasks stopped.

use std::collections::BTreeSet;

use super::Orchestrator;
use crate::events::Word;
use crate::logs::LogError;
use crate::manifest::MAX_COUNT;
use crate::model::stored::{Record as _, RecordError};
use crate::model::{Group, Service, ServiceStatus, Task, TaskStatus, keys};
use crate::names::{NamespaceName, ServiceName, closest};
use crate::refusal::{Kind, Refusal};
use crate::scaling::{self, ShownScaling, Wanted};
use crate::store::{Expect, Transaction};

/// Why a task was stopped when nothing else was said (ECS says the same).
const STOPPED_BY_USER: &str = "Task stopped by user";

/// The longest reason a person may give, in bytes (ECS: 255).
const MAX_REASON: usize = 255;

/// A service whose count a person chose.
#[derive(Debug, Clone)]
pub struct Scaled {
    /// As it is written.
    pub service: Service,
    /// How it scales from there, though the control loop may not have heard of it yet; none if it doesn't, or isn't known
    /// to.
    pub scaling: Option<ShownScaling>,
}

/// A namespace's services, by name.
#[derive(Debug)]
pub struct Services {
    /// Those that are as they shall be.
    pub readable: Vec<Service>,
    /// Those whose records can't be read: one must not keep the others from being seen.
    pub damaged: Vec<DamagedService>,
}

/// A service of which there is no more than a name.
#[derive(Debug)]
pub struct DamagedService {
    /// Its name.
    pub name: String,
    /// What is wrong with its record.
    pub error: RecordError,
}

impl Orchestrator {
    /// A namespace's services, by name.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn services(&self, namespace: &NamespaceName) -> Result<Services, Refusal> {
        let prefix = keys::services(namespace);
        let mut services = Services {
            readable: Vec::new(),
            damaged: Vec::new(),
        };
        for entry in self.store.list(&prefix).await?.entries {
            match Service::decode(&entry) {
                Ok(service) => services.readable.push(service),
                Err(error) => services.damaged.push(DamagedService {
                    name: entry.key.strip_prefix(&prefix).unwrap_or_default().to_owned(),
                    error,
                }),
            }
        }
        Ok(services)
    }

    /// A service.
    ///
    /// # Errors
    /// If it doesn't exist.
    pub async fn service(&self, namespace: &NamespaceName, name: &ServiceName) -> Result<Service, Refusal> {
        let found = self.record(&keys::service(namespace, name)).await?;
        match found {
            Some(service) => Ok(service),
            None => Err(self.no_service(namespace, name).await),
        }
    }

    /// Changes how many tasks a service shall have.
    ///
    /// # Errors
    /// If it doesn't exist, is being deleted, or the count is too large.
    pub async fn scale(
        &self,
        namespace: &NamespaceName,
        name: &ServiceName,
        count: u32,
    ) -> Result<Scaled, Refusal> {
        if count > MAX_COUNT {
            let message = format!("{count} tasks; {MAX_COUNT} are allowed");
            return Err(Refusal::unprocessable("LimitExceeded", message).field("desiredCount"));
        }
        let before = self.service(namespace, name).await?;
        // None while it sleeps, whatever its record says.
        let shown = self.registry.scaling().get(namespace, name);
        let from = shown.as_ref().map_or(before.count, |shown| shown.desired);
        let changed = self.change(namespace, name, |service| {
            if service.status == ServiceStatus::Draining {
                return Err(Refusal::conflict(
                    "ServiceDraining",
                    format!("the service `{}` is being deleted", service.name),
                ));
            }
            check_bounds(service, count)?;
            service.count = count;
            service.stable_count = count;
            service.choices += 1;
            let desired = desired(service);
            Ok((from != desired).then(|| scaling::said(name, (from, desired), "it was set by hand")))
        });
        let service = changed.await?;
        let scaling = shown.filter(|_| service.scaling.is_some());
        let scaling = scaling.map(|shown| ShownScaling {
            desired: desired(&service),
            ..shown
        });
        Ok(Scaled { service, scaling })
    }

    /// Deletes a service: its tasks are drained and stopped, then nothing of it is left.
    ///
    /// # Errors
    /// If it doesn't exist, or a route of another forwards to it.
    pub async fn delete_service(
        &self,
        namespace: &NamespaceName,
        name: &ServiceName,
    ) -> Result<Service, Refusal> {
        let _writing = self.writes.lock().await;
        let service = self.service(namespace, name).await?;
        self.check_unneeded(&service).await?;
        self.write(namespace, name, |service| {
            let was = std::mem::replace(&mut service.status, ServiceStatus::Draining);
            Ok((was != ServiceStatus::Draining).then(|| format!("(service {name}) is being deleted.")))
        })
        .await
    }

    async fn change(
        &self,
        namespace: &NamespaceName,
        name: &ServiceName,
        change: impl Fn(&mut Service) -> Result<Option<String>, Refusal>,
    ) -> Result<Service, Refusal> {
        let _writing = self.writes.lock().await;
        self.write(namespace, name, change).await
    }

    /// While nothing else is written. What `change` says of it is told.
    async fn write(
        &self,
        namespace: &NamespaceName,
        name: &ServiceName,
        change: impl Fn(&mut Service) -> Result<Option<String>, Refusal>,
    ) -> Result<Service, Refusal> {
        self.namespace(namespace).await?;
        let key = keys::service(namespace, name);
        loop {
            let Some(entry) = self.store.get(&key).await? else {
                return Err(self.no_service(namespace, name).await);
            };
            let mut service = Service::decode(&entry)?;
            let said = change(&mut service)?;
            let written = Transaction::new()
                .expect(&key, Expect::Revision(entry.revision))
                .put(&key, service.encode());
            let words = Vec::from_iter(said.map(|said| Word::new(namespace, name, said)));
            match self.commit_told(written, words).await {
                Ok(()) => {
                    self.reconciler.reconcile((namespace.clone(), name.clone())).await;
                    return Ok(service);
                }
                // The control loop ended a deployment meanwhile; it does so once, this can't go on for ever.
                Err(crate::store::StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The answer where there is no service of this name; what has it is said.
    pub(super) async fn no_service(&self, namespace: &NamespaceName, name: &ServiceName) -> Refusal {
        let message = format!("there is no service `{name}` in namespace `{namespace}`");
        match self.store.get(&keys::job(namespace, name)).await {
            Ok(Some(_)) => Refusal::not_found("ServiceNotFound", format!("{message}: `{name}` is a job"))
                .hint(format!("`wharf describe job {name}` shows it")),
            _ => {
                Refusal::not_found("ServiceNotFound", message).hint("`wharf services` shows those there are")
            }
        }
    }

    /// Whether there is a service or a job of this name.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn is_known(&self, namespace: &NamespaceName, name: &ServiceName) -> Result<bool, Refusal> {
        for key in [keys::service(namespace, name), keys::job(namespace, name)] {
            if self.store.get(&key).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(!self
            .store
            .list(&keys::family(namespace, name))
            .await?
            .entries
            .is_empty())
    }

    /// Forgets what services and jobs left that were deleted just before the server ended: their tasks' records,
    /// events and logs. What is deleted goes from the store first.
    ///
    /// # Errors
    /// If the store fails or the logs can't be read.
    pub async fn sweep(&self) -> Result<(), Refusal> {
        let mut names = BTreeSet::new();
        for (namespace, group) in self.registry.groups() {
            let key = match &group {
                Group::Service(name) => keys::service(&namespace, name),
                Group::Job(name) => keys::job(&namespace, name),
            };
            names.insert((namespace.clone(), group.name().clone()));
            if self.store.get(&key).await?.is_none() {
                self.registry.remove_group(&(namespace, group));
            }
        }
        let unreadable = |e: LogError| Refusal::new(Kind::Internal, "LogFailed", e.to_string());
        names.extend(self.logs.names().map_err(unreadable)?);
        names.extend(self.data.names()?);
        for (namespace, name) in names {
            if !self.is_known(&namespace, &name).await? {
                self.executor.forget(&namespace, &name).await;
                self.events.remove(&namespace, &name).await;
            }
        }
        Ok(())
    }

    /// Refuses a name that neither a service nor a job has: a mistyped one shall not look like one that is silent.
    ///
    /// # Errors
    /// If it is none, with the one that was likely meant.
    pub async fn check_known(&self, namespace: &NamespaceName, name: &ServiceName) -> Result<(), Refusal> {
        if self.is_known(namespace, name).await? {
            return Ok(());
        }
        let message = format!("there is no service and no job `{name}` in namespace `{namespace}`");
        let refusal = Refusal::not_found("ServiceNotFound", message);
        // A service's family is of its name.
        let prefix = keys::definitions(namespace);
        let definitions = self.store.list(&prefix).await?.entries;
        let families = definitions.iter().filter_map(|entry| {
            let (family, _) = entry.key.strip_prefix(&prefix)?.split_once('/')?;
            Some(family)
        });
        Err(match closest(name.as_str(), families) {
            Some(close) => refusal.hint(format!("did you mean `{close}`?")),
            None => refusal.hint("`wharf services` and `wharf ps --all` show those there are"),
        })
    }

    /// The task that an id, or the beginning of one, names.
    ///
    /// # Errors
    /// If it names none, or several.
    pub fn find_task(&self, namespace: &NamespaceName, text: &str) -> Result<Task, Refusal> {
        self.registry.find(namespace, text).map_err(|found| match found {
            0 => {
                let message = format!("there is no task `{}` in `{namespace}`", text.escape_debug());
                Refusal::not_found("TaskNotFound", message).hint("`wharf ps` shows the tasks there are")
            }
            many => {
                let message = format!("{many} tasks have ids that begin with `{text}`");
                Refusal::conflict("AmbiguousTaskId", message).hint("give more digits")
            }
        })
    }

    /// Stops a task; a service's is replaced. That it shall stop is durable before the answer.
    ///
    /// # Errors
    /// If there is no such task, or the store fails.
    pub async fn stop_task(
        &self,
        namespace: &NamespaceName,
        text: &str,
        reason: Option<String>,
    ) -> Result<Task, Refusal> {
        let task = self.find_task(namespace, text)?;
        let reason = stop_reason(reason, STOPPED_BY_USER)?;
        if task.status != TaskStatus::Stopped {
            self.reconciler.stop_task(task.id.clone(), reason).await?;
        }
        Ok(task)
    }
}

/// How many tasks a service has from now on whose count was just chosen.
fn desired(service: &Service) -> u32 {
    let scaling = service.scaling.as_ref();
    scaling.map_or(service.count, |spec| spec.chosen(Wanted::of(service)))
}

/// Refuses a count that scaling would change at once.
fn check_bounds(service: &Service, count: u32) -> Result<(), Refusal> {
    match &service.scaling {
        Some(spec) if !(spec.min..=spec.max).contains(&count) => {
            let (name, min, max) = (&service.name, spec.min, spec.max);
            let message =
                format!("the service `{name}` scales from {min} to {max} tasks, {count} is outside");
            let hint = "choose a count in between, or change [scaling] in its manifest and deploy";
            let refusal = Refusal::unprocessable("OutsideScalingBounds", message);
            Err(refusal.field("desiredCount").hint(hint))
        }
        _ => Ok(()),
    }
}

/// Why a person stops something, or `default` if they don't say.
pub(super) fn stop_reason(reason: Option<String>, default: &str) -> Result<String, Refusal> {
    let reason = reason
        .filter(|reason| !reason.is_empty())
        .unwrap_or_else(|| default.to_owned());
    if reason.len() > MAX_REASON {
        let message = format!("the reason has {} bytes, {MAX_REASON} are allowed", reason.len());
        return Err(Refusal::unprocessable("TooLong", message).field("reason"));
    }
    Ok(reason)
}
