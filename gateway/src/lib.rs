//! Who gets the request: listener, rules, target groups, health checks, balancing, proxying.
//!
//! The gateway knows no Wasm, no service and no store. It is given rules and targets ([`Target`]) and moves requests
//! to them, one direction, no detour: accept → connection → parse (hyper) → match a rule ([`routing`]) →
//! choose a target ([`group`]) → call it → stream its response → access log ([`access_log`]).
//!
//! It is [built](Gateway::build) on a [`Listener`], fed with [`Groups`] and [`Routing`], and
//! [shut down](Gateway::shutdown).

pub mod access_log;
pub mod body;
pub mod config;
mod connection;
pub mod error;
mod forward;
mod gateway;
pub mod group;
pub mod health;
mod listener;
pub mod names;
pub mod routing;
pub mod target;

pub use self::{
    access_log::{AccessEntry, AccessLog, BufferedAccessLog},
    body::{Body, BodyError},
    config::Limits,
    gateway::{BuildError, Closed, Gateway, Threads},
    group::{AlreadyRegistered, Drain, Drained, GroupError, Groups, TargetGroup, TargetStatus},
    health::{Health, HealthSpec, StatusCodes, StatusCodesError},
    listener::Listener,
    names::{GroupName, NameError, RuleName, TargetId},
    routing::{
        Action, Conditions, HostPattern, PathPattern, PatternError, Precedence, Priority, PriorityError,
        Routing, RoutingError, RuleSpec,
    },
    target::{Condition, Load, SharedProbe, Target, TargetError, TargetErrorKind, Usage, UsageProbe},
};
