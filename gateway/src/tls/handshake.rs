//! The handshake of one connection, bounded in time and in number.

use std::{io, sync::Arc, time::Duration};

use rustls::server::Acceptor;
use tokio::{net::TcpStream, task::yield_now};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use super::ServerTls;
use crate::config::Limits;

/// Why a client did not get through the handshake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the TLS handshake was not over within {} s", .0.as_secs_f64())]
    TooSlow(Duration),
    #[error("the TLS handshake failed")]
    Failed(#[source] io::Error),
}

/// What was agreed upon, for the access log.
#[derive(Clone, Debug)]
pub(crate) struct Encryption {
    pub(crate) version: &'static str,
    pub(crate) cipher: &'static str,
    /// The name the client asked for.
    pub(crate) server_name: Option<Arc<str>>,
}

/// Answers a client's hello.
pub(crate) async fn shake_hands(
    stream: TcpStream,
    tls: &ServerTls,
    limits: &Limits,
) -> Result<TlsStream<TcpStream>, HandshakeError> {
    let allowed = limits.tls_handshake_timeout;
    let handshake = async {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let answered = {
            // Nobody closes the semaphore. Waiting for a place is part of the time.
            let _place = tls.places.acquire().await;
            // Behind whoever has something to do: no request waits for more answers than there are places.
            yield_now().await;
            hello.into_stream(tls.config.clone())
        };
        // What is left costs little, and may last as long as the client likes.
        answered.await
    };
    tokio::time::timeout(allowed, handshake)
        .await
        .map_err(|_| HandshakeError::TooSlow(allowed))?
        .map_err(HandshakeError::Failed)
}

impl Encryption {
    pub(crate) fn of(stream: &TlsStream<TcpStream>) -> Self {
        let (_, connection) = stream.get_ref();
        Self {
            version: match connection.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "TLSv1.2",
            },
            cipher: connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("unknown"),
            server_name: connection.server_name().map(Arc::from),
        }
    }
}

#[cfg(test)]
mod tests;
