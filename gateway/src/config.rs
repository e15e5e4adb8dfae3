//! What an operator may choose about a gateway: plain data.

use std::time::Duration;

/// The bounds a client meets. Every one has its answer in [`crate::error`].
#[derive(Clone, Debug)]
pub struct Limits {
    /// All header names and values of a request, in bytes, with four more for each line (431). ALB: 64 K.
    pub header_block: usize,
    /// Header lines of a request (431): room to parse them is taken for every request of HTTP/1.
    pub header_lines: usize,
    /// Path and query of a request, in bytes (414). ALB: 16 K.
    pub uri: usize,
    /// Body of a request, in bytes (413). It is streamed, never held.
    pub request_body: u64,
    /// Connections at once. More wait in the kernel's accept queue.
    pub connections: u32,
    /// From the first byte of a request's head to its last (408).
    pub header_read_timeout: Duration,
    /// The longest wait for the next piece of a request's body while the target wants one (408).
    pub body_read_timeout: Duration,
    /// The longest time a client may refuse to take bytes before it is cut off.
    pub write_timeout: Duration,
    /// How long a connection may stay open without a request. ALB: 60 s.
    pub keep_alive_timeout: Duration,
    /// Requests at once on one HTTP/2 connection. ALB: 128.
    pub http2_streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_block: 64 * 1024,
            header_lines: 1000,
            uri: 16 * 1024,
            request_body: 100 * 1024 * 1024,
            connections: 16 * 1024,
            header_read_timeout: Duration::from_secs(30),
            body_read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            keep_alive_timeout: Duration::from_secs(60),
            http2_streams: 128,
        }
    }
}
