//! What a target is told of the client, and of the hops before this one: `X-Forwarded-*`, `Host`.
//!
//! ALB's headers and modes. With trusted proxies named, what others claim about their client is dropped, and what the
//! proxies say is kept, for it is they who know.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    config::{Forwarding, XForwardedFor, forwarding::HostHeader},
    connection::Connection,
    error::Cause,
};

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// ALB: with more addresses in `X-Forwarded-For` than this, the answer is 463.
const MAX_FORWARDED_FOR: usize = 30;

/// Refuses a list that no chain of honest proxies makes.
pub(super) fn check(headers: &HeaderMap, connection: &Connection) -> Result<(), Cause> {
    let forwarding = &connection.settings.forwarding;
    let believed = forwarding.trusts(connection.client.ip());
    if !believed || forwarding.x_forwarded_for == XForwardedFor::Remove {
        return Ok(());
    }
    if headers.contains_key(X_FORWARDED_FOR) && addresses(headers).count() > MAX_FORWARDED_FOR {
        return Err(Cause::TooManyForwarders {
            limit: MAX_FORWARDED_FOR,
        });
    }
    Ok(())
}

/// Puts this hop's headers on, in the place of those a client may have made up.
pub(super) fn apply(headers: &mut HeaderMap, connection: &Connection) {
    let settings = &connection.settings;
    let forwarding = &settings.forwarding;
    if !forwarding.trusts(connection.client.ip()) {
        headers.remove(X_FORWARDED_FOR);
    }
    match forwarding.x_forwarded_for {
        XForwardedFor::Append => append(headers, &connection.forwarded_for),
        XForwardedFor::Preserve => {}
        XForwardedFor::Remove => {
            headers.remove(X_FORWARDED_FOR);
        }
    }
    // ALB: not appended, what this hop knows replaces what a client may claim. A proxy before it knows better.
    let known_before = !forwarding.trusted.is_empty() && forwarding.trusts(connection.client.ip());
    let mut tell = |name: HeaderName, value: HeaderValue| {
        if !(known_before && headers.contains_key(&name)) {
            headers.insert(name, value);
        }
    };
    tell(
        X_FORWARDED_PROTO,
        HeaderValue::from_static(settings.scheme.as_str()),
    );
    tell(X_FORWARDED_PORT, settings.port_value.clone());
}

/// The `Host` a target gets.
pub(super) fn host(asked: &HeaderValue, connection: &Connection) -> HeaderValue {
    let settings = &connection.settings;
    if settings.forwarding.host == HostHeader::Preserve {
        return asked.clone();
    }
    let bare = without_port(asked.as_bytes());
    let named = if settings.port == settings.scheme.default_port() {
        bare.to_vec()
    } else {
        [bare, b":", settings.port_value.as_bytes()].concat()
    };
    HeaderValue::from_maybe_shared(Bytes::from(named)).unwrap_or_else(|_| asked.clone())
}

fn without_port(host: &[u8]) -> &[u8] {
    let end = if host.starts_with(b"[") {
        host.iter().position(|byte| *byte == b']').map(|at| at + 1)
    } else {
        host.iter().position(|byte| *byte == b':')
    };
    end.and_then(|end| host.get(..end)).unwrap_or(host)
}

/// The client as the trusted proxies name it: the last address in their list that is none of theirs. None when there are
/// none, or the connection does not come from one.
pub(super) fn origin(headers: &HeaderMap, forwarding: &Forwarding, peer: IpAddr) -> Option<IpAddr> {
    if forwarding.trusted.is_empty() || !forwarding.trusts(peer) {
        return None;
    }
    let list: Vec<&str> = addresses(headers).collect();
    let mut found = None;
    for text in list.into_iter().rev() {
        let address = read_address(text)?;
        found = Some(address);
        if !forwarding.trusts(address) {
            break;
        }
    }
    found
}

/// The elements of all the lists, in order. What is not text is left out: it is no address.
fn addresses(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(X_FORWARDED_FOR)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

/// An address, with a port or without.
fn read_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>();
    let address = address.or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

fn append(headers: &mut HeaderMap, client: &HeaderValue) {
    let mut list = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR) {
        if !value.is_empty() {
            list.extend_from_slice(value.as_bytes());
            list.extend_from_slice(b", ");
        }
    }
    if list.is_empty() {
        headers.insert(X_FORWARDED_FOR, client.clone());
        return;
    }
    list.extend_from_slice(client.as_bytes());
    // Parts of header values make a header value.
    let list = HeaderValue::from_maybe_shared(Bytes::from(list)).unwrap_or_else(|_| client.clone());
    headers.insert(X_FORWARDED_FOR, list);
}

#[cfg(test)]
mod tests;
