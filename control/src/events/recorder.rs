//! The task that writes events: those that wait, in one transaction, with the removal of the oldest.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::word::UNTOLD;
use super::{MAX_EVENTS, StoredEvent, Word, key, parse_key, service_prefix};
use crate::names::{NamespaceName, ServiceName};
use crate::store::{SharedStore, StoreError, Transaction};

/// How many commands one transaction carries out: each event is three of its operations at most.
const MAX_BATCH: usize = 100;

/// How many services' last numbers are remembered, of which two full namespaces have fewer. One that is forgotten is
/// looked up again, which takes a read of all its events.
const MAX_REMEMBERED: usize = 16_384;

/// How soon a removal is tried again that the store did not take.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What the task is asked for.
#[derive(Debug)]
pub(super) enum Command {
    /// Write an event.
    Record {
        namespace: NamespaceName,
        service: ServiceName,
        created_at: Timestamp,
        message: String,
    },
    /// Write the event that was written with what it tells of.
    Tell(Word),
    /// Remove events.
    Remove { prefix: String },
    /// Say when everything before was written.
    Flush(oneshot::Sender<()>),
}

/// Runs until the last sender is gone; `lost` counts what found no place to wait.
pub(super) async fn run(store: SharedStore, mut waiting: mpsc::Receiver<Command>, lost: Arc<AtomicU64>) {
    let mut recorder = Recorder {
        store,
        newest: HashMap::new(),
        removing: BTreeSet::new(),
    };
    recorder.tell_what_was_left().await;
    let mut batch = Vec::with_capacity(MAX_BATCH);
    loop {
        let received = waiting.recv_many(&mut batch, MAX_BATCH);
        let count = match recorder.removing.len() {
            0 => Some(received.await),
            1..MAX_BATCH => tokio::time::timeout(RETRY_AFTER, received).await.ok(),
            // No more of them until these are done.
            _ => {
                drop(received);
                tokio::time::sleep(RETRY_AFTER).await;
                None
            }
        };
        if count == Some(0) {
            break;
        }
        recorder.carry_out(batch.drain(..)).await;
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(
                lost,
                "events were lost: more of them waited to be written than are kept"
            );
        }
    }
}

struct Recorder {
    store: SharedStore,
    /// The last number by service's prefix.
    newest: HashMap<String, u64>,
    /// Prefixes that are to be removed, and the store has not taken that yet.
    removing: BTreeSet<String>,
}

impl Recorder {
    async fn carry_out(&mut self, commands: impl Iterator<Item = Command>) {
        let again = self.removing.iter();
        let mut transaction = again.fold(Transaction::new(), |transaction, prefix| {
            transaction.delete_prefix(prefix.clone())
        });
        let mut flushes = Vec::new();
        for command in commands {
            match command {
                Command::Record {
                    namespace,
                    service,
                    created_at,
                    message,
                } => {
                    let prefix = service_prefix(&namespace, &service);
                    match self.next(&prefix).await {
                        Ok(seq) => transaction = put(transaction, &prefix, seq, created_at, message),
                        Err(error) => complain(&error),
                    }
                }
                Command::Tell(word) => {
                    let key = word.key.clone();
                    match self.number(&word).await {
                        Ok(Some((prefix, seq))) => {
                            transaction = put(transaction, &prefix, seq, word.created_at, word.message);
                            transaction = transaction.delete(key);
                        }
                        Ok(None) => {}
                        Err(error) => complain(&error),
                    }
                }
                Command::Remove { prefix } => {
                    self.newest.retain(|service, _| !service.starts_with(&prefix));
                    transaction = transaction.delete_prefix(prefix.clone());
                    self.removing.insert(prefix);
                }
                Command::Flush(done) => flushes.push(done),
            }
        }
        if !transaction.ops().is_empty() {
            match self.store.commit(transaction).await {
                Ok(_) => self.removing.clear(),
                Err(error) => {
                    complain(&error);
                    // The numbers that were not written are given again.
                    self.newest.clear();
                }
            }
        }
        for done in flushes {
            // Who asked may be gone.
            let _ = done.send(());
        }
    }

    /// Tells what the server before didn't.
    async fn tell_what_was_left(&mut self) {
        let left = match self.store.list(UNTOLD).await {
            Ok(listing) => listing.entries,
            Err(error) => return complain(&error),
        };
        for some in left.chunks(MAX_BATCH) {
            let words = some.iter().filter_map(Word::left).map(Command::Tell);
            self.carry_out(words).await;
        }
    }

    /// The number of the event that a word becomes, by its service's prefix; none if it was told, or removed.
    async fn number(&mut self, word: &Word) -> Result<Option<(String, u64)>, StoreError> {
        if self.store.get(&word.key).await?.is_none() {
            return Ok(None);
        }
        let prefix = service_prefix(&word.namespace, &word.service);
        let seq = self.next(&prefix).await?;
        Ok(Some((prefix, seq)))
    }

    /// The number of a service's next event.
    async fn next(&mut self, prefix: &str) -> Result<u64, StoreError> {
        let newest = match self.newest.get(prefix) {
            Some(newest) => *newest,
            None => {
                let last = self.store.list(prefix).await?.entries.pop();
                last.and_then(|entry| parse_key(&entry.key))
                    .map_or(0, |(_, seq)| seq)
            }
        };
        if self.newest.len() >= MAX_REMEMBERED {
            self.newest.clear();
        }
        self.newest.insert(prefix.to_owned(), newest + 1);
        Ok(newest + 1)
    }
}

fn put(
    transaction: Transaction,
    prefix: &str,
    seq: u64,
    created_at: Timestamp,
    message: String,
) -> Transaction {
    // A row of text always encodes.
    let value = serde_json::to_vec(&StoredEvent { created_at, message }).unwrap_or_default();
    let transaction = transaction.put(key(prefix, seq), value);
    match seq.checked_sub(MAX_EVENTS) {
        None | Some(0) => transaction,
        Some(surplus) => transaction.delete(key(prefix, surplus)),
    }
}

fn complain(error: &StoreError) {
    tracing::warn!(%error, "events were lost: the store did not take them");
}
