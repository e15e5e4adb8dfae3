//! What is written about routing: `[[route]]`, and the file of `wharf apply`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ListenerText, TargetGroupText};

/// One `[[route]]`: conditions, all of which must hold, and one action.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteText {
    /// What it is called; in a service's file it may go without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The listeners it is on; none: every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listener: Vec<String>,
    /// Lower goes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Hosts, any of which matches; none: every host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host: Vec<String>,
    /// Hosts by regular expression, beside `host`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_regex: Vec<String>,
    /// Paths, any of which matches; none: every path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// Paths by regular expression, beside `path`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path_regex: Vec<String>,
    /// Methods, any of which matches; none: every method.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub method: Vec<String>,
    /// Header name → values, any of which matches; every name has to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, Vec<String>>,
    /// Header values by regular expression, beside those of `header`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header_regex: BTreeMap<String, Vec<String>>,
    /// Query parameters, any of which matches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<QueryText>,
    /// Query parameters, each of which has to be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query_all: Vec<QueryText>,
    /// Networks, any of which the client's connection comes from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_ip: Vec<String>,
    /// Where requests go, by weight; in a service's file, without an action, to that service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forward: Vec<ForwardText>,
    /// How long a client stays with the one of `forward` that it got first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stickiness: Option<String>,
    /// Sends the client elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<RedirectText>,
    /// Answers always the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<FixedText>,
    /// What of a request is rewritten on its way to a target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<RewriteText>,
    /// What is done to the headers of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_headers: Option<HeaderEditsText>,
    /// What is done to the headers of a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_headers: Option<HeaderEditsText>,
    /// The longest wait for a response's head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// The largest body of a request, instead of the listener's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_limit: Option<String>,
}

/// A query parameter: of any key without one; of any value without that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryText {
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// One of `forward`: a service or a target group of the namespace, and its share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardText {
    /// A service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// A target group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_group: Option<String>,
    /// Its share beside the others'; 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
}

/// `redirect`. What is left out stays as the request has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedirectText {
    /// 301, 302, 303, 307 or 308.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i64>,
    /// `HTTP`, `HTTPS` or `#{protocol}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// The path, which begins with `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The query, without its `?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// `fixed`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedText {
    /// 2xx, 4xx or 5xx.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i64>,
    /// The media type of the body; `text/plain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The body; none: empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// `rewrite`: what a target sees instead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewriteText {
    /// Of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<ReplaceText>,
    /// Of path and query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<ReplaceText>,
}

/// What is found and what is put in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaceText {
    /// The regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// May name the expression's groups: `$1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<String>,
}

/// `request_headers` and `response_headers`: first removed, then set, then added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderEditsText {
    /// Instead of those of the name that are there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Beside those of the name that are there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub add: BTreeMap<String, String>,
    /// Taken off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// What `wharf apply` takes: objects of a namespace, and the server's listeners.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyText {
    /// `[[listener]]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listener: Vec<ListenerText>,
    /// `[[target_group]]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_group: Vec<TargetGroupText>,
    /// `[[route]]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<RouteText>,
}
