//! The manifest: what people write about a service or a job, and what it comes to.
//!
//! [`ManifestText`] is what was written, in `wharf.toml` or as the JSON of a deployment; [`Manifest`] is what
//! it means, validated and with the defaults filled in. The server checks what the CLI has checked before,
//! with the same code, and trusts nothing.
//!
//! Everything that is wrong is reported at once, with its place and what to do about it.

mod apply;
mod check;
mod deployment;
mod error;
mod file;
mod job;
mod mounts;
mod overrides;
mod package;
mod routing;
mod shape;
mod source;
mod stored;
mod text;
mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use wharf_gateway::GroupSpec;
use wharf_runtime::{Bytes, CpuUnits, EgressRule, Isolation};

pub use apply::{ApplyFile, objects_from_json};
pub use check::{MAX_COUNT, MAX_LISTENERS, MAX_MEMORY, MAX_ROUTES, MAX_TARGET_GROUPS, MIN_MEMORY};
pub use deployment::{Bounds, DEFAULT_DEADLINE, DeploymentSpec, OnFailure, Strategy, Tolerance};
pub use error::{FieldPath, Location, ManifestError, ManifestErrors};
pub use file::{MANIFEST_FILE, ManifestFile, OpenError, Written};
pub use job::{ConcurrencyPolicy, JobSpec, ScheduleSpec};
pub use mounts::{FileMount, MountPath, MountPathError};
pub use overrides::{EnvOverride, OverrideError, Overrides, SecretOverride};
pub use package::{
    MAX_BUNDLE_FILES, MAX_BUNDLE_SIZE, MAX_COMPONENT_SIZE, Package, PackageError, PackagedFile,
    PackagedMount, Unpackable,
};
pub use routing::{
    Connection, DefaultAction, Destination, Listener, Objects, OutsideTarget, Route, RouteAction, Share,
    Shares, TargetGroup, UnusableRoute,
};
pub(crate) use values::show_duration;

pub use text::{
    ApplyText, CheckText, DeploymentText, FileText, ForwardText, HealthText, JobText, ListenerText,
    ManifestText, RedirectText, RouteText, ScalingText, ServiceText, TargetGroupText, TaskText,
};

use crate::names::{Digest, EnvName, NamespaceName, ServiceName};
use crate::scaling::ScalingSpec;
use crate::secrets::SecretReference;

/// A validated manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The service and task-definition family, or the job.
    pub name: ServiceName,
    /// What one task is.
    pub task: Task,
    /// What is made of it.
    pub workload: Workload,
}

/// What one task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Where the component is.
    pub component: ComponentSource,
    /// The command that builds it, which an error names when the component is missing.
    pub build: Option<String>,
    /// CPU share.
    pub cpu: CpuUnits,
    /// Whether it may use CPU that nobody else wants.
    pub cpu_burst: bool,
    /// Memory envelope.
    pub memory: Bytes,
    /// Wall-clock limit of a request or the job.
    pub timeout: Duration,
    /// CPU-time limit of a request or the job.
    pub cpu_timeout: Duration,
    /// How long it may take to stop.
    pub stop_timeout: Duration,
    /// Whether requests share instances.
    pub isolation: Isolation,
    /// Requests at once.
    pub concurrency: u32,
    /// Requests that may wait for a place.
    pub queue: u32,
    /// Arguments.
    pub args: Vec<String>,
    /// Plain environment.
    pub env: BTreeMap<EnvName, String>,
    /// Secret environment. No name of it is in `env` too.
    pub secrets: BTreeMap<EnvName, SecretReference>,
    /// Where it may connect to.
    pub egress: Vec<EgressRule>,
    /// What it sees as files. No mount is within another.
    pub files: Vec<FileMount>,
}

/// Where a component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComponentSource {
    /// A file, relative to the manifest; only the CLI sees one.
    Path(PathBuf),
    /// Uploaded bytes.
    Blob(Digest),
}

/// What is made of a task definition.
#[derive(Debug, Clone, PartialEq)]
pub enum Workload {
    /// Tasks are kept running.
    Service(Box<ServiceSpec>),
    /// Tasks run to their end, when that is asked for or due.
    Job(Box<JobSpec>),
}

/// What a service is besides its tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSpec {
    /// How many tasks.
    pub count: u32,
    /// How a new revision comes.
    pub deployment: DeploymentSpec,
    /// How many tasks by load; none: always `count`.
    pub scaling: Option<ScalingSpec>,
    /// How requests are shared among its tasks, and how to tell that one works; without checks, alive is healthy.
    pub group: GroupSpec,
    /// Which requests come here; none: those to [`default_host`].
    pub routes: Vec<Route>,
    /// Routes that were written once and make no sense to this version: they are in no manifest that is new.
    pub unusable_routes: Vec<UnusableRoute>,
    /// Targets outside that its routes forward to.
    pub target_groups: Vec<TargetGroup>,
}

impl Manifest {
    /// Reads and checks a `wharf.toml`; `file` is what it is called in errors.
    ///
    /// # Errors
    /// Everything that is wrong with it, with lines and columns.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, ManifestErrors> {
        ManifestFile::parse(file, text)?.check()
    }

    /// Checks a manifest that came as JSON.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_json(manifest: serde_json::Value) -> Result<Self, ManifestErrors> {
        let (text, errors) = file::shape_and_read(manifest, shape::MANIFEST);
        check::check(&text, errors).map_err(ManifestErrors::new)
    }

    /// Reads a manifest that was checked when it was stored. Routes that make no sense to this version (a regular
    /// expression that doesn't compile any more) are left out, so that everything else is served.
    ///
    /// # Errors
    /// Everything that is wrong with it, if that is not about routes alone.
    pub fn from_stored(manifest: serde_json::Value) -> Result<Self, ManifestErrors> {
        Self::from_json(manifest.clone()).or_else(|errors| stored::without_unusable_routes(manifest, errors))
    }

    /// Checks a manifest.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_text(text: &ManifestText) -> Result<Self, ManifestErrors> {
        check::check(text, Vec::new()).map_err(ManifestErrors::new)
    }

    /// What makes it a job, if it is one.
    pub fn job(&self) -> Option<&JobSpec> {
        match &self.workload {
            Workload::Service(_) => None,
            Workload::Job(job) => Some(job),
        }
    }

    /// The component's digest, of a manifest that was packaged.
    ///
    /// # Errors
    /// If it still names a file, as one does that didn't come through the CLI.
    pub fn component_digest(&self) -> Result<&Digest, ManifestErrors> {
        match &self.task.component {
            ComponentSource::Blob(digest) => Ok(digest),
            ComponentSource::Path(path) => {
                let field = FieldPath::root().key("task").key("component");
                let message = format!("`{}` is a file, the server needs a digest", path.display());
                let hint = "upload the component and name it by its `sha256:…`; `wharf deploy` does both";
                Err(ManifestErrors::one(ManifestError::new(field, message).hint(hint)))
            }
        }
    }
}

/// The host a service without routes answers to: `<name>.localhost`, outside the namespace `default`
/// `<name>.<namespace>.localhost`.
pub fn default_host(name: &ServiceName, namespace: &NamespaceName) -> String {
    match namespace.is_default() {
        true => format!("{name}.localhost"),
        false => format!("{name}.{namespace}.localhost"),
    }
}

#[cfg(test)]
mod tests;
