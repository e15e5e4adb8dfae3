//! When a rule applies: ALB's six conditions. AND between them, OR between the values of one.

mod query;
mod unmet;
mod value;

use std::{collections::BTreeSet, fmt, net::IpAddr};

use http::{HeaderMap, Method};
use ipnet::IpNet;

pub use self::{
    query::{QueryCondition, QueryMatch},
    unmet::Unmet,
    value::{HeaderCondition, HeaderMatch, HostMatch, Match, MethodName, PathMatch},
};
use super::{pattern::PatternError, regex::RegexError, work::Work};

/// The most values of one condition (ALB: 5 in a whole rule).
pub const MAX_CONDITION_VALUES: usize = 1000;

/// The longest name of a header that a condition is about, in bytes. ALB: 40.
pub const MAX_HEADER_NAME_BYTES: usize = 256;

/// The longest method, in bytes. ALB: 40.
pub const MAX_METHOD_BYTES: usize = 40;

/// When a rule applies. One that is empty always holds.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// The request's host is like one of these.
    pub host: Vec<HostMatch>,
    /// The request's path is like one of these.
    pub path: Vec<PathMatch>,
    /// The request's method is one of these.
    pub methods: Vec<MethodName>,
    /// All of these hold.
    pub headers: Vec<HeaderCondition>,
    /// All of these hold.
    pub query: Vec<QueryCondition>,
    /// The peer of the connection is in one of these networks; what `X-Forwarded-For` says does not count (ALB).
    pub source_ip: Vec<IpNet>,
}

/// Why a condition was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// A pattern is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A regular expression is none.
    #[error(transparent)]
    Regex(#[from] RegexError),
    /// A method that no request has.
    #[error(
        "`{}` is not a method: they are matched as they are, in capitals, like `GET` (A-Z, `-` and `_`, at most \
         {MAX_METHOD_BYTES} bytes)", .0.escape_debug()
    )]
    Method(String),
    /// A method that is refused before any rule.
    #[error("a rule cannot match `{0}`: it is answered 405 before any rule")]
    RefusedMethod(String),
    /// A header that has a condition of its own.
    #[error("a header condition cannot be about `host`: use the host condition")]
    HostHeader,
    /// A header's name that is longer than [`MAX_HEADER_NAME_BYTES`].
    #[error("a header's name has at most {MAX_HEADER_NAME_BYTES} bytes, this one has {0}")]
    HeaderName(usize),
    /// A query condition that every request meets or none.
    #[error("a query value needs a key or a value")]
    EmptyQuery,
    /// A condition that nothing could meet.
    #[error("the {0} condition has no values: name at least one, or leave the condition out")]
    NoValues(&'static str),
    /// More than [`MAX_CONDITION_VALUES`].
    #[error("the {kind} condition has {count} values, the most is {MAX_CONDITION_VALUES}")]
    TooManyValues {
        /// Which condition.
        kind: &'static str,
        /// How many it has.
        count: usize,
    },
}

fn check_count(kind: &'static str, count: usize) -> Result<(), ConditionError> {
    match count {
        0 => Err(ConditionError::NoValues(kind)),
        count if count > MAX_CONDITION_VALUES => Err(ConditionError::TooManyValues { kind, count }),
        _ => Ok(()),
    }
}

/// What conditions see of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestView<'r> {
    /// In lower case, without the port.
    pub(crate) host: &'r [u8],
    pub(crate) path: &'r [u8],
    /// Without the `?`.
    pub(crate) query: &'r [u8],
    pub(crate) method: &'r Method,
    pub(crate) headers: &'r HeaderMap,
    /// The peer of the connection.
    pub(crate) source: IpAddr,
    /// What comparing may cost.
    pub(crate) work: &'r Work,
}

impl Conditions {
    /// Whether all of them hold; the cheap ones are asked first. Means nothing once there is no work left.
    pub(super) fn hold(&self, request: &RequestView<'_>) -> bool {
        self.method_holds(request)
            && self.host_holds(request)
            && self.path_holds(request)
            && self.source_holds(request)
            && self
                .headers
                .iter()
                .all(|header| header.holds(request.headers, request.work))
            && self
                .query
                .iter()
                .all(|query| query.holds(request.query, request.work))
    }

    /// The first that does not hold; none if all do.
    pub(super) fn unmet(&self, request: &RequestView<'_>) -> Option<Unmet> {
        if !self.host_holds(request) {
            return Some(Unmet::host(self, request));
        }
        if !self.path_holds(request) {
            return Some(Unmet::path(self, request));
        }
        if !self.method_holds(request) {
            return Some(Unmet::method(self, request));
        }
        if let Some(header) = self
            .headers
            .iter()
            .find(|header| !header.holds(request.headers, request.work))
        {
            return Some(Unmet::header(header, request));
        }
        if let Some(query) = self
            .query
            .iter()
            .find(|query| !query.holds(request.query, request.work))
        {
            return Some(Unmet::query(query, request));
        }
        (!self.source_holds(request)).then(|| Unmet::source_ip(self, request))
    }

    /// Refuses conditions with more values than one may have, naming the condition.
    pub(crate) fn check(&self) -> Result<(), (&'static str, ConditionError)> {
        for (kind, values) in [
            ("host", self.host.len()),
            ("path", self.path.len()),
            ("method", self.methods.len()),
            ("header", self.headers.len()),
            ("query", self.query.len()),
            ("source-ip", self.source_ip.len()),
        ] {
            // None at all is a condition that was left out.
            check_count(kind, values.max(1)).map_err(|error| (kind, error))?;
        }
        Ok(())
    }

    /// What each regular expression takes compiled, in bytes, with the condition it is in.
    pub(super) fn expressions(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let host = self.host.iter().filter_map(Match::compiled_bytes);
        let path = self.path.iter().filter_map(Match::compiled_bytes);
        let headers = self.headers.iter().flat_map(HeaderCondition::values);
        let headers = headers.filter_map(Match::compiled_bytes);
        host.map(|bytes| ("host_regex", bytes))
            .chain(path.map(|bytes| ("path_regex", bytes)))
            .chain(headers.map(|bytes| ("header_regex", bytes)))
    }

    fn host_holds(&self, request: &RequestView<'_>) -> bool {
        self.host.is_empty()
            || self
                .host
                .iter()
                .any(|value| value.matches(request.host, request.work))
    }

    fn path_holds(&self, request: &RequestView<'_>) -> bool {
        self.path.is_empty()
            || self
                .path
                .iter()
                .any(|value| value.matches(request.path, request.work))
    }

    fn method_holds(&self, request: &RequestView<'_>) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|value| value.matches(request.method))
    }

    fn source_holds(&self, request: &RequestView<'_>) -> bool {
        self.source_ip.is_empty() || self.source_ip.iter().any(|net| net.contains(&request.source))
    }

    /// Every condition there is, with its values: order and repetition don't matter.
    fn parts(&self) -> BTreeSet<Part> {
        let part = |of: String, values: BTreeSet<String>| Part { of, values };
        let mut parts = BTreeSet::new();
        let mut simple = |of: &str, values: BTreeSet<String>| {
            if !values.is_empty() {
                parts.insert(part(of.to_owned(), values));
            }
        };
        simple("host", self.host.iter().map(HostMatch::to_string).collect());
        simple("path", self.path.iter().map(PathMatch::to_string).collect());
        simple("method", self.methods.iter().map(MethodName::to_string).collect());
        simple(
            "source-ip",
            self.source_ip.iter().map(|net| net.trunc().to_string()).collect(),
        );
        for header in &self.headers {
            let values = header.values().iter().map(HeaderMatch::to_string);
            parts.insert(part(format!("header {}", header.name()), values.collect()));
        }
        for query in &self.query {
            let values = query.values().iter().map(QueryMatch::to_string);
            parts.insert(part("query".to_owned(), values.collect()));
        }
        parts
    }

    /// What two sets of conditions have in common when they mean the same.
    pub(super) fn identity(&self) -> impl Eq + std::hash::Hash + use<> {
        self.parts()
    }
}

/// A condition as text.
#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Part {
    of: String,
    values: BTreeSet<String>,
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts();
        if parts.is_empty() {
            return f.write_str("any request");
        }
        for (index, Part { of, values }) in parts.iter().enumerate() {
            let and = if index == 0 { "" } else { " and " };
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            write!(f, "{and}{of} {}", values.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
