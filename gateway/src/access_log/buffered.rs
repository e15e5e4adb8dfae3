//! An access log that never blocks a request: lines gather in memory, a thread of its own writes them.
//!
//! Lines are formatted on the thread of the request and copied into one shared buffer, so a line costs no allocation
//! and the writer takes many at a time. When the writer cannot keep up, lines are dropped and counted.

use std::{
    cell::RefCell,
    fmt,
    io::{self, Write},
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use super::{AccessEntry, AccessLog};

/// What may wait for the writer, in bytes: some 20 000 lines, a second or two of heavy traffic.
pub const MAX_WAITING_BYTES: usize = 8 * 1024 * 1024;

/// How long lines gather before they are written, so that a busy server does not wake its writer for every one.
const GATHER: Duration = Duration::from_millis(50);

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes lines to `W` from a thread of its own. Dropping it writes what is left.
pub struct BufferedAccessLog {
    shared: Arc<Shared>,
    writer: Option<thread::JoinHandle<()>>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    closed: bool,
}

impl BufferedAccessLog {
    /// Starts the writing thread.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            dropped: AtomicU64::new(0),
        });
        let source = shared.clone();
        let writer = thread::Builder::new()
            .name("access-log".into())
            .spawn(move || source.write_to(sink))?;
        Ok(Self {
            shared,
            writer: Some(writer),
        })
    }

    /// Lines lost so far, because too many waited or the sink failed.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl AccessLog for BufferedAccessLog {
    fn record(&self, entry: &AccessEntry<'_>) {
        LINE.with_borrow_mut(|line| {
            line.clear();
            entry.write_line(line);
            self.shared.add(line);
        });
    }
}

impl Shared {
    fn add(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.lines.len() + line.len() > MAX_WAITING_BYTES {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        if first {
            self.arrived.notify_one();
        }
    }

    fn write_to(&self, mut sink: impl Write) {
        let mut batch = Vec::new();
        loop {
            let closed = self.take(&mut batch);
            if let Err(error) = sink.write_all(&batch).and_then(|()| sink.flush()) {
                let lost = batch.iter().filter(|byte| **byte == b'\n').count();
                self.dropped.fetch_add(lost as u64, Ordering::Relaxed);
                tracing::warn!(%error, lost, "access log lines could not be written");
            }
            batch.clear();
            if closed {
                return;
            }
        }
    }

    /// Waits for lines and lets some gather; tells whether these were the last.
    fn take(&self, batch: &mut Vec<u8>) -> bool {
        let quiet = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.closed;
        let waiting = self
            .arrived
            .wait_while(self.lock(), quiet)
            .unwrap_or_else(PoisonError::into_inner);
        let gathering = |waiting: &mut Waiting| !waiting.closed;
        let (mut waiting, _) = self
            .arrived
            .wait_timeout_while(waiting, GATHER, gathering)
            .unwrap_or_else(PoisonError::into_inner);
        mem::swap(batch, &mut waiting.lines);
        waiting.closed
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BufferedAccessLog {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_one();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to write.
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for BufferedAccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferedAccessLog")
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
