//! What can go wrong with the store, told apart as callers need to.

use std::io;
use std::path::{Path, PathBuf};

use super::{Expect, StoreRevision};

/// A store's refusal.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A key was not as the writer expected; nothing was written. Read again and decide anew.
    #[error("`{key}` was changed by someone else")]
    Conflict {
        /// The key.
        key: String,
        /// What was expected.
        expected: Expect,
        /// What was found.
        found: Option<StoreRevision>,
    },
    /// The transaction breaks a bound of the store's.
    #[error("the store does not take {0}")]
    Invalid(String),
    /// No space is left for the data directory. Nothing was written; what was there is intact.
    #[error("the disk of the data directory is full: nothing was written; free some space and try again")]
    DiskFull,
    /// More writes wait than the store takes at once.
    #[error("the store has too many writes waiting; try again")]
    Busy,
    /// Another process has the data directory.
    #[error(
        "the data directory {} is in use by another wharf server{}: stop it, or give this one its own with --data",
        directory.display(),
        match holder { Some(pid) => format!(" (process {pid})"), None => String::new() }
    )]
    Locked {
        /// The data directory.
        directory: PathBuf,
        /// Who has it, where that is known.
        holder: Option<u32>,
    },
    /// There can be no data directory there, or this user may not write to it.
    #[error("the data directory {} can't be used", directory.display())]
    Directory {
        /// The data directory.
        directory: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The store was written by a newer version.
    #[error(
        "the store has format {found}, this wharf reads up to {supported}: run the newer version that wrote it"
    )]
    NewerFormat {
        /// What the store says.
        found: u32,
        /// The newest this version knows.
        supported: u32,
    },
    /// The store is older than the oldest format that can be upgraded.
    #[error("the store has format {found} and no step upgrades it to {supported}")]
    NoUpgrade {
        /// What the store says.
        found: u32,
        /// What it should become.
        supported: u32,
    },
    /// The file is not a store, or is damaged.
    #[error("the store is damaged or not one of wharf's: {0}")]
    Damaged(String),
    /// The disk failed to read or write. If it failed while it was written to, and again when the store
    /// was to be opened anew, it is not known whether the transaction is in the store. The cause is in the
    /// message, as answers and log lines have but one level.
    #[error("the store's disk failed: {0}")]
    Io(io::Error),
    /// An I/O error closed the store, and it could not be opened again yet.
    #[error("the store is closed after a disk error; the next write opens it again")]
    Unavailable,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// A data directory that can't be used, because of what the system says.
    pub(super) fn directory(directory: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| match Self::from(source) {
            Self::Io(source) => Self::Directory {
                directory: directory.to_owned(),
                source,
            },
            other => other,
        }
    }

    /// The same for another who waited for the same commit ([`io::Error`] can't be cloned).
    pub(crate) fn for_another(&self) -> Self {
        match self {
            Self::DiskFull => Self::DiskFull,
            Self::Io(error) => Self::Io(io::Error::new(error.kind(), error.to_string())),
            Self::Damaged(what) => Self::Damaged(what.clone()),
            Self::Closed => Self::Closed,
            _ => Self::Unavailable,
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            // redb's word for a file whose magic number isn't its own.
            io::ErrorKind::InvalidData => Self::Damaged(error.to_string()),
            _ => Self::Io(error),
        }
    }
}

impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> Self {
        match error {
            redb::StorageError::Io(error) => error.into(),
            redb::StorageError::Corrupted(what) => Self::Damaged(what),
            redb::StorageError::DatabaseClosed => Self::Closed,
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<redb::DatabaseError> for StoreError {
    fn from(error: redb::DatabaseError) -> Self {
        match error {
            redb::DatabaseError::Storage(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<redb::TransactionError> for StoreError {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<redb::TableError> for StoreError {
    fn from(error: redb::TableError) -> Self {
        match error {
            redb::TableError::Storage(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<redb::CommitError> for StoreError {
    fn from(error: redb::CommitError) -> Self {
        match error {
            redb::CommitError::Storage(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}
