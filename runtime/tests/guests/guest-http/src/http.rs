//! The plumbing between `wasi:http` and the behaviours: a query, a reply, waiting.

use std::io::Write as _;
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::http::types::{ErrorCode, Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::OutputStream;

/// The query parameters, percent-decoded.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(key, value)| (decode(key), decode(value))).collect())
    }

    /// The parameter, or the empty string.
    pub fn text(&self, key: &str) -> &str {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .map_or("", |(_, value)| value)
    }

    /// The parameter as a number, or 0.
    pub fn number(&self, key: &str) -> u64 {
        self.text(key).parse().unwrap_or(0)
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The response that is still to be given.
pub struct Reply(ResponseOutparam);

impl Reply {
    /// Sets an error code instead of a response.
    pub fn error(self, code: ErrorCode) {
        ResponseOutparam::set(self.0, Err(code));
    }

    /// A response without a body.
    pub fn empty(self, status: u16) {
        let response = OutgoingResponse::new(Fields::new());
        response.set_status_code(status).unwrap();
        ResponseOutparam::set(self.0, Ok(response));
    }

    pub fn new(out: ResponseOutparam) -> Self {
        Self(out)
    }

    pub fn text(self, status: u16, text: &str) {
        self.with(status, &[("content-type", "text/plain")], text.as_bytes());
    }

    pub fn json(self, json: &str) {
        self.with(200, &[("content-type", "application/json")], json.as_bytes());
    }

    pub fn with(self, status: u16, headers: &[(&str, &str)], bytes: &[u8]) {
        let fields = Fields::new();
        for (name, value) in headers {
            fields.append(name, value.as_bytes()).expect("a valid header");
        }
        let mut body = self.start(status, fields);
        body.write(bytes);
        body.finish();
    }

    /// Sends the head now.
    pub fn start(self, status: u16, headers: Fields) -> ReplyBody {
        let response = OutgoingResponse::new(headers);
        response.set_status_code(status).expect("a valid status");
        let body = response.body().expect("the first call");
        ResponseOutparam::set(self.0, Ok(response));
        let stream = body.write().expect("the first call");
        ReplyBody { stream, body }
    }
}

/// The body of a response whose head was sent. The stream is the body's child and goes first.
pub struct ReplyBody {
    pub stream: OutputStream,
    body: OutgoingBody,
}

impl ReplyBody {
    /// Writes all of it; a client that left ends the guest quietly.
    pub fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.stream.write_all(bytes) {
            eprintln!("the client left: {error}");
        }
    }

    pub fn flush(&mut self) {
        let _ = self.stream.flush();
    }

    pub fn finish(self) {
        self.finish_with(None);
    }

    pub fn finish_with(self, trailers: Option<Fields>) {
        drop(self.stream);
        if let Err(error) = OutgoingBody::finish(self.body, trailers) {
            eprintln!("the body was refused: {error:?}");
        }
    }
}

/// Waits in the host.
pub fn wait_ms(ms: u64) {
    subscribe_duration(ms.saturating_mul(1_000_000)).block();
}

/// Text as a JSON string.
pub fn json_string(text: &str) -> String {
    let mut json = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", c as u32)),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}
