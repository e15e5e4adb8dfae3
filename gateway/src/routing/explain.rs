//! Why a request goes where it goes: the rule it meets, and what kept it from those before.

use std::net::IpAddr;

use http::{HeaderMap, Method};

use super::{
    Action, Precedence, Unmet,
    condition::RequestView,
    snapshot::host::{self, MAX_HOST_BYTES},
    work::Work,
};
use crate::names::{ListenerName, RuleName};

/// A request that need not have happened.
#[derive(Clone, Debug)]
pub struct RequestSample {
    /// The listener it comes to.
    pub listener: ListenerName,
    /// Its method.
    pub method: Method,
    /// Its host, with a port or without; empty for none.
    pub host: String,
    /// Its path, as clients encode it.
    pub path: String,
    /// Its query without the `?`; empty for none.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// The peer of its connection.
    pub source: IpAddr,
}

impl RequestSample {
    /// What conditions see of it; the buffer is for its host.
    pub(super) fn view<'r>(
        &'r self,
        buffer: &'r mut [u8; MAX_HOST_BYTES],
        work: &'r Work,
    ) -> RequestView<'r> {
        RequestView {
            host: host::normalise(self.host.as_bytes(), buffer),
            path: self.path.as_bytes(),
            query: self.query.as_bytes(),
            method: &self.method,
            headers: &self.headers,
            source: self.source.to_canonical(),
            work,
        }
    }
}

/// What becomes of a request, and why.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The rule that matches; none is the default action.
    pub matched: Option<Ranked>,
    /// What happens then.
    pub action: Action,
    /// The rules that come before, in order, each with the first of its conditions that does not hold.
    pub tried: Vec<(Ranked, Unmet)>,
}

/// A rule and its rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// Its name.
    pub rule: RuleName,
    /// Its rank.
    pub precedence: Precedence,
}
