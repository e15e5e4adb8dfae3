//! Who gets the request: listener, rules, target groups, health checks, balancing, proxying.
//!
//! The gateway knows no Wasm, no service and no store. It is given rules and targets ([`Target`]) and moves requests
//! to them, one direction, no detour: accept → connection → parse (hyper) → match a rule ([`routing`]) →
//! choose a target ([`group`]) → call it → stream its response → access log ([`access_log`]).
//!
//! It is [built](Gateway::build) from a [`Config`] with [listeners](ListenerSpec), fed with [`Groups`] and [`Routing`], and
//! [shut down](Gateway::shutdown).

pub mod access_log;
pub mod body;
pub mod config;
mod connection;
pub mod error;
mod forward;
#[cfg(any(test, fuzzing))]
#[expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what fuzzing is to find ends in a panic"
)]
pub mod fuzzing;
mod gateway;
pub mod group;
pub mod health;
mod hex;
mod inspect;
mod listener;
mod metrics;
pub mod names;
pub mod routing;
mod sticky;
pub mod target;
mod tls;
pub mod upstream;

pub use self::{
    access_log::{AccessEntry, AccessLog, BufferedAccessLog, TlsEntry, TraceId},
    body::{Body, BodyError, Upgraded},
    config::{
        CertificateFiles, ClientPort, Config, CookieKey, DesyncMode, Forwarding, HostHeader, Limits,
        ListenerSpec, TlsSpec, TlsVersion, XForwardedFor,
    },
    gateway::{Closed, Gateway, Threads},
    group::{
        Algorithm, AlreadyRegistered, Demand, Drain, Drained, FailOpen, GroupError, GroupSpec, Groups, Hold,
        Membership, RetrySpec, Shares, SlowStart, SpecError, StickyFor, Tally, TargetGroup, TargetStatus,
        TargetWeight, WakeUp,
    },
    health::{
        Checks, GrpcCodes, GrpcCodesError, Health, HealthPort, HealthReason, HealthSpec, Matcher,
        StatusCodes, StatusCodesError,
    },
    listener::{Bound, ListenerError, ListenerStatus, Socket},
    names::{CohortName, GroupName, ListenerName, NameError, RuleName, TargetId},
    routing::{
        Action, ConditionError, Conditions, Explanation, Expressions, FixedError, FixedResponse, Forward,
        ForwardError, HeaderCondition, HeaderEditError, HeaderEdits, HeaderMatch, HostMatch, HostPattern,
        ListenerRules, Match, MethodName, PathMatch, PathPattern, PatternError, Precedence, Priority,
        PriorityError, QueryCondition, QueryMatch, Ranked, Redirect, RedirectError, RedirectText, RegexError,
        RegexValue, RequestSample, Rewrite, RewriteError, Routing, RoutingError, RoutingFault, RuleSpec,
        Scheme, TooManyExpressions, TooMuchWork, Transforms, Unmet, ValuePattern, Weight, WeightedGroup,
    },
    target::{
        Condition, Load, SharedProbe, Target, TargetError, TargetErrorKind, TargetProtocol, Usage, UsageProbe,
    },
    tls::TlsError,
    upstream::{
        Certificates, CertificatesError, Reach, ServerHost, ServerHostError, Upstream, UpstreamError,
        UpstreamSpec, UpstreamUrl, UpstreamUrlError, UpstreamVersion,
    },
};
