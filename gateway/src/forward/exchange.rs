//! What is known of a request so far. Dropped at its end, it writes the access-log line and lets go of the target.

mod ending;

use std::{
    borrow::Cow,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version, header};

use super::{
    forwarding,
    request_id::{self, X_REQUEST_ID},
    trace::Trace,
    upload::Upload,
};
use crate::{
    body::BodyError,
    config::DesyncMode,
    connection::{Connection, taking::Taking},
    error::Cause,
    group::{Lease, Member, TargetGroup},
    inspect::{Class, Reason},
    routing::snapshot::Rule,
    target::{SharedProbe, Usage},
};

/// A request and what became of it. Cheap to fill: everything it takes from the request is reference-counted.
pub(super) struct Exchange {
    pub(super) connection: Arc<Connection>,
    pub(super) request_id: HeaderValue,
    pub(super) method: Method,
    pub(super) version: Version,
    /// The authority asked for: the URI's, else the Host header's. Not checked yet.
    pub(super) host: Option<HeaderValue>,
    pub(super) response_bytes: u64,
    /// What the client sent after an upgrade.
    upgraded_bytes: u64,
    /// What the inspector made of its head.
    classification: Reason,
    pub(super) trace: Trace,
    /// The client as trusted proxies name it.
    origin: Option<IpAddr>,
    uri: Uri,
    time: jiff::Timestamp,
    started: Instant,
    rule: Option<Arc<Rule>>,
    group: Option<Arc<TargetGroup>>,
    lease: Option<Lease>,
    /// Who had no room for it until its time was over, when nobody is held for it any more.
    turned_away_by: Option<Arc<Member>>,
    retries: u32,
    /// The targets that failed it before another was tried, in order; as many as there may be retries.
    failed: Vec<Arc<Member>>,
    upload: Option<Arc<Upload>>,
    has_body: bool,
    head: Option<(StatusCode, Instant)>,
    probe: Option<SharedProbe>,
    usage: Usage,
    reason: Option<Cow<'static, str>>,
    ending: Option<Ending>,
    /// HTTP/2: whether the client takes the response.
    taking: Option<Arc<Taking>>,
}

/// How a response came to its end. Without one, the client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// All of it was handed to the connection.
    Complete,
    /// The target failed half-way.
    BrokeOff,
}

impl Exchange {
    pub(super) fn begin<B: http_body::Body>(request: &Request<B>, connection: Arc<Connection>) -> Self {
        connection.pace.begin();
        let reason = match request.version() {
            Version::HTTP_2 => Reason::Compliant,
            _ => connection.pace.handoff.take_reason(),
        };
        let has_body = !request.body().is_end_stream();
        // HTTP/2 connections are read all the time.
        if has_body && request.version() <= Version::HTTP_11 {
            connection.pace.unread();
        }
        let time = jiff::Timestamp::now();
        Self {
            classification: reason,
            trace: Trace::of(request.headers(), time),
            origin: forwarding::origin(
                request.headers(),
                &connection.settings.forwarding,
                connection.client.ip(),
            ),
            request_id: request_id::keep_or_make(request.headers().get(X_REQUEST_ID), time),
            method: request.method().clone(),
            version: request.version(),
            host: authority(request),
            response_bytes: 0,
            upgraded_bytes: 0,
            uri: request.uri().clone(),
            time,
            started: Instant::now(),
            rule: None,
            group: None,
            lease: None,
            turned_away_by: None,
            retries: 0,
            failed: Vec::new(),
            upload: None,
            has_body,
            head: None,
            probe: None,
            usage: Usage::default(),
            reason: None,
            ending: None,
            taking: Taking::current(),
            connection,
        }
    }

    /// What the inspector wants answered instead.
    pub(super) fn refusal(&self) -> Option<Cause> {
        match self.version {
            Version::HTTP_2 => None,
            _ => self.connection.pace.handoff.take_refusal(),
        }
    }

    /// HTTP/2: what was made of its head.
    pub(super) fn classified(&mut self, reason: Reason) {
        self.classification = reason;
    }

    /// ALB, defensive mode: whether nothing else is to go over the connections that it came and goes on.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.connection.settings.desync == DesyncMode::Defensive
            && self.classification.class() == Class::Ambiguous
    }

    /// Whether the connection ends with this request.
    pub(super) fn is_last(&self) -> bool {
        self.version <= Version::HTTP_11 && self.connection.pace.handoff.is_last()
    }

    /// The rule is found.
    pub(super) fn matched(&mut self, rule: Arc<Rule>) {
        self.rule = Some(rule);
    }

    /// The group is chosen.
    pub(super) fn routed(&mut self, group: Arc<TargetGroup>) {
        self.group = Some(group);
    }

    /// Does to a response's headers what the rule says.
    pub(super) fn edit(&self, response: &mut HeaderMap) {
        if let Some(rule) = &self.rule {
            rule.spec.response_headers.apply(response);
        }
    }

    /// Does the same to a response that the rule itself makes, after the request's id is on it.
    pub(super) fn mark(&self, response: &mut HeaderMap) {
        response.insert(X_REQUEST_ID, self.request_id.clone());
        self.edit(response);
    }

    /// The target is chosen, and held until the end, or until another is.
    pub(super) fn chose(&mut self, lease: Lease) -> Arc<Member> {
        let member = lease.member().clone();
        self.lease = Some(lease);
        member
    }

    /// The request's body is on its way.
    pub(super) fn uploads(&mut self, upload: Option<Arc<Upload>>) {
        self.upload = upload;
    }

    /// The target failed, and another attempt is made.
    pub(super) fn tries_again(&mut self, cause: &Cause) {
        self.retries += 1;
        self.target_failed();
        // What became of the request is the next one's; that this one failed it is counted here or nowhere.
        if let Some(lease) = &self.lease
            && !cause.is_stale()
        {
            lease.member().count(cause.status().as_u16(), None);
            self.failed.push(lease.member().clone());
        }
    }

    /// The target had no room, and the request goes back to wait.
    pub(super) fn turned_away(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.turned_away();
        }
    }

    /// It has waited in vain for room with a target that it had let go of.
    pub(super) fn failed_by(&mut self, member: &Arc<Member>) {
        self.turned_away_by = Some(member.clone());
    }

    /// Whose answer this is, or whose failure.
    fn member(&self) -> Option<&Arc<Member>> {
        let held = self.lease.as_ref().map(Lease::member);
        held.or(self.turned_away_by.as_ref())
    }

    /// Ready when the target was deregistered and its time to finish is over.
    pub(super) fn poll_cut(&mut self, cx: &Context<'_>) -> Poll<()> {
        match &mut self.lease {
            Some(lease) => lease.poll_cut(cx),
            None => Poll::Pending,
        }
    }

    /// Binds the response's client to the target, if the group is to be sticky.
    pub(super) fn bind(&self, response: &mut HeaderMap) {
        let Some(lease) = &self.lease else { return };
        if lease.group().policy().stickiness.is_some() {
            let stickiness = &self.connection.shared.stickiness;
            stickiness.bind_to_target(response, lease.group().name(), lease.member().id());
        }
    }

    /// Bytes went both ways after an upgrade.
    pub(super) fn tunnelled(&mut self, up: u64, down: u64) {
        self.upgraded_bytes = up;
        self.response_bytes = down;
    }

    /// It ends, not by the client's doing.
    pub(super) fn ends_because(&mut self, reason: Cow<'static, str>) {
        self.reason = Some(reason);
        self.ended(Ending::BrokeOff);
    }

    /// The gateway answers by itself.
    pub(super) fn refused(&mut self, cause: &Cause) {
        self.reason = Some(cause.reason());
        if let Cause::Target(error) = cause {
            self.usage = error.usage;
            self.target_failed();
        }
    }

    /// The head of a response is there.
    pub(super) fn answered(&mut self, status: StatusCode, probe: Option<SharedProbe>) {
        self.head = Some((status, Instant::now()));
        self.probe = probe;
    }

    /// There is more of the response for the client.
    pub(super) fn offers(&self) {
        if let Some(taking) = &self.taking {
            taking.offer();
        }
    }

    /// There is no more of it for now.
    pub(super) fn offers_nothing(&self) {
        if let Some(taking) = &self.taking {
            taking.withdraw();
        }
    }

    /// Whether the client has taken nothing of the response for too long.
    fn is_stuck(&self) -> bool {
        let given_up = self.taking.as_ref().is_some_and(|taking| taking.is_given_up());
        given_up || self.connection.pace.is_stuck()
    }

    /// The body of the response has ended.
    pub(super) fn ended(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }

    /// The body of the response has failed. A target that got half a body is not to blame.
    pub(super) fn broke_off(&mut self, error: &BodyError) {
        let upload = self.upload_failure();
        let to_blame = upload.is_none();
        self.reason = Some(upload.map_or_else(|| error.to_string().into(), |cause| cause.reason()));
        if let BodyError::Target(error) = error {
            self.usage = error.usage;
            if to_blame {
                self.target_failed();
            }
        }
        self.ended(Ending::BrokeOff);
    }

    fn upload_failure(&self) -> Option<Cause> {
        self.upload.as_ref().and_then(|upload| upload.failure())
    }

    fn target_failed(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.failed();
        }
    }
}

/// RFC 9112 3.2.2: an absolute URI's authority wins over the Host header; HTTP/2 has it in `:authority`.
fn authority<B>(request: &Request<B>) -> Option<HeaderValue> {
    match request.uri().authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => request.headers().get(header::HOST).cloned(),
    }
}
