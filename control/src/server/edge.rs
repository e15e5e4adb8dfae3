//! The edge of a server that starts: what was applied is put in force, and listeners that can't be had are tried again.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::runtime::Handle;
use wharf_gateway::{Gateway, Socket};

use super::ServeError;
use crate::edge::{Edge, LISTENER_RETRY, Objects};
use crate::events::EventLog;
use crate::names::NamespaceName;
use crate::store::SharedStore;

/// What was applied, in force; what can't be is said, and is there to be changed. Nothing listens yet.
pub(super) async fn prepare(
    store: &SharedStore,
    gateway: &Arc<Gateway>,
    http: (Socket, SocketAddr),
) -> Result<Arc<Edge>, ServeError> {
    let objects = Arc::new(Objects::load(store).await?);
    let edge = Arc::new(Edge::new(
        gateway.clone(),
        http,
        objects.clone(),
        Handle::current(),
    ));
    if let Err(error) = edge.take_over(objects) {
        tracing::error!(%error, "can't put the routes in force");
    }
    Ok(edge)
}

/// Begins to listen. A listener that can't be had doesn't keep the server from starting, but for that of `--http`.
pub(super) fn listen(edge: &Edge) -> Result<(), ServeError> {
    edge.begin_to_listen()?;
    for listener in edge.listeners() {
        if let Some(error) = listener.error {
            tracing::error!(listener = %listener.name, error, "can't listen; it is tried again");
        }
    }
    Ok(())
}

/// Tries listeners again that couldn't be opened, and says what came of it; for as long as the server runs.
pub(super) async fn watch_listeners(edge: Arc<Edge>, events: EventLog) {
    let mut ticks = tokio::time::interval(LISTENER_RETRY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let edge = edge.clone();
        let tried = tokio::task::spawn_blocking(move || edge.retry_listeners()).await;
        for (name, error) in tried.unwrap_or_default() {
            let message = match &error {
                Some(error) => format!("(listener {name}) cannot listen: {error}"),
                None => format!("(listener {name}) listens"),
            };
            tracing::info!(listener = %name, message, "a listener was tried again");
            if let Ok(as_source) = name.as_str().parse() {
                events.record(&NamespaceName::default_namespace(), &as_source, message);
            }
        }
    }
}
