//! One line of JSON per request, written when the response's body has ended or was given up.

use std::{borrow::Cow, net::IpAddr};

use serde::Serialize;

use crate::hex;

pub mod buffered;

pub use self::buffered::BufferedAccessLog;

/// Where access-log lines go. Called on the connections' threads for every request: it must never block.
pub trait AccessLog: Send + Sync + 'static {
    /// Takes note of a request that has ended.
    fn record(&self, entry: &AccessEntry<'_>);
}

/// What is known of a request at its end. Serialises to the line; what it has none of is left out.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessEntry<'r> {
    /// When its head had arrived.
    pub time: jiff::Timestamp,
    /// The `X-Request-Id` it went under.
    pub request_id: &'r str,
    /// The peer of the connection.
    pub client: IpAddr,
    /// The client behind it, as the listener's trusted proxies name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_for: Option<IpAddr>,
    /// The trace it belongs to, as `traceparent` has it.
    pub trace_id: TraceId,
    /// The listener it came to.
    pub listener: &'r str,
    /// Its method.
    pub method: &'r str,
    /// The authority it asked for, port included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<&'r str>,
    /// Its path, without the query, which may hold what nobody should read.
    pub path: &'r str,
    /// `HTTP/1.1` or its like.
    pub protocol: &'static str,
    /// The rule that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'r str>,
    /// The target group it was forwarded to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<&'r str>,
    /// The target it was forwarded to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<&'r str>,
    /// The status sent. When the client had left before, 460, as with ALB; none when the gateway shut down before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Attempts after the first.
    pub retries: u32,
    /// The targets that failed the attempts before the last, in order; no more than there may be retries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_targets: Vec<&'r str>,
    /// Bytes of the request's body that arrived; of an upgraded connection, those the client sent.
    pub request_bytes: u64,
    /// Bytes of the response's body that were handed to the connection; of an upgraded one, those sent to the client.
    pub response_bytes: u64,
    /// From the request's head to the end of the response, in milliseconds.
    pub duration_ms: f64,
    /// From the request's head to the response's, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_ms: Option<f64>,
    /// CPU time spent on it, in microseconds; none when unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_us: Option<u64>,
    /// The most memory held for it, in bytes; none when unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'r, str>>,
    /// The class of its head where that does not comply with RFC 9112: ALB's `classification`, with its words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classification: Option<&'static str>,
    /// Why it is of that class: ALB's `classification_reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classification_reason: Option<&'static str>,
    /// What was agreed upon with the client; none for a listener without TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsEntry<'r>>,
    /// Whether the client left before the response's end.
    pub client_left: bool,
}

/// How a connection was encrypted.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsEntry<'r> {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The cipher suite, by its registered name.
    pub cipher: &'static str,
    /// The name the client asked for, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<&'r str>,
}

/// The id of a trace: 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub u128);

impl TraceId {
    pub(crate) fn digits(self) -> [u8; 32] {
        hex::digits(self.0)
    }
}

impl std::fmt::Display for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl Serialize for TraceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl AccessEntry<'_> {
    /// Appends the line, newline included.
    pub fn write_line(&self, line: &mut Vec<u8>) {
        // Neither writing to memory nor these types can fail.
        let _ = serde_json::to_writer(&mut *line, self);
        line.push(b'\n');
    }
}
