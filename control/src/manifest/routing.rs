//! What is meant by `[[route]]`, `[[target_group]]` and `[[listener]]`: checked, and not yet of any namespace.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use wharf_gateway::{
    Certificates, Conditions, DesyncMode, FixedResponse, Forwarding, GroupSpec, HeaderEdits, Limits,
    Priority, Redirect, ServerHost, StickyFor, TargetWeight, TlsSpec, Transforms, UpstreamUrl,
    UpstreamVersion, Weight,
};

use super::text::{ListenerText, RouteText, TargetGroupText};
use crate::names::{ListenerName, RouteName, ServiceName, TargetGroupName};

/// When requests match, and what happens to those that do.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name; in a service's manifest it may have none.
    pub name: Option<RouteName>,
    /// The listeners it is on; none: every one.
    pub listeners: Vec<ListenerName>,
    /// Lower goes first; none: after those that have one.
    pub priority: Option<Priority>,
    /// All of them have to hold.
    pub conditions: Conditions,
    /// What happens.
    pub action: RouteAction,
    /// What a target sees instead.
    pub transforms: Transforms,
    /// What is done to requests' headers.
    pub request_headers: HeaderEdits,
    /// What is done to responses' headers.
    pub response_headers: HeaderEdits,
    /// The longest wait for a response's head.
    pub timeout: Option<Duration>,
    /// The largest body of a request, in bytes.
    pub body_limit: Option<u64>,
    /// As it was written.
    pub text: Arc<RouteText>,
}

/// What was written says all of it.
impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Route {}

/// What a route does.
#[derive(Debug, Clone)]
pub enum RouteAction {
    /// Hands requests to the service whose manifest it stands in.
    Own,
    /// Hands them to these.
    Forward(Shares),
    /// Sends the client elsewhere.
    Redirect(Box<Redirect>),
    /// Answers always the same.
    Fixed(FixedResponse),
}

/// A route that was written once and makes no sense to this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableRoute {
    /// Its place among the routes of its manifest, from 0; of one that stands by itself, 0.
    pub at: usize,
    /// As it was written, if that can be read.
    pub text: Option<RouteText>,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

/// Where requests are handed to, by weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    /// Each once, one of them with a weight.
    pub to: Vec<Share>,
    /// How long a client stays with the one it got first.
    pub stickiness: Option<StickyFor>,
}

/// A place, and how much of the requests it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The place.
    pub to: Destination,
    /// Its share beside the others'.
    pub weight: Weight,
}

/// What a route forwards to, in its own namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// The tasks of a service.
    Service(ServiceName),
    /// Targets outside.
    TargetGroup(TargetGroupName),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Service(name) => write!(f, "service `{name}`"),
            Self::TargetGroup(name) => write!(f, "target group `{name}`"),
        }
    }
}

/// Targets outside that can stand in for one another.
#[derive(Debug, Clone)]
pub struct TargetGroup {
    /// Its name.
    pub name: TargetGroupName,
    /// How it chooses, whom it spares, how it checks.
    pub spec: GroupSpec,
    /// Each once.
    pub targets: Vec<OutsideTarget>,
    /// How they are spoken to.
    pub connection: Connection,
    /// How long the requests of a target that is taken out may go on.
    pub deregistration_delay: Duration,
    /// As it was written.
    pub text: TargetGroupText,
}

/// What was written says all of it.
impl PartialEq for TargetGroup {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TargetGroup {}

/// A target outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideTarget {
    /// Where it is.
    pub url: UpstreamUrl,
    /// Its share under `weighted_random`.
    pub weight: TargetWeight,
}

/// How targets outside are spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// What they speak.
    pub version: UpstreamVersion,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long TLS may take after that.
    pub tls_timeout: Duration,
    /// How long nothing may be heard while a request is open.
    pub idle_timeout: Duration,
    /// How long a connection is kept without a request.
    pub keep_alive: Duration,
    /// Connections at once to each.
    pub connections: u32,
    /// The largest head of a response, in bytes.
    pub response_head: usize,
    /// Whose certificates they may have.
    pub certificates: Certificates,
    /// Whom those have to be for; none: the host of the target's URL.
    pub server_name: Option<ServerHost>,
}

/// An address that is listened on.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Its name.
    pub name: ListenerName,
    /// Where; none only for the one whose address `wharf serve --http` says.
    pub address: Option<SocketAddr>,
    /// HTTPS, with these certificates.
    pub tls: Option<TlsSpec>,
    /// What clients may ask for.
    pub limits: Limits,
    /// What targets are told of the client.
    pub forwarding: Forwarding,
    /// What to do with ambiguous requests.
    pub desync: DesyncMode,
    /// What happens when no route matches.
    pub default: DefaultAction,
    /// As it was written.
    pub text: ListenerText,
}

/// What was written says all of it.
impl PartialEq for Listener {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Listener {}

/// What happens when no route matches.
#[derive(Debug, Clone)]
pub enum DefaultAction {
    /// 404.
    NotFound,
    /// Requests go to these, of namespace `default`.
    Forward(Shares),
    /// The client is sent elsewhere.
    Redirect(Box<Redirect>),
    /// The answer is always the same.
    Fixed(FixedResponse),
}

/// What `wharf apply` is given, checked.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    /// Each name once.
    pub listeners: Vec<Listener>,
    /// Each name once.
    pub target_groups: Vec<TargetGroup>,
    /// Each name once.
    pub routes: Vec<Route>,
}
