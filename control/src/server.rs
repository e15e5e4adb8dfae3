//! The server: plain configuration → [`Server::build`] opens the data directory and binds → [`Server::run`]
//! serves until it is told to stop, and then ends in good order.

mod access_log;
mod connections;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use wharf_gateway::{
    BufferedAccessLog, Closed, Config, CookieKey, Gateway, ListenerName, ListenerSpec, Threads,
};
use wharf_runtime::{Capacity, CompilerCommand, HostFacts, Runtime, RuntimeConfig};

use self::access_log::RotatingFile;
use self::connections::BoundedListener;
use crate::api::{Api, SharedApi, router};
use crate::blobs::{BlobError, Blobs};
use crate::blueprint::Blueprints;
use crate::events::EventLog;
use crate::logs::{LogError, Logs};
use crate::orchestrator::{Orchestrator, ensure_default};
use crate::reconciler::control_loop::{self, LoopError, Parts};
use crate::secrets::{MasterKeySource, OpenSecretsError, Secrets};
use crate::store::{RedbStore, SharedStore, StoreError};
use crate::tasks::Registry;
use crate::tasks::host::{Host, HostParts};
use crate::tokens::{TokenError, Tokens};

/// How long requests may take to finish once the server is told to stop.
pub const GRACE: Duration = Duration::from_secs(30);

/// Requests' log, in the data directory.
pub const ACCESS_LOG_FILE: &str = "access.log";

/// Where compiled components are, in the data directory.
const CACHE: &str = "cache";

/// The listener that `--http` opens.
pub(crate) const HTTP_LISTENER: &str = "http";

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
    /// The API's address.
    #[error(
        "cannot listen on {address} for the API: choose another address with --api, or stop what holds it"
    )]
    BindApi {
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
    /// The gateway.
    #[error(transparent)]
    Gateway(#[from] wharf_gateway::ListenerError),
    /// The name of a listener.
    #[error(transparent)]
    ListenerName(#[from] wharf_gateway::NameError),
    /// What the store holds can't be taken over.
    #[error(transparent)]
    Recover(#[from] LoopError),
    /// The API stopped by itself.
    #[error("the API stopped serving")]
    Api(#[source] io::Error),
}

/// A server that listens and starts what its store says.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    api_addr: SocketAddr,
    http_addr: SocketAddr,
    api: SharedApi,
    gateway: Arc<Gateway>,
}

impl Server {
    /// Opens the data directory, binds both addresses, and begins to start the services of the store.
    ///
    /// # Errors
    /// [`ServeError`] says what is in the way; nothing is left running.
    pub async fn build(config: ServeConfig) -> Result<Self, ServeError> {
        check_reach(&config)?;
        let opened = Opened::open(&config).await?;
        let listener = bind(config.api).await?;
        let address = listener.local_addr();
        let api_addr = address.map_err(|source| ServeError::BindApi {
            address: config.api,
            source,
        })?;
        let gateway = Arc::new(gateway(&config, opened.secrets.cookie_key())?);
        let http_addr = http_addr(&gateway, &config)?;
        let executor = Arc::new(host(&config, &opened, &gateway)?);
        let Opened {
            store,
            tokens,
            secrets,
            blobs,
            logs,
        } = opened;
        let parts = Parts {
            blueprints: Blueprints::new(store.clone()),
            executor,
            registry: Arc::new(Registry::default()),
            events: EventLog::start(store.clone()),
            store,
        };
        let reconciler = control_loop::start(parts.clone()).await?;
        let Parts {
            store,
            blueprints,
            executor,
            registry,
            events,
        } = parts;
        let orchestrator = Orchestrator {
            store,
            blueprints,
            executor,
            registry,
            reconciler,
            events,
            secrets,
            tokens,
            blobs,
            logs,
            http_port: http_addr.port(),
            writes: Mutex::default(),
        };
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
    /// If the API's socket fails.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self {
            listener,
            api,
            gateway,
            ..
        } = self;
        let closing = api.closing.clone();
        let serving = axum::serve(BoundedListener::new(listener), router(api.clone()))
            .with_graceful_shutdown(closing.clone().cancelled_owned());
        let mut serving = tokio::spawn(serving.into_future());
        let failed = tokio::select! {
            () = shutdown => None,
            ended = &mut serving => Some(ended.map_err(io::Error::other).flatten()),
        };
        closing.cancel();
        let (closed, _) = tokio::join!(gateway.shutdown(GRACE), async {
            if failed.is_none() && tokio::time::timeout(GRACE, &mut serving).await.is_err() {
                serving.abort();
            }
        });
        if let Closed::Cut { connections } = closed {
            tracing::warn!(
                connections,
                "requests were still under way when their time was up"
            );
        }
        let orchestrator = &api.orchestrator;
        orchestrator.reconciler.shut_down().await;
        orchestrator.events.flush().await;
        orchestrator.logs.flush().await?;
        failed.unwrap_or(Ok(())).map_err(ServeError::Api)
    }
}

/// What is in the data directory.
struct Opened {
    store: SharedStore,
    tokens: Tokens,
    secrets: Arc<Secrets>,
    blobs: Blobs,
    logs: Logs,
}

impl Opened {
    async fn open(config: &ServeConfig) -> Result<Self, ServeError> {
        let data = config.data.clone();
        // The lock comes first: a second server shall hear of the first, not of a port.
        let store = tokio::task::spawn_blocking(move || RedbStore::open(&data)).await;
        let store: SharedStore = Arc::new(store.map_err(|e| StoreError::Io(io::Error::other(e)))??);
        ensure_default(&store).await?;
        Ok(Self {
            tokens: Tokens::open(store.clone(), &config.data).await?,
            secrets: Arc::new(Secrets::open(store.clone(), &config.master_key).await?),
            blobs: Blobs::open(&config.data)?,
            logs: Logs::open(&config.data)?,
            store,
        })
    }
}

fn host(config: &ServeConfig, opened: &Opened, gateway: &Arc<Gateway>) -> Result<Host, ServeError> {
    let runtime = RuntimeConfig {
        cache_dir: config.data.join(CACHE),
        compiler: config.compiler.clone(),
        serve: config.serve.clone(),
    };
    Ok(Host::new(HostParts {
        runtime: Runtime::build(runtime)?,
        gateway: gateway.clone(),
        capacity: capacity(config),
        secrets: opened.secrets.clone(),
        logs: opened.logs.clone(),
        blobs: opened.blobs.clone(),
    }))
}

fn check_reach(config: &ServeConfig) -> Result<(), ServeError> {
    match config.reach {
        ApiReach::Loopback if !config.api.ip().is_loopback() => Err(ServeError::InsecureApi(config.api)),
        ApiReach::Loopback | ApiReach::Anywhere => Ok(()),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::BindApi { address, source })
}

/// Where requests are served, with the port the system chose if it was 0.
fn http_addr(gateway: &Gateway, config: &ServeConfig) -> Result<SocketAddr, ServeError> {
    let name = ListenerName::new(HTTP_LISTENER)?;
    Ok(gateway.local_addr(&name).unwrap_or(config.http))
}

fn gateway(config: &ServeConfig, cookie_key: CookieKey) -> Result<Gateway, ServeError> {
    let access_log = access_log(&config.data)?;
    let threads = Threads {
        control: Handle::current(),
        serve: config.serve.clone(),
    };
    let gateway = Config {
        listeners: vec![ListenerSpec::http(ListenerName::new(HTTP_LISTENER)?, config.http)],
        cookie_key,
    };
    Ok(Gateway::build(gateway, threads, Arc::new(access_log))?)
}

fn access_log(data: &Path) -> Result<BufferedAccessLog, ServeError> {
    let path = data.join(ACCESS_LOG_FILE);
    let started = RotatingFile::open(&path).and_then(BufferedAccessLog::start);
    started.map_err(|source| ServeError::AccessLog { path, source })
}

fn capacity(config: &ServeConfig) -> Capacity {
    let host = HostFacts::read();
    Capacity::new(
        host.cores,
        host.memory,
        config.cpu_overcommit,
        config.memory_overcommit,
    )
}

#[cfg(test)]
mod tests;
