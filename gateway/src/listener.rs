//! One address that is listened on: its socket, its settings, its connections.
//!
//! The accept loop runs on the control runtime, where no guest is ever polled, so busy guests cannot delay it; every
//! connection is moved to the serve runtime at once, and greeted there.

mod accept;
mod change;
pub(crate) mod connections;
pub(crate) mod set;
mod settings;

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
    task::JoinHandle,
};

use self::connections::{Connections, Phase};
pub(crate) use self::settings::Settings;
use crate::{
    config::ListenerSpec,
    gateway::{Closed, Shared, Threads},
    metrics::ListenerCounts,
    names::ListenerName,
    tls::TlsError,
};

/// Connections the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;

/// How often an HTTPS listener looks whether its certificates' files have changed.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(2);

/// Why a listener could not be opened or changed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// The address is taken, forbidden or not of this machine.
    #[error("listener `{listener}` cannot listen on {address}: choose another address or stop what holds it")]
    Bind {
        /// The listener.
        listener: ListenerName,
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Its new address is its old one and others, at the port that it has itself.
    #[error(
        "listener `{listener}` cannot move from {from} to {to}: the system lets nobody listen on both at once, not even \
         the same listener; choose another port, or delete the listener and open it anew"
    )]
    Overlap {
        /// The listener.
        listener: ListenerName,
        /// Where it listens, and goes on to.
        from: SocketAddr,
        /// The address asked for.
        to: SocketAddr,
    },
    /// A bound of nought would refuse everything.
    #[error(
        "listener `{listener}`: the limit `{limit}` is 0, which would refuse every request: set it to at least 1"
    )]
    ZeroLimit {
        /// The listener.
        listener: ListenerName,
        /// The bound.
        limit: &'static str,
    },
    /// Its certificates.
    #[error("listener `{listener}`: its certificates cannot be used")]
    Tls {
        /// The listener.
        listener: ListenerName,
        /// What is wrong.
        source: TlsError,
    },
    /// The name is taken.
    #[error("listener `{0}` is open already")]
    SameName(ListenerName),
    /// There is none of that name.
    #[error("there is no listener `{0}`")]
    Unknown(ListenerName),
}

/// What is known of an open listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerStatus {
    /// Its name.
    pub name: ListenerName,
    /// Where it listens, with the port the system chose if it was 0.
    pub address: SocketAddr,
    /// Connections that are open.
    pub connections: usize,
    /// Why its certificates could not be renewed, if their files have changed and cannot be used: those before stay.
    pub renewal_error: Option<String>,
}

/// An open listener. Dropping it stops accepting and cuts its connections.
pub(crate) struct Listener {
    pub(crate) name: ListenerName,
    pub(crate) connections: Arc<Connections>,
    pub(crate) counts: ListenerCounts,
    settings: ArcSwap<Settings>,
    /// Tells the accept loop that the settings have changed.
    changed: watch::Sender<()>,
    accepting: Mutex<Option<Accepting>>,
    watching: Mutex<Option<JoinHandle<()>>>,
}

/// A socket that is bound: connections queue until a listener is [opened on](crate::Gateway::open_on) it.
#[derive(Debug)]
pub struct Socket {
    /// The accept loop's, too, where it may be handed over to another listener.
    socket: Arc<TcpListener>,
    local: SocketAddr,
}

/// A listener that can be opened: its socket is bound, its certificates are read. Connections queue meanwhile.
pub struct Bound {
    socket: Socket,
    spec: ListenerSpec,
    settings: Settings,
}

/// A bound socket and the loop that accepts from it.
struct Accepting {
    asked: SocketAddr,
    local: SocketAddr,
    /// Goes before the loop is told to end, which closes it then.
    socket: Arc<TcpListener>,
    /// The loop ends when this is gone.
    stop: watch::Sender<()>,
    ended: JoinHandle<()>,
}

impl Listener {
    /// Begins to accept.
    pub(crate) fn open(bound: Bound, threads: &Threads, shared: &Arc<Shared>) -> Arc<Self> {
        let Bound {
            socket,
            spec,
            settings,
        } = bound;
        let listener = Arc::new(Self {
            name: spec.name,
            connections: Arc::new(Connections::new()),
            counts: ListenerCounts::default(),
            settings: ArcSwap::from_pointee(settings),
            changed: watch::Sender::new(()),
            accepting: Mutex::default(),
            watching: Mutex::default(),
        });
        listener.accept_from(socket, spec.address, threads, shared);
        let watching = threads
            .control
            .spawn(watch_certificates(Arc::downgrade(&listener)));
        *lock(&listener.watching) = Some(watching);
        listener
    }

    fn accept_from(
        self: &Arc<Self>,
        Socket { socket, local }: Socket,
        asked: SocketAddr,
        threads: &Threads,
        shared: &Arc<Shared>,
    ) {
        let (stop, stopped) = watch::channel(());
        let loops = accept::run(socket.clone(), stopped, Arc::downgrade(self), shared.clone());
        *lock(&self.accepting) = Some(Accepting {
            asked,
            local,
            socket,
            stop,
            ended: threads.control.spawn(loops),
        });
    }

    pub(crate) fn settings(&self) -> arc_swap::Guard<Arc<Settings>> {
        self.settings.load()
    }

    /// None once it is closing.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        lock(&self.accepting).as_ref().map(|accepting| accepting.local)
    }

    pub(crate) fn status(&self) -> Option<ListenerStatus> {
        Some(ListenerStatus {
            name: self.name.clone(),
            address: self.local_addr()?,
            connections: self.connections.count(),
            renewal_error: self
                .settings
                .load()
                .tls
                .as_ref()
                .and_then(|tls| tls.certificates().failure()),
        })
    }

    /// Reads the certificates again, if their files changed.
    pub(crate) fn refresh_certificates(&self) -> Result<bool, TlsError> {
        let settings = self.settings.load_full();
        match &settings.tls {
            Some(tls) => tls.certificates().refresh(),
            None => Ok(false),
        }
    }

    /// Stops accepting, lets requests finish for as long as `grace`, then closes what is left.
    pub(crate) async fn close(&self, grace: Duration) -> Closed {
        self.connections.proceed(Phase::Draining);
        let accepting = lock(&self.accepting).take();
        if let Some(Accepting {
            socket, stop, ended, ..
        }) = accepting
        {
            drop(socket);
            drop(stop);
            // It ends by itself, and with it the listening socket.
            let _ = ended.await;
        }
        if tokio::time::timeout(grace, self.connections.none_left())
            .await
            .is_ok()
        {
            return Closed::Drained;
        }
        let busy = self.connections.count();
        self.connections.proceed(Phase::Cut);
        self.connections.none_left().await;
        Closed::Cut { connections: busy }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.connections.proceed(Phase::Cut);
        if let Some(watching) = lock(&self.watching).take() {
            watching.abort();
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("name", &self.name)
            .field("local_addr", &self.local_addr())
            .field("connections", &self.connections.count())
            .finish_non_exhaustive()
    }
}

impl Bound {
    /// Binds where the specification says, and reads its certificates.
    pub(crate) fn bind(spec: ListenerSpec, threads: &Threads) -> Result<Self, ListenerError> {
        Self::on(bind(&spec, threads)?, spec)
    }

    /// The same on a socket that is bound already.
    pub(crate) fn on(socket: Socket, spec: ListenerSpec) -> Result<Self, ListenerError> {
        let settings = Settings::new(&spec, socket.local)?;
        Ok(Self {
            socket,
            spec,
            settings,
        })
    }

    pub(crate) fn name(&self) -> &ListenerName {
        &self.spec.name
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.socket.local
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("name", &self.spec.name)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// Binds where the specification says.
fn bind(spec: &ListenerSpec, threads: &Threads) -> Result<Socket, ListenerError> {
    let _on_control = threads.control.enter();
    Socket::bind(spec.address).map_err(|source| ListenerError::Bind {
        listener: spec.name.clone(),
        address: spec.address,
        source,
    })
}

impl Socket {
    /// Binds, so that connections queue from now on. Port 0 lets the system choose. Must be called on the runtime that
    /// will accept, [`Threads::control`].
    ///
    /// # Errors
    /// If the address is taken, forbidden or not of this machine.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        // Restarting must not wait for the connections of the process before to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?;
        let local = socket.local_addr()?;
        Ok(Self {
            socket: Arc::new(socket),
            local,
        })
    }

    /// Where it is, with the port the system chose if it was 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

async fn watch_certificates(listener: std::sync::Weak<Listener>) {
    let mut ticks = tokio::time::interval(CERTIFICATE_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(listener) = listener.upgrade() else {
            return;
        };
        if listener.settings().tls.is_none() {
            continue;
        }
        let name = listener.name.clone();
        // A file system may take its time.
        let refreshed = tokio::task::spawn_blocking(move || listener.refresh_certificates()).await;
        match refreshed {
            Ok(Ok(false)) | Err(_) => {}
            Ok(Ok(true)) => tracing::info!(listener = %name, "certificates reloaded"),
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(listener = %name, error, "new certificates cannot be used; the ones before stay in use");
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
