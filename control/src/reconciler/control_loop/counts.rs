//! The counts that scaling chose, on their way to the store.
//!
//! They are written beside the loop, which goes on meanwhile: what it finds when one is written may be another choice, or a
//! record that was read again. What somebody else changed is read again first.

use super::watched::Stale;
use super::{ControlLoop, LoopError, ServiceKey};
use crate::model::keys;
use crate::model::stored::Record as _;
use crate::store::{Expect, SharedStore, StoreError, StoreRevision, Transaction};

/// How many counts one transaction writes.
const MAX_COUNTS: usize = 256;

/// How often more than needed counts are written at the end.
const LAST_ROUNDS: usize = 2;

/// Counts to write, in one transaction.
pub(super) struct Counts {
    chosen: Vec<Chosen>,
    transaction: Transaction,
}

/// A service's count.
struct Chosen {
    key: ServiceKey,
    count: u32,
    /// The record it is written over.
    over: StoreRevision,
}

/// How writing counts ended.
pub(super) struct CountsWritten {
    chosen: Vec<Chosen>,
    /// The transaction that wrote them; none if there was nothing to write.
    result: Result<Option<StoreRevision>, StoreError>,
}

impl Counts {
    pub(super) async fn write(self, store: &SharedStore) -> CountsWritten {
        let result = match self.transaction.ops().is_empty() {
            true => Ok(None),
            false => store.commit(self.transaction).await.map(Some),
        };
        CountsWritten {
            chosen: self.chosen,
            result,
        }
    }
}

impl ControlLoop {
    /// The counts that are to be written next.
    pub(super) fn take_counts(&mut self) -> Counts {
        let services = &mut self.services;
        // Where the services are gone there is nothing to write.
        self.unsaved_counts.retain(|key| services.contains_key(key));
        let mut counts = Counts {
            chosen: Vec::new(),
            transaction: Transaction::new(),
        };
        for key in self.unsaved_counts.iter().take(MAX_COUNTS) {
            let Some(watched) = services.get_mut(key) else {
                continue;
            };
            let record = keys::service(&key.0, &key.1);
            counts.transaction = counts
                .transaction
                .expect(&record, Expect::Revision(watched.revision))
                .put(&record, watched.service.encode());
            watched.count_on_its_way = Some(watched.service.count);
            counts.chosen.push(Chosen {
                key: key.clone(),
                count: watched.service.count,
                over: watched.revision,
            });
        }
        counts
    }

    /// Counts were written, or not: then they are tried again.
    pub(super) fn counts_written(&mut self, written: CountsWritten) -> Result<(), StoreError> {
        let CountsWritten { chosen, result } = written;
        for Chosen { key, count, over } in chosen {
            let Some(watched) = self.services.get_mut(&key) else {
                continue;
            };
            watched.count_on_its_way = None;
            match &result {
                Ok(Some(revision)) => {
                    // If not, it was read again since, with the count or with what came after it.
                    if watched.revision == over {
                        watched.revision = *revision;
                        watched.stored_count = count;
                    }
                    if watched.service.count == watched.stored_count {
                        self.unsaved_counts.remove(&key);
                    }
                }
                Err(StoreError::Conflict { .. }) => {
                    watched.stale = Stale::Yes;
                    self.dirty.insert(key);
                }
                Ok(None) | Err(_) => {}
            }
        }
        match result {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes all counts that scaling chose, for the last time.
    pub(super) async fn save_all_counts(&mut self) -> Result<(), LoopError> {
        self.end_batch().await;
        // One that somebody changed meanwhile is read and written again; what changes still then is not this server's.
        let rounds = self.unsaved_counts.len().div_ceil(MAX_COUNTS) + LAST_ROUNDS;
        for _ in 0..rounds {
            if self.unsaved_counts.is_empty() {
                break;
            }
            for key in self.unsaved_counts.clone() {
                let watched = self.services.get(&key);
                if watched.is_some_and(|watched| watched.stale == Stale::Yes) {
                    self.load(&key).await?;
                }
            }
            let written = self.take_counts().write(&self.parts.store).await;
            self.counts_written(written)?;
        }
        Ok(())
    }
}
