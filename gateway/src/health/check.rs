//! Runs the health checks of one target, for as long as it is registered.
//!
//! A check of a task takes the path of a request: it is a call of the target, waits in its queue and spends its budget.
//! A target that cannot answer its check cannot answer its clients either. Targets outside are asked over a
//! connection of its own ([`crate::target::Target::probe`]).

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{join, join_all};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version, header};
use http_body_util::BodyExt as _;

use super::{
    Checks, Health, HealthReason, HealthSpec, Matcher, checks::Kind, standing::Judge, tally::Outcome,
};
use crate::{
    body::{self, Body},
    group::{CheckRun, Member, TargetGroup},
};

/// ALB says `ELB-HealthChecker/2.0`.
const USER_AGENT: HeaderValue = HeaderValue::from_static("Wharf-HealthChecker/1.0");

/// What is read of a check's answer, in bytes: all of most, so that the target isn't interrupted. The status has decided
/// by then; where trailers decide, they have to come before.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A gRPC message without content: not compressed, no bytes.
const NO_MESSAGE: Bytes = Bytes::from_static(&[0; 5]);

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// One target under check.
struct Rounds {
    group: Weak<TargetGroup>,
    member: Arc<Member>,
    run: CheckRun,
    grace: Duration,
}

/// Runs all of a target's checks, until the group is gone. Whoever deregisters the target aborts it. Those that wait
/// for the start-up check begin when it has passed.
pub(crate) async fn run(group: Weak<TargetGroup>, member: Arc<Member>, run: CheckRun, checks: Checks) {
    let rounds = Rounds {
        group,
        member,
        run,
        grace: checks.grace,
    };
    if let Some(spec) = &checks.startup {
        rounds.until(Kind::Startup, spec, Pass::Ends).await;
    }
    let others = checks.all().filter(|(kind, _)| *kind != Kind::Startup);
    let others = others.map(|(kind, spec)| rounds.until(kind, spec, Pass::Repeats));
    join(join_all(others), rounds.end_grace()).await;
}

/// What a pass means for a check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// It has done its part.
    Ends,
    /// It is made again and again.
    Repeats,
}

impl Rounds {
    /// Checks at once, then after every interval.
    async fn until(&self, kind: Kind, spec: &HealthSpec, pass: Pass) {
        let mut judge = Judge::new(kind, &self.run.before);
        loop {
            let outcome = check(&self.member, spec).await;
            let verdict = judge.record(outcome, spec, self.member.grace(self.grace));
            let passed = verdict.health == Health::Healthy;
            let Some(group) = self.group.upgrade() else { return };
            group.checked(&self.member, &self.run, kind, verdict);
            drop(group);
            if passed && pass == Pass::Ends {
                return;
            }
            tokio::time::sleep(spec.interval).await;
        }
    }

    /// What the target says of itself counts from then on, too.
    async fn end_grace(&self) {
        tokio::time::sleep_until(self.member.registered_at() + self.grace).await;
        if let Some(group) = self.group.upgrade() {
            group.grace_is_over(&self.member);
        }
    }
}

async fn check(member: &Member, spec: &HealthSpec) -> Outcome {
    match tokio::time::timeout(spec.timeout, ask(member, spec)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(HealthReason::Timeout),
    }
}

async fn ask(member: &Member, spec: &HealthSpec) -> Outcome {
    let response = member
        .target()
        .probe(request(spec), spec.port)
        .await
        .map_err(|error| failed(&error))?;
    match &spec.matcher {
        Matcher::Http(codes) => {
            if !codes.contains(response.status()) {
                return Err(HealthReason::ResponseCodeMismatch(response.status().as_u16()));
            }
            read(response).await.map(|_| ())
        }
        Matcher::Grpc(codes) => {
            let code = grpc_status(response).await?;
            if !codes.contains(code) {
                return Err(HealthReason::ResponseCodeMismatch(code));
            }
            Ok(())
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> HealthReason {
    HealthReason::FailedHealthChecks(error.to_string().into())
}

/// Reads an answer to its end, or as much as is read of any; what counts are its trailers.
async fn read(response: Response<Body>) -> Result<HeaderMap, HealthReason> {
    let mut body = response.into_body();
    let mut weight = 0;
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failed(&error))?;
        weight += frame.data_ref().map_or(0, Bytes::len);
        if weight > MAX_ANSWER_BYTES {
            break;
        }
        if let Ok(last) = frame.into_trailers() {
            trailers = last;
        }
    }
    Ok(trailers)
}

/// The code of a gRPC call: in the trailers, or in the head if there is nothing else.
async fn grpc_status(response: Response<Body>) -> Result<u16, HealthReason> {
    let in_head = response.headers().get(GRPC_STATUS).cloned();
    let status = response.status();
    let trailers = read(response).await?;
    let code = trailers.get(GRPC_STATUS).or(in_head.as_ref());
    code.and_then(|code| code.to_str().ok()?.parse().ok())
        .ok_or_else(|| {
            failed(&format_args!(
                "the answer, of status {status}, has no grpc-status in its head or after {MAX_ANSWER_BYTES} bytes at most"
            ))
        })
}

fn request(spec: &HealthSpec) -> Request<Body> {
    let mut request = Request::new(body::empty());
    *request.uri_mut() = http::Uri::from(spec.path.clone());
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    headers.insert(header::USER_AGENT, USER_AGENT);
    if let Matcher::Grpc(_) = spec.matcher {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.body_mut() = body::full(NO_MESSAGE);
    }
    request
}
