//! What is written about routing: `[[route]]`, `[[target_group]]`, `[[listener]]`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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

/// One `[[target_group]]`: targets outside that can stand in for one another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetGroupText {
    /// What `forward` calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `http(s)://host:port` of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetText>,
    /// `http1`, `http2` or `grpc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `round_robin`, `least_outstanding_requests`, `weighted_random` or `power_of_two`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// How long a target that has just become healthy gets less than its share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<String>,
    /// How long a client stays with the target it first met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stickiness: Option<String>,
    /// Whether all get requests when none is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_open: Option<bool>,
    /// How long the requests of a target that is taken out may go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistration_delay: Option<String>,
    /// How long a connection may take to come about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<String>,
    /// How long nothing may be heard while a request is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<String>,
    /// Connections at once to each target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<i64>,
    /// Whether the certificates of `https` targets are checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_certificates: Option<bool>,
    /// How targets are checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<TargetHealthText>,
    /// When a failed request is tried on another target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryText>,
}

/// One of `targets`: its URL alone, or with a weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TargetText {
    /// `"http://10.0.0.1:9000"`
    Url(String),
    /// `{ url = "http://10.0.0.1:9000", weight = 3 }`
    Weighted(WeightedTargetText),
}

/// A target with its share under `weighted_random`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedTargetText {
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its share beside the others'; 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
}

/// `health` of a `[[target_group]]`; ALB's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetHealthText {
    /// Whether targets are checked at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// What is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Another port than that for requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// How often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// How long an answer may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Passes in a row that make a target healthy again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<i64>,
    /// Failures in a row that make it unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhealthy: Option<i64>,
    /// Which statuses pass, `"200-399"`; with version `grpc`, which codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<String>,
}

/// `retry` of a `[[target_group]]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryText {
    /// Attempts after the first that one request may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_request: Option<i64>,
    /// Retries for a hundred requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<i64>,
    /// Retries in a second besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<i64>,
}

/// One `[[listener]]`: an address, and how its clients are treated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerText {
    /// What routes and the access log call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `HTTP` or `HTTPS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Where to listen, `"0.0.0.0:443"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Files on the server; the first is for clients that ask for none of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateText>,
    /// The oldest version of TLS, `1.2` or `1.3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// What happens when no rule matches; none: 404.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultText>,
    /// How long a connection may stay open without a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<String>,
    /// How long a connection may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_alive: Option<String>,
    /// From the first byte of a request's head to its last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_timeout: Option<String>,
    /// The longest wait for the next piece of a request's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_timeout: Option<String>,
    /// How long a client may refuse to take bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_timeout: Option<String>,
    /// From a connection's beginning to the end of its TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_timeout: Option<String>,
    /// The longest request line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_line: Option<String>,
    /// The longest header line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_line: Option<String>,
    /// All header lines of a request together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_block: Option<String>,
    /// The most header lines of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_lines: Option<i64>,
    /// The largest body of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_body: Option<String>,
    /// Connections at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<i64>,
    /// TLS handshakes at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_handshakes: Option<i64>,
    /// Requests at once on one HTTP/2 connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<i64>,
    /// Requests over the life of one HTTP/2 connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_requests: Option<i64>,
    /// Requests that an HTTP/2 client may give up within ten seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_resets: Option<i64>,
    /// `defensive`, `strictest` or `monitor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desync: Option<String>,
    /// What becomes of `X-Forwarded-For`: `append`, `preserve` or `remove`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded_for: Option<String>,
    /// Whether the address in it carries the client's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_port: Option<bool>,
    /// Whose `X-Forwarded-*` are believed; none: everybody's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_proxies: Vec<String>,
    /// Whether targets see `Host` as the client sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preserve_host: Option<bool>,
}

/// One of `certificates`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateText {
    /// The certificate's file, its chain after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// Its private key's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// `default` of a `[[listener]]`: one action. What it forwards to is in namespace `default`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultText {
    /// Where requests go, by weight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forward: Vec<ForwardText>,
    /// How long a client stays with the one it got first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stickiness: Option<String>,
    /// Sends the client elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<RedirectText>,
    /// Answers always the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<FixedText>,
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
