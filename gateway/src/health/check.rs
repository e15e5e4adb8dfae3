//! Runs the health checks of one target, for as long as it is registered.
//!
//! A check takes the path of a request: it is a call of the target, waits in its queue and spends its budget. A target
//! that cannot answer its check cannot answer its clients either.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::BodyExt as _;

use super::{
    HealthSpec,
    tally::{Outcome, Tally},
};
use crate::{
    body::{self, Body},
    group::{Member, TargetGroup},
};

/// ALB says `ELB-HealthChecker/2.0`.
const USER_AGENT: HeaderValue = HeaderValue::from_static("Wharf-HealthChecker/1.0");

/// What a check's answer may weigh, in bytes: it is read to its end, so that the target isn't interrupted, but not
/// without one.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Checks at once, then after every interval, until the group is gone. Whoever deregisters the target aborts it.
pub(crate) async fn run(group: Weak<TargetGroup>, member: Arc<Member>, spec: HealthSpec) {
    let mut tally = Tally::new();
    loop {
        let outcome = check(&member, &spec).await;
        let verdict = tally.record(outcome, &spec).clone();
        let Some(group) = group.upgrade() else { return };
        group.checked(&member, verdict);
        drop(group);
        tokio::time::sleep(spec.interval).await;
    }
}

async fn check(member: &Member, spec: &HealthSpec) -> Outcome {
    match tokio::time::timeout(spec.timeout, ask(member, spec)).await {
        Ok(outcome) => outcome,
        // ALB: Target.Timeout.
        Err(_) => Err("Request timed out".into()),
    }
}

async fn ask(member: &Member, spec: &HealthSpec) -> Outcome {
    // ALB: Target.FailedHealthChecks.
    let failed = |error: &dyn std::fmt::Display| Arc::from(format!("Health checks failed: {error}"));
    let response = member
        .target()
        .call(request(spec))
        .await
        .map_err(|error| failed(&error))?;
    if !spec.codes.contains(response.status()) {
        // ALB: Target.ResponseCodeMismatch.
        return Err(format!(
            "Health checks failed with these codes: [{}]",
            response.status().as_u16()
        )
        .into());
    }
    let mut body = response.into_body();
    let mut weight = 0;
    while let Some(frame) = body.frame().await {
        weight += frame
            .map_err(|error| failed(&error))?
            .data_ref()
            .map_or(0, Bytes::len);
        if weight > MAX_ANSWER_BYTES {
            return Err(failed(&format_args!(
                "the answer is larger than {MAX_ANSWER_BYTES} bytes"
            )));
        }
    }
    Ok(())
}

fn request(spec: &HealthSpec) -> Request<Body> {
    let mut request = Request::new(body::empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = http::Uri::from(spec.path.clone());
    request
        .headers_mut()
        .insert(header::HOST, HeaderValue::from_static("localhost"));
    request.headers_mut().insert(header::USER_AGENT, USER_AGENT);
    request
}
