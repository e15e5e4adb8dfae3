//! Targets outside: `http(s)://host:port`, over HTTP/1.1, HTTP/2 or gRPC.
//!
//! HTTP/1.1 connections are kept and used again, last in first out, and polled by the very task that waits for the
//! response: nothing is spawned and nothing crosses threads for a request. HTTP/2 connections carry many requests
//! at once, so each has a task of its own.

mod body;
mod connect;
mod http1;
mod http2;
mod pool;
mod silence;
mod stream;
mod tls;
mod url;

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, Version, header};
use rustls::pki_types::CertificateDer;

use self::{connect::Connector, http1::Http1, http2::Http2};
pub use self::{
    tls::CertificatesError,
    url::{ServerHost, ServerHostError, UpstreamUrl, UpstreamUrlError},
};
use crate::{
    body::Body,
    health::HealthPort,
    target::{Condition, Load, Target, TargetError, TargetErrorKind, TargetProtocol, Usage},
};

/// The smallest bound on a response's head that can be kept: what is read at once.
const LEAST_RESPONSE_HEAD: usize = 8 * 1024;

/// How a target outside is spoken to. Its defaults are ALB's, but for certificates, which ALB does not check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSpec {
    /// Where it is.
    pub url: UpstreamUrl,
    /// What it speaks.
    pub version: UpstreamVersion,
    /// How long a connection may take to come about (504). ALB: 10 s.
    pub connect_timeout: Duration,
    /// How long TLS may take after that (502). ALB: 10 s.
    pub tls_timeout: Duration,
    /// How long nothing may be heard or said while a request is open (504), or an upgraded connection. ALB: 60 s.
    pub idle_timeout: Duration,
    /// How long a connection is kept without a request.
    pub keep_alive: Duration,
    /// Connections at once, those that are kept included; requests beyond are answered 503.
    pub connections: u32,
    /// The largest head of a response, in bytes (502); at least 8 KiB. ALB: 32 K.
    pub response_head: usize,
    /// Whose certificates it may have; for `https` only.
    pub certificates: Certificates,
    /// Whom its certificate has to be for, and what is asked for in the handshake (SNI); none: the host of the URL.
    /// Health checks, and requests without a host, have it as their host then.
    pub server_name: Option<ServerHost>,
    /// Where it may be.
    pub reach: Reach,
}

impl UpstreamSpec {
    /// A target with every default.
    #[must_use]
    pub fn new(url: UpstreamUrl) -> Self {
        Self {
            url,
            version: UpstreamVersion::default(),
            connect_timeout: Duration::from_secs(10),
            tls_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            keep_alive: Duration::from_secs(60),
            connections: 10_000,
            response_head: 32 * 1024,
            certificates: Certificates::default(),
            server_name: None,
            reach: Reach::default(),
        }
    }

    /// The target's own host, with the port of its URL.
    fn own_host(&self) -> HeaderValue {
        let host = self.server_name.as_ref().unwrap_or(self.url.host());
        host.header(self.url.port())
    }
}

/// Where a target outside may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// At any address.
    #[default]
    Anywhere,
    /// Not at a loopback, link-local or unspecified address, whatever its name says: what listens there takes whoever
    /// comes for the host itself.
    BeyondThisHost,
}

impl Reach {
    /// Whether it goes as far as this address.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Self::Anywhere, _) => true,
            (Self::BeyondThisHost, IpAddr::V4(ip)) => {
                // 0.0.0.0/8 is "this network" (RFC 1122 3.2.1.3); connecting there reaches this host.
                !(ip.is_loopback() || ip.is_link_local() || ip.octets().starts_with(&[0]))
            }
            (Self::BeyondThisHost, IpAddr::V6(ip)) => {
                !(ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified())
            }
        }
    }
}

/// What a target outside speaks. ALB: a target group's protocol version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamVersion {
    /// HTTP/1.1. ALB: `HTTP1`.
    #[default]
    Http1,
    /// HTTP/2, by ALPN over TLS, with prior knowledge without. ALB: `HTTP2`.
    Http2,
    /// gRPC. ALB: `GRPC`.
    Grpc,
}

/// Whose certificates a target may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Certificates {
    /// Those of the authorities the system trusts, for the host of the URL.
    #[default]
    System,
    /// Those of these authorities (or these very ones), for the host of the URL.
    Authorities(Vec<CertificateDer<'static>>),
    /// Anyone's, for anything: whoever can stand in between reads and changes everything. ALB's way.
    Unchecked,
}

impl Certificates {
    /// Those of the authorities that a text in PEM form holds.
    ///
    /// # Errors
    /// If it holds none, something that is none, or a private key.
    pub fn of_authorities(pem: &str) -> Result<Self, CertificatesError> {
        tls::authorities(pem).map(Self::Authorities)
    }
}

/// Why there can be no such target.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// A bound of nought would refuse everything.
    #[error("{field} must be more than 0")]
    Zero {
        /// Which value.
        field: &'static str,
    },
    /// Less than is read at once.
    #[error("response_head must be at least 8192 bytes, not {0}")]
    ResponseHead(usize),
    /// The certificates to trust.
    #[error("the certificates to trust cannot be used")]
    Certificates(#[source] CertificatesError),
}

/// A target outside.
pub struct Upstream {
    url: UpstreamUrl,
    server_name: Option<ServerHost>,
    version: UpstreamVersion,
    transport: Transport,
}

enum Transport {
    Http1(Http1),
    Http2(Http2),
}

impl Upstream {
    /// Prepares a target; connections come about with requests. Over TLS the system's certificates are read once in
    /// the life of the process, so it may block on the file system.
    ///
    /// # Errors
    /// When a bound is 0, or there is nothing to check certificates with.
    pub fn new(spec: UpstreamSpec) -> Result<Arc<Self>, UpstreamError> {
        for (field, is_zero) in [
            ("connect_timeout", spec.connect_timeout.is_zero()),
            ("tls_timeout", spec.tls_timeout.is_zero()),
            ("idle_timeout", spec.idle_timeout.is_zero()),
            ("keep_alive", spec.keep_alive.is_zero()),
            ("connections", spec.connections == 0),
        ] {
            if is_zero {
                return Err(UpstreamError::Zero { field });
            }
        }
        if spec.response_head < LEAST_RESPONSE_HEAD {
            return Err(UpstreamError::ResponseHead(spec.response_head));
        }
        let connector = Connector::new(&spec).map_err(UpstreamError::Certificates)?;
        Ok(Arc::new(Self {
            url: spec.url.clone(),
            server_name: spec.server_name.clone(),
            version: spec.version,
            transport: match spec.version {
                UpstreamVersion::Http1 => Transport::Http1(Http1::new(&spec, connector)),
                UpstreamVersion::Http2 | UpstreamVersion::Grpc => {
                    Transport::Http2(Http2::new(&spec, connector))
                }
            },
        }))
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &UpstreamUrl {
        &self.url
    }
}

impl Target for Upstream {
    fn call(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TargetError>> {
        match &self.transport {
            Transport::Http1(http1) => Box::pin(http1.call(request)),
            Transport::Http2(http2) => Box::pin(http2.call(request)),
        }
    }

    fn protocol(&self) -> TargetProtocol {
        match self.version {
            UpstreamVersion::Http1 => TargetProtocol::Http1,
            UpstreamVersion::Http2 => TargetProtocol::Http2,
            UpstreamVersion::Grpc => TargetProtocol::Grpc,
        }
    }

    /// ALB: over a connection of its own, which is closed then; `Host` is the target's own.
    fn probe(
        &self,
        mut request: Request<Body>,
        port: HealthPort,
    ) -> BoxFuture<'_, Result<Response<Body>, TargetError>> {
        let port = match port {
            HealthPort::Traffic => self.url.port(),
            HealthPort::Number(port) => port,
        };
        let host = self.server_name.as_ref().unwrap_or(self.url.host());
        request.headers_mut().insert(header::HOST, host.header(port));
        match &self.transport {
            Transport::Http1(http1) => Box::pin(http1.probe(request, port)),
            Transport::Http2(http2) => Box::pin(http2.probe(request, port)),
        }
    }

    fn load(&self) -> Load {
        Load {
            in_flight: match &self.transport {
                Transport::Http1(http1) => http1.in_flight(),
                Transport::Http2(http2) => http2.in_flight(),
            },
            queued: 0,
            cpu_credit: 1.0,
        }
    }

    /// Health checks decide.
    fn condition(&self) -> Condition {
        Condition::Fit
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("url", &self.url)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

fn failure(kind: TargetErrorKind, reason: impl Into<String>) -> TargetError {
    TargetError {
        kind,
        reason: reason.into(),
        usage: Usage::default(),
    }
}

/// An error and its causes in one line, for the access log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// The host of a request that came without one (HTTP/1.0) is the target's own.
fn ensure_host(request: &mut Request<Body>, own: &HeaderValue) {
    if !request.headers().contains_key(header::HOST) {
        request.headers_mut().insert(header::HOST, own.clone());
    }
    *request.version_mut() = Version::HTTP_11;
}
