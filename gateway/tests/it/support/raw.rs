//! A client that says HTTP/1 byte by byte.

use std::{io, net::SocketAddr};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::within;

/// A client that writes what it is told, byte by byte, and reads HTTP/1.
pub(crate) struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

/// A response as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// What is said beside the status.
    pub(crate) fn reason(&self) -> &str {
        let line = self.head.lines().next().unwrap_or_default();
        line.splitn(3, ' ').nth(2).unwrap_or_default()
    }

    /// The gateway's own error, checked for its form.
    pub(crate) fn error(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let fields: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(fields, ["error", "requestId"], "{self:?}");
        assert!(!body["requestId"].as_str().unwrap().is_empty());
        body["error"].as_str().unwrap().to_owned()
    }
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            read: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends even what nobody takes any more.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask(path).await;
        self.answer().await
    }

    /// Asks, and leaves the answer.
    pub(crate) async fn ask(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n"))
            .await;
    }

    /// Reads more; false at the end.
    async fn more(&mut self) -> bool {
        let count = within("bytes", self.stream.read_buf(&mut self.read))
            .await
            .unwrap_or(0);
        count > 0
    }

    /// Everything up to and including `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self
                .read
                .windows(end.len())
                .position(|bytes| bytes == end.as_bytes())
            {
                let taken: Vec<_> = self.read.drain(..at + end.len()).collect();
                return String::from_utf8(taken).unwrap();
            }
            let read = String::from_utf8_lossy(&self.read).into_owned();
            assert!(self.more().await, "ended before {end:?}: {read:?}");
        }
    }

    /// A whole response.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n").await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer {
            head,
            status,
            body: String::new(),
        };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = self.chunks().await;
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().unwrap();
            while self.read.len() < length {
                assert!(self.more().await, "the body ended early: {answer:?}");
            }
            answer.body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        }
        answer
    }

    async fn chunks(&mut self) -> String {
        let mut body = String::new();
        loop {
            let chunk = self.chunk().await;
            if chunk.is_empty() {
                return body;
            }
            body.push_str(&chunk);
        }
    }

    /// One chunk; empty is the end.
    pub(crate) async fn chunk(&mut self) -> String {
        let size = self.until("\r\n").await;
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        while self.read.len() < size + 2 {
            assert!(self.more().await, "a chunk ended early");
        }
        let chunk = self.read.drain(..size + 2).take(size).collect();
        String::from_utf8(chunk).unwrap()
    }

    /// So many bytes.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.more().await, "ended early: {:?}", self.read);
        }
        self.read.drain(..count).collect()
    }

    /// Says that nothing more will be sent.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Whether the server has closed, with nothing more said.
    pub(crate) async fn is_closed(&mut self) -> bool {
        !self.more().await && self.read.is_empty()
    }

    /// Everything until the server closes.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }
}
