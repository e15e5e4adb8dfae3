//! The way of one request, from its parsed head to its access-log line.
//!
//! [`respond`] is polled inline by the connection. Dropping it, because the client has left, drops the call and with it
//! the guest; [`Exchange`] writes the log line whichever way it ends.

mod admission;
mod attempt;
mod chance;
mod exchange;
mod forwarding;
mod headers;
mod matching;
mod protocol;
pub(crate) mod request_id;
mod response;
mod trace;
pub(crate) mod upgrade;
mod upload;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use self::{
    attempt::{Answered, Ask},
    exchange::Exchange,
    response::ResponseBody,
};
use crate::{
    connection::Connection,
    error::Cause,
    routing::snapshot::{Decision, WeightedGroups},
};

/// Answers a request: with a target's response, with what a rule says, or with an error of the gateway's own.
pub(crate) async fn respond(
    request: Request<Incoming>,
    connection: Arc<Connection>,
) -> Response<ResponseBody> {
    // Boxed: it moves from hand to hand, and hyper keeps room for the body it ends up in.
    let mut exchange = Box::new(Exchange::begin(&request, connection));
    match answer(request, &mut exchange).await {
        Ok(Answer::Target(Answered {
            response,
            wish: Some(wish),
        })) if response.status() == StatusCode::SWITCHING_PROTOCOLS => wish.grant(response, exchange),
        Ok(Answer::Target(Answered { response, .. })) => response::stream(response, exchange),
        Ok(Answer::Rule(response)) => response::own(response, exchange),
        Err(cause) => response::refuse(&cause, exchange),
    }
}

/// What a request is answered with when all goes well.
enum Answer {
    /// By a target.
    Target(Answered),
    /// By a rule that needs none.
    Rule(Response<Bytes>),
}

async fn answer(request: Request<Incoming>, exchange: &mut Exchange) -> Result<Answer, Cause> {
    if let Some(cause) = exchange.refusal() {
        return Err(cause);
    }
    let (mut head, body) = request.into_parts();
    admission::admit(&head, exchange.host.as_ref(), exchange.connection.limits())?;
    admission::inspect(&mut head, &body, exchange)?;
    forwarding::check(&head.headers, &exchange.connection)?;
    let rule = matching::find(&head, exchange)
        .map_err(|_| Cause::TooMuchWork)?
        .ok_or(Cause::NoRule)?;
    exchange.matched(rule.clone());
    let mut response = match &rule.action {
        Decision::Forward(groups) => {
            let ask = Ask {
                head,
                body,
                rule: &rule,
            };
            return Ok(Answer::Target(forward(ask, groups, exchange).await?));
        }
        Decision::Fixed(fixed) => fixed.response(),
        Decision::Redirect(redirect) => matching::redirect(redirect, &head, exchange)?,
        Decision::NotFound => return Err(Cause::NoRule),
    };
    exchange.mark(response.headers_mut());
    Ok(Answer::Rule(response))
}

/// Has a target of one of these groups answer, in the rule's time.
async fn forward(ask: Ask<'_>, groups: &WeightedGroups, exchange: &mut Exchange) -> Result<Answered, Cause> {
    let timeout = ask.rule.spec.timeout;
    let group = matching::choose(groups, &ask.head, exchange).ok_or(Cause::NoTarget)?;
    exchange.routed(group.clone());
    let call = attempt::call(ask, &group, exchange);
    let mut answered = match timeout {
        None => call.await?,
        // Boxed: the timer is not to weigh on requests of rules without one.
        Some(timeout) => Box::pin(tokio::time::timeout(timeout, call))
            .await
            .unwrap_or(Err(Cause::RuleTimeout { timeout }))?,
    };
    if groups.stickiness.is_some() {
        let stickiness = &exchange.connection.shared.stickiness;
        stickiness.bind_to_group(answered.response.headers_mut(), group.name());
    }
    Ok(answered)
}
