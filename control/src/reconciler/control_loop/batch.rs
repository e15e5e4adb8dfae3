//! Observed state goes to the store in batches: a disk does some hundred durable commits a second, tasks
//! change more often.
//!
//! The loop goes on while a batch is written, which takes as long as the disk takes: a request that waits for a service to
//! wake doesn't wait for the records of others. There is one batch at a time, so they are written in their order. The counts
//! that scaling chose are written beside the tasks' states: where one fails the other is written all the same.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::ControlLoop;
use super::counts::CountsWritten;
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

/// How a batch ended.
pub(super) struct Ended {
    counts: CountsWritten,
    tasks: Written,
}

/// How writing tasks' states ended, with what wasn't written.
struct Written {
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
    pub(super) fn write_batch(&mut self) {
        self.next_batch = None;
        let store = self.parts.store.clone();
        let (counts, unsaved) = (self.take_counts(), self.parts.registry.take_unsaved());
        self.batch = Some(tokio::spawn(async move {
            let (counts, tasks) = tokio::join!(counts.write(&store), write(&store, unsaved));
            Ended { counts, tasks }
        }));
    }

    /// A batch was written. What wasn't is tried again.
    pub(super) fn take_batch(&mut self, ended: Ended) {
        self.batch = None;
        let counts = self.counts_written(ended.counts);
        if let Err(error) = &counts {
            tracing::error!(%error, "can't write how many tasks there are to be; it is tried again");
        }
        let tasks = self.tasks_written(ended.tasks);
        if let Err(error) = &tasks {
            tracing::error!(%error, "can't write the tasks' states; they are tried again");
        }
        if counts.is_err() || tasks.is_err() {
            self.next_batch = Some(Instant::now() + super::RETRY_AFTER);
        }
    }

    fn tasks_written(&self, Written { result, left }: Written) -> Result<(), StoreError> {
        if result.is_err() {
            self.parts.registry.put_back(left);
        }
        result
    }

    /// Waits until the batch that is being written is.
    pub(super) async fn end_batch(&mut self) {
        if self.batch.is_some() {
            let ended = ended(&mut self.batch).await;
            self.take_batch(ended);
        }
    }

    /// Writes the tasks' states that changed, after the batch that is being written.
    pub(super) async fn save(&mut self) -> Result<(), StoreError> {
        self.end_batch().await;
        let written = write(&self.parts.store, self.parts.registry.take_unsaved()).await;
        self.tasks_written(written)
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

async fn write(store: &SharedStore, mut unsaved: Unsaved) -> Written {
    while let Some(transaction) = next_transaction(&unsaved) {
        if let Err(error) = store.commit(transaction).await {
            let result = Err(error);
            return Written {
                result,
                left: unsaved,
            };
        }
        drop_first(&mut unsaved);
    }
    Written {
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
