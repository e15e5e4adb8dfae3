//! Calls a target; and another one, if the first cannot be had and the group's budget allows.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Poll, ready},
};

use http::{HeaderMap, Method, Request, Response, StatusCode, request::Parts};
use hyper::body::Incoming;

use super::{
    admission,
    exchange::Exchange,
    headers, matching,
    protocol::Spoken,
    upgrade::UpgradeWish,
    upload::{self, Upload},
};
use crate::{
    body::{self, Body},
    error::Cause,
    group::{ChoiceHints, Lease, Member, Patience, Policy, TargetGroup},
    names::TargetId,
    routing::snapshot::Rule,
    target::{Repeat, TargetError, TargetProtocol},
};

/// What is asked, and what of it a second attempt needs.
pub(super) struct Ask<'r> {
    pub(super) head: Parts,
    pub(super) body: Incoming,
    pub(super) rule: &'r Rule,
}

/// The way of one request through the targets of its group.
struct Attempts<'a> {
    group: &'a Arc<TargetGroup>,
    policy: Policy,
    spoken: Spoken,
    /// Doing it twice is doing it once, and there is no body that would have to be sent again.
    is_harmless: bool,
    wish: Option<UpgradeWish>,
    bound_to: Option<String>,
    tried: Vec<TargetId>,
    left: u8,
    /// How long it may wait for room, having waited for a target.
    patience: Option<Patience>,
    /// The largest body, in bytes.
    limit: u64,
}

/// A response, and the wish for an upgrade it may be the answer to.
pub(super) struct Answered {
    pub(super) response: Response<Body>,
    pub(super) wish: Option<UpgradeWish>,
}

/// Gets a target's response.
pub(super) async fn call(
    ask: Ask<'_>,
    group: &Arc<TargetGroup>,
    exchange: &mut Exchange,
) -> Result<Answered, Cause> {
    let Ask { mut head, body, rule } = ask;
    let limit = rule
        .spec
        .body_limit
        .unwrap_or(exchange.connection.limits().request_body);
    admission::admit_body(&body, limit)?;
    let has_body = !http_body::Body::is_end_stream(&body);
    let policy = group.policy();
    let mut attempts = Attempts {
        group,
        policy,
        spoken: Spoken::of(&head),
        is_harmless: !has_body && is_idempotent(&head.method),
        wish: UpgradeWish::take(&mut head, has_body),
        bound_to: bound_to(&head.headers, group, policy, exchange),
        tried: Vec::new(),
        left: policy.retries,
        patience: None,
        limit,
    };
    headers::for_target(&mut head, exchange);
    matching::edit(rule, &mut head, exchange)?;
    let mut response = attempts.run(head, has_body.then_some(body), exchange).await?;
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS && attempts.wish.is_some();
    if !switches {
        headers::for_client(&mut response, exchange)?;
    }
    exchange.edit(response.headers_mut());
    exchange.bind(response.headers_mut());
    Ok(Answered {
        response,
        wish: attempts.wish,
    })
}

/// The target the client is bound to.
fn bound_to(headers: &HeaderMap, group: &TargetGroup, policy: Policy, exchange: &Exchange) -> Option<String> {
    let stickiness = &exchange.connection.shared.stickiness;
    stickiness.target(headers, group.name(), policy.stickiness?)
}

/// RFC 9110 9.2.2, but for TRACE.
fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
    )
}

impl Attempts<'_> {
    async fn run(
        &mut self,
        mut head: Parts,
        mut incoming: Option<Incoming>,
        exchange: &mut Exchange,
    ) -> Result<Response<Body>, Cause> {
        let mut lease = match self.choose() {
            Some(lease) => lease,
            // Boxed: waiting is rare, and is not to weigh on requests that find a target.
            None => Box::pin(self.wait()).await?,
        };
        loop {
            let member = exchange.chose(lease);
            let protocol = member.target().protocol();
            self.spoken.check(protocol)?;
            let again = self.may_come_again(protocol).then(|| head.clone());
            if let Some(wish) = &self.wish {
                wish.pass_on(&mut head, protocol);
            }
            let (body, upload) = match incoming.take() {
                Some(incoming) => upload::measure(incoming, self.limit, &exchange.connection),
                None => (body::empty(), None),
            };
            exchange.uploads(upload.clone());
            let call = member.target().call(Request::from_parts(head, body));
            let cause = match guard(call, upload.as_deref(), exchange).await {
                Ok(response) => return Ok(response),
                Err(cause) => cause,
            };
            let Some(next) = again.filter(|_| self.is_worth_another(&cause)) else {
                return Err(cause);
            };
            incoming = match upload {
                None => None,
                Some(upload) => match upload.take_back() {
                    // Some of it has been read, and is gone.
                    None => return Err(cause),
                    untouched => untouched,
                },
            };
            lease = match self.another(&cause, &member, exchange).await {
                Some(other) => other,
                None => return Err(cause),
            };
            head = next;
        }
    }

    /// Waits for a target to come.
    async fn wait(&mut self) -> Result<Lease, Cause> {
        let (lease, patience) = self.group.wait(self.hints()).await?;
        // What was in force before is of a group without targets.
        self.policy = self.group.policy();
        self.left = self.policy.retries;
        self.patience = Some(patience);
        Ok(lease)
    }

    /// Another target, if the budget allows; or room with any, for a request that has waited for them to come.
    async fn another(
        &mut self,
        cause: &Cause,
        failed: &Arc<Member>,
        exchange: &mut Exchange,
    ) -> Option<Lease> {
        if self.left > 0 {
            self.left -= 1;
            if !cause.is_stale() {
                self.tried.push(failed.id().clone());
            }
            if let Some(other) = self.group.look(self.hints())
                && self.group.spend_retry()
            {
                self.group.count_attempt();
                exchange.tries_again(cause);
                return Some(other);
            }
        }
        let patience = self.patience.filter(|_| cause.is_busy())?;
        exchange.turned_away();
        self.tried.clear();
        let room = Box::pin(self.group.wait_for_room(self.hints(), patience)).await;
        if room.is_none() {
            exchange.failed_by(failed);
        }
        room
    }

    fn choose(&self) -> Option<Lease> {
        self.group.choose(self.hints())
    }

    fn hints(&self) -> ChoiceHints<'_> {
        ChoiceHints {
            bound_to: self.bound_to.as_deref(),
            tried: &self.tried,
        }
    }

    /// Whether it is worth keeping what another attempt would need.
    fn may_come_again(&self, target: TargetProtocol) -> bool {
        // Alone it is asked again only about a connection that was closing.
        let may_be_stale = self.is_harmless && target == TargetProtocol::Http1;
        let has_retry = self.left > 0 && (self.policy.takers > 1 || may_be_stale);
        has_retry || self.patience.is_some()
    }

    fn is_worth_another(&self, cause: &Cause) -> bool {
        let Cause::Target(error) = cause else {
            return false;
        };
        match error.kind.repeat() {
            Repeat::Always => true,
            Repeat::IfHarmless => self.is_harmless && self.wish.is_none(),
            Repeat::Never => false,
        }
    }
}

/// Waits for the target's response, or for what ends the wait before: the request's body fails, or the target's time
/// to drain is over.
async fn guard(
    call: impl Future<Output = Result<Response<Body>, TargetError>>,
    upload: Option<&Upload>,
    exchange: &mut Exchange,
) -> Result<Response<Body>, Cause> {
    let mut call = pin!(call);
    poll_fn(|cx| {
        if let Some(cause) = upload.and_then(|upload| upload.poll_failure(cx)) {
            return Poll::Ready(Err(cause));
        }
        if exchange.poll_cut(cx).is_ready() {
            return Poll::Ready(Err(Cause::Deregistered));
        }
        let answered = ready!(call.as_mut().poll(cx));
        // The body may have failed meanwhile, and whatever the target says then is about half a body.
        let failed = upload.and_then(Upload::failure);
        Poll::Ready(failed.map_or_else(|| answered.map_err(Cause::Target), Err))
    })
    .await
}
