//! The bounds a client meets. Every one that it can notice has its answer in [`crate::error`].

use std::time::Duration;

/// The bounds of one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A request's method, target and version, in bytes (414). ALB: 16 K.
    pub request_line: usize,
    /// One header's name and value, in bytes, with four more for the line (431). ALB: 16 K.
    pub header_line: usize,
    /// All header lines of a request, in bytes (431). ALB: 64 K.
    pub header_block: usize,
    /// Header lines of a request (431).
    pub header_lines: usize,
    /// Body of a request, in bytes (413). It is streamed, never held.
    pub request_body: u64,
    /// Connections at once. More wait in the kernel's accept queue.
    pub connections: u32,
    /// Hellos of TLS clients that are answered at once, which is what costs in a handshake; more wait, within their own
    /// time. A client that says nothing takes no place.
    pub tls_handshakes: u32,
    /// From a connection's beginning to the end of its TLS handshake. ALB: 10 s.
    pub tls_handshake_timeout: Duration,
    /// From the first byte of a request's head to its last (408).
    pub header_read_timeout: Duration,
    /// The longest wait for the next piece of a request's body while the target wants one (408).
    pub body_read_timeout: Duration,
    /// The longest time a client may refuse to take bytes before it is cut off.
    pub write_timeout: Duration,
    /// How long a connection may stay open without a request. ALB: `idle_timeout`, 60 s.
    pub keep_alive_timeout: Duration,
    /// How long a connection may be used; the request under way is the last then. ALB: `client_keep_alive`, 3600 s.
    pub connection_lifetime: Duration,
    /// Requests at once on one HTTP/2 connection. ALB: 128.
    pub http2_streams: u32,
    /// Requests over the life of one HTTP/2 connection; then it is told to go away, and finishes. ALB: 10 000.
    pub http2_requests: Option<u64>,
    /// Requests that an HTTP/2 client may give up within ten seconds before its connection is cut: more than that is
    /// rapid reset (CVE-2023-44487).
    pub http2_resets: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_line: 16 * 1024,
            header_line: 16 * 1024,
            header_block: 64 * 1024,
            header_lines: 100,
            request_body: 100 * 1024 * 1024,
            connections: 16 * 1024,
            tls_handshakes: 256,
            tls_handshake_timeout: Duration::from_secs(10),
            header_read_timeout: Duration::from_secs(30),
            body_read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            keep_alive_timeout: Duration::from_secs(60),
            connection_lifetime: Duration::from_secs(3600),
            http2_streams: 128,
            http2_requests: None,
            http2_resets: 200,
        }
    }
}

impl Limits {
    /// The first bound that is nought and would refuse everything.
    pub(crate) fn zero(&self) -> Option<&'static str> {
        [
            ("request_line", self.request_line == 0),
            ("header_line", self.header_line == 0),
            ("header_block", self.header_block == 0),
            ("header_lines", self.header_lines == 0),
            ("connections", self.connections == 0),
            ("tls_handshakes", self.tls_handshakes == 0),
            ("http2_streams", self.http2_streams == 0),
            ("http2_requests", self.http2_requests == Some(0)),
            ("http2_resets", self.http2_resets == 0),
        ]
        .into_iter()
        .find_map(|(name, zero)| zero.then_some(name))
    }
}
