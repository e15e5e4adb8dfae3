//! The embedded store: redb in one file of the data directory.
//!
//! Reads happen on the caller's thread (they are lookups in a page cache); all writes go through one
//! writer thread, which commits those that wait together, as each commit costs a disk flush.
//!
//! After an I/O error the writer closes and opens it again ([`Reopened`]), so that a disk that was full is a refused
//! write and nothing else.

use std::fmt;
use std::fs::{self, File};
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::database::{self, OpenDatabase, Reopened};
use super::format::{self, ENTRIES, FORMAT, UPGRADES, Upgrade};
use super::history::{History, Watch, WatchError};
use super::lock::DataLock;
use super::writer::{self, MAX_WAITING_WRITES, PendingWrite};
use super::{Entry, Listing, Store, StoreError, StoreRevision, Transaction};

/// The store's file in the data directory.
pub const STORE_FILE: &str = "store.redb";

/// The embedded store. Closed when dropped.
pub struct RedbStore {
    shared: Arc<Shared>,
    writes: Option<mpsc::Sender<PendingWrite>>,
    writer: Option<JoinHandle<()>>,
    /// Declared last, so that the data directory is free only when the file is closed.
    _lock: Option<DataLock>,
}

/// What readers and the writer thread share.
pub(super) struct Shared {
    pub(super) database: Reopened,
    pub(super) history: History,
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore")
            .field("revision", &self.shared.history.newest())
            .finish_non_exhaustive()
    }
}

impl RedbStore {
    /// Opens the store of a data directory.
    ///
    /// # Errors
    /// [`StoreError::NewerFormat`], [`StoreError::Damaged`], or what the disk says.
    pub fn open(lock: DataLock) -> Result<Self, StoreError> {
        let directory = lock.directory().to_owned();
        let is_new = !fs::exists(directory.join(STORE_FILE))?;
        let open = database::in_file(&directory, STORE_FILE);
        let store = Self::start(open, Some(lock), FORMAT, UPGRADES)?;
        if is_new {
            // The file's name has to be durable as well as its content.
            File::open(directory)?.sync_all()?;
        }
        Ok(store)
    }

    /// A store that lives in memory, for tests.
    ///
    /// # Errors
    /// As [`RedbStore::open`], though none is to be expected.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::start(database::in_memory(), None, FORMAT, UPGRADES)
    }

    pub(super) fn start(
        open: OpenDatabase,
        lock: Option<DataLock>,
        supported: u32,
        upgrades: &[Upgrade],
    ) -> Result<Self, StoreError> {
        let database = Reopened::new(open)?;
        let revision = database.with(|database| format::prepare(database, supported, upgrades))?;
        let history = History::new(revision);
        let shared = Arc::new(Shared { database, history });
        let (writes, waiting) = mpsc::channel(MAX_WAITING_WRITES);
        let writer = std::thread::Builder::new()
            .name("wharf-store".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || writer::run(&shared, waiting)
            })?;
        Ok(Self {
            shared,
            writes: Some(writes),
            writer: Some(writer),
            _lock: lock,
        })
    }
}

impl Drop for RedbStore {
    /// Waits for the writes that were taken, then closes the file.
    fn drop(&mut self) {
        self.writes = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has said so itself.
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.shared.database.read(|transaction| {
            let entries = transaction.open_table(ENTRIES)?;
            let found = entries.get(key)?;
            Ok(found.map(|found| entry(key, found.value())))
        })
    }

    async fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        self.shared.database.read(|transaction| {
            let mut found = Vec::new();
            for row in transaction.open_table(ENTRIES)?.range(prefix..)? {
                let (key, value) = row?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                found.push(entry(key.value(), value.value()));
            }
            // From the same snapshot: the history may be a commit ahead of it or behind.
            Ok(Listing {
                entries: found,
                revision: format::read_revision(transaction)?,
            })
        })
    }

    async fn count(&self, prefix: &str) -> Result<usize, StoreError> {
        self.shared.database.read(|transaction| {
            let mut count = 0;
            for row in transaction.open_table(ENTRIES)?.range(prefix..)? {
                let (key, _) = row?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                count += 1;
            }
            Ok(count)
        })
    }

    async fn commit(&self, transaction: Transaction) -> Result<StoreRevision, StoreError> {
        transaction.check()?;
        let (answer, answered) = oneshot::channel();
        let writes = self.writes.as_ref().ok_or(StoreError::Closed)?;
        writes
            .try_send(PendingWrite { transaction, answer })
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => StoreError::Busy,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
            })?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    fn watch(&self, prefix: &str, from: StoreRevision) -> Result<Watch, WatchError> {
        self.shared.history.watch(prefix, from)
    }
}

fn entry(key: &str, (revision, value): (u64, &[u8])) -> Entry {
    Entry {
        key: key.to_owned(),
        value: Bytes::copy_from_slice(value),
        revision: StoreRevision(revision),
    }
}
