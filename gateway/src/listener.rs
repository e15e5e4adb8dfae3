//! Accepts connections and keeps account of them until the last is closed.
//!
//! The loop runs on the control runtime, where no guest is ever polled, so busy guests cannot delay it; every connection
//! is moved to the serve runtime at once.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
};

use crate::{
    connection::{self, pace::Pace},
    gateway::Shared,
};

/// Connections the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;

/// How long accepting rests when the process is out of files or memory: nothing is freed by asking again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A socket that listens: connections queue until a [`Gateway`](crate::Gateway) accepts them.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) local_addr: SocketAddr,
}

impl Listener {
    /// Binds, so that connections queue from now on. Port 0 lets the system choose. Must be called on the runtime
    /// that will accept, [`Threads::control`](crate::Threads).
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
        let local_addr = socket.local_addr()?;
        Ok(Self { socket, local_addr })
    }
}

/// Accepts until the gateway closes.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(shared.limits.connections as usize));
    loop {
        let next = async {
            // A place first: without one, clients wait in the kernel's queue.
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        tokio::select! {
            biased;
            () = shared.connections.closing() => return,
            (Ok(place), accepted) = next => match accepted {
                Ok((stream, client)) => hand_over(stream, client, place, &shared),
                Err(error) => recover(&error).await,
            },
        }
    }
}

/// Moves a connection to the serve runtime, whose reactor has to know the socket instead of this one.
fn hand_over(stream: TcpStream, client: SocketAddr, place: OwnedSemaphorePermit, shared: &Arc<Shared>) {
    let stream = match stream.set_nodelay(true).and_then(|()| stream.into_std()) {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%client, %error, "connection lost at once"),
    };
    let opened = shared.connections.open();
    let shared = shared.clone();
    let serve = shared.serve.clone();
    serve.spawn(async move {
        let _place = place;
        match TcpStream::from_std(stream) {
            Ok(stream) => connection::serve(stream, client, shared, opened).await,
            Err(error) => tracing::warn!(%client, %error, "connection refused"),
        }
    });
}

async fn recover(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    // The client's business, and over.
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    ) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections; trying again");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// How far a gateway is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It isn't.
    Open,
    /// Nothing new is accepted; requests may finish.
    Draining,
    /// Everything ends now.
    Cut,
}

/// The open connections of a gateway.
#[derive(Debug)]
pub(crate) struct Connections {
    phase: AtomicU8,
    phases: Notify,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Pace>>>,
    count: watch::Sender<usize>,
}

impl Connections {
    pub(crate) fn new() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Open as u8),
            phases: Notify::new(),
            next: AtomicU64::new(0),
            open: Mutex::default(),
            count: watch::Sender::new(0),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Open,
            1 => Phase::Draining,
            _ => Phase::Cut,
        }
    }

    /// Goes on to a later phase and lets every connection know.
    pub(crate) fn proceed(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
        self.phases.notify_waiters();
        for pace in self.lock().values() {
            pace.driver.wake();
        }
    }

    /// Ends when the gateway begins to close.
    async fn closing(&self) {
        loop {
            let mut proceeded = std::pin::pin!(self.phases.notified());
            proceeded.as_mut().enable();
            if self.phase() != Phase::Open {
                return;
            }
            proceeded.await;
        }
    }

    /// Ends when no connection is left.
    pub(crate) async fn none_left(&self) {
        // The sender is in `self`: it cannot be gone.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    pub(crate) fn count(&self) -> usize {
        *self.count.borrow()
    }

    fn open(self: &Arc<Self>) -> Opened {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let pace = Arc::new(Pace::new());
        let mut open = self.lock();
        open.insert(number, pace.clone());
        self.count.send_replace(open.len());
        drop(open);
        Opened {
            connections: self.clone(),
            number,
            pace,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Pace>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection's entry: it is struck out when the connection has ended.
pub(crate) struct Opened {
    connections: Arc<Connections>,
    number: u64,
    pace: Arc<Pace>,
}

impl Opened {
    pub(crate) fn phase(&self) -> Phase {
        self.connections.phase()
    }

    pub(crate) fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        open.remove(&self.number);
        self.connections.count.send_replace(open.len());
    }
}
