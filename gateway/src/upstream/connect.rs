//! Makes connections to a target, within their time and their number.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rustls::pki_types::ServerName;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{
    CertificatesError, Reach, UpstreamSpec, UpstreamUrl, UpstreamVersion, chain, failure, stream::Stream,
    tls, url::Host,
};
use crate::{
    body::Seconds,
    target::{TargetError, TargetErrorKind},
};

/// What every connection to a target needs.
pub(super) struct Connector {
    url: UpstreamUrl,
    tls: Option<Tls>,
    connect_timeout: Duration,
    tls_timeout: Duration,
    open: Arc<AtomicU32>,
    most: u32,
    reach: Reach,
}

struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    version: UpstreamVersion,
}

/// A connection's place among those that may be open.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicU32>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connector {
    pub(super) fn new(spec: &UpstreamSpec) -> Result<Self, CertificatesError> {
        let host = spec.server_name.as_ref().unwrap_or(spec.url.host());
        let tls = match host.server_name() {
            Some(name) if spec.url.is_https() => Some(Tls {
                connector: tls::config(&spec.certificates, spec.version)?.into(),
                name,
                version: spec.version,
            }),
            _ => None,
        };
        Ok(Self {
            url: spec.url.clone(),
            tls,
            connect_timeout: spec.connect_timeout,
            tls_timeout: spec.tls_timeout,
            open: Arc::default(),
            most: spec.connections,
            reach: spec.reach,
        })
    }

    pub(super) fn url(&self) -> &UpstreamUrl {
        &self.url
    }

    /// Connections that are open, or are about to be.
    pub(super) fn open_connections(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }

    /// A place for one more connection.
    pub(super) fn place(&self) -> Result<Place, TargetError> {
        let place = Place(self.open.clone());
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.most {
            let reason = format!(
                "the target has {} connections already, the most there may be",
                self.most
            );
            return Err(failure(TargetErrorKind::Overloaded, reason));
        }
        Ok(place)
    }

    /// Connects to a port of the target.
    pub(super) async fn connect(&self, port: u16) -> Result<Stream, TargetError> {
        let tcp = self.open_tcp(port).await?;
        let Some(Tls {
            connector,
            name,
            version,
        }) = &self.tls
        else {
            return Ok(Stream::plain(tcp));
        };
        let unreachable = |reason: String| failure(TargetErrorKind::Unreachable, reason);
        let tls = match timeout(self.tls_timeout, connector.connect(name.clone(), tcp)).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => return Err(unreachable(format!("the TLS handshake failed: {error}"))),
            Err(_) => {
                let allowed = Seconds(self.tls_timeout);
                return Err(unreachable(format!(
                    "the TLS handshake took longer than {allowed}"
                )));
            }
        };
        let speaks_http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        if *version != UpstreamVersion::Http1 && !speaks_http2 {
            return Err(unreachable("the target does not offer HTTP/2 (ALPN)".into()));
        }
        Ok(Stream::tls(tls))
    }

    async fn open_tcp(&self, port: u16) -> Result<TcpStream, TargetError> {
        let deadline = Instant::now() + self.connect_timeout;
        match timeout_at(deadline, self.try_addresses(port, deadline)).await {
            Ok(Ok(stream)) => {
                // Requests are small and written at once.
                let _ = stream.set_nodelay(true);
                Ok(stream)
            }
            Ok(Err(error)) => {
                let reason = format!("cannot connect: {}", chain(&error));
                Err(failure(TargetErrorKind::Unreachable, reason))
            }
            Err(_) => {
                let reason = format!("no connection within {}", Seconds(self.connect_timeout));
                Err(failure(TargetErrorKind::ConnectTimeout, reason))
            }
        }
    }

    /// One address after the other. Each gets its share of the time left, so that a dead one leaves some for the next.
    async fn try_addresses(&self, port: u16, deadline: Instant) -> io::Result<TcpStream> {
        let addresses: Vec<SocketAddr> = match self.url.host().get() {
            Host::Address(address) => vec![(*address, port).into()],
            Host::Name(name) => tokio::net::lookup_host((name.as_str(), port)).await?.collect(),
        };
        let (addresses, beyond): (Vec<_>, Vec<_>) = addresses
            .into_iter()
            .partition(|address| self.reach.allows(address.ip()));
        let mut last = match beyond.first() {
            None => io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
            Some(address) => {
                let text = format!("{} is an address of this host, where it may not be", address.ip());
                io::Error::new(io::ErrorKind::PermissionDenied, text)
            }
        };
        let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        for address in addresses {
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            left -= 1;
            let connecting = TcpStream::connect(address);
            if left == 0 {
                return connecting.await;
            }
            match timeout(share, connecting).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(elapsed) => last = elapsed.into(),
            }
        }
        Err(last)
    }
}
