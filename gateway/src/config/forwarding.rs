//! What targets are told of the client and of the hops before this one.

use std::net::IpAddr;

use ipnet::IpNet;

/// The forwarding headers of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// What becomes of `X-Forwarded-For`.
    pub x_forwarded_for: XForwardedFor,
    /// Whether the address in it carries the client's port.
    pub client_port: ClientPort,
    /// Proxies whose `X-Forwarded-*` headers are believed. Empty: everybody's are, as ALB does. What others claim is
    /// dropped before anything is appended.
    pub trusted: Vec<IpNet>,
    /// What becomes of `Host`.
    pub host: HostHeader,
}

impl Forwarding {
    /// Whether to believe what this peer says of the client.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted.is_empty() || self.trusted.iter().any(|net| net.contains(&peer))
    }
}

/// ALB: `routing.http.xff_header_processing.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XForwardedFor {
    /// The client's address goes to the end of the list.
    #[default]
    Append,
    /// As the client sent it.
    Preserve,
    /// Taken off.
    Remove,
}

/// ALB: `routing.http.xff_client_port.enabled`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientPort {
    /// The address alone.
    #[default]
    Omit,
    /// `192.0.2.1:4711`, `[2001:db8::1]:4711`.
    Include,
}

/// ALB: `routing.http.preserve_host_header.enabled`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostHeader {
    /// As the client sent it.
    #[default]
    Preserve,
    /// With the listener's port, unless that is the scheme's default; without one if it is.
    Normalise,
}
