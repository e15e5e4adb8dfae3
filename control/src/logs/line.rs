//! A line of a log, and how it is written on disk.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wharf_runtime::LogStream;

use crate::names::TaskId;

/// A line that a task wrote, or that was written about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Counts a service's lines, over its whole life.
    pub seq: u64,
    /// When it was written.
    pub time: Timestamp,
    /// By or about which task.
    pub task: TaskId,
    /// Where to.
    pub stream: LogStream,
    /// Without its newline; bytes that are not UTF-8 are replaced.
    pub line: String,
    /// Whether it was longer and lost its end.
    pub cut: bool,
}

/// As a JSON line.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    seq: u64,
    time: Timestamp,
    task: TaskId,
    stream: StoredStream,
    line: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredStream {
    Stdout,
    Stderr,
    System,
}

impl LogRecord {
    /// Appends the line and its newline to `buffer`.
    pub(super) fn encode(&self, buffer: &mut Vec<u8>) {
        let stored = Stored {
            seq: self.seq,
            time: self.time,
            task: self.task.clone(),
            stream: match self.stream {
                LogStream::Stdout => StoredStream::Stdout,
                LogStream::Stderr => StoredStream::Stderr,
                LogStream::System => StoredStream::System,
            },
            line: self.line.as_str().into(),
            cut: self.cut,
        };
        let start = buffer.len();
        match serde_json::to_writer(&mut *buffer, &stored) {
            Ok(()) => buffer.push(b'\n'),
            // Text and numbers always encode; should they not, no half of a line stays.
            Err(_) => buffer.truncate(start),
        }
    }

    /// Reads a line without its newline; nothing if it isn't one.
    pub(super) fn decode(line: &[u8]) -> Option<Self> {
        let stored: Stored<'_> = serde_json::from_slice(line).ok()?;
        let stream = match stored.stream {
            StoredStream::Stdout => LogStream::Stdout,
            StoredStream::Stderr => LogStream::Stderr,
            StoredStream::System => LogStream::System,
        };
        let Stored {
            seq,
            time,
            task,
            line,
            cut,
            ..
        } = stored;
        Some(Self {
            seq,
            time,
            task,
            stream,
            line: line.into_owned(),
            cut,
        })
    }
}
