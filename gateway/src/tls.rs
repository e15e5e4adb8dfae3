//! TLS of a listener: which versions and protocols, and whose certificate a client gets.

pub(crate) mod certificates;
mod handshake;

use std::{path::PathBuf, sync::Arc};

use rustls::{ServerConfig, SupportedProtocolVersion, crypto::ring, version};
use tokio::sync::Semaphore;

use self::certificates::Certificates;
pub(crate) use self::handshake::{Encryption, shake_hands};
use crate::config::{TlsSpec, TlsVersion};

/// What a client may choose to speak inside (RFC 7301), best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// TLS 1.2 only where the oldest version allows it.
static MODERN: [&SupportedProtocolVersion; 1] = [&version::TLS13];
static ALL: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

/// Why a listener's certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// None named at all.
    #[error("no certificate is named: an HTTPS listener needs at least one")]
    NoCertificates,
    /// A file that cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file that is not PEM, or holds something else.
    #[error("{} holds no usable {what} in PEM form: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A key that does not belong to its certificate, or of a kind that is not supported.
    #[error("the key {} does not go with the certificate {}: {reason}", key.display(), cert.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The library refuses the whole.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// What a listener's handshakes need.
#[derive(Debug)]
pub(crate) struct ServerTls {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    /// Hellos that may be answered at once: that costs CPU time before anything is known of the client.
    places: Semaphore,
}

impl ServerTls {
    /// Reads the certificates.
    pub(crate) fn load(spec: &TlsSpec, handshakes: u32) -> Result<Self, TlsError> {
        let certificates = Arc::new(Certificates::load(&spec.certificates)?);
        let versions: &[&SupportedProtocolVersion] = match spec.min_version {
            TlsVersion::Tls12 => &ALL,
            TlsVersion::Tls13 => &MODERN,
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(certificates.clone());
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        // Clients that come back save a signature, and nothing is kept for them here.
        config.ticketer = ring::Ticketer::new().map_err(TlsError::Setup)?;
        Ok(Self {
            config: Arc::new(config),
            certificates,
            places: Semaphore::new(handshakes as usize),
        })
    }

    pub(crate) fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }
}
