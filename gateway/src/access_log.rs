//! One line of JSON per request, written when the response's body has ended or was given up.

use std::{borrow::Cow, net::IpAddr};

use serde::Serialize;

use self::object::Object;
use crate::hex;

pub mod buffered;
mod object;

pub use self::buffered::BufferedAccessLog;

/// Where access-log lines go. Called on the connections' threads for every request: it must never block.
pub trait AccessLog: Send + Sync + 'static {
    /// Takes note of a request that has ended.
    fn record(&self, entry: &AccessEntry<'_>);
}

/// What is known of a request at its end. The line has what there is of it, under the names of these fields in camel case.
#[derive(Clone, Debug)]
pub struct AccessEntry<'r> {
    /// When its head had arrived.
    pub time: jiff::Timestamp,
    /// The `X-Request-Id` it went under.
    pub request_id: &'r str,
    /// The peer of the connection.
    pub client: IpAddr,
    /// The client behind it, as the listener's trusted proxies name it.
    pub forwarded_for: Option<IpAddr>,
    /// The trace it belongs to, as `traceparent` has it.
    pub trace_id: TraceId,
    /// The listener it came to.
    pub listener: &'r str,
    /// Its method.
    pub method: &'r str,
    /// The authority it asked for, port included.
    pub host: Option<&'r str>,
    /// Its path, without the query, which may hold what nobody should read.
    pub path: &'r str,
    /// `HTTP/1.1` or its like.
    pub protocol: &'static str,
    /// The rule that matched.
    pub rule: Option<&'r str>,
    /// The target group it was forwarded to.
    pub service: Option<&'r str>,
    /// The target it was forwarded to.
    pub task: Option<&'r str>,
    /// The status sent. When the client had left before, 460, as with ALB; none when the gateway shut down before.
    pub status: Option<u16>,
    /// Attempts after the first.
    pub retries: u32,
    /// The targets that failed the attempts before the last, in order; no more than there may be retries.
    pub failed_targets: Vec<&'r str>,
    /// Bytes of the request's body that arrived; of an upgraded connection, those the client sent.
    pub request_bytes: u64,
    /// Bytes of the response's body that were handed to the connection; of an upgraded one, those sent to the client.
    pub response_bytes: u64,
    /// From the request's head to the end of the response, in milliseconds.
    pub duration_ms: f64,
    /// From the request's head to the response's, in milliseconds.
    pub head_ms: Option<f64>,
    /// CPU time spent on it, in microseconds; none when unknown.
    pub cpu_us: Option<u64>,
    /// The most memory held for it, in bytes; none when unknown.
    pub peak_memory: Option<u64>,
    /// What went wrong.
    pub reason: Option<Cow<'r, str>>,
    /// The class of its head where that does not comply with RFC 9112: ALB's `classification`, with its words.
    pub classification: Option<&'static str>,
    /// Why it is of that class: ALB's `classification_reason`.
    pub classification_reason: Option<&'static str>,
    /// What was agreed upon with the client; none for a listener without TLS.
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

impl AccessEntry<'_> {
    /// Appends the line, newline included.
    pub fn write_line(&self, line: &mut Vec<u8>) {
        let mut object = Object::begin(line);
        object.value("time", Some(self.time));
        object.text("requestId", self.request_id);
        object.value("client", Some(self.client));
        object.value("forwardedFor", self.forwarded_for);
        object.text("traceId", str::from_utf8(&self.trace_id.digits()).ok());
        object.text("listener", self.listener);
        object.text("method", self.method);
        object.text("host", self.host);
        object.text("path", self.path);
        object.text("protocol", self.protocol);
        object.text("rule", self.rule);
        object.text("service", self.service);
        object.text("task", self.task);
        object.value(
            "failedTargets",
            (!self.failed_targets.is_empty()).then_some(&self.failed_targets),
        );
        object.value("status", self.status);
        object.value("retries", Some(self.retries));
        object.value("requestBytes", Some(self.request_bytes));
        object.value("responseBytes", Some(self.response_bytes));
        object.value("durationMs", Some(self.duration_ms));
        object.value("headMs", self.head_ms);
        object.value("cpuUs", self.cpu_us);
        object.value("peakMemory", self.peak_memory);
        object.text("reason", self.reason.as_deref());
        object.text("classification", self.classification);
        object.text("classificationReason", self.classification_reason);
        object.value("tls", self.tls.as_ref());
        object.value("clientLeft", Some(self.client_left));
        object.end();
        line.push(b'\n');
    }
}
