//! The gateway as a whole: built on a listener, fed with rules, shut down in good order.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    access_log::AccessLog,
    config::Limits,
    group::Groups,
    listener::{self, Connections, Listener, Phase},
    routing::{Routing, RoutingError, snapshot::Snapshot},
};

/// How often targets are asked for their own condition. Failed requests ask at once; this finds what happens
/// without requests.
const CONDITION_INTERVAL: Duration = Duration::from_secs(1);

/// The runtimes a gateway works on.
#[derive(Clone, Debug)]
pub struct Threads {
    /// Accepts connections and keeps time. Never polls a target.
    pub control: Handle,
    /// Serves connections and polls targets.
    pub serve: Handle,
}

/// A gateway that listens. Dropping it cuts every connection; [`Gateway::shutdown`] lets requests finish.
pub struct Gateway {
    shared: Arc<Shared>,
    groups: Groups,
    local_addr: SocketAddr,
    accepting: Mutex<Option<JoinHandle<()>>>,
    watching: JoinHandle<()>,
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) access_log: Arc<dyn AccessLog>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) serve: Handle,
    /// The port clients connect to, as `X-Forwarded-Port` has it.
    pub(crate) port: http::HeaderValue,
}

/// Why a gateway could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A bound of nought would refuse everything.
    #[error("the limit `{0}` is 0, which would refuse every request: set it to at least 1")]
    ZeroLimit(&'static str),
}

/// How a shutdown ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Every request had finished.
    Drained,
    /// The grace was over, with this many connections still busy.
    Cut {
        /// Connections that were torn down.
        connections: usize,
    },
}

impl Gateway {
    /// Begins to accept. Until [rules](Self::apply) come, every request is answered 404.
    ///
    /// # Errors
    /// When a limit is 0.
    pub fn build(
        listener: Listener,
        limits: Limits,
        threads: Threads,
        access_log: Arc<dyn AccessLog>,
    ) -> Result<Self, BuildError> {
        check(&limits)?;
        let Listener { socket, local_addr } = listener;
        let groups = Groups::new(threads.serve.clone());
        let shared = Arc::new(Shared {
            limits,
            snapshot: ArcSwap::default(),
            access_log,
            connections: Arc::new(Connections::new()),
            serve: threads.serve,
            port: http::HeaderValue::from(local_addr.port()),
        });
        let accepting = threads.control.spawn(listener::accept(socket, shared.clone()));
        let watching = threads.control.spawn(watch_conditions(groups.clone()));
        Ok(Self {
            shared,
            groups,
            local_addr,
            accepting: Mutex::new(Some(accepting)),
            watching,
        })
    }

    /// The address it listens on, with the port the system chose if it was 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Its target groups.
    #[must_use]
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Puts a complete rule set in force. Requests see the one before or this one, never a mixture; those in flight
    /// go on as they began.
    ///
    /// # Errors
    /// When the set is inconsistent. The one before stays in force.
    pub fn apply(&self, routing: Routing) -> Result<(), RoutingError> {
        self.groups
            .route(routing, |snapshot| self.shared.snapshot.store(Arc::new(snapshot)))
    }

    /// Stops accepting, lets requests finish for as long as `grace`, then closes what is left.
    pub async fn shutdown(&self, grace: Duration) -> Closed {
        let connections = &self.shared.connections;
        connections.proceed(Phase::Draining);
        let accepting = self
            .accepting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(accepting) = accepting {
            // It ends by itself, and with it the listening socket.
            let _ = accepting.await;
        }
        if tokio::time::timeout(grace, connections.none_left()).await.is_ok() {
            return Closed::Drained;
        }
        let busy = connections.count();
        connections.proceed(Phase::Cut);
        connections.none_left().await;
        Closed::Cut { connections: busy }
    }
}

fn check(limits: &Limits) -> Result<(), BuildError> {
    let zero = |name| Err(BuildError::ZeroLimit(name));
    match limits {
        Limits { connections: 0, .. } => zero("connections"),
        Limits { header_block: 0, .. } => zero("header_block"),
        Limits { header_lines: 0, .. } => zero("header_lines"),
        Limits { uri: 0, .. } => zero("uri"),
        Limits { http2_streams: 0, .. } => zero("http2_streams"),
        _ => Ok(()),
    }
}

async fn watch_conditions(groups: Groups) {
    let mut ticks = tokio::time::interval(CONDITION_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for group in groups.list() {
            group.settle_all();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.watching.abort();
        self.shared.connections.proceed(Phase::Cut);
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("local_addr", &self.local_addr)
            .field("connections", &self.shared.connections.count())
            .finish_non_exhaustive()
    }
}
