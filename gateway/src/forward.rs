//! The way of one request, from its parsed head to its access-log line.
//!
//! [`respond`] is polled inline by the connection. Dropping it, because the client has left, drops the call and with it
//! the guest; [`Exchange`] writes the log line whichever way it ends.

mod admission;
mod attempt;
mod exchange;
mod headers;
mod protocol;
pub(crate) mod request_id;
mod response;
pub(crate) mod upgrade;
mod upload;

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use self::{
    attempt::{Answered, Ask},
    exchange::Exchange,
    response::ResponseBody,
};
use crate::{connection::Connection, error::Cause};

/// Answers a request: with a target's response, or with an answer of the gateway's own.
pub(crate) async fn respond(
    request: Request<Incoming>,
    connection: Arc<Connection>,
) -> Response<ResponseBody> {
    let mut exchange = Exchange::begin(&request, connection);
    match forward(request, &mut exchange).await {
        Ok(Answered {
            response,
            wish: Some(wish),
        }) if response.status() == StatusCode::SWITCHING_PROTOCOLS => wish
            .grant(response, exchange)
            .unwrap_or_else(|(cause, exchange)| response::refuse(&cause, exchange)),
        Ok(Answered { response, .. }) => response::stream(response, exchange),
        Err(cause) => response::refuse(&cause, exchange),
    }
}

async fn forward(request: Request<Incoming>, exchange: &mut Exchange) -> Result<Answered, Cause> {
    let connection = exchange.connection.clone();
    if let Some(cause) = exchange.refusal() {
        return Err(cause);
    }
    let (head, body) = request.into_parts();
    admission::admit(&head, &body, exchange.host.as_ref(), connection.limits())?;

    let host = exchange.host.as_ref().map_or(&[][..], |host| host.as_bytes());
    let rule = connection
        .shared
        .snapshot
        .load()
        .find(host, head.uri.path().as_bytes())
        .cloned()
        .ok_or(Cause::NoRule)?;
    let group = exchange.matched(rule);
    attempt::call(Ask { head, body }, &group, exchange).await
}
