//! A redb database that is closed and opened anew after an I/O error, as redb refuses to go on then. Opening it brings
//! back the last commit.

use std::fmt;
use std::path::Path;
use std::sync::{PoisonError, RwLock, TryLockError};

use redb::{Database, ReadTransaction, ReadableDatabase as _, StorageBackend};

use super::StoreError;
use super::file::StoreFile;

/// Pages kept in memory. The whole store of a few hundred services is smaller.
const PAGE_CACHE: usize = 8 << 20;

/// Opens the database: at the start, and again after an I/O error.
pub(crate) type OpenDatabase = Box<dyn Fn() -> Result<Database, StoreError> + Send + Sync>;

/// The database, while it is open.
pub(crate) struct Reopened {
    /// Nothing, while it could not be opened again after an error.
    database: RwLock<Option<Database>>,
    open: OpenDatabase,
}

impl fmt::Debug for Reopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reopened").finish_non_exhaustive()
    }
}

impl Reopened {
    /// Opens it for the first time.
    pub(crate) fn new(open: OpenDatabase) -> Result<Self, StoreError> {
        Ok(Self {
            database: RwLock::new(Some(open()?)),
            open,
        })
    }

    /// Whether it is.
    pub(crate) fn is_open(&self) -> bool {
        self.database
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// With the database. While it is opened anew, this waits rather than be told that there is none.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        work(database.as_ref().ok_or(StoreError::Unavailable)?)
    }

    /// With a snapshot of it.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with(|database| read(&database.begin_read()?))
    }

    /// With a snapshot of it, for threads that must not wait: while it is opened anew, there is none.
    pub(crate) fn read_now<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = match self.database.try_read() {
            Ok(database) => database,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(StoreError::Unavailable),
        };
        read(&database.as_ref().ok_or(StoreError::Unavailable)?.begin_read()?)
    }

    /// Closes the database, if it is open, opens it, and looks at what it holds.
    pub(crate) fn reopen<T>(
        &self,
        look: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        *database = None;
        let opened = (self.open)()?;
        let found = look(&opened)?;
        *database = Some(opened);
        Ok(found)
    }
}

/// A database over `backend`, with our cache size.
pub(crate) fn open_database(backend: impl StorageBackend) -> Result<Database, StoreError> {
    Ok(Database::builder()
        .set_cache_size(PAGE_CACHE)
        .create_with_backend(backend)?)
}

/// How to open the database in this file of the data directory.
pub(crate) fn in_file(directory: &Path, name: &str) -> OpenDatabase {
    let directory = directory.to_owned();
    let path = directory.join(name);
    Box::new(move || open_database(StoreFile::open(&path).map_err(StoreError::directory(&directory))?))
}

/// How to make a database in memory, for tests.
pub(crate) fn in_memory() -> OpenDatabase {
    Box::new(|| open_database(redb::backends::InMemoryBackend::new()))
}
