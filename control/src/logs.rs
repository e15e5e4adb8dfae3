//! What tasks write: per service, in files, bounded.
//!
//! Guests' threads hand their lines over and go on: a line that doesn't fit the queue is dropped, counted,
//! and its absence marked. One thread writes. Each service has a folder of segments, JSON lines, of which
//! the oldest goes when there are [`MAX_LOG_SIZE`] bytes.
//!
//! Readers read the files, also those that follow: the writer only wakes them, so that there is no queue
//! per reader, and a slow one costs nothing.

mod line;
mod read;
mod segments;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use wharf_runtime::{LogSink, LogStream};

pub use line::LogRecord;
pub use read::{LogQuery, LogReader};

use self::writer::Command;
use crate::names::{NamespaceName, ServiceName, TaskId};

/// How much of a service's log is kept, in bytes on disk.
pub const MAX_LOG_SIZE: u64 = 50 << 20;

/// Lines of one service that wait to be written, in bytes: a burst, not a service that never stops.
pub const MAX_QUEUED_PER_SERVICE: usize = 1 << 20;

/// Lines of all services that wait to be written, in bytes.
pub const MAX_QUEUED: usize = 32 << 20;

/// What a waiting line costs besides its text.
const LINE_OVERHEAD: usize = 128;

const LOGS: &str = "logs";

/// What can go wrong with logs.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk failed.
    #[error("the log {} can't be read or written", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread that writes is gone.
    #[error("the log's writer has stopped")]
    Stopped,
}

impl LogError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// Whose log: a service's, or a job family's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LogKey {
    namespace: NamespaceName,
    service: ServiceName,
}

/// A service's log, as it is shared by those who write to it, the writer thread and readers.
struct ServiceLog {
    key: LogKey,
    queued: AtomicUsize,
    /// Lines that didn't fit, since the last mark.
    dropped: AtomicU64,
    /// The last line that can be read. Closed when the log is removed.
    written: watch::Sender<Written>,
}

/// How far a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Written {
    /// Nothing was written since the start.
    #[default]
    Before,
    /// Up to this line.
    UpTo(u64),
    /// It was removed.
    Removed,
}

/// All services' logs. Cloning shares them; when the last is gone, what was handed over is written.
#[derive(Clone)]
pub struct Logs {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    commands: Option<mpsc::Sender<Command>>,
    writer: Option<JoinHandle<()>>,
    queued: Arc<AtomicUsize>,
    /// Those that someone writes to or reads.
    services: Mutex<HashMap<LogKey, Weak<ServiceLog>>>,
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs")
            .field("root", &self.inner.root)
            .finish_non_exhaustive()
    }
}

impl Logs {
    /// Opens those of a data directory.
    ///
    /// # Errors
    /// If the folder can't be made or no thread be started.
    pub fn open(data: &Path) -> Result<Self, LogError> {
        let root = data.join(LOGS);
        crate::files::create_private_dir(&root).map_err(LogError::at(&root))?;
        let (commands, waiting) = mpsc::channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let writer = std::thread::Builder::new().name("wharf-logs".to_owned()).spawn({
            let (root, queued) = (root.clone(), Arc::clone(&queued));
            move || writer::run(&root, &queued, &waiting)
        });
        let writer = Some(writer.map_err(LogError::at(&root))?);
        let inner = Inner {
            root,
            commands: Some(commands),
            writer,
            queued,
            services: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Where a task's lines go.
    pub fn sink(&self, namespace: &NamespaceName, service: &ServiceName, task: &TaskId) -> Arc<TaskLog> {
        let service = self.service(namespace, service);
        Arc::new(TaskLog {
            inner: Arc::clone(&self.inner),
            service,
            task: task.clone(),
        })
    }

    /// Reads a log.
    pub fn read(&self, namespace: &NamespaceName, service: &ServiceName, query: LogQuery) -> LogReader {
        let folder = self.inner.root.join(namespace.as_str()).join(service.as_str());
        LogReader::new(folder, self.service(namespace, service), query)
    }

    /// Waits until everything that was handed over can be read.
    ///
    /// # Errors
    /// If the writer has stopped.
    pub async fn flush(&self) -> Result<(), LogError> {
        let (done, flushed) = oneshot::channel();
        self.inner.send(Command::Flush(done));
        flushed.await.map_err(|_| LogError::Stopped)
    }

    /// Whose logs there are on the disk.
    ///
    /// # Errors
    /// If the folder can't be read.
    pub fn names(&self) -> Result<Vec<(NamespaceName, ServiceName)>, LogError> {
        let root = &self.inner.root;
        let mut names = Vec::new();
        for namespace in folders(root)? {
            // What has no name of ours is nobody's, and stays.
            let Ok(parsed) = namespace.parse::<NamespaceName>() else {
                continue;
            };
            let services = folders(&root.join(&namespace))?.into_iter();
            names.extend(services.filter_map(|name| Some((parsed.clone(), name.parse().ok()?))));
        }
        Ok(names)
    }

    /// Removes the log of a service that is gone. Who follows it comes to its end.
    pub fn remove(&self, namespace: &NamespaceName, service: &ServiceName) {
        let key = LogKey {
            namespace: namespace.clone(),
            service: service.clone(),
        };
        // Who comes from here on begins a new log.
        let removed = lock(&self.inner.services)
            .remove(&key)
            .and_then(|log| log.upgrade());
        self.inner.send(Command::Remove { key, removed });
    }

    /// Removes the logs of a namespace that is gone.
    pub fn remove_namespace(&self, namespace: &NamespaceName) {
        let mut services = lock(&self.inner.services);
        let of_namespace = services.extract_if(|key, _| key.namespace == *namespace);
        let removed = of_namespace.filter_map(|(_, log)| log.upgrade()).collect();
        self.inner.send(Command::RemoveNamespace {
            namespace: namespace.clone(),
            removed,
        });
    }

    fn service(&self, namespace: &NamespaceName, service: &ServiceName) -> Arc<ServiceLog> {
        let key = LogKey {
            namespace: namespace.clone(),
            service: service.clone(),
        };
        let mut services = lock(&self.inner.services);
        if let Some(log) = services.get(&key).and_then(Weak::upgrade) {
            return log;
        }
        services.retain(|_, log| log.strong_count() > 0);
        let log = Arc::new(ServiceLog {
            key: key.clone(),
            queued: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            written: watch::Sender::new(Written::Before),
        });
        services.insert(key, Arc::downgrade(&log));
        log
    }
}

impl Inner {
    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // The writer ends after the last sender only, unless it panicked, which it has said itself.
            let _ = commands.send(command);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// A task's end of its service's log.
pub struct TaskLog {
    inner: Arc<Inner>,
    service: Arc<ServiceLog>,
    task: TaskId,
}

impl fmt::Debug for TaskLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskLog").field(&self.task).finish()
    }
}

impl LogSink for TaskLog {
    /// Hands a line over. Never waits: where the queue is full the line is dropped, and counted.
    fn write(&self, stream: LogStream, line: &[u8], cut: bool) {
        let cost = line.len() + LINE_OVERHEAD;
        let of_service = self.service.queued.fetch_add(cost, Ordering::Relaxed) + cost;
        let of_all = self.inner.queued.fetch_add(cost, Ordering::Relaxed) + cost;
        if of_service > MAX_QUEUED_PER_SERVICE || of_all > MAX_QUEUED {
            self.service.queued.fetch_sub(cost, Ordering::Relaxed);
            self.inner.queued.fetch_sub(cost, Ordering::Relaxed);
            self.service.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let record = LogRecord {
            seq: 0,
            time: Timestamp::now(),
            task: self.task.clone(),
            stream,
            line: String::from_utf8_lossy(line).into_owned(),
            cut,
        };
        self.inner.send(Command::Line {
            service: Arc::clone(&self.service),
            record,
            cost,
        });
    }
}

/// The names of the folders in a folder.
fn folders(of: &Path) -> Result<Vec<String>, LogError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(of).map_err(LogError::at(of))? {
        let entry = entry.map_err(LogError::at(of))?;
        if entry.file_type().map_err(LogError::at(of))?.is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}

/// None of these mutexes is held where something can panic half-way; a poisoned one is as good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
