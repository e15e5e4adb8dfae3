//! The last changes, kept in memory for watchers.
//!
//! Every watcher is a position in this one history, so a slow one costs nothing and can't be overflowed:
//! when the history has moved past its position it is told so and lists again. After a restart the
//! history is empty, which looks the same to a watcher.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Change, StoreRevision};

/// How many changes are kept.
pub(super) const MAX_CHANGES: usize = 8192;

/// How many bytes of keys and values are kept.
pub(super) const MAX_CHANGE_BYTES: usize = 16 << 20;

/// How many changes a watcher is given at once.
const MAX_BATCH: usize = 256;

/// A watcher's loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The changes from here on are no longer all kept: list again, and watch from the listing on.
    #[error("the changes from {wanted} on are no longer kept, only those from {oldest} on: list again")]
    Compacted {
        /// Where the watcher was.
        wanted: StoreRevision,
        /// The first that is kept.
        oldest: StoreRevision,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// The shared history. Cloning shares it.
#[derive(Debug, Clone)]
pub(super) struct History {
    kept: Arc<Mutex<Kept>>,
    newest: watch::Sender<StoreRevision>,
}

#[derive(Debug)]
struct Kept {
    changes: VecDeque<Change>,
    bytes: usize,
    /// Every change from this transaction on is in `changes`.
    oldest: StoreRevision,
}

impl History {
    /// Nothing is known of what came before, and with, `current`.
    pub(super) fn new(current: StoreRevision) -> Self {
        let kept = Kept {
            changes: VecDeque::new(),
            bytes: 0,
            oldest: current.next(),
        };
        Self {
            kept: Arc::new(Mutex::new(kept)),
            newest: watch::Sender::new(current),
        }
    }

    /// The newest committed transaction.
    pub(super) fn newest(&self) -> StoreRevision {
        *self.newest.borrow()
    }

    /// Adds the changes of committed transactions, the last of which is `newest`, and wakes watchers.
    pub(super) fn append(&self, changes: impl IntoIterator<Item = Change>, newest: StoreRevision) {
        let mut kept = lock(&self.kept);
        for change in changes {
            kept.bytes += size(&change);
            kept.changes.push_back(change);
        }
        while kept.changes.len() > MAX_CHANGES || kept.bytes > MAX_CHANGE_BYTES {
            kept.drop_oldest_transaction();
        }
        drop(kept);
        self.newest.send_replace(newest);
    }

    /// Forgets everything: transactions up to `current` were committed that are not known here. Watchers
    /// that need them are told.
    pub(super) fn restart(&self, current: StoreRevision) {
        *lock(&self.kept) = Kept {
            changes: VecDeque::new(),
            bytes: 0,
            oldest: current.next(),
        };
        self.newest.send_replace(current);
    }

    /// A watcher of `prefix` from transaction `from` on.
    pub(super) fn watch(&self, prefix: &str, from: StoreRevision) -> Result<Watch, WatchError> {
        let oldest = lock(&self.kept).oldest;
        if from < oldest {
            return Err(WatchError::Compacted { wanted: from, oldest });
        }
        Ok(Watch {
            kept: Arc::clone(&self.kept),
            newest: self.newest.subscribe(),
            prefix: prefix.to_owned(),
            next: from,
        })
    }
}

impl Kept {
    /// Transactions leave as a whole, or a watcher could see half of one.
    fn drop_oldest_transaction(&mut self) {
        let Some(first) = self.changes.front().map(Change::revision) else {
            return;
        };
        while self
            .changes
            .front()
            .is_some_and(|change| change.revision() == first)
        {
            if let Some(change) = self.changes.pop_front() {
                self.bytes -= size(&change);
            }
        }
        self.oldest = first.next();
    }
}

fn size(change: &Change) -> usize {
    let value = match change {
        Change::Put(entry) => entry.value.len(),
        Change::Delete { .. } => 0,
    };
    change.key().len() + value
}

/// Holding this mutex, nothing can panic half-way through a change; a poisoned one is as good.
fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A watcher: a position in the history.
#[derive(Debug)]
pub struct Watch {
    kept: Arc<Mutex<Kept>>,
    newest: watch::Receiver<StoreRevision>,
    prefix: String,
    next: StoreRevision,
}

impl Watch {
    /// Waits for the next changes under the prefix: at least one, whole transactions, in order.
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`WatchError::Compacted`] when this watcher fell behind; [`WatchError::Closed`] when the store did.
    pub async fn next(&mut self) -> Result<Vec<Change>, WatchError> {
        loop {
            let newest = *self.newest.borrow_and_update();
            if self.next <= newest {
                let changes = self.take()?;
                if !changes.is_empty() {
                    return Ok(changes);
                }
            }
            self.newest.changed().await.map_err(|_| WatchError::Closed)?;
        }
    }

    fn take(&mut self) -> Result<Vec<Change>, WatchError> {
        let kept = lock(&self.kept);
        if self.next < kept.oldest {
            return Err(WatchError::Compacted {
                wanted: self.next,
                oldest: kept.oldest,
            });
        }
        let start = kept
            .changes
            .partition_point(|change| change.revision() < self.next);
        let mut batch: Vec<Change> = Vec::new();
        for change in kept.changes.range(start..) {
            if batch.len() >= MAX_BATCH && batch.last().map(Change::revision) != Some(change.revision()) {
                break;
            }
            self.next = change.revision().next();
            if change.key().starts_with(&self.prefix) {
                batch.push(change.clone());
            }
        }
        Ok(batch)
    }
}
