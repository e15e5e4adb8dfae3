//! What can be typed. Parsing it touches nothing: no file, no socket, no terminal.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use wharf_control::manifest::{self, EnvOverride, MAX_COUNT, MAX_MEMORY, MIN_MEMORY, SecretOverride};
use wharf_control::names::DEFAULT_NAMESPACE;
use wharf_runtime::{Bytes, CpuUnits, SizeError};

use crate::api::ApiError;
use crate::exit::RefusedTyped;

mod jobs;
mod objects;
mod project;
mod rollouts;
mod routing;

pub(crate) use jobs::*;
pub(crate) use objects::*;
pub(crate) use project::*;
pub(crate) use rollouts::*;
pub(crate) use routing::*;

/// Run WebAssembly components as services and jobs: limited, routed, fed with secrets.
#[derive(Debug, Parser)]
#[command(
    name = "wharf",
    version,
    propagate_version = true,
    disable_help_subcommand = true
)]
#[command(after_help = "\
First steps:
  wharf new api                     a function of your own, in ./api
  wharf dev api                     builds it, serves it, follows every change

In a clone of Wharf whose examples `cargo xtask guests` has built:
  wharf serve                       the server, in a terminal of its own
  wharf deploy examples/hello       a service: prints its URL
  wharf run examples/report         a job: prints what it prints
  wharf ps                          what runs, and what it uses
  wharf COMMAND --help              more about each, with examples

Exit codes: 0 ok, 1 failed, 2 usage, 64 bad config; `run` ends with its job's own.")]
pub(crate) struct Wharf {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begin a project: a function or a job that builds and has tests
    New(New),
    /// Build what a manifest says, and look at what came of it
    Build(Build),
    /// Serve a project while it is worked on: every change is built and takes over, and every request is shown
    Dev(Dev),
    /// Make a bundle of a project: one file, the same for the same inputs, that deploys anywhere
    Package(Package),
    /// Start the server
    Serve(Serve),
    /// Make a service run what a manifest says, and wait until it does; or have a job run by its schedule
    Deploy(Deploy),
    /// Run a job once, stream its output, end with its exit code
    ///
    /// While the job waits for room or for a secret, its state and what it waits for are printed on standard error.
    /// Ctrl-C, SIGTERM and a terminal that hangs up cancel the run, waiting or running; its end is awaited, and a second
    /// signal leaves without that. Where this program is killed, its run goes on: `wharf jobs` shows it, `wharf cancel`
    /// ends it.
    ///
    /// A run with several tasks ([job] `count`) writes all their output, and fails with the first that fails for good,
    /// after its `retries`; the exit code is that task's. A run that was cancelled is no success, however its tasks ended.
    ///
    /// What is typed over the definition (--env, --secret, --cpu, --memory, arguments) is this run's only.
    Run(Run),
    /// List jobs: when they are due, and how they went
    Jobs(Jobs),
    /// End a run of a job before it is done
    Cancel(Cancel),
    /// List tasks, with state, health, CPU and memory
    Ps(Ps),
    /// List services
    Services(Services),
    /// Show all there is to say about a service, job, run, task, deployment, task definition, route, listener or target group
    Describe(Describe),
    /// Show what a service or job wrote
    Logs(Logs),
    /// Show what happened to services and jobs, and why
    Events(Events),
    /// Show what the host has, what of it is reserved and used, by whom, and what waits
    Capacity(Capacity),
    /// Change how many tasks a service has
    Scale(Scale),
    /// Bring a service back to the revision it ran before, or to an earlier one, and wait until it is there
    Rollback(Rollback),
    /// Give up a service's deployment in progress: it goes back to what ran before
    Abort(Abort),
    /// Hold a service's deployment where it is, or suspend a job's schedule
    Pause(Pause),
    /// Let a service's deployment or a job's schedule go on that was paused
    Continue(Pause),
    /// Stop a task; a service's task is replaced
    Stop(Stop),
    /// Delete a service or a job, with its history and its data
    Delete(Delete),
    /// Set, list and delete secrets
    Secret(Secret),
    /// Make listeners, target groups and routes what a file says
    Apply(Apply),
    /// List, test, reorder and delete routes
    Route(Route),
    /// List and delete listeners
    Listener(Listener),
    /// List and delete target groups with targets outside
    TargetGroup(TargetGroup),
    /// Create, list and delete namespaces
    Namespace(Namespace),
    /// Create, list and revoke the tokens of a namespace
    Token(Token),
    /// Print what makes a shell complete `wharf`'s commands and options
    Completions(Completions),
    /// The compiler process that the server starts for itself
    #[command(name = "__compile", hide = true)]
    Compile(Compile),
}

/// The runtime's own words, which it reads by itself.
#[derive(Debug, Args)]
pub(crate) struct Compile {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _words: Vec<std::ffi::OsString>,
}

/// The namespace, of every command that works in one.
#[derive(Debug, Args)]
#[command(next_help_heading = CLIENT)]
pub(crate) struct Scope {
    /// The namespace to work in
    #[arg(
        long,
        short,
        global = true,
        env = "WHARF_NAMESPACE",
        hide_env_values = true,
        default_value = DEFAULT_NAMESPACE,
        value_name = "NAME"
    )]
    pub(crate) namespace: String,
}

/// Options of every command that talks to a server. The token is none of them: arguments can be read by every
/// user of the machine.
#[derive(Debug, Args)]
#[command(next_help_heading = CLIENT)]
pub(crate) struct Client {
    /// How answers are printed: `table` for people, `json` for programs, one value a line where they come over time
    #[arg(
        long,
        short,
        global = true,
        value_enum,
        default_value_t = Output::Table,
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    pub(crate) output: Output,
    /// Where the server's API is
    #[arg(
        long,
        global = true,
        env = "WHARF_API",
        hide_env_values = true,
        default_value = "http://127.0.0.1:7070",
        value_name = "URL"
    )]
    pub(crate) api: String,
    /// The data directory of a server on this machine: the token is read there, unless WHARF_TOKEN has one
    /// [default: ~/.local/share/wharf]
    #[arg(
        long,
        global = true,
        env = "WHARF_DATA",
        hide_env_values = true,
        value_name = "DIR"
    )]
    pub(crate) data: Option<PathBuf>,
}

/// What those options stand below in a command's help.
const CLIENT: &str = "Options of every command";

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf serve
  wharf serve --data ./data --http 0.0.0.0:80
  wharf serve --config wharf-server.toml

Stop it with Ctrl-C or SIGTERM: requests may finish, then tasks are stopped. Its services run again at the \
next start.

Logging to standard error is set by WHARF_LOG: a level or a filter (`warn`, `info,wharf_gateway=debug`), and \
`json` or `text` for the form (`json,info`); without a form it is text on a terminal and JSON lines elsewhere.")]
pub(crate) struct Serve {
    /// A TOML file with any of the options below (`http = "0.0.0.0:80"`); what is typed wins
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: ServeOptions,
}

/// What can be said in `--config` as well.
#[derive(Debug, Default, Args, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct ServeOptions {
    /// Where everything is kept [default: ~/.local/share/wharf]
    #[arg(long, env = "WHARF_DATA", hide_env_values = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The address of the API; port 0 takes a free one [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) api: Option<SocketAddr>,
    /// The address requests are served on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) http: Option<SocketAddr>,
    /// Allow an API address that other machines can reach, although tokens and secrets then travel in the clear
    #[arg(long)]
    pub(crate) api_without_tls: bool,
    /// The file of the key that seals secrets [default: made at the first start, in the data directory]
    #[arg(
        long,
        env = "WHARF_MASTER_KEY_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) master_key_file: Option<PathBuf>,
    /// How many times over the cores may be promised to tasks; 1 promises each once [default: 16]
    #[arg(long, value_name = "N")]
    pub(crate) cpu_overcommit: Option<f64>,
    /// How many times over the memory may be promised to tasks; 1 promises it once [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) memory_overcommit: Option<f64>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf deploy examples/hello
  wharf deploy --count 3 --env GREETING=hi
  wharf deploy target/wasm32-wasip2/release/my_app.wasm     its service is called my-app")]
pub(crate) struct Deploy {
    /// A directory with a wharf.toml, a manifest, a component (.wasm), or a bundle (of `wharf package`)
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Look on for so long; a deployment that has not ended by then goes on without us, and we exit with 1
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) overrides: Overrides,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

/// What is different from the manifest.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Overrides {
    /// Set an environment variable; may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<EnvOverride>,
    /// Set an environment variable from a secret; may be given more than once
    #[arg(long, value_name = "NAME=SECRET[:KEY][@VERSION]")]
    pub(crate) secret: Vec<SecretOverride>,
    /// CPU units; 1024 are one vCPU
    #[arg(long, value_name = "UNITS", value_parser = cpu_units)]
    pub(crate) cpu: Option<CpuUnits>,
    /// The memory envelope, as `64MiB`
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub(crate) memory: Option<Bytes>,
    /// How many tasks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_COUNT)))]
    pub(crate) count: Option<u32>,
}

impl Overrides {
    /// As what was typed, if that is what the server refuses; else as it was.
    pub(crate) fn blamed(&self, error: ApiError) -> Result<RefusedTyped, ApiError> {
        let is_typed = match error.field() {
            Some("task.memory") => self.memory.is_some(),
            Some("task.cpu") => self.cpu.is_some(),
            Some("task") => self.memory.is_some() || self.cpu.is_some(),
            Some("count" | "service.count" | "job.count") => self.count.is_some(),
            _ => false,
        };
        match is_typed {
            true => Ok(RefusedTyped(error)),
            false => Err(error),
        }
    }

    /// As they are laid over a manifest.
    pub(crate) fn typed(&self) -> manifest::Overrides {
        manifest::Overrides {
            env: self.env.clone(),
            secrets: self.secret.clone(),
            cpu: self.cpu,
            memory: self.memory,
            count: self.count,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf run examples/report
  wharf run report -- --region north        as it was sent before, with other arguments
  wharf run report:2 --memory 256MiB        an older revision")]
pub(crate) struct Run {
    /// A directory with a wharf.toml, a manifest, a component (.wasm), or a job that was run before (family or
    /// family:revision); a path that exists wins
    #[arg(default_value = ".", value_name = "PATH|FAMILY[:REV]")]
    pub(crate) job: String,
    /// Arguments for the job, instead of its definition's
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
    #[command(flatten)]
    pub(crate) overrides: Overrides,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

fn cpu_units(text: &str) -> Result<CpuUnits, String> {
    let units = text.parse().ok().and_then(CpuUnits::new);
    units.ok_or_else(|| format!("it has to be a whole number from 1 to {}", CpuUnits::MAX))
}

fn memory(text: &str) -> Result<Bytes, String> {
    let size: Bytes = text.parse().map_err(|error: SizeError| error.to_string())?;
    if (MIN_MEMORY..=MAX_MEMORY).contains(&size) {
        return Ok(size);
    }
    Err(format!("it goes from {MIN_MEMORY} to {MAX_MEMORY}"))
}

#[cfg(test)]
mod tests;
