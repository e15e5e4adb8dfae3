//! The accept loop of one socket.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{BACKLOG, Listener};
use crate::{connection, gateway::Shared};

/// How long accepting rests when the process is out of files or memory: nothing is freed by asking again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often it rests for those who wait at the end: a closing listener is not to hold a shutdown up for long.
const LAST_PAUSES: u32 = 10;

/// Accepts until it is told to stop, and then those who wait already; where another listener has the socket by then, it
/// lets them in.
pub(super) async fn run(
    socket: Arc<TcpListener>,
    mut stopped: watch::Receiver<()>,
    listener: Weak<Listener>,
    shared: Arc<Shared>,
) {
    let Some((name, mut count, mut changed)) = listener.upgrade().map(|listener| {
        let (count, changed) = (listener.connections.watch(), listener.changed.subscribe());
        (listener.name.clone(), count, changed)
    }) else {
        return;
    };
    let room = |count: usize| {
        let limit = |listener: Arc<Listener>| listener.settings().limits.connections as usize;
        listener.upgrade().is_some_and(|listener| count < limit(listener))
    };
    loop {
        // A place first: without one, clients wait in the kernel's queue.
        let free = room(*count.borrow_and_update());
        tokio::select! {
            biased;
            // Nothing is ever sent: it fails when the sender is gone.
            _ = stopped.changed() => break,
            _ = count.changed(), if !free => {}
            _ = changed.changed(), if !free => {}
            accepted = socket.accept(), if free => admit(accepted, &listener, &shared).await,
        }
    }
    let Some(socket) = Arc::into_inner(socket) else {
        return;
    };
    // Asked of the kernel itself: the reactor may not have told of them yet.
    let socket = match socket.into_std() {
        Ok(socket) => socket,
        Err(error) => {
            return tracing::warn!(listener = %name, %error, "those who waited to be let in are lost");
        }
    };
    let admit = |(stream, client): (std::net::TcpStream, SocketAddr)| {
        let listener = listener.upgrade()?;
        if !room(*count.borrow_and_update()) {
            listener.counts.rejected.inc();
            return None;
        }
        let stream = stream.set_nonblocking(true).map(|()| stream);
        hand_over(stream, client, listener, &shared);
        Some(Admitted)
    };
    let Rest { turned_away, error } = last_call(|| socket.accept(), admit).await;
    if turned_away > 0 {
        tracing::warn!(listener = %name, turned_away, "all places were taken when it stopped listening there");
    }
    if let Some(error) = error {
        tracing::warn!(listener = %name, %error, "those who still waited to be let in are lost");
    }
}

struct Admitted;

/// What became of those who were not let in.
#[derive(Debug, Default)]
struct Rest {
    /// Who had no place.
    turned_away: u32,
    /// Why there may be others, whom nobody has looked at.
    error: Option<io::Error>,
}

/// Lets in who waits already; no more than can wait, or those who keep coming would be let in for ever.
async fn last_call<C>(
    mut accept: impl FnMut() -> io::Result<C>,
    mut admit: impl FnMut(C) -> Option<Admitted>,
) -> Rest {
    let mut rest = Rest::default();
    let (mut seen, mut pauses) = (0, 0);
    while seen < BACKLOG {
        match accept() {
            Ok(connection) => {
                seen += 1;
                rest.turned_away += u32::from(admit(connection).is_none());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if is_the_clients(&error) => seen += 1,
            Err(error) if pauses == LAST_PAUSES => {
                rest.error = Some(error);
                break;
            }
            Err(_) => {
                pauses += 1;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    rest
}

async fn admit(
    accepted: io::Result<(TcpStream, SocketAddr)>,
    listener: &Weak<Listener>,
    shared: &Arc<Shared>,
) {
    match accepted {
        Ok((stream, client)) => {
            if let Some(listener) = listener.upgrade() {
                hand_over(stream.into_std(), client, listener, shared);
            }
        }
        Err(error) => recover(&error).await,
    }
}

/// Moves a connection to the serve runtime, whose reactor has to know the socket instead of this one.
fn hand_over(
    stream: io::Result<std::net::TcpStream>,
    client: SocketAddr,
    listener: Arc<Listener>,
    shared: &Arc<Shared>,
) {
    let prompt = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
    let stream = match prompt {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%client, %error, "connection lost at once"),
    };
    listener.counts.connections.inc();
    let opened = listener.connections.open();
    let shared = shared.clone();
    let serve = shared.serve.clone();
    serve.spawn(async move {
        match TcpStream::from_std(stream) {
            Ok(stream) => connection::serve(stream, client, listener, shared, opened).await,
            Err(error) => {
                listener.counts.rejected.inc();
                tracing::warn!(%client, %error, "connection refused");
            }
        }
    });
}

/// Whether it is the client's business, and over.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

async fn recover(error: &io::Error) {
    if is_the_clients(error) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections; trying again");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

#[cfg(test)]
mod tests;
