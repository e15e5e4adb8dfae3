//! What people do to deployments in progress, and back to earlier ones: abort, pause, continue, roll back.

use super::deploy::{Aim, Deployed, check_existing, kind_of};
use super::deployments::no_deployment;
use super::{Disturbed, Orchestrator};
use crate::events::{Word, rollout, settings};
use crate::model::stored::Record as _;
use crate::model::{Deployment, Pace, RolloutState, Service, keys};
use crate::names::{FamilyRevision, NamespaceName, Revision, ServiceName};
use crate::refusal::Refusal;
use crate::store::{Expect, Transaction};

/// A service with its deployment in progress, and the writes they were read with.
struct UnderWay {
    service: Service,
    service_as: Expect,
    deployment: Deployment,
    deployment_as: Expect,
}

/// Whether a change goes through, or what was read isn't there any more.
enum Written {
    Yes(Box<Deployment>),
    ReadAgain,
}

impl Orchestrator {
    /// Gives up the deployment in progress: the service goes back to the last completed revision.
    ///
    /// # Errors
    /// If there is none in progress, or it is itself a way back.
    pub async fn abort(&self, namespace: &NamespaceName, name: &ServiceName) -> Result<Deployment, Refusal> {
        self.intervene(namespace, name, |service, deployment| {
            if service.goal == service.stable {
                let message = format!(
                    "the deployment in progress of `{name}` takes it back to {name}:{}, there is nothing behind that",
                    deployment.revision
                );
                return Err(Refusal::conflict("NothingToRollBackTo", message)
                    .hint("deploy what shall run instead: the newer deployment wins"));
            }
            self.keep_figures(deployment);
            let reason = "aborted by a person".to_owned();
            Ok(deployment.give_up(service, (RolloutState::Aborted, reason), self.clock.now()))
        })
        .await
    }

    /// Takes over what was seen of a deployment in progress, which ends here and not by the control loop.
    pub(super) fn keep_figures(&self, deployment: &mut Deployment) {
        if let Some(progress) = self.registry.progress(&deployment.id) {
            deployment.figures = progress.figures;
        }
    }

    /// Holds the deployment in progress as it is.
    ///
    /// # Errors
    /// If there is none in progress, or it is held already.
    pub async fn pause(&self, namespace: &NamespaceName, name: &ServiceName) -> Result<Deployment, Refusal> {
        self.set_pace(namespace, name, Pace::Paused).await
    }

    /// Lets the deployment that is held go on.
    ///
    /// # Errors
    /// If there is none in progress, or it isn't held.
    pub async fn resume(&self, namespace: &NamespaceName, name: &ServiceName) -> Result<Deployment, Refusal> {
        self.set_pace(namespace, name, Pace::Going).await
    }

    async fn set_pace(
        &self,
        namespace: &NamespaceName,
        name: &ServiceName,
        pace: Pace,
    ) -> Result<Deployment, Refusal> {
        self.intervene(namespace, name, |_, deployment| {
            if deployment.pace == pace {
                let (code, is, hint) = match pace {
                    Pace::Paused => (
                        "AlreadyPaused",
                        "is paused already",
                        "`wharf continue` lets it go on",
                    ),
                    Pace::Going => ("NotPaused", "is not paused", "`wharf pause` holds it"),
                };
                let message = format!("the deployment in progress of `{name}` {is}");
                return Err(Refusal::conflict(code, message).hint(hint));
            }
            deployment.keep_pace(pace, self.clock.now());
            Ok(None)
        })
        .await
    }

    /// Changes the deployment in progress; what `change` makes of it besides begins.
    async fn intervene(
        &self,
        namespace: &NamespaceName,
        name: &ServiceName,
        change: impl Fn(&mut Service, &mut Deployment) -> Result<Option<Deployment>, Refusal>,
    ) -> Result<Deployment, Refusal> {
        let _writing = self.writes.lock().await;
        self.namespace(namespace).await?;
        loop {
            let mut read = self.under_way(namespace, name).await?;
            let (was, service_was) = (read.deployment.clone(), read.service.clone());
            let begins = change(&mut read.service, &mut read.deployment)?;
            let ended = rollout::changed(&was, &read.deployment).map(|message| was.word(message));
            let begun = begins.as_ref().map(|begins| begins.word(rollout::begins(begins)));
            let counted = settings::changed(&service_was, &read.service, settings::GIVEN_UP);
            let words: Vec<Word> = ended.into_iter().chain(begun).chain(counted).collect();
            // The control loop takes a step meanwhile; it takes few, this can't go on for ever.
            if let Written::Yes(deployment) = self.write_step(read, begins, words).await? {
                self.reconciler.reconcile((namespace.clone(), name.clone())).await;
                // Who follows the deployment sees it at once.
                self.registry.changed();
                return Ok(*deployment);
            }
        }
    }

    async fn under_way(&self, namespace: &NamespaceName, name: &ServiceName) -> Result<UnderWay, Refusal> {
        let Some(entry) = self.store.get(&keys::service(namespace, name)).await? else {
            return Err(self.no_service(namespace, name).await);
        };
        let service = Service::decode(&entry)?;
        let Some(id) = service.rollout.clone() else {
            let message = format!("the service `{name}` has no deployment in progress");
            return Err(Refusal::conflict("NoDeploymentInProgress", message).hint(format!(
                "`wharf rollback {name}` goes back to the revision before"
            )));
        };
        let found = self.store.get(&keys::deployment(namespace, name, &id)).await?;
        let found = found.ok_or_else(|| no_deployment(namespace, &id))?;
        Ok(UnderWay {
            service,
            service_as: Expect::Revision(entry.revision),
            deployment: Deployment::decode(&found)?,
            deployment_as: Expect::Revision(found.revision),
        })
    }

    async fn write_step(
        &self,
        step: UnderWay,
        begins: Option<Deployment>,
        words: Vec<Word>,
    ) -> Result<Written, Refusal> {
        let UnderWay {
            service,
            service_as,
            deployment,
            deployment_as,
        } = step;
        let (namespace, name) = (&service.namespace, &service.name);
        let service_key = keys::service(namespace, name);
        let mut transaction = Transaction::new()
            .expect(&service_key, service_as)
            .expect(deployment.key(), deployment_as)
            .put(&service_key, service.encode());
        transaction = deployment.write(transaction);
        if let Some(begins) = begins {
            transaction = begins.begin(transaction);
        }
        match self.commit_told(transaction, words).await {
            Ok(_) => Ok(Written::Yes(Box::new(deployment))),
            Err(crate::store::StoreError::Conflict { .. }) => Ok(Written::ReadAgain),
            Err(error) => Err(error.into()),
        }
    }

    /// Brings a service back to `to`, or to the completed revision before the one that runs.
    ///
    /// # Errors
    /// If there is no such revision, it isn't a service's of this kind, or it can't be deployed as things stand.
    pub async fn roll_back(
        &self,
        namespace: &NamespaceName,
        name: &ServiceName,
        to: Option<Revision>,
    ) -> Result<Deployed, Refusal> {
        let _writing = self.writes.lock().await;
        let mut disturbed = Disturbed::default();
        loop {
            match self.roll_back_next(namespace, name, to).await {
                Err(refusal) if disturbed.once_more(&refusal) => {}
                done => return done,
            }
        }
    }

    /// While nobody else writes but the control loop.
    async fn roll_back_next(
        &self,
        namespace: &NamespaceName,
        name: &ServiceName,
        to: Option<Revision>,
    ) -> Result<Deployed, Refusal> {
        self.namespace(namespace).await?;
        let Some(entry) = self.store.get(&keys::service(namespace, name)).await? else {
            return Err(self.no_service(namespace, name).await);
        };
        let service = Service::decode(&entry)?;
        let deployments: Vec<Deployment> = self.records(&keys::service_deployments(namespace, name)).await?;
        let revisions = self.revisions(namespace, name).await?;
        let known = |revision: &Revision| revisions.iter().any(|known| known.id.revision == *revision);
        let target = match to {
            Some(revision) if known(&revision) => revision,
            Some(revision) => return Err(no_revision(name, revision, &revisions)),
            None => before(&service, &deployments)
                .filter(known)
                .ok_or_else(|| nothing_before(&service))?,
        };
        let id = FamilyRevision {
            family: name.clone(),
            revision: target,
        };
        let blueprint = self.blueprints.load(namespace, &id).await?;
        let kind = kind_of(&blueprint.manifest, &blueprint.bundle).ok_or_else(|| not_a_services(&id))?;
        check_existing(&service, kind)?;
        if service.goal == Some(target) {
            let latest = deployments.into_iter().rfind(|old| old.revision == target);
            return latest
                .map(|latest| Deployed::Unchanged(latest, Vec::new()))
                .ok_or_else(|| nothing_before(&service));
        }
        let spec = service.deployment.rollback();
        let aim = Aim {
            manifest: &blueprint.manifest,
            bundle: &blueprint.bundle,
            spec: &spec,
            count: service.count,
        };
        self.check_aim(&service, &aim).await?;
        let mut back = Deployment::new(&service, target, spec, self.clock.now());
        back.reason = format!("rolling back to {name}:{target}");
        back.before = service.goal;
        back.rollback_of = service.rollout.clone();
        self.begin(
            service,
            Expect::Revision(entry.revision),
            back,
            (Transaction::new(), Vec::new()),
        )
        .await
        .map(Deployed::New)
    }
}

/// The revision to go back to when none is named: of the deployment in progress, what ran before; else the one that
/// was completed before the one that runs.
fn before(service: &Service, deployments: &[Deployment]) -> Option<Revision> {
    if service.goal != service.stable {
        return service.stable;
    }
    completed_before(service, deployments).map(|old| old.revision)
}

/// The deployment that was completed before that of the stable revision: where a person goes back to, however many
/// failed since.
pub(super) fn completed_before<'a>(
    service: &Service,
    deployments: &'a [Deployment],
) -> Option<&'a Deployment> {
    let completed = deployments
        .iter()
        .filter(|old| old.state == RolloutState::Completed);
    let mut others = completed.filter(|old| Some(old.revision) != service.stable);
    others.next_back()
}

fn nothing_before(service: &Service) -> Refusal {
    let name = &service.name;
    let message = format!("the service `{name}` has no completed revision before the one it runs");
    Refusal::conflict("NothingToRollBackTo", message).hint(format!(
        "`wharf rollback {name} --to REV` goes to any revision; `wharf describe service {name}` shows them"
    ))
}

fn not_a_services(id: &FamilyRevision) -> Refusal {
    let family = &id.family;
    Refusal::unprocessable("NotAService", format!("{id} is a job's, a service can't run it"))
        .field("revision")
        .hint(format!(
            "`wharf describe service {family}` shows the service's deployments"
        ))
}

fn no_revision(name: &ServiceName, revision: Revision, known: &[crate::model::Definition]) -> Refusal {
    let message = format!("there is no revision {revision} of `{name}`");
    let known: Vec<String> = known.iter().map(|known| known.id.revision.to_string()).collect();
    Refusal::not_found("TaskDefinitionNotFound", message).hint(format!("there are {}", known.join(", ")))
}
