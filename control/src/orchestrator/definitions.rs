//! Task definitions: a manifest and a bundle become an immutable revision, once.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use wharf_runtime::Bytes;

use super::{Orchestrator, REVISIONS_KEPT};
use crate::manifest::{self, DeploymentSpec, Manifest, ManifestText, Workload};
use crate::model::stored::Record as _;
use crate::model::{Bundle, Definition, World, keys};
use crate::names::{Digest, Family, FamilyRevision, NamespaceName, Revision};
use crate::refusal::{Kind, Refusal};
use crate::scaling::{ScalingSpec, Signal};
use crate::store::{Expect, Transaction};

/// A manifest and a bundle that fit together, not a revision yet.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) manifest: Manifest,
    pub(super) bundle: Bundle,
    /// The count, if the manifest says one.
    count: Option<u32>,
    /// How it comes. It is the service's, not the definition's: another way is not another thing to run.
    pub(super) deployment: DeploymentSpec,
    /// How many tasks there are by load: the service's, too.
    pub(super) scaling: Option<ScalingSpec>,
    text: serde_json::Value,
    content: Digest,
}

impl Draft {
    pub(super) fn is(&self, definition: &Definition) -> bool {
        self.content == definition.content
    }

    /// How many tasks the service shall have, which has `before` now, if it is there.
    ///
    /// Where it scales, the manifest's count is what it begins with, and a deploy doesn't undo what scaling chose since
    /// (Application Auto Scaling: registering a target brings its capacity into range, and that is all).
    pub(super) fn count(&self, before: Option<u32>) -> u32 {
        match &self.scaling {
            // It was put to sleep, and stays asleep.
            Some(scaling) if scaling.may_sleep() && before == Some(0) => 0,
            Some(scaling) => scaling.clamp(before.or(self.count).unwrap_or(1)),
            None => self.count.or(before).unwrap_or(1),
        }
    }

    /// The draft as a revision.
    pub(super) fn definition(&self, revision: Revision) -> Definition {
        Definition {
            id: FamilyRevision {
                family: self.manifest.name.clone(),
                revision,
            },
            bundle: self.bundle.digest.clone(),
            world: self.bundle.world,
            content: self.content.clone(),
            manifest: self.text.clone(),
            registered_at: Timestamp::now(),
        }
    }
}

impl Orchestrator {
    /// Checks a manifest against its bundle.
    pub(super) async fn draft(
        &self,
        namespace: &NamespaceName,
        bundle: &Digest,
        manifest: serde_json::Value,
    ) -> Result<Draft, Refusal> {
        let checked = Manifest::from_json(manifest.clone())?;
        let Some(bundle) = self.record::<Bundle>(&keys::bundle(namespace, bundle)).await? else {
            let message = format!("there is no bundle {bundle} in namespace `{namespace}`");
            return Err(Refusal::unprocessable("BundleNotFound", message)
                .field("bundle")
                .hint(format!("POST /v1/namespaces/{namespace}/bundles registers one")));
        };
        check_bundle(&checked, &bundle)?;
        check_egress(namespace, &checked)?;
        // It was checked above, with the same types.
        let unreadable =
            |e: serde_json::Error| Refusal::new(Kind::Malformed, "InvalidManifest", e.to_string());
        let mut text: ManifestText = serde_json::from_value(manifest).map_err(unreadable)?;
        let count = text.service.as_mut().and_then(|service| service.count.take());
        let count = count.and_then(|count| u32::try_from(count).ok());
        text.task.build = None;
        text.deployment = None;
        text.scaling = None;
        let (deployment, scaling) = match &checked.workload {
            Workload::Service(service) => (service.deployment.clone(), service.scaling.clone()),
            Workload::Job(_) => (DeploymentSpec::default(), None),
        };
        let content = digest_of(&text, &bundle)?;
        let text = serde_json::to_value(&text).map_err(unreadable)?;
        Ok(Draft {
            manifest: checked,
            bundle,
            count,
            deployment,
            scaling,
            text,
            content,
        })
    }

    /// Refuses what the host or the component's own needs can't fit; a definition may be so, what is run may not.
    pub(super) fn check_size(&self, task: &manifest::Task, bundle: &Bundle) -> Result<(), Refusal> {
        check_memory(bundle, task.memory)?;
        self.executor
            .could_ever_fit(task.cpu, task.memory)
            .map_err(|lacks| too_large(&lacks))
    }

    /// A family's revisions, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn revisions(
        &self,
        namespace: &NamespaceName,
        family: &Family,
    ) -> Result<Vec<Definition>, Refusal> {
        self.records(&keys::family(namespace, family)).await
    }

    /// A namespace's definitions, by family, oldest revision first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn definitions(&self, namespace: &NamespaceName) -> Result<Vec<Definition>, Refusal> {
        self.records(&keys::definitions(namespace)).await
    }

    /// Which revision a family's text means: `family:revision`, or the newest of `family`.
    ///
    /// # Errors
    /// If it is not one, or there is none.
    pub async fn find_definition(
        &self,
        namespace: &NamespaceName,
        text: &str,
    ) -> Result<FamilyRevision, Refusal> {
        let bad = |e: crate::names::NameError| {
            Refusal::new(Kind::Malformed, "InvalidTaskDefinition", e.to_string()).field("taskDefinition")
        };
        let (family, asked) = match text.contains(':') {
            true => {
                let FamilyRevision { family, revision } = text.parse().map_err(bad)?;
                (family, Some(revision))
            }
            false => (text.parse::<Family>().map_err(bad)?, None),
        };
        let mut ids: Vec<FamilyRevision> = self
            .revisions(namespace, &family)
            .await?
            .into_iter()
            .map(|definition| definition.id)
            .collect();
        let newest = ids.pop();
        let absent = || {
            let message = format!("there is no task definition `{text}` in namespace `{namespace}`");
            Refusal::not_found("TaskDefinitionNotFound", message)
        };
        match (asked, newest) {
            (_, None) => Err(absent().hint("deploy it, or run it from its folder, first")),
            (Some(revision), Some(newest)) if newest.revision != revision => {
                let older = ids.into_iter().find(|id| id.revision == revision);
                older.ok_or_else(|| absent().hint(format!("the newest revision is `{newest}`")))
            }
            (_, Some(newest)) => Ok(newest),
        }
    }

    /// A family that is new has no data, whatever one of its name left when the server ended just as that was removed.
    pub(super) async fn begin_without_data(
        &self,
        namespace: &NamespaceName,
        family: &Family,
        revisions: &[Definition],
    ) -> Result<(), Refusal> {
        if revisions.is_empty() {
            self.data.remove(namespace, family).await?;
        }
        Ok(())
    }
}

/// Adds a definition, and removes the oldest of `existing` beyond the bound that are not in `used`.
pub(super) fn put_definition(
    transaction: Transaction,
    namespace: &NamespaceName,
    definition: &Definition,
    existing: &[Definition],
    used: &[Option<Revision>],
) -> Transaction {
    let key = keys::definition(namespace, &definition.id);
    let put = transaction
        .expect(&key, Expect::Absent)
        .put(&key, definition.encode());
    let surplus = (existing.len() + 1).saturating_sub(REVISIONS_KEPT);
    let unused = existing
        .iter()
        .filter(|old| !used.contains(&Some(old.id.revision)));
    unused.take(surplus).fold(put, |transaction, old| {
        transaction.delete(keys::definition(namespace, &old.id))
    })
}

pub(super) fn next_revision(existing: &[Definition]) -> Revision {
    existing
        .last()
        .map_or(Revision::FIRST, |definition| definition.id.revision.next())
}

fn too_large(lacks: &str) -> Refusal {
    Refusal::unprocessable(
        "TaskTooLarge",
        format!("the task can never run on this host: {lacks}"),
    )
    .field("task")
    .hint("ask for less cpu or memory")
}

/// A task with less than its component needs would fail at each start.
fn check_memory(bundle: &Bundle, memory: Bytes) -> Result<(), Refusal> {
    let least = bundle.least_memory;
    if memory >= least {
        return Ok(());
    }
    let enough = Bytes::mib(least.get().div_ceil(Bytes::mib(1).get()));
    let message = format!("this component needs at least {least} of memory, the task has {memory}");
    Err(Refusal::unprocessable("TaskTooSmall", message)
        .field("task.memory")
        .hint(format!("set task.memory to {enough} or more")))
}

/// Refuses what no task of the namespace could reach: what listens on the host itself is the operator's.
fn check_egress(namespace: &NamespaceName, manifest: &Manifest) -> Result<(), Refusal> {
    let mut rules = manifest.task.egress.iter();
    let Some(rule) = rules.find(|rule| !namespace.is_default() && rule.is_of_this_host()) else {
        return Ok(());
    };
    let message = format!("`{rule}` is on the server's own host, which only namespace `default` reaches");
    Err(Refusal::unprocessable("EgressUnusable", message)
        .field("task.egress")
        .hint("remove it, or name an address of another host"))
}

/// The manifest says what the bundle has, and makes of it what its world can be.
fn check_bundle(manifest: &Manifest, bundle: &Bundle) -> Result<(), Refusal> {
    let component = manifest.component_digest()?;
    if *component != bundle.component {
        let message = format!(
            "the manifest's component is {component}, the bundle's {}",
            bundle.component
        );
        return Err(Refusal::unprocessable("BundleMismatch", message).field("task.component"));
    }
    let mut said: Vec<&str> = manifest
        .task
        .files
        .iter()
        .map(|file| file.mount.as_str())
        .collect();
    let mut there: Vec<&str> = bundle.mounts.iter().map(|mount| mount.mount.as_str()).collect();
    said.sort_unstable();
    there.sort_unstable();
    if said != there {
        let message = format!("the manifest mounts {said:?}, the bundle has {there:?}");
        return Err(Refusal::unprocessable("BundleMismatch", message).field("task.files"));
    }
    let Workload::Service(service) = &manifest.workload else {
        return Ok(());
    };
    let answers = bundle.world == World::Http;
    let refuse = |field: &str, what: &str| {
        let message =
            format!("the component doesn't answer requests (it is a command), so it takes no {what}");
        Err(Refusal::unprocessable("WorldMismatch", message)
            .field(field)
            .hint("remove it"))
    };
    let of_requests = service.scaling.as_ref().and_then(of_requests);
    let said = [
        ("route", "[[route]]", !service.routes.is_empty()),
        (
            "target_group",
            "[[target_group]]",
            !service.target_groups.is_empty(),
        ),
        ("health", "[health]", !service.group.checks.is_empty()),
        (
            "deployment.strategy",
            "strategy that shares requests",
            service.deployment.strategy.shifts(),
        ),
    ];
    let said = said.into_iter().find(|(.., is_there)| *is_there);
    let said = said.map(|(field, what, _)| (field.to_owned(), what.to_owned()));
    match said.or(of_requests).filter(|_| !answers) {
        Some((field, what)) => refuse(&field, &what),
        None => Ok(()),
    }
}

/// The first of what `[scaling]` says that only means something where there are requests.
fn of_requests(scaling: &ScalingSpec) -> Option<(String, String)> {
    let signals = scaling.targets.iter().map(|target| target.signal);
    let target = signals.filter(|signal| signal.is_of_requests()).map(Signal::key);
    let key = target.chain(scaling.idle.map(|_| "idle")).next()?;
    Some((format!("scaling.{key}"), format!("`{key}` in [scaling]")))
}

/// What makes a revision differ from another. What is the service's doesn't, nor where files came from.
fn digest_of(text: &ManifestText, bundle: &Bundle) -> Result<Digest, Refusal> {
    let mut same = text.clone();
    for file in &mut same.task.files {
        file.source = None;
    }
    let failed = |e: serde_json::Error| Refusal::new(Kind::Internal, "Unserialisable", e.to_string());
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(&same).map_err(failed)?);
    hash.update(bundle.digest.as_str());
    Ok(Digest::from_sha256(hash.finalize().into()))
}
