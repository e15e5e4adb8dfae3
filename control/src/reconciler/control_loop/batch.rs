//! Observed state goes to the store in batches: a disk does some hundred durable commits a second, tasks
//! change more often.

use std::time::Duration;

use tokio::time::Instant;

use super::ControlLoop;
use crate::model::keys;
use crate::model::stored::Record as _;
use crate::store::{StoreError, Transaction};
use crate::tasks::registry::Unsaved;

/// How long observed state may be newer than the store's.
const BATCH_EVERY: Duration = Duration::from_millis(250);

/// How long what a running task used may be newer than the store's: what a crash loses of it.
pub(super) const USAGE_EVERY: Duration = Duration::from_secs(10);

/// How many changes one transaction writes: more would keep others' writes waiting.
const MAX_BATCH: usize = 256;

impl ControlLoop {
    /// Sets the time of the next batch if there is something to write, and of the next look at usage.
    pub(super) fn schedule_batch(&mut self) {
        if self.next_batch.is_none() && self.parts.registry.has_unsaved() {
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

    /// Writes what changed. What can't be written is tried again.
    pub(super) async fn write_batch(&mut self) {
        self.next_batch = None;
        if let Err(error) = self.save().await {
            tracing::error!(%error, "can't write the tasks' states; they are tried again");
            self.next_batch = Some(Instant::now() + super::RETRY_AFTER);
        }
    }

    pub(super) async fn save(&self) -> Result<(), StoreError> {
        let registry = &self.parts.registry;
        let mut unsaved = registry.take_unsaved();
        while let Some(transaction) = next_transaction(&unsaved) {
            if let Err(error) = self.parts.store.commit(transaction).await {
                registry.put_back(unsaved);
                return Err(error);
            }
            drop_first(&mut unsaved);
        }
        Ok(())
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
