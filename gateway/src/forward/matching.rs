//! Which rule a request meets, and what the rules that need no target make of it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, header, request::Parts};

use super::exchange::Exchange;
use crate::{
    error::Cause,
    group::TargetGroup,
    routing::{
        Redirect, Transforms,
        action::Location,
        condition::RequestView,
        snapshot::{
            Rule, WeightedGroups,
            host::{self, MAX_HOST_BYTES},
        },
        transform::TransformFailed,
        work::{TooMuchWork, Work},
    },
};

/// The rule that a request meets on its listener, the default action included.
pub(super) fn find(head: &Parts, exchange: &Exchange) -> Result<Option<Arc<Rule>>, TooMuchWork> {
    let connection = &exchange.connection;
    let mut buffer = [0; MAX_HOST_BYTES];
    let work = Work::default();
    let request = RequestView {
        host: host::normalise(host_of(exchange), &mut buffer),
        path: head.uri.path().as_bytes(),
        query: head.uri.query().unwrap_or_default().as_bytes(),
        method: &head.method,
        headers: &head.headers,
        source: connection.client.ip(),
        work: &work,
    };
    let snapshot = connection.shared.snapshot.load();
    let found = snapshot.find(&connection.listener.name, &request)?;
    Ok(found.cloned())
}

/// The answer of a redirect.
pub(super) fn redirect(to: &Redirect, head: &Parts, exchange: &Exchange) -> Result<Response<Bytes>, Cause> {
    let mut buffer = [0; MAX_HOST_BYTES];
    let asked = host_of(exchange);
    let from = Location {
        scheme: exchange.connection.settings.scheme,
        host: host::normalise(asked, &mut buffer),
        port: host::port(asked),
        path: head.uri.path().as_bytes(),
        query: head.uri.query().unwrap_or_default().as_bytes(),
    };
    let location = to.location(&from).map_err(Cause::RedirectFailed)?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = to.status();
    response.headers_mut().insert(header::LOCATION, location);
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    Ok(response)
}

/// The group that the request's client is bound to, or the one it falls to by weight.
pub(super) fn choose(groups: &WeightedGroups, head: &Parts, exchange: &Exchange) -> Option<Arc<TargetGroup>> {
    let bound_to = groups.stickiness.and_then(|within| {
        let stickiness = &exchange.connection.shared.stickiness;
        stickiness.group(&head.headers, within)
    });
    groups.choose(bound_to.as_deref()).cloned()
}

/// Does to a head what its rule says, after it was made into one for targets.
pub(super) fn edit(rule: &Rule, head: &mut Parts, exchange: &Exchange) -> Result<(), Cause> {
    transform(&rule.spec.transforms, head, exchange)?;
    rule.spec.request_headers.apply(&mut head.headers);
    Ok(())
}

fn transform(transforms: &Transforms, head: &mut Parts, exchange: &Exchange) -> Result<(), Cause> {
    if transforms.is_empty() {
        return Ok(());
    }
    let mut buffer = [0; MAX_HOST_BYTES];
    let host = host::normalise(host_of(exchange), &mut buffer);
    let made = transforms
        .host(host)
        .map_err(|failed| not_rewritten(failed, "host"))?;
    if let Some(host) = made {
        head.headers.insert(header::HOST, host);
    }
    let url = head.uri.path_and_query().map_or("/", |url| url.as_str());
    let made = transforms
        .url(url)
        .map_err(|failed| not_rewritten(failed, "URL"))?;
    if let Some(url) = made {
        head.uri = url.into();
    }
    Ok(())
}

fn not_rewritten(failed: TransformFailed, what: &'static str) -> Cause {
    match failed {
        TransformFailed::Malformed => Cause::TransformFailed(what),
        TransformFailed::TooMuchWork => Cause::TooMuchWork,
    }
}

fn host_of(exchange: &Exchange) -> &[u8] {
    exchange.host.as_ref().map_or(&[], |host| host.as_bytes())
}
