//! What is written about listeners: `[[listener]]`.

use serde::{Deserialize, Serialize};

use super::{FixedText, ForwardText, RedirectText};

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
