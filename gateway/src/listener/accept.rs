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

use super::Listener;
use crate::{connection, gateway::Shared};

/// How long accepting rests when the process is out of files or memory: nothing is freed by asking again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until it is told to stop, and then those who wait already.
pub(super) async fn run(
    socket: TcpListener,
    mut stopped: watch::Receiver<()>,
    listener: Weak<Listener>,
    shared: Arc<Shared>,
) {
    let Some((mut count, mut changed)) = listener
        .upgrade()
        .map(|listener| (listener.connections.watch(), listener.changed.subscribe()))
    else {
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
    // Asked of the kernel itself: the reactor may not have told of them yet.
    let Ok(socket) = socket.into_std() else { return };
    while room(*count.borrow_and_update()) {
        match socket.accept() {
            Ok((stream, client)) => {
                let Some(listener) = listener.upgrade() else {
                    return;
                };
                let stream = stream.set_nonblocking(true).map(|()| stream);
                hand_over(stream, client, listener, &shared);
            }
            Err(error) if is_the_clients(&error) => {}
            Err(_) => return,
        }
    }
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
            Err(error) => tracing::warn!(%client, %error, "connection refused"),
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
