//! What can be typed about things that are on a server already.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};

use wharf_control::manifest::MAX_COUNT;
use wharf_control::names::{NamespaceName, SecretName};

use super::{Client, Scope};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf ps
  wharf ps hello --all
  wharf ps -o json | jq '.tasks[].lastStatus'")]
pub(crate) struct Ps {
    /// Only the tasks of this service
    pub(crate) service: Option<String>,
    /// The stopped ones too
    #[arg(long, short)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Args)]
pub(crate) struct Services {
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf describe service hello
  wharf describe run report/17
  wharf describe task 3f9a
  wharf describe task-definition hello:2")]
pub(crate) struct Describe {
    /// What kind of thing
    pub(crate) kind: Kind,
    /// A service's or job's name, a run (report/17), a task's id (or its beginning), a deployment's id, a family or family:revision, a route's, a
    /// listener's or a target group's name
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

/// What can be described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A service: its deployments, tasks and events
    Service,
    /// A job: its schedule, runs and events
    Job,
    /// One run of a job: each attempt at its tasks
    Run,
    /// A task
    Task,
    /// One rollout of a service
    Deployment,
    /// What a service or job runs
    TaskDefinition,
    /// When requests match, and what happens to those that do
    Route,
    /// An address that is listened on
    Listener,
    /// Targets outside, each with its health
    TargetGroup,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf logs hello -f
  wharf logs report --since 1h --tail 100

Lines that begin with `wharf:` are the server's, `stderr:` marks the guest's standard error.")]
pub(crate) struct Logs {
    /// A service, or a job's family
    pub(crate) name: String,
    /// Go on with what is written from now on
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only what is newer: `5m`, `2h 30m`, or a time (`2026-01-31T12:00:00Z`)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Since>,
    /// Only the last lines
    #[arg(long, value_name = "N")]
    pub(crate) tail: Option<u32>,
    /// Only one task's, by its id or the beginning of it
    #[arg(long, value_name = "ID")]
    pub(crate) task: Option<String>,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf events
  wharf events hello --since 10m -f")]
pub(crate) struct Events {
    /// Only those of this service or job
    pub(crate) service: Option<String>,
    /// Go on with what happens from now on
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only what is newer: `5m`, `2h 30m`, or a time (`2026-01-31T12:00:00Z`)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Since>,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

/// A time, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// So long before now.
    Ago(SignedDuration),
    /// Then.
    Time(Timestamp),
}

impl std::str::FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(time) = text.parse() {
            return Ok(Self::Time(time));
        }
        match text.parse::<SignedDuration>() {
            Ok(duration) if !duration.is_negative() => Ok(Self::Ago(duration)),
            _ => {
                Err("it has to be a duration (`5m`) or an RFC 3339 time (`2026-01-31T12:00:00Z`)".to_owned())
            }
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf capacity
  wharf capacity --tasks
  wharf capacity -o json | jq '.pending[].reason'

CPU is in units of which 1024 are one vCPU. What may be promised is the host's times --cpu-overcommit and \
--memory-overcommit of `wharf serve`.")]
pub(crate) struct Capacity {
    /// Tell tasks apart, not only services and jobs
    #[arg(long)]
    pub(crate) tasks: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf scale hello 3

A service with [scaling] in its manifest goes on by load from there; a count outside its min and max is refused.")]
pub(crate) struct Scale {
    /// The service
    pub(crate) name: String,
    /// How many tasks there shall be; 0 stops all
    #[arg(value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_COUNT)))]
    pub(crate) count: u32,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf stop 3f9a --reason \"it looks stuck\"")]
pub(crate) struct Stop {
    /// The task's id, or the beginning of it
    pub(crate) task: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf delete hello

A service's tasks end what they are doing before they are stopped; its logs, events and data go with it.")]
pub(crate) struct Delete {
    /// The service, or the job; a job's schedule goes with it
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  printf s3cret | wharf secret set weather-key
  wharf secret set prod/tls --from-file key.pem
  wharf secret list")]
pub(crate) struct Secret {
    #[command(subcommand)]
    pub(crate) action: SecretAction,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretAction {
    /// Set a secret's next version; the value is read from standard input, less one newline at its end
    Set {
        /// The secret
        name: SecretName,
        /// Read the value from a file, byte for byte
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
    },
    /// List names and versions; values are never shown
    List,
    /// Delete a secret with all its versions
    Delete {
        /// The secret
        name: String,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf namespace create blue
  wharf deploy examples/hello --namespace blue
  wharf token create --namespace blue")]
pub(crate) struct Namespace {
    #[command(subcommand)]
    pub(crate) action: NamespaceAction,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NamespaceAction {
    /// Create a namespace
    Create {
        /// Lower-case letters, digits and `-`
        name: NamespaceName,
    },
    /// List the namespaces that the token may see
    List,
    /// Delete a namespace that nothing is left in
    Delete {
        /// The namespace
        name: String,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf token create --namespace blue --description \"CI of blue\"
  export WHARF_TOKEN=$(wharf token create --namespace blue)
  wharf token revoke ID
  wharf token create --metrics --description Prometheus")]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) action: TokenAction,
    /// Those that may read /metrics and nothing else, instead of the namespace's
    #[arg(long, global = true)]
    pub(crate) metrics: bool,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenAction {
    /// Create a token for the namespace or for metrics, and show it this once
    Create {
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
    },
    /// List the namespace's tokens, or those for metrics
    List,
    /// Revoke a token at once
    Revoke {
        /// The token's id
        id: String,
    },
}
