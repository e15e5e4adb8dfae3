//! Observed state goes to the store in batches: a disk does some hundred durable commits a second, tasks
//! change more often.
//!
//! The loop goes on while a batch is written, which takes as long as the disk takes: a request that waits for a service to
//! wake doesn't wait for the records of others. There is one batch at a time, so they are written in their order.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::ControlLoop;
use crate::model::keys;
use crate::model::stored::Record as _;
use crate::store::{SharedStore, StoreError, Transaction};
use crate::tasks::registry::Unsaved;

/// How long observed state may be newer than the store's.
const BATCH_EVERY: Duration = Duration::from_millis(250);

/// How long what a running task used may be newer than the store's: what a crash loses of it.
pub(super) const USAGE_EVERY: Duration = Duration::from_secs(10);

/// How many changes one transaction writes: more would keep others' writes waiting.
const MAX_BATCH: usize = 256;

/// How a batch ended, with what wasn't written.
pub(super) struct Ended {
    result: Result<(), StoreError>,
    left: Unsaved,
}

impl ControlLoop {
    /// Sets the time of the next batch if there is something to write, and of the next look at usage.
    pub(super) fn schedule_batch(&mut self) {
        let unsaved = self.parts.registry.has_unsaved() || !self.unsaved_counts.is_empty();
        if self.next_batch.is_none() && self.batch.is_none() && unsaved {
            self.next_batch = Some(Instant::now() + BATCH_EVERY);
        }
        if self.next_usage.is_none() && self.driven > 0 {
            self.next_usage = Some(Instant::now() + USAGE_EVERY);
        }
    }

    /// Looks at what the running tasks used; what is new goes with the next batch.
    pub(super) fn note_usage(&mut self) {
        self.next_usage = None;
        self.parts.registry.note_usage();
    }

    /// Begins to write what changed.
    pub(super) async fn write_batch(&mut self) {
        self.next_batch = None;
        if let Err(error) = self.save_counts().await {
            tracing::error!(%error, "can't write how many tasks there are to be; it is tried again");
            self.next_batch = Some(Instant::now() + super::RETRY_AFTER);
            return;
        }
        let (store, unsaved) = (self.parts.store.clone(), self.parts.registry.take_unsaved());
        self.batch = Some(tokio::spawn(write(store, unsaved)));
    }

    /// A batch was written, or not: then it is tried again.
    pub(super) fn take_batch(&mut self, ended: Ended) {
        self.batch = None;
        if let Err(error) = ended.result {
            tracing::error!(%error, "can't write the tasks' states; they are tried again");
            self.parts.registry.put_back(ended.left);
            self.next_batch = Some(Instant::now() + super::RETRY_AFTER);
        }
    }

    /// Writes what changed, after the batch that is being written.
    pub(super) async fn save(&mut self) -> Result<(), StoreError> {
        if self.batch.is_some() {
            let ended = ended(&mut self.batch).await;
            self.take_batch(ended);
        }
        let (store, unsaved) = (self.parts.store.clone(), self.parts.registry.take_unsaved());
        let Ended { result, left } = write(store, unsaved).await;
        if result.is_err() {
            self.parts.registry.put_back(left);
        }
        result
    }
}

/// Resolves when the batch that is being written is; never if none is. Safe to drop and call again.
pub(super) async fn ended(batch: &mut Option<JoinHandle<Ended>>) -> Ended {
    let Some(writing) = batch else {
        return std::future::pending().await;
    };
    match writing.await {
        Ok(ended) => ended,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only with the whole runtime.
            Err(_) => std::future::pending().await,
        },
    }
}

async fn write(store: SharedStore, mut unsaved: Unsaved) -> Ended {
    while let Some(transaction) = next_transaction(&unsaved) {
        if let Err(error) = store.commit(transaction).await {
            let result = Err(error);
            return Ended {
                result,
                left: unsaved,
            };
        }
        drop_first(&mut unsaved);
    }
    Ended {
        result: Ok(()),
        left: unsaved,
    }
}

/// The first operations that fit into one transaction: forgotten keys, then tasks.
fn next_transaction(unsaved: &Unsaved) -> Option<Transaction> {
    let forgotten = unsaved.forgotten.iter().take(MAX_BATCH);
    let room = MAX_BATCH.saturating_sub(forgotten.len());
    let deleting = forgotten.fold(Transaction::new(), |transaction, key| transaction.delete(key));
    let writing = unsaved
        .tasks
        .iter()
        .take(room)
        .fold(deleting, |transaction, task| {
            transaction.put(keys::task(&task.namespace, &task.id), task.encode())
        });
    (!writing.ops().is_empty()).then_some(writing)
}

fn drop_first(unsaved: &mut Unsaved) {
    let forgotten = unsaved.forgotten.len().min(MAX_BATCH);
    let tasks = unsaved.tasks.len().min(MAX_BATCH.saturating_sub(forgotten));
    unsaved.forgotten.drain(..forgotten);
    unsaved.tasks.drain(..tasks);
}
