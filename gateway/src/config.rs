//! What a gateway is built from: plain data, nothing opened yet.

pub mod forwarding;
pub mod limits;
pub mod tls;

use std::net::SocketAddr;

pub use self::{
    forwarding::{ClientPort, Forwarding, HostHeader, XForwardedFor},
    limits::Limits,
    tls::{CertificateFiles, TlsSpec, TlsVersion},
};
use crate::names::ListenerName;
pub use crate::sticky::CookieKey;

/// Everything an operator may choose about a gateway before it runs.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Where to listen from the start. More can be [opened](crate::Gateway::open) later.
    pub listeners: Vec<ListenerSpec>,
    /// What stickiness cookies are sealed with.
    pub cookie_key: CookieKey,
}

/// One address to listen on, and how its clients are treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSpec {
    /// What rules, logs and metrics call it.
    pub name: ListenerName,
    /// Where to listen. Port 0 lets the system choose; [`crate::Gateway::local_addr`] tells which.
    pub address: SocketAddr,
    /// HTTPS, with these certificates; without, it is HTTP.
    pub tls: Option<TlsSpec>,
    /// The bounds on what clients may ask for.
    pub limits: Limits,
    /// What targets are told of the client.
    pub forwarding: Forwarding,
    /// What to do with requests that two parties could read in two ways.
    pub desync: DesyncMode,
}

impl ListenerSpec {
    /// An HTTP listener with every default.
    #[must_use]
    pub fn http(name: ListenerName, address: SocketAddr) -> Self {
        Self {
            name,
            address,
            tls: None,
            limits: Limits::default(),
            forwarding: Forwarding::default(),
            desync: DesyncMode::default(),
        }
    }
}

/// Which classes of requests are answered 400 (ALB: desync mitigation mode, with the same names).
///
/// In every mode a request that is let through reaches its target in one unambiguous form, and the class is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DesyncMode {
    /// Only those that no mode lets through: what cannot be read at all.
    Monitor,
    /// The severe ones. After an ambiguous one the connection is closed.
    #[default]
    Defensive,
    /// All that do not comply with RFC 9112.
    Strictest,
}
