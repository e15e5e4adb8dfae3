//! Why a rule does not apply: the condition, and what the request has instead.

use std::{fmt, net::IpAddr};

use http::HeaderName;

use super::RequestView;

/// A condition that does not hold for a request, with what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// The host is another.
    Host {
        /// In lower case, without the port.
        seen: String,
    },
    /// The path is another.
    Path {
        /// As it was sent, without the query.
        seen: String,
    },
    /// The method is another.
    Method {
        /// As it was sent.
        seen: String,
    },
    /// A header has other values, or is not there.
    Header {
        /// Its name.
        name: HeaderName,
        /// Its values, one for each line.
        seen: Vec<String>,
    },
    /// No parameter is like that.
    Query {
        /// As it was sent, without the `?`.
        seen: String,
    },
    /// The peer is elsewhere.
    SourceIp {
        /// Its address.
        seen: IpAddr,
    },
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Unmet {
    pub(super) fn host(request: &RequestView<'_>) -> Self {
        let seen = text(request.host);
        Self::Host { seen }
    }

    pub(super) fn path(request: &RequestView<'_>) -> Self {
        let seen = text(request.path);
        Self::Path { seen }
    }

    pub(super) fn method(request: &RequestView<'_>) -> Self {
        let seen = request.method.to_string();
        Self::Method { seen }
    }

    pub(super) fn header(name: &HeaderName, request: &RequestView<'_>) -> Self {
        let lines = request.headers.get_all(name).iter();
        Self::Header {
            name: name.clone(),
            seen: lines.map(|line| text(line.as_bytes())).collect(),
        }
    }

    pub(super) fn query(request: &RequestView<'_>) -> Self {
        let seen = text(request.query);
        Self::Query { seen }
    }

    /// The condition's name.
    #[must_use]
    pub fn condition(&self) -> &'static str {
        match self {
            Self::Host { .. } => "host",
            Self::Path { .. } => "path",
            Self::Method { .. } => "method",
            Self::Header { .. } => "header",
            Self::Query { .. } => "query",
            Self::SourceIp { .. } => "source-ip",
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { seen } if seen.is_empty() => f.write_str("host: the request has none"),
            Self::Query { seen } if seen.is_empty() => f.write_str("query: the request has none"),
            Self::Host { seen } => write!(f, "host: it is `{seen}`"),
            Self::Path { seen } => write!(f, "path: it is `{seen}`"),
            Self::Method { seen } => write!(f, "method: it is {seen}"),
            Self::Header { name, seen } if seen.is_empty() => {
                write!(f, "header {name}: the request has none")
            }
            Self::Header { name, seen } => write!(f, "header {name}: it is `{}`", seen.join("`, `")),
            Self::Query { seen } => write!(f, "query: it is `{seen}`"),
            Self::SourceIp { seen } => write!(f, "source-ip: it is {seen}"),
        }
    }
}
