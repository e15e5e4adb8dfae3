//! The thread that writes logs: takes the lines that wait, writes them, wakes who reads.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use jiff::Timestamp;
use tokio::sync::oneshot;
use wharf_runtime::LogStream;

use super::line::LogRecord;
use super::segments::Appender;
use super::{LogKey, ServiceLog, Written};
use crate::names::NamespaceName;

/// How many lines are taken before what was written is shown to readers.
const MAX_BATCH: usize = 1024;

/// How many services' files are kept open.
const MAX_OPEN: usize = 256;

/// What the writer is asked for.
pub(super) enum Command {
    /// Write a line.
    Line {
        service: Arc<ServiceLog>,
        record: LogRecord,
        cost: usize,
    },
    /// Say when everything before was written.
    Flush(oneshot::Sender<()>),
    /// Remove a service's log.
    Remove {
        key: LogKey,
        removed: Option<Arc<ServiceLog>>,
    },
    /// Remove all logs of a namespace.
    RemoveNamespace {
        namespace: NamespaceName,
        removed: Vec<Arc<ServiceLog>>,
    },
}

/// The files that are open, and what of them is not yet written.
struct Writer<'a> {
    root: &'a Path,
    queued: &'a AtomicUsize,
    open: HashMap<LogKey, Appender>,
    /// Who has lines that readers can't see yet.
    unseen: HashMap<LogKey, Arc<ServiceLog>>,
}

/// Runs until every sender is gone and everything that was sent is done.
pub(super) fn run(root: &Path, queued: &AtomicUsize, commands: &mpsc::Receiver<Command>) {
    let mut writer = Writer {
        root,
        queued,
        open: HashMap::new(),
        unseen: HashMap::new(),
    };
    while let Ok(first) = commands.recv() {
        writer.obey(first);
        for command in commands.try_iter().take(MAX_BATCH) {
            writer.obey(command);
        }
        writer.show();
    }
}

impl Writer<'_> {
    fn obey(&mut self, command: Command) {
        match command {
            Command::Line {
                service,
                record,
                cost,
            } => {
                service.queued.fetch_sub(cost, Ordering::Relaxed);
                self.queued.fetch_sub(cost, Ordering::Relaxed);
                self.line(service, record);
            }
            Command::Flush(done) => {
                self.show();
                // Who asked may be gone.
                let _ = done.send(());
            }
            Command::Remove { key, removed } => {
                let folder = self.root.join(key.namespace.as_str()).join(key.service.as_str());
                self.open.remove(&key);
                self.unseen.remove(&key);
                remove(&folder, removed);
            }
            Command::RemoveNamespace { namespace, removed } => {
                self.open.retain(|key, _| key.namespace != namespace);
                self.unseen.retain(|key, _| key.namespace != namespace);
                remove(&self.root.join(namespace.as_str()), removed);
            }
        }
    }

    fn line(&mut self, service: Arc<ServiceLog>, record: LogRecord) {
        if *service.written.borrow() == Written::Removed {
            return;
        }
        let dropped = service.dropped.swap(0, Ordering::Relaxed);
        if let Err(error) = self.append(&service, dropped, record) {
            self.give_up(&service, &error, dropped + 1);
        }
        self.unseen.insert(service.key.clone(), service);
    }

    fn append(&mut self, service: &ServiceLog, dropped: u64, record: LogRecord) -> io::Result<()> {
        if self.open.len() >= MAX_OPEN && !self.open.contains_key(&service.key) {
            self.show();
            self.open.clear();
        }
        let appender = match self.open.entry(service.key.clone()) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => {
                let folder = self
                    .root
                    .join(service.key.namespace.as_str())
                    .join(service.key.service.as_str());
                place.insert(Appender::open(&folder)?)
            }
        };
        if dropped > 0 {
            let mark = mark(dropped, &record);
            appender.append(mark, dropped)?;
        }
        appender.append(record, 1)
    }

    /// Writes what is buffered and lets readers see it.
    fn show(&mut self) {
        for (key, service) in std::mem::take(&mut self.unseen) {
            let Some(appender) = self.open.get_mut(&key) else {
                continue;
            };
            let flushed = appender.flush();
            let upto = Written::UpTo(appender.next() - 1);
            match flushed {
                Ok(()) => drop(service.written.send_replace(upto)),
                Err(error) => self.give_up(&service, &error, 0),
            }
        }
    }

    /// Counts the lines that are lost, for the next mark, and opens the log anew next time.
    fn give_up(&mut self, service: &ServiceLog, error: &io::Error, unless_open: u64) {
        let LogKey {
            namespace,
            service: name,
        } = &service.key;
        tracing::warn!(%namespace, service = %name, %error, "lines of a log could not be written");
        let lost = self
            .open
            .remove(&service.key)
            .map_or(unless_open, |appender| appender.at_stake());
        service.dropped.fetch_add(lost, Ordering::Relaxed);
    }
}

/// The line that says that lines are missing.
fn mark(dropped: u64, next: &LogRecord) -> LogRecord {
    let lines = if dropped == 1 { "line is" } else { "lines are" };
    LogRecord {
        seq: 0,
        time: Timestamp::now(),
        task: next.task.clone(),
        stream: LogStream::System,
        line: format!("{dropped} {lines} missing here: they came faster than the log could be written"),
        cut: false,
    }
}

fn remove(folder: &Path, removed: impl IntoIterator<Item = Arc<ServiceLog>>) {
    for service in removed {
        service.written.send_replace(Written::Removed);
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(folder = %folder.display(), %error, "a log could not be removed");
        }
        _ => {}
    }
}
