//! A deploy: a new revision, and a service that shall run it.

use jiff::Timestamp;

use super::definitions::{Draft, next_revision, put_definition};
use super::rollouts::completed_before;
use super::{DEPLOYMENTS_KEPT, Disturbed, MAX_SERVICES, Orchestrator};
use crate::events::{Word, rollout, settings};
use crate::manifest::{DeploymentSpec, Manifest, Strategy, Workload};
use crate::model::stored::Record as _;
use crate::model::{
    Bundle, Definition, Deployment, DeploymentId, RolloutState, Service, ServiceKind, ServiceStatus, World,
    keys,
};
use crate::names::{Digest, NamespaceName, ServiceName};
use crate::refusal::Refusal;
use crate::store::{Expect, Transaction};

/// Asks for a service to run a bundle as a manifest says.
#[derive(Debug, Clone)]
pub struct NewDeployment {
    /// A registered bundle.
    pub bundle: Digest,
    /// The manifest's text form as JSON.
    pub manifest: serde_json::Value,
}

/// What a deploy came to.
#[derive(Debug, Clone)]
pub enum Deployed {
    /// There is a new revision, and this deployment brings it.
    New(Deployment),
    /// The service runs, or is being brought to, this content already. What was said otherwise than before of the service
    /// itself is so at once.
    Unchanged(Deployment, Vec<ServiceChange>),
}

/// What a deploy changed of a service, and of none of its revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceChange {
    /// How many tasks it has.
    Count {
        /// How many it had.
        from: u32,
        /// How many it is to have.
        to: u32,
    },
    /// How it scales.
    Scaling,
    /// How deployments come.
    Deployment,
}

impl Orchestrator {
    /// Makes a service run a bundle.
    ///
    /// # Errors
    /// What is wrong with the manifest, or whom its routes are in conflict with.
    pub async fn deploy(&self, namespace: &NamespaceName, ask: NewDeployment) -> Result<Deployed, Refusal> {
        let _writing = self.writes.lock().await;
        let mut disturbed = Disturbed::default();
        loop {
            match self.deploy_next(namespace, ask.clone()).await {
                Err(refusal) if disturbed.once_more(&refusal) => {}
                done => return done,
            }
        }
    }

    /// While nobody else writes but the control loop.
    async fn deploy_next(&self, namespace: &NamespaceName, ask: NewDeployment) -> Result<Deployed, Refusal> {
        self.namespace(namespace).await?;
        let draft = self.draft(namespace, &ask.bundle, ask.manifest).await?;
        let name = &draft.manifest.name;
        let kind = kind_of(&draft.manifest, &draft.bundle).ok_or_else(|| not_a_service(name))?;
        let service_key = keys::service(namespace, name);
        let existing = match self.store.get(&service_key).await? {
            Some(entry) => Some((Service::decode(&entry)?, Expect::Revision(entry.revision))),
            None => None,
        };
        let revisions = self.revisions(namespace, name).await?;
        match existing {
            None => {
                self.check_room(namespace).await?;
                self.check_no_schedule(namespace, name).await?;
                let service = new_service(namespace, &draft, kind);
                self.roll(Rolling {
                    service,
                    expect: Expect::Absent,
                    draft,
                    revisions,
                })
                .await
            }
            Some((service, expect)) => {
                check_existing(&service, kind)?;
                // One that failed and stays where it is may be tried again.
                let halted = service.rollout.is_none() && service.goal != service.stable;
                let goal = revisions
                    .iter()
                    .find(|old| Some(old.id.revision) == service.goal && !halted);
                if let Some(unchanged) = goal.filter(|goal| draft.is(goal)) {
                    return self.leave(service, expect, unchanged, &draft).await;
                }
                self.roll(Rolling {
                    service,
                    expect,
                    draft,
                    revisions,
                })
                .await
            }
        }
    }

    /// Makes the new revision the service's goal.
    async fn roll(&self, rolling: Rolling) -> Result<Deployed, Refusal> {
        let Rolling {
            mut service,
            expect,
            draft,
            revisions,
        } = rolling;
        let (namespace, name) = (&service.namespace, &service.name);
        let definition = draft.definition(next_revision(&revisions));
        let count = draft.count(Some(service.count));
        let aim = Aim {
            manifest: &draft.manifest,
            bundle: &draft.bundle,
            spec: &draft.deployment,
            count,
        };
        self.check_aim(&service, &aim).await?;
        let mut used = self.revisions_in_use(namespace, name).await?;
        let deployments: Vec<Deployment> = self.records(&keys::service_deployments(namespace, name)).await?;
        used.push(completed_before(&service, &deployments).map(|before| before.revision));
        self.begin_without_data(namespace, name, &revisions).await?;
        let transaction = put_definition(Transaction::new(), namespace, &definition, &revisions, &used);
        let before = service.clone();
        service.count = count;
        service.deployment = draft.deployment.clone();
        service.scaling = draft.scaling;
        let words = settings::changed(&before, &service, settings::DEPLOYED);
        let revision = definition.id.revision;
        let deployment = Deployment::new(&service, revision, draft.deployment, self.clock.now());
        self.begin(service, expect, deployment, (transaction, words))
            .await
            .map(Deployed::New)
    }

    /// Refuses a deployment that could never come to its end, or that others are in the way of.
    pub(super) async fn check_aim(&self, service: &Service, aim: &Aim<'_>) -> Result<(), Refusal> {
        self.check_size(&aim.manifest.task, aim.bundle)?;
        check_bounds(aim.spec, service, aim.count)?;
        self.check_edge(service, aim.manifest).await
    }

    /// Begins a deployment: from now on its revision is the service's goal, and one that is in progress is superseded. With
    /// it goes what else is written, and told.
    pub(super) async fn begin(
        &self,
        mut service: Service,
        expect: Expect,
        deployment: Deployment,
        (transaction, settings): (Transaction, Vec<Word>),
    ) -> Result<Deployment, Refusal> {
        let (namespace, name) = (service.namespace.clone(), service.name.clone());
        let (transaction, mut words) = self.supersede(transaction, &service, &deployment).await?;
        words.push(deployment.word(rollout::begins(&deployment)));
        words.extend(settings);
        service.goal = Some(deployment.revision);
        service.rollout = Some(deployment.id.clone());
        let service_key = keys::service(&namespace, &name);
        let transaction = transaction
            .expect(&service_key, expect)
            .put(&service_key, service.encode());
        self.commit_told(deployment.begin(transaction), words).await?;
        self.reconciler.reconcile((namespace, name)).await;
        Ok(deployment)
    }

    /// Ends the deployment in progress, if there is one, and forgets the oldest; and what is to be told of that.
    async fn supersede(
        &self,
        mut transaction: Transaction,
        service: &Service,
        by: &Deployment,
    ) -> Result<(Transaction, Vec<Word>), Refusal> {
        let mut words = Vec::new();
        let prefix = keys::service_deployments(&service.namespace, &service.name);
        let deployments: Vec<Deployment> = self.records(&prefix).await?;
        let mut surplus = (deployments.len() + 1).saturating_sub(DEPLOYMENTS_KEPT);
        // What brought a revision that runs is asked for when its content is deployed again: the newest that did.
        let current = [service.goal, service.stable].into_iter().flatten();
        let newest = current.filter_map(|revision| deployments.iter().rfind(|old| old.revision == revision));
        let kept: Vec<DeploymentId> = newest
            .chain(completed_before(service, &deployments))
            .map(|kept| kept.id.clone())
            .collect();
        for old in deployments {
            if surplus > 0 && !kept.contains(&old.id) {
                surplus -= 1;
                transaction = old.forget(transaction);
            } else if old.state == RolloutState::InProgress {
                let mut ended = old.clone();
                self.keep_figures(&mut ended);
                ended.end(
                    RolloutState::Superseded,
                    format!("superseded by deployment {}", by.id),
                );
                words.extend(rollout::changed(&old, &ended).map(|message| ended.word(message)));
                transaction = ended.write(transaction);
            }
        }
        Ok((transaction, words))
    }

    /// What the service runs stays as it is. What is the service's own, and no revision's, becomes as is said.
    async fn leave(
        &self,
        service: Service,
        expect: Expect,
        goal: &Definition,
        draft: &Draft,
    ) -> Result<Deployed, Refusal> {
        let (namespace, name) = (service.namespace.clone(), service.name.clone());
        let before = service.clone();
        let count = draft.count(Some(service.count));
        let service = Service {
            count,
            stable_count: match service.rollout {
                None => count,
                Some(_) => service.stable_count,
            },
            deployment: draft.deployment.clone(),
            scaling: draft.scaling.clone(),
            ..service
        };
        let changes = changes(&before, &service);
        if service != before {
            check_bounds(&draft.deployment, &service, count)?;
            let service_key = keys::service(&namespace, &name);
            let transaction = Transaction::new()
                .expect(&service_key, expect)
                .put(&service_key, service.encode());
            let words = settings::changed(&before, &service, settings::DEPLOYED);
            self.commit_told(transaction, words).await?;
            self.reconciler.reconcile((namespace.clone(), name.clone())).await;
        }
        let deployments: Vec<Deployment> = self
            .records(&keys::service_deployments(&namespace, &name))
            .await?;
        let latest = deployments
            .into_iter()
            .rfind(|deployment| deployment.revision == goal.id.revision);
        let unchanged = latest.map(|latest| Deployed::Unchanged(latest, changes));
        unchanged.ok_or_else(|| {
            let message = format!("the deployment that brought {} is not known any more", goal.id);
            Refusal::conflict("DeploymentNotFound", message).hint("change something and deploy again")
        })
    }

    async fn check_room(&self, namespace: &NamespaceName) -> Result<(), Refusal> {
        let services = self.store.count(&keys::services(namespace)).await?;
        if services < MAX_SERVICES {
            return Ok(());
        }
        let message =
            format!("the namespace `{namespace}` has {services} services, which is all it may have");
        Err(Refusal::conflict("LimitExceeded", message).hint("delete one that isn't needed"))
    }
}

fn changes(before: &Service, after: &Service) -> Vec<ServiceChange> {
    let (from, to) = (before.count, after.count);
    let count = (from != to).then_some(ServiceChange::Count { from, to });
    let scaling = (before.scaling != after.scaling).then_some(ServiceChange::Scaling);
    let deployment = (before.deployment != after.deployment).then_some(ServiceChange::Deployment);
    [count, scaling, deployment].into_iter().flatten().collect()
}

/// A service on its way to a new revision.
struct Rolling {
    service: Service,
    expect: Expect,
    draft: Draft,
    revisions: Vec<Definition>,
}

/// What a deployment is to bring a service to.
pub(super) struct Aim<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) bundle: &'a Bundle,
    /// How.
    pub(super) spec: &'a DeploymentSpec,
    /// To how many tasks.
    pub(super) count: u32,
}

/// Refuses bounds within which the service's tasks could never be replaced.
fn check_bounds(spec: &DeploymentSpec, service: &Service, count: u32) -> Result<(), Refusal> {
    let Strategy::Rolling(bounds) = spec.strategy else {
        return Ok(());
    };
    let replaces = service.stable.is_some() && service.stable_count == count;
    match bounds.deadlock(count).filter(|_| replaces) {
        None => Ok(()),
        Some(deadlock) => Err(Refusal::unprocessable(
            "DeploymentDeadlock",
            format!("no task could ever be replaced: {deadlock}"),
        )
        .field("deployment")
        .hint("lower minimum_healthy, or raise maximum")),
    }
}

/// What a service of this manifest does; none if it is a job's.
pub(super) fn kind_of(manifest: &Manifest, bundle: &Bundle) -> Option<ServiceKind> {
    match (&manifest.workload, bundle.world) {
        (Workload::Job(_), _) => None,
        (Workload::Service(_), World::Http) => Some(ServiceKind::Http),
        (Workload::Service(_), World::Command) => Some(ServiceKind::Worker),
    }
}

fn not_a_service(name: &ServiceName) -> Refusal {
    Refusal::unprocessable("NotAService", format!("`{name}` is a job"))
        .field("job")
        .hint(format!("PUT it to /v1/namespaces/NAME/jobs/{name}, or run it"))
}

pub(super) fn check_existing(service: &Service, kind: ServiceKind) -> Result<(), Refusal> {
    let name = &service.name;
    if service.status == ServiceStatus::Draining {
        let message = format!("the service `{name}` is being deleted");
        return Err(Refusal::conflict("ServiceDraining", message).hint("try again when it is gone"));
    }
    if service.kind != kind {
        let words = |kind| match kind {
            ServiceKind::Http => "answers requests",
            ServiceKind::Worker => "is a worker",
        };
        let message = format!(
            "the service `{name}` {}, what it is to run {}",
            words(service.kind),
            words(kind)
        );
        return Err(Refusal::conflict("ServiceKindChanged", message)
            .hint("delete the service first, or deploy this one under another name"));
    }
    Ok(())
}

fn new_service(namespace: &NamespaceName, draft: &Draft, kind: ServiceKind) -> Service {
    Service {
        namespace: namespace.clone(),
        name: draft.manifest.name.clone(),
        kind,
        status: ServiceStatus::Active,
        count: draft.count(None),
        stable_count: draft.count(None),
        choices: 0,
        goal: None,
        stable: None,
        rollout: None,
        deployment: draft.deployment.clone(),
        scaling: draft.scaling.clone(),
        created_at: Timestamp::now(),
    }
}
