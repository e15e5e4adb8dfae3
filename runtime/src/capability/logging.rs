//! Standard output and error, line by line, to the task's log.
//!
//! A write never blocks and never fails: what comes faster than the allowance is dropped and counted, and the
//! count is logged when lines flow again. Lines longer than [`MAX_LOG_LINE`] are cut and marked.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::Linker;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::cli;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use super::{Capability, ConfigureError, Configured, Prepare, PrepareError, TaskContext};
use crate::MAX_LOG_LINE;
use crate::guest_state::{GuestState, InstanceParts};
use crate::spec::{LogSink, LogStream};

/// Log bytes a task may write per second on average.
const LOG_BYTES_PER_SECOND: f64 = 1024.0 * 1024.0;
/// Log bytes a task may write at once after a quiet time.
const LOG_BURST: f64 = 4.0 * LOG_BYTES_PER_SECOND;
/// Counted on top of a line's own bytes: its time, its names, its place in the file.
const LINE_OVERHEAD: f64 = 64.0;
/// Lines of one message of Wharf's own: the frames of a trap are the longest.
const MAX_SYSTEM_LINES: usize = 200;
/// Bytes a guest may hand over in one write.
const WRITE_PERMIT: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Logging;

impl Capability for Logging {
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        let l = linker;
        cli::stdout::add_to_linker::<GuestState, WasiCli>(l, GuestState::cli)?;
        cli::stderr::add_to_linker::<GuestState, WasiCli>(l, GuestState::cli)?;
        cli::terminal_output::add_to_linker::<GuestState, WasiCli>(l, GuestState::cli)?;
        cli::terminal_stdout::add_to_linker::<GuestState, WasiCli>(l, GuestState::cli)?;
        cli::terminal_stderr::add_to_linker::<GuestState, WasiCli>(l, GuestState::cli)
    }

    fn configure(&self, task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        Ok(Some(Box::new(task.log.clone())))
    }
}

impl Prepare for TaskLog {
    fn prepare(&self, instance: &mut InstanceParts) -> Result<(), PrepareError> {
        instance
            .wasi
            .stdout(self.stream(LogStream::Stdout))
            .stderr(self.stream(LogStream::Stderr));
        Ok(())
    }
}

/// The task's log with its allowance, shared by all its instances.
#[derive(Debug, Clone)]
pub(crate) struct TaskLog {
    sink: Arc<dyn LogSink>,
    allowance: Arc<Mutex<Allowance>>,
    system_allowance: Arc<Mutex<Allowance>>,
}

impl TaskLog {
    pub(crate) fn new(sink: Arc<dyn LogSink>) -> Self {
        let full = || Arc::new(Mutex::new(Allowance::full(Instant::now())));
        Self {
            sink,
            allowance: full(),
            system_allowance: full(),
        }
    }

    /// Wharf's own words about the task; each line of `text` is a line of the log. They have an allowance of their
    /// own: a guest that floods its log can't keep what is said about it out of it.
    pub(crate) fn system(&self, text: &str) {
        self.tell_drops();
        for line in text.lines().take(MAX_SYSTEM_LINES) {
            let line = line.as_bytes();
            let mut allowance = self
                .system_allowance
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let verdict = allowance.take(line.len(), Instant::now());
            drop(allowance);
            if verdict == Verdict::Drop {
                return;
            }
            let (line, cut) = bounded(line);
            self.sink.write(LogStream::System, line, cut);
        }
    }

    /// Says how much was dropped, if anything was, without waiting for the next line.
    fn tell_drops(&self) {
        let dropped = self
            .allowance
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take_dropped();
        if let Some(dropped) = dropped {
            self.sink
                .write(LogStream::System, dropped.words().as_bytes(), false);
        }
    }

    fn stream(&self, stream: LogStream) -> GuestStream {
        GuestStream {
            lines: Arc::new(Mutex::new(Lines {
                log: self.clone(),
                stream,
                pending: Pending::default(),
            })),
        }
    }

    fn write(&self, stream: LogStream, line: &[u8]) {
        let (line, cut) = bounded(line);
        self.write_line(stream, line, cut);
    }

    fn write_line(&self, stream: LogStream, line: &[u8], cut: bool) {
        let verdict = {
            let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
            allowance.take(line.len(), Instant::now())
        };
        match verdict {
            Verdict::Drop => {}
            Verdict::Write => self.sink.write(stream, line, cut),
            Verdict::WriteAfterDrops(dropped) => {
                self.sink
                    .write(LogStream::System, dropped.words().as_bytes(), false);
                self.sink.write(stream, line, cut);
            }
        }
    }
}

/// A leaky bucket of log bytes that counts what it turns away.
#[derive(Debug)]
struct Allowance {
    bytes: f64,
    updated: Instant,
    dropped_lines: u64,
    dropped_bytes: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Write,
    WriteAfterDrops(Dropped),
    Drop,
}

/// What was turned away.
#[derive(Debug, PartialEq, Eq)]
struct Dropped {
    lines: u64,
    bytes: u64,
}

impl Dropped {
    fn words(&self) -> String {
        let Self { lines, bytes } = self;
        format!("{lines} log lines ({bytes} bytes) dropped: the task logs more than 1 MiB/s")
    }
}

fn bounded(line: &[u8]) -> (&[u8], bool) {
    match line.get(..MAX_LOG_LINE) {
        Some(head) if line.len() > MAX_LOG_LINE => (head, true),
        _ => (line, false),
    }
}

impl Allowance {
    fn full(now: Instant) -> Self {
        Self {
            bytes: LOG_BURST,
            updated: now,
            dropped_lines: 0,
            dropped_bytes: 0,
        }
    }

    fn take(&mut self, len: usize, now: Instant) -> Verdict {
        let elapsed: Duration = now.saturating_duration_since(self.updated);
        self.bytes = (self.bytes + elapsed.as_secs_f64() * LOG_BYTES_PER_SECOND).min(LOG_BURST);
        self.updated = now;
        let cost = len as f64 + LINE_OVERHEAD;
        // After drops, wait for a good part of a second's worth: not one line and one notice in turn.
        let needed = if self.dropped_lines == 0 {
            cost
        } else {
            cost.max(LOG_BYTES_PER_SECOND / 4.0)
        };
        if self.bytes < needed {
            self.dropped_lines += 1;
            self.dropped_bytes += len as u64;
            return Verdict::Drop;
        }
        self.bytes -= cost;
        self.take_dropped()
            .map_or(Verdict::Write, Verdict::WriteAfterDrops)
    }

    fn take_dropped(&mut self) -> Option<Dropped> {
        let lines = std::mem::take(&mut self.dropped_lines);
        let bytes = std::mem::take(&mut self.dropped_bytes);
        (lines > 0).then_some(Dropped { lines, bytes })
    }
}

/// A guest's stream on its way to lines. Guests open their output anew for each write, so all handles of an
/// instance share one unfinished line.
#[derive(Debug, Clone)]
struct GuestStream {
    lines: Arc<Mutex<Lines>>,
}

#[derive(Debug)]
struct Lines {
    log: TaskLog,
    stream: LogStream,
    pending: Pending,
}

/// A line without its end.
#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    cut: bool,
}

impl Lines {
    fn write(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            self.finish_line(line);
        }
        self.pending.append(bytes);
    }

    fn finish_line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.pending.bytes.is_empty() && !self.pending.cut {
            return self.log.write(self.stream, line);
        }
        self.pending.append(line);
        let Pending { bytes, cut } = std::mem::take(&mut self.pending);
        self.log.write_line(self.stream, &bytes, cut);
    }
}

impl Pending {
    fn append(&mut self, bytes: &[u8]) {
        let room = MAX_LOG_LINE.saturating_sub(self.bytes.len());
        self.cut |= bytes.len() > room;
        self.bytes.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

impl Drop for Lines {
    /// What a guest wrote without a newline before it ended is a line too.
    fn drop(&mut self) {
        if !self.pending.bytes.is_empty() {
            self.finish_line(b"");
        }
        self.log.tell_drops();
    }
}

impl GuestStream {
    fn append(&self, bytes: &[u8]) {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes);
    }
}

impl IsTerminal for GuestStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for GuestStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > WRITE_PERMIT {
            return Err(StreamError::trap("write of more than `check-write` permitted"));
        }
        self.append(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_PERMIT)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for GuestStream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for GuestStream {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.append(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
