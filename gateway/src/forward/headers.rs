//! What a hop changes about headers: its own are taken off, forwarding ones put on.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, Version, header, request::Parts,
    uri::PathAndQuery,
};
use http_body::Body as _;

use super::{exchange::Exchange, forwarding, request_id::X_REQUEST_ID};
use crate::{
    body::Body,
    error::Cause,
    target::{LastOnConnection, TargetError, TargetErrorKind, Usage},
};

/// How many headers a target gets that a client hardly ever sends.
const ADDED: usize = 6;

/// RFC 9110 15: statuses end here.
const LAST_STATUS: u16 = 599;

/// Makes a client's head into the one a target gets.
pub(super) fn for_target(head: &mut Parts, exchange: &Exchange) {
    let wants_trailers = head.headers.get(header::TE).is_some_and(accepts_trailers);
    remove_hop_by_hop(&mut head.headers);
    if wants_trailers {
        head.headers
            .insert(header::TE, HeaderValue::from_static("trailers"));
    }
    join_cookies(&mut head.headers);
    let headers = &mut head.headers;
    // Grown once, not with every second header.
    headers.reserve(ADDED);
    forwarding::apply(headers, &exchange.connection);
    exchange.trace.apply(headers);
    headers.insert(X_REQUEST_ID, exchange.request_id.clone());
    if let Some(host) = &exchange.host {
        headers.insert(header::HOST, forwarding::host(host, &exchange.connection));
    }
    if head.uri.authority().is_some() {
        head.uri = origin_form(&head.uri);
    }
    if exchange.is_ambiguous() {
        head.extensions.insert(LastOnConnection);
    }
}

/// Makes a target's response into one a client gets, or says why it is none.
pub(super) fn for_client(response: &mut Response<Body>, exchange: &Exchange) -> Result<(), Cause> {
    if response.status().is_informational() {
        return Err(invalid(
            "the status is informational, but this is the only response there is",
        ));
    }
    if response.status().as_u16() > LAST_STATUS {
        return Err(invalid("the status is of no class"));
    }
    check_coding(response.headers_mut())?;
    check_length(response, &exchange.method)?;
    // Which version is sent is the connection's business.
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    remove_hop_by_hop(headers);
    headers
        .entry(X_REQUEST_ID)
        .or_insert_with(|| exchange.request_id.clone());
    Ok(())
}

/// Makes a target's 101 into the one its client gets.
pub(super) fn for_upgraded_client(response: &mut Response<Body>, exchange: &Exchange) {
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    let upgrade = headers.get(header::UPGRADE).cloned();
    remove_hop_by_hop(headers);
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    if let Some(upgrade) = upgrade {
        headers.insert(header::UPGRADE, upgrade);
    }
    headers.insert(X_REQUEST_ID, exchange.request_id.clone());
}

/// A 101 that nothing follows.
pub(super) fn not_upgraded() -> Cause {
    invalid("it switches protocols, but there is no connection to go on with")
}

/// RFC 9112 6.3: chunks say where the body ends, and a length beside them says nothing. Other codings are not undone here,
/// and no client has asked for one.
fn check_coding(headers: &mut HeaderMap) -> Result<(), Cause> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return Ok(());
    };
    if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Err(invalid("it has a Transfer-Encoding other than chunked"));
    }
    headers.remove(header::CONTENT_LENGTH);
    Ok(())
}

/// A length that does not fit its body would put the connection out of step, or leave the client waiting.
fn check_length(response: &Response<Body>, method: &Method) -> Result<(), Cause> {
    let mut lengths = response.headers().get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        return Ok(());
    };
    let digits = length
        .to_str()
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(claimed) = digits.and_then(|text| text.parse::<u64>().ok()) else {
        return Err(invalid("its Content-Length is not a number"));
    };
    if lengths.any(|other| other != length) {
        return Err(invalid("it has several Content-Length headers"));
    }
    // A response to HEAD, and 304, tell the length of what they don't have.
    let described = *method == Method::HEAD || response.status() == StatusCode::NOT_MODIFIED;
    match response.body().size_hint().exact() {
        Some(0) if described => Ok(()),
        Some(actual) if actual != claimed => Err(invalid("its Content-Length is not its body's length")),
        _ => Ok(()),
    }
}

fn invalid(reason: &str) -> Cause {
    Cause::Target(TargetError {
        kind: TargetErrorKind::InvalidResponse,
        reason: format!("the response is not valid HTTP: {reason}"),
        usage: Usage::default(),
    })
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // Going over the names once is less work than looking each of these up, and most heads have none.
    let mut hop_by_hop: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_hop_by_hop(name))
        .cloned()
        .collect();
    if hop_by_hop.is_empty() {
        return;
    }
    let named = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        // By far the most frequent; they go anyway, or are no header's name.
        .filter(|name| !name.eq_ignore_ascii_case("keep-alive") && !name.eq_ignore_ascii_case("close"))
        .filter_map(|name| name.parse().ok())
        // Naming these would take away what routing and this hop rely on.
        .filter(|name| !matches!(*name, header::HOST | header::CONTENT_LENGTH));
    hop_by_hop.extend(named);
    for name in hop_by_hop {
        headers.remove(name);
    }
}

/// RFC 9110 7.6.1: meant for the next hop only, whether `Connection` names them or not.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade"
    )
}

fn accepts_trailers(te: &HeaderValue) -> bool {
    let names = |part: &str| part.trim().eq_ignore_ascii_case("trailers");
    te.to_str().is_ok_and(|te| te.split(',').any(names))
}

/// RFC 9113 8.2.3: HTTP/2 may split cookies, but others must see them as one line.
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_maybe_shared(bytes::Bytes::from(joined)) {
        headers.insert(header::COOKIE, joined);
    }
}

fn origin_form(uri: &Uri) -> Uri {
    let target = uri
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    Uri::from(target)
}
