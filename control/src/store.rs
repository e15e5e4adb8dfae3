//! The store: the one truth about what shall run, shaped like etcd so that a shared one can replace the
//! embedded one without touching callers.
//!
//! Keys are text with `/` between their parts, values are bytes, and every committed transaction gets the
//! next [`StoreRevision`]. A write is durable before its answer. Writers say what they expect to find
//! ([`Expect`]), so two of them can't overwrite each other unseen.
//!
//! Watching reads from a bounded history that all watchers share: there is no queue per watcher to
//! overflow. Who falls behind it is told so ([`WatchError::Compacted`]), lists again and goes on.

pub(crate) mod database;
mod error;
mod file;
mod format;
mod history;
mod lock;
mod redb_store;
mod writer;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

pub use error::StoreError;
pub use history::{Watch, WatchError};
pub use lock::DataLock;
pub use redb_store::{RedbStore, STORE_FILE};

/// The longest key, in bytes.
pub const MAX_KEY: usize = 1024;

/// The largest value: 1 MiB (etcd's request limit is 1.5 MiB).
pub const MAX_VALUE: usize = 1 << 20;

/// How many comparisons and writes one transaction may have, together (etcd: 128 operations). One apply of the most
/// routes, target groups and listeners is one transaction.
pub const MAX_TRANSACTION: usize = 32 << 10;

/// The number of a committed transaction, counted over the whole store and its whole life. 0 is before
/// the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StoreRevision(pub u64);

impl StoreRevision {
    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for StoreRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A key with its value.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// What is stored under it.
    pub value: Bytes,
    /// The transaction that wrote it last; what [`Expect::Revision`] compares with.
    pub revision: StoreRevision,
}

/// Shows the key and the value's size: values are not for logs.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} ({} bytes)", self.key, self.revision, self.value.len())
    }
}

/// Everything under a prefix, at one moment.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Sorted by key.
    pub entries: Vec<Entry>,
    /// The moment. Watching from [`StoreRevision::next`] of it misses nothing.
    pub revision: StoreRevision,
}

/// What a writer expects to find under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Anything or nothing.
    Any,
    /// Nothing.
    Absent,
    /// Something.
    Present,
    /// What this transaction wrote.
    Revision(StoreRevision),
}

impl Expect {
    /// Whether a key that was written last at `found` (or is absent) is as expected.
    pub fn holds(self, found: Option<StoreRevision>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => found.is_none(),
            Self::Present => found.is_some(),
            Self::Revision(revision) => found == Some(revision),
        }
    }
}

/// One write.
#[derive(Clone, PartialEq, Eq)]
pub enum Op {
    /// Stores a value.
    Put {
        /// Where.
        key: String,
        /// What.
        value: Bytes,
    },
    /// Removes a key; no error when it is absent.
    Delete {
        /// Which.
        key: String,
    },
    /// Removes every key that begins with the prefix.
    DeletePrefix {
        /// Which; not empty.
        prefix: String,
    },
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, value } => write!(f, "put {key} ({} bytes)", value.len()),
            Self::Delete { key } => write!(f, "delete {key}"),
            Self::DeletePrefix { prefix } => write!(f, "delete {prefix}*"),
        }
    }
}

/// Writes that happen together or not at all, and what they depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    compares: Vec<(String, Expect)>,
    ops: Vec<Op>,
}

impl Transaction {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only if `key` is as expected.
    #[must_use]
    pub fn expect(mut self, key: impl Into<String>, expect: Expect) -> Self {
        self.compares.push((key.into(), expect));
        self
    }

    /// Stores `value` under `key`.
    #[must_use]
    pub fn put(mut self, key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.ops.push(Op::Put {
            key: key.into(),
            value: value.into(),
        });
        self
    }

    /// Removes `key`.
    #[must_use]
    pub fn delete(mut self, key: impl Into<String>) -> Self {
        self.ops.push(Op::Delete { key: key.into() });
        self
    }

    /// Removes every key that begins with `prefix`.
    #[must_use]
    pub fn delete_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.ops.push(Op::DeletePrefix {
            prefix: prefix.into(),
        });
        self
    }

    /// What it depends on.
    pub fn compares(&self) -> &[(String, Expect)] {
        &self.compares
    }

    /// What it writes, in order.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Checks the bounds: keys, values, number of operations.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] says which bound.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.compares.len() + self.ops.len() > MAX_TRANSACTION {
            let count = self.compares.len() + self.ops.len();
            return Err(StoreError::Invalid(format!(
                "a transaction of {count} operations; {MAX_TRANSACTION} are allowed"
            )));
        }
        for (key, _) in &self.compares {
            check_key(key)?;
        }
        for op in &self.ops {
            match op {
                Op::Put { key, value } => {
                    check_key(key)?;
                    check_value(key, value)?;
                }
                Op::Delete { key } | Op::DeletePrefix { prefix: key } => check_key(key)?,
            }
        }
        Ok(())
    }
}

fn check_key(key: &str) -> Result<(), StoreError> {
    match key.len() {
        0 => Err(StoreError::Invalid("an empty key".to_owned())),
        1..=MAX_KEY => Ok(()),
        len => Err(StoreError::Invalid(format!(
            "a key of {len} bytes; {MAX_KEY} are allowed"
        ))),
    }
}

fn check_value(key: &str, value: &Bytes) -> Result<(), StoreError> {
    if value.len() <= MAX_VALUE {
        return Ok(());
    }
    let len = value.len();
    Err(StoreError::Invalid(format!(
        "a value of {len} bytes under `{key}`; {MAX_VALUE} are allowed"
    )))
}

/// A change, as a watcher sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A key was written.
    Put(Entry),
    /// A key was removed.
    Delete {
        /// Which.
        key: String,
        /// The transaction that removed it.
        revision: StoreRevision,
    },
}

impl Change {
    /// The key.
    pub fn key(&self) -> &str {
        match self {
            Self::Put(entry) => &entry.key,
            Self::Delete { key, .. } => key,
        }
    }

    /// The transaction that made it.
    pub fn revision(&self) -> StoreRevision {
        match self {
            Self::Put(entry) => entry.revision,
            Self::Delete { revision, .. } => *revision,
        }
    }
}

/// A store with etcd's manners.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// What is under `key`.
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError>;

    /// Everything whose key begins with `prefix`, at one moment.
    async fn list(&self, prefix: &str) -> Result<Listing, StoreError>;

    /// How many keys begin with `prefix`.
    async fn count(&self, prefix: &str) -> Result<usize, StoreError>;

    /// Commits all of a transaction's writes if all it expects holds; answers once they are durable.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names the first key that was not as expected; nothing was written.
    async fn commit(&self, transaction: Transaction) -> Result<StoreRevision, StoreError>;

    /// The changes under `prefix` from transaction `from` on, which is included.
    ///
    /// # Errors
    /// [`WatchError::Compacted`] if the history no longer reaches back to `from`.
    fn watch(&self, prefix: &str, from: StoreRevision) -> Result<Watch, WatchError>;

    /// Stores `value` under `key` if it is as expected.
    ///
    /// # Errors
    /// As [`Store::commit`].
    async fn put_if(&self, key: &str, expect: Expect, value: Bytes) -> Result<StoreRevision, StoreError> {
        self.commit(Transaction::new().expect(key, expect).put(key, value))
            .await
    }

    /// Removes `key` if it is as expected.
    ///
    /// # Errors
    /// As [`Store::commit`].
    async fn delete_if(&self, key: &str, expect: Expect) -> Result<StoreRevision, StoreError> {
        self.commit(Transaction::new().expect(key, expect).delete(key))
            .await
    }
}

/// A store that several parts share.
pub type SharedStore = Arc<dyn Store>;

#[cfg(test)]
pub(crate) mod tests;
