//! A listener's specification as its connections use it.

use std::net::SocketAddr;

use http::HeaderValue;

use super::ListenerError;
use crate::{
    config::{DesyncMode, Forwarding, Limits, ListenerSpec},
    routing::Scheme,
    tls::ServerTls,
};

/// What a connection is treated by, from its beginning to its end. Never changed, only replaced.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) forwarding: Forwarding,
    pub(crate) desync: DesyncMode,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) scheme: Scheme,
    /// The port clients connect to.
    pub(crate) port: u16,
    /// The same, as `X-Forwarded-Port` has it.
    pub(crate) port_value: HeaderValue,
}

impl Settings {
    pub(super) fn new(spec: &ListenerSpec, local: SocketAddr) -> Result<Self, ListenerError> {
        if let Some(limit) = spec.limits.zero() {
            return Err(ListenerError::ZeroLimit {
                listener: spec.name.clone(),
                limit,
            });
        }
        let tls = spec
            .tls
            .as_ref()
            .map(|tls| ServerTls::load(tls, spec.limits.tls_handshakes))
            .transpose()
            .map_err(|source| ListenerError::Tls {
                listener: spec.name.clone(),
                source,
            })?;
        Ok(Self {
            limits: spec.limits.clone(),
            forwarding: spec.forwarding.clone(),
            desync: spec.desync,
            scheme: match tls {
                Some(_) => Scheme::Https,
                None => Scheme::Http,
            },
            tls,
            port: local.port(),
            port_value: HeaderValue::from(local.port()),
        })
    }
}
