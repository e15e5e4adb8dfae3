//! The API's connections: bounded in number, and in how long a client may keep one waiting.
//!
//! HTTP/1.1 only: where HTTP/2 has to be told apart first, a client that says nothing at all may do so for ever.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutBody;
use tower_service::Service as _;

use crate::api::{Peer, Place};

/// API connections at once; one more waits in the kernel's queue. Those who follow logs hold one each, and so does a
/// change that goes on without its client.
const MAX_CONNECTIONS: usize = 1024;

/// Until a request's head is complete, from the end of the one before.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two pieces of a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long accepting rests when the process is out of files or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `closing`, then lets requests finish. Dropped, it cuts them off.
pub(super) async fn serve(listener: TcpListener, router: Router, closing: CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        tokio::select! {
            () = closing.cancelled() => break,
            Some(_) = open.join_next() => {}
            (Ok(place), accepted) = next => match accepted {
                Ok((stream, peer)) => {
                    let peer = Peer(peer.ip());
                    open.spawn(connection((stream, peer), Place::new(place), router.clone(), closing.clone()));
                }
                Err(error) => recover(&error).await,
            },
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn recover(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::warn!(%error, "cannot accept connections to the API; trying again");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

async fn connection(
    (stream, peer): (impl AsyncRead + AsyncWrite + Unpin, Peer),
    place: Place,
    router: Router,
    closing: CancellationToken,
) {
    let service = service_fn(move |request| answer(router.clone(), (peer, place.clone()), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an API connection failed");
    }
}

/// One request, with a body that has to keep coming. What is refused is worth a line, what succeeds is for debugging.
async fn answer(
    mut router: Router,
    (peer, place): (Peer, Place),
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(place);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let request = request.map(|body| Body::new(TimeoutBody::new(BODY_TIMEOUT, body)));
    let response = router.call(request).await?;
    let status = response.status().as_u16();
    if status >= 400 {
        tracing::info!(%method, path, status, "the API refused a request");
    } else {
        tracing::debug!(%method, path, status, "the API answered a request");
    }
    Ok(response)
}

#[cfg(test)]
mod tests;
