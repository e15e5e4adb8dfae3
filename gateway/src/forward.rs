//! The way of one request, from its parsed head to its access-log line.
//!
//! [`respond`] is polled inline by the connection. Dropping it, because the client has left, drops the call and with it
//! the guest; [`Exchange`] writes the log line whichever way it ends.

mod admission;
mod exchange;
mod headers;
pub(crate) mod request_id;
mod response;
mod upload;

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;

use self::{exchange::Exchange, response::ResponseBody};
use crate::{body::Body, connection::Connection, error::Cause};

/// Answers a request: with a target's response, or with an answer of the gateway's own.
pub(crate) async fn respond(
    request: Request<Incoming>,
    connection: Arc<Connection>,
) -> Response<ResponseBody> {
    let mut exchange = Exchange::begin(&request, connection);
    match forward(request, &mut exchange).await {
        Ok(response) => response::stream(response, exchange),
        Err(cause) => response::refuse(&cause, exchange),
    }
}

async fn forward(request: Request<Incoming>, exchange: &mut Exchange) -> Result<Response<Body>, Cause> {
    let connection = exchange.connection.clone();
    let (mut head, body) = request.into_parts();
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
    let lease = group.choose().ok_or(Cause::NoTarget)?;
    let member = exchange.chose(lease);

    headers::for_target(&mut head, exchange);
    let (body, upload) = upload::measure(body, &connection);
    exchange.uploads(upload.clone());
    let call = member.target().call(Request::from_parts(head, body));
    let mut response = upload::guard(call, upload.as_deref()).await?;
    headers::for_client(&mut response, exchange)?;
    Ok(response)
}
