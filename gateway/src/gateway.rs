//! The gateway as a whole: built from its configuration, fed with rules, shut down in good order.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    access_log::AccessLog,
    config::{Config, ListenerSpec},
    group::Groups,
    listener::{Bound, ListenerError, ListenerStatus, Socket, set::Listeners},
    metrics::Scrape,
    names::ListenerName,
    routing::{Explanation, RequestSample, Routing, RoutingError, TooMuchWork, snapshot::Snapshot},
    sticky::Stickiness,
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
    listeners: Listeners,
    watching: JoinHandle<()>,
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) access_log: Arc<dyn AccessLog>,
    pub(crate) serve: Handle,
    pub(crate) stickiness: Stickiness,
}

/// How the closing of a listener, or of all, ended.
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
    /// Binds the listeners and begins to accept. Until [rules](Self::apply) come, every request is answered 404.
    ///
    /// # Errors
    /// When one of them cannot be opened; then none is.
    pub fn build(
        config: Config,
        threads: Threads,
        access_log: Arc<dyn AccessLog>,
    ) -> Result<Self, ListenerError> {
        let groups = Groups::new(threads.serve.clone());
        let shared = Arc::new(Shared {
            snapshot: ArcSwap::default(),
            access_log,
            serve: threads.serve.clone(),
            stickiness: Stickiness::new(&config.cookie_key),
        });
        let listeners = Listeners::new(threads.clone(), shared.clone());
        for spec in config.listeners {
            listeners.open(listeners.bind(spec)?)?;
        }
        let watching = threads.control.spawn(watch_conditions(groups.clone()));
        Ok(Self {
            shared,
            groups,
            listeners,
            watching,
        })
    }

    /// Opens one more listener and tells where it listens. The others do not notice.
    ///
    /// Reads its certificates, so it may block on the file system.
    ///
    /// # Errors
    /// When the name is taken, the address cannot be bound, a limit is 0, or a certificate cannot be used.
    pub fn open(&self, spec: ListenerSpec) -> Result<SocketAddr, ListenerError> {
        self.listeners.open(self.listeners.bind(spec)?)
    }

    /// Does what may fail when a listener is opened, so that [`Self::open_bound`] has only to begin: clients that connect
    /// meanwhile wait.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn bind(&self, spec: ListenerSpec) -> Result<Bound, ListenerError> {
        self.listeners.bind(spec)
    }

    /// Opens a listener that was [bound](Self::bind).
    ///
    /// # Errors
    /// When the name was taken since.
    pub fn open_bound(&self, bound: Bound) -> Result<SocketAddr, ListenerError> {
        self.listeners.open(bound)
    }

    /// Opens a listener on a socket that was bound before there was a gateway.
    ///
    /// # Errors
    /// As [`Self::open`], but for the address.
    pub fn open_on(&self, socket: Socket, spec: ListenerSpec) -> Result<SocketAddr, ListenerError> {
        self.listeners.open(Bound::on(socket, spec)?)
    }

    /// Changes an open listener and tells where it listens now. Connections that come from now on are treated by the
    /// new specification; those that are open go on by theirs, even if the address is another now.
    ///
    /// # Errors
    /// As [`Self::open`], or when there is no such listener. It goes on as it was.
    pub fn reconfigure(&self, spec: &ListenerSpec) -> Result<SocketAddr, ListenerError> {
        self.reconfigure_all(std::slice::from_ref(spec))?;
        Ok(self.local_addr(&spec.name).unwrap_or(spec.address))
    }

    /// Changes several open listeners at once, all or none. One may go where another of them is that goes elsewhere:
    /// who waits there is let in by the one that comes.
    ///
    /// # Errors
    /// As [`Self::reconfigure`], of the first that can't be as it shall.
    pub fn reconfigure_all(&self, specs: &[ListenerSpec]) -> Result<(), ListenerError> {
        self.listeners.reconfigure(specs)
    }

    /// Closes one listener: nothing new is accepted, requests may finish for as long as `grace`, then what is left is
    /// cut.
    ///
    /// # Errors
    /// When there is no such listener.
    pub async fn close(&self, name: &ListenerName, grace: Duration) -> Result<Closed, ListenerError> {
        self.listeners.close(name, grace).await
    }

    /// Reads a listener's certificates again if their files have changed, without waiting until it looks itself; tells
    /// whether there are new ones in use.
    ///
    /// # Errors
    /// When there is no such listener, or the new files cannot be used: the certificates before stay in use.
    pub fn refresh_certificates(&self, name: &ListenerName) -> Result<bool, ListenerError> {
        let listener = self
            .listeners
            .get(name)
            .ok_or_else(|| ListenerError::Unknown(name.clone()))?;
        listener
            .refresh_certificates()
            .map_err(|source| ListenerError::Tls {
                listener: name.clone(),
                source,
            })
    }

    /// The address a listener listens on, with the port the system chose if it was 0. None when there is no such
    /// listener.
    #[must_use]
    pub fn local_addr(&self, name: &ListenerName) -> Option<SocketAddr> {
        self.listeners.get(name)?.local_addr()
    }

    /// All open listeners, by name.
    #[must_use]
    pub fn listeners(&self) -> Vec<ListenerStatus> {
        self.listeners.statuses()
    }

    /// Its target groups.
    #[must_use]
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Puts the rules of all listeners in force. Requests see those before or these, never a mixture; those in flight
    /// go on as they began.
    ///
    /// # Errors
    /// When the rules cannot be in force together, naming listener, rule and field. Those before stay in force.
    pub fn apply(&self, routing: Routing) -> Result<(), RoutingError> {
        self.groups.route(routing, |snapshot| {
            snapshot.count_on_from(&self.shared.snapshot.load());
            self.shared.snapshot.store(Arc::new(snapshot));
        })
    }

    /// What was counted since the gateway was built, as Prometheus reads it: per listener, rule, target group and target.
    #[must_use]
    pub fn metrics(&self) -> String {
        let scrape = Scrape {
            listeners: self.listeners.list(),
            snapshot: self.shared.snapshot.load_full(),
            groups: self.groups.list(),
        };
        scrape.text()
    }

    /// What would become of a request, and why, by the rules in force. None when its listener has no rules.
    ///
    /// # Errors
    /// When comparing it with all rules takes more than it may.
    pub fn explain(&self, sample: &RequestSample) -> Result<Option<Explanation>, TooMuchWork> {
        self.shared.snapshot.load().explain(sample)
    }

    /// Closes every listener, and lets requests finish for as long as `grace`.
    pub async fn shutdown(&self, grace: Duration) -> Closed {
        self.listeners.close_all(grace).await
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
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("listeners", &self.listeners.statuses())
            .finish_non_exhaustive()
    }
}
