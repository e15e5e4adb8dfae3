//! `wharf serve`: makes the two tokio runtimes, starts the server, says where it is, and stops it when told to.

mod options;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use wharf_control::secrets::MasterKeySource;
use wharf_control::server::{ApiReach, ServeConfig, Server};
use wharf_runtime::CompilerCommand;

use crate::args;
use crate::{logging, output, settings};
pub(super) use options::{DEFAULT_API, DEFAULT_HTTP, Options};

/// Threads for what is not serving: enough that one blocked write does not hold up the timers.
const CONTROL_THREADS: usize = 2;

/// How much lower than the serving threads the control threads rank (Unix `nice`), like those that run guests: a large
/// change of the configuration is worked out beside the requests, not instead of them.
const CONTROL_NICENESS: i32 = 5;

/// How many tasks are polled before the sockets are looked at again. Guests are polled there, each for up to a
/// slice; tokio's default of 61 of those would let connections wait.
const SERVE_EVENT_INTERVAL: u32 = 8;

/// Serve until SIGTERM or Ctrl-C.
pub(super) fn serve(args: args::Serve) -> Result<ExitCode> {
    let options = Options::resolve(args)?;
    logging::start(logging::DEFAULT_FILTER)?;
    within(options, serve_until_told).map(|()| ExitCode::SUCCESS)
}

/// Makes the threads that a server needs, and has `work` done on those of control.
pub(super) fn within<T, F: Future<Output = Result<T>>>(
    options: Options,
    work: impl FnOnce(ServeConfig) -> F,
) -> Result<T> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let serving = runtime("wharf-serve", cores, |serving| {
        serving.event_interval(SERVE_EVENT_INTERVAL);
    })?;
    let control = runtime("wharf-control", CONTROL_THREADS, |control| {
        control.on_thread_start(rank_below_serving);
    })?;
    let config = config(options, serving.handle().clone())?;
    let ended = control.block_on(work(config));
    // What is left are connections that were cut and tasks that were stopped: nobody waits for them.
    serving.shutdown_background();
    control.shutdown_background();
    ended
}

fn runtime(name: &str, threads: usize, tune: impl FnOnce(&mut Builder)) -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).thread_name(name).enable_all();
    tune(&mut builder);
    builder
        .build()
        .with_context(|| format!("cannot start the {name} threads"))
}

/// Of the thread that calls.
fn rank_below_serving() {
    // Refused, the threads compete as equals.
    let _ = rustix::process::nice(CONTROL_NICENESS);
}

fn config(options: Options, serve: Handle) -> Result<ServeConfig> {
    let program = std::env::current_exe().context("cannot find this program's own file, to compile with")?;
    Ok(ServeConfig {
        master_key: match options.master_key_file {
            Some(file) => MasterKeySource::File(file),
            None => MasterKeySource::DataDirectory(options.data.clone()),
        },
        data: options.data,
        api: options.api,
        reach: if options.api_without_tls {
            ApiReach::Anywhere
        } else {
            ApiReach::Loopback
        },
        http: options.http,
        cpu_overcommit: options.cpu_overcommit,
        memory_overcommit: options.memory_overcommit,
        compiler: CompilerCommand {
            program,
            args: vec!["__compile".into()],
        },
        serve,
    })
}

async fn serve_until_told(config: ServeConfig) -> Result<()> {
    // Before anything is opened, so that a signal finds it closed in good order whenever it comes.
    let signals = Signals::listen().context("cannot listen for signals")?;
    let data = config.data.clone();
    let server = Server::build(config).await?;
    output::say(format_args!(
        "API   http://{}\nHTTP  http://{}\nData  {}\nNext, in another terminal:  {}wharf deploy examples/hello",
        server.api_addr(),
        server.http_addr(),
        data.display(),
        elsewhere(server.api_addr(), &data),
    ))?;
    server.run(signals.told_to_stop()).await?;
    Ok(())
}

/// What a client in another terminal has to be told to find this server, where it isn't at the default place.
pub(super) fn elsewhere(api: SocketAddr, data: &Path) -> String {
    let mut words = String::new();
    if api != DEFAULT_API {
        // One that takes any address is on this machine, too.
        let ip = if api.ip().is_unspecified() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            api.ip()
        };
        let api = SocketAddr::new(ip, api.port());
        words.push_str(&format!("export WHARF_API=http://{api}; "));
    }
    if settings::default_data_directory().ok().as_deref() != Some(data) {
        let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
        let quoted = data.display().to_string().replace('\'', r"'\''");
        words.push_str(&format!("export WHARF_DATA='{quoted}'; "));
    }
    words
}

/// What tells a server to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn told_to_stop(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("stopping: requests may finish, then tasks are stopped");
    }
}
