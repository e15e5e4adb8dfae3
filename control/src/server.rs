//! The server: plain configuration → [`Server::build`] binds and opens the data directory → [`Server::run`]
//! serves until it is told to stop, and then ends in good order.

mod access_log;
mod api_connections;
mod edge;
mod opened;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wharf_gateway::{BufferedAccessLog, Closed, Config, CookieKey, Gateway, Socket, Threads};
use wharf_runtime::{Amount, Capacity, CompilerCommand, HostFiles, Runtime, RuntimeConfig};

use self::access_log::RotatingFile;
use self::opened::Opened;
use crate::api::{Api, SharedApi, router};
use crate::blobs::BlobError;
use crate::edge::{BeginError, Edge};
use crate::logs::LogError;
use crate::reconciler::control_loop::LoopError;
use crate::secrets::{MasterKeySource, OpenSecretsError};
use crate::store::{DataLock, StoreError};
use crate::tasks::host::{Host, HostParts};
use crate::tokens::TokenError;

/// How long requests have to finish once the server is told to stop; longer where a task was promised more.
pub const GRACE: Duration = Duration::from_secs(30);

/// Requests' log, in the data directory.
pub const ACCESS_LOG_FILE: &str = "access.log";

/// Where compiled components are, in the data directory.
const CACHE: &str = "cache";

/// Everything an operator may choose about a server.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// Where everything is kept. One server at a time.
    pub data: PathBuf,
    /// The API's address. Port 0 takes a free one.
    pub api: SocketAddr,
    /// Where the API may be.
    pub reach: ApiReach,
    /// The address requests are served on. Port 0 takes a free one.
    pub http: SocketAddr,
    /// Where the key is that seals secrets.
    pub master_key: MasterKeySource,
    /// How many times over the cores are promised to tasks.
    pub cpu_overcommit: f64,
    /// How many times over the memory is promised to tasks.
    pub memory_overcommit: f64,
    /// How this program is run as a compiler.
    pub compiler: CompilerCommand,
    /// The runtime that serves connections and polls guests. The server's own work is done on the runtime
    /// that it is built on.
    pub serve: Handle,
}

/// Where the API may be bound: it has no TLS of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiReach {
    /// To a loopback address.
    Loopback,
    /// To any address: tokens and secrets travel in the clear, and that is wanted.
    Anywhere,
}

/// Why a server doesn't start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Tokens and secrets would travel in the clear.
    #[error(
        "the API at {0} could be reached by other machines, and it has no TLS: bind it to 127.0.0.1, or allow it with --api-without-tls"
    )]
    InsecureApi(SocketAddr),
    /// An address that can't be had.
    #[error("cannot listen on {address} for {listener}")]
    Bind {
        /// What for.
        listener: ListenerKind,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secrets.
    #[error(transparent)]
    Secrets(#[from] OpenSecretsError),
    /// The tokens.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// The blobs.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The logs.
    #[error(transparent)]
    Logs(#[from] LogError),
    /// The access log.
    #[error("the access log {} can't be written", path.display())]
    AccessLog {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The runtime.
    #[error(transparent)]
    Runtime(#[from] wharf_runtime::BuildError),
    /// A thread.
    #[error("the system gives no thread to work out changes on")]
    Aside(#[source] io::Error),
    /// The gateway.
    #[error(transparent)]
    Gateway(#[from] wharf_gateway::ListenerError),
    /// The listeners.
    #[error(transparent)]
    Listen(#[from] BeginError),
    /// What the store holds can't be taken over.
    #[error(transparent)]
    Recover(#[from] LoopError),
}

impl ServeError {
    /// What to do about it, where the message doesn't say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Bind { listener, source, .. } => {
                let flag = listener.flag();
                Some(match source.kind() {
                    io::ErrorKind::AddrInUse => {
                        format!("stop what holds it, or choose another port with {flag}")
                    }
                    io::ErrorKind::PermissionDenied => {
                        format!("ports below 1024 need a privilege: choose another with {flag}")
                    }
                    _ => format!("choose an address of this machine with {flag}"),
                })
            }
            Self::Store(StoreError::Directory { .. }) => {
                Some("name a directory that this user may write to with --data or WHARF_DATA".to_owned())
            }
            _ => None,
        }
    }
}

/// What an address is listened on for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerKind {
    /// The API.
    Api,
    /// Requests to services.
    Http,
}

impl ListenerKind {
    /// The option that sets its address.
    fn flag(self) -> &'static str {
        match self {
            Self::Api => "--api",
            Self::Http => "--http",
        }
    }

    fn refused(self, address: SocketAddr) -> impl FnOnce(io::Error) -> ServeError {
        move |source| ServeError::Bind {
            listener: self,
            address,
            source,
        }
    }
}

impl fmt::Display for ListenerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "the API",
            Self::Http => "requests",
        })
    }
}

/// A server that listens and starts what its store says.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    api_addr: SocketAddr,
    http_addr: SocketAddr,
    api: SharedApi,
    gateway: Arc<Gateway>,
    watching: JoinHandle<()>,
}

impl Server {
    /// Binds both addresses, opens the data directory, and begins to start the services of the store.
    ///
    /// # Errors
    /// [`ServeError`] says what is in the way; nothing is left running.
    pub async fn build(config: ServeConfig) -> Result<Self, ServeError> {
        check_reach(&config)?;
        // A data directory in use comes before a port in use: a second server shall hear of the first. One that
        // isn't there yet is made when nothing is in the way any more.
        let held = DataLock::take_existing(&config.data)?;
        let (listener, api_addr) = bind_api(config.api).await?;
        let http = Socket::bind(config.http).map_err(ListenerKind::Http.refused(config.http))?;
        let opened = Opened::open(&config, held).await?;
        let gateway = Arc::new(gateway(&config, opened.secrets.cookie_key())?);
        let http_addr = http.local_addr();
        let edge = edge::prepare(opened.store(), &gateway, (http, config.http)).await?;
        let capacity = capacity(&config);
        let limit = capacity.limit();
        let executor = Arc::new(host(&config, &opened, (&gateway, &edge), capacity)?);
        let orchestrator = opened.orchestrator(executor, edge, http_addr.port()).await?;
        if let Err(error) = orchestrator.sweep().await {
            tracing::warn!(%error, "can't clear away what deleted services left");
        }
        // Not before its rules are in force: until then clients wait to be accepted, instead of being told that
        // there is no such host.
        edge::listen(&orchestrator.edge)?;
        let events = orchestrator.events.clone();
        let watching = tokio::spawn(edge::watch_listeners(orchestrator.edge.clone(), events));
        tell_start(&config.data, api_addr, http_addr, limit);
        let api = Arc::new(Api {
            orchestrator,
            closing: CancellationToken::new(),
        });
        Ok(Self {
            listener,
            api_addr,
            http_addr,
            api,
            gateway,
            watching,
        })
    }

    /// Where the API is, with the port the system chose if it was 0.
    pub fn api_addr(&self) -> SocketAddr {
        self.api_addr
    }

    /// Where requests are served, with the port the system chose if it was 0.
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Serves until `shutdown` resolves; then stops accepting, lets requests finish, stops the tasks and
    /// writes down what is to be written.
    ///
    /// # Errors
    /// If the last lines of the logs can't be written.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self {
            listener,
            api,
            gateway,
            watching,
            ..
        } = self;
        let closing = api.closing.clone();
        let serving = api_connections::serve(listener, router(api.clone()), closing.clone());
        let serving = tokio::spawn(serving);
        shutdown.await;
        closing.cancel();
        watching.abort();
        let abort = serving.abort_handle();
        let promised = api.orchestrator.registry.longest_stop_timeout();
        let grace = promised.map_or(GRACE, |promised| promised.max(GRACE));
        let (closed, _) = tokio::join!(gateway.shutdown(grace), async {
            if tokio::time::timeout(GRACE, serving).await.is_err() {
                abort.abort();
            }
        });
        if let Closed::Cut { connections } = closed {
            tracing::warn!(
                connections,
                "requests were still under way when their time was up"
            );
        }
        let orchestrator = &api.orchestrator;
        tracing::info!("stopping the tasks");
        orchestrator.reconciler.shut_down().await;
        tracing::info!("the tasks are stopped; writing what is to be written");
        orchestrator.events.flush().await;
        orchestrator.logs.flush().await?;
        tracing::info!("stopped");
        Ok(())
    }
}

fn host(
    config: &ServeConfig,
    opened: &Opened,
    (gateway, edge): (&Arc<Gateway>, &Arc<Edge>),
    capacity: Capacity,
) -> Result<Host, ServeError> {
    let runtime = RuntimeConfig {
        cache_dir: config.data.join(CACHE),
        compiler: config.compiler.clone(),
        serve: config.serve.clone(),
        host: HostFiles::default(),
    };
    Ok(Host::new(HostParts {
        runtime: Runtime::build(runtime)?,
        gateway: gateway.clone(),
        edge: edge.clone(),
        capacity,
        secrets: opened.secrets.clone(),
        logs: opened.logs.clone(),
        blobs: opened.blobs.clone(),
        data: opened.data.clone(),
    }))
}

fn tell_start(data: &Path, api: SocketAddr, http: SocketAddr, limit: Amount) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        %api,
        %http,
        data = %data.display(),
        cpu_units = limit.cpu,
        memory_bytes = limit.memory,
        "started"
    );
}

fn check_reach(config: &ServeConfig) -> Result<(), ServeError> {
    match config.reach {
        ApiReach::Loopback if !config.api.ip().is_loopback() => Err(ServeError::InsecureApi(config.api)),
        ApiReach::Loopback | ApiReach::Anywhere => Ok(()),
    }
}

async fn bind_api(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let local_addr = listener.local_addr()?;
        Ok((listener, local_addr))
    };
    bound.await.map_err(ListenerKind::Api.refused(address))
}

fn gateway(config: &ServeConfig, cookie_key: CookieKey) -> Result<Gateway, ServeError> {
    let access_log = access_log(&config.data)?;
    let threads = Threads {
        control: Handle::current(),
        serve: config.serve.clone(),
    };
    let gateway = Config {
        cookie_key,
        ..Config::default()
    };
    Ok(Gateway::build(gateway, threads, Arc::new(access_log))?)
}

fn access_log(data: &Path) -> Result<BufferedAccessLog, ServeError> {
    let path = data.join(ACCESS_LOG_FILE);
    let started = RotatingFile::open(&path).and_then(BufferedAccessLog::start);
    started.map_err(|source| ServeError::AccessLog { path, source })
}

fn capacity(config: &ServeConfig) -> Capacity {
    let host = HostFiles::default().facts();
    Capacity::new(
        host.cores,
        host.memory,
        config.cpu_overcommit,
        config.memory_overcommit,
    )
}

#[cfg(test)]
mod tests;
