//! A client's wish to speak something other than HTTP on its connection: WebSocket and its like.
//!
//! The wish is passed on to targets that can grant it. When one does (101), the bytes of both sides are copied until
//! both have ended, or neither has said anything for too long.

mod tunnel;

use http::{HeaderValue, Response, StatusCode, Version, header, request::Parts};
use hyper::upgrade::OnUpgrade;

pub(crate) use self::tunnel::Tunnel;
use super::{
    exchange::Exchange,
    headers,
    response::{self, ResponseBody},
};
use crate::{
    body::{Body, Upgraded},
    target::TargetProtocol,
};

/// What a client wants to speak, and where its connection will be to be had.
pub(super) struct UpgradeWish {
    protocols: HeaderValue,
    client: OnUpgrade,
}

impl UpgradeWish {
    /// Takes the wish out of a request; none if there is none that could be granted.
    pub(super) fn take(head: &mut Parts, has_body: bool) -> Option<Self> {
        let client = head.extensions.remove::<OnUpgrade>()?;
        let protocols = head.headers.get(header::UPGRADE)?.clone();
        let wishes = head.version == Version::HTTP_11 && !has_body && is_named(&head.headers);
        (wishes && !is_http(&protocols)).then_some(Self { protocols, client })
    }

    /// Asks a target that can grant it.
    pub(super) fn pass_on(&self, head: &mut Parts, target: TargetProtocol) {
        if target == TargetProtocol::Http1 {
            let upgrade = HeaderValue::from_static("upgrade");
            head.headers.insert(header::CONNECTION, upgrade);
            head.headers.insert(header::UPGRADE, self.protocols.clone());
        }
    }

    /// Answers a client whose wish was granted; the bytes are copied once its connection has sent the answer.
    pub(super) fn grant(
        self,
        mut response: Response<Body>,
        mut exchange: Box<Exchange>,
    ) -> Response<ResponseBody> {
        let Some(target) = response.extensions_mut().remove::<Upgraded>() else {
            return response::refuse(&headers::not_upgraded(), exchange);
        };
        headers::for_upgraded_client(&mut response, &exchange);
        exchange.answered(StatusCode::SWITCHING_PROTOCOLS, None);
        let connection = exchange.connection.clone();
        connection.switch_to(Tunnel::new(self.client, target, exchange));
        response.map(|_| ResponseBody::switching())
    }
}

/// RFC 9110 7.8: `Upgrade` means something only where `Connection` names it.
fn is_named(headers: &http::HeaderMap) -> bool {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim().eq_ignore_ascii_case("upgrade"))
}

/// Another HTTP, or TLS, inside: requests that nobody here would see. Targets that speak HTTP/2 are spoken to so from
/// the start.
fn is_http(protocols: &HeaderValue) -> bool {
    let Ok(protocols) = protocols.to_str() else {
        return true;
    };
    protocols.split(',').any(|protocol| {
        let name = protocol.trim().split('/').next().unwrap_or_default();
        ["h2c", "h2", "http", "tls"]
            .iter()
            .any(|http| name.eq_ignore_ascii_case(http))
    })
}
