//! The file redb writes to.
//!
//! Growing it reserves the blocks at once, so that a full disk shows where the file grows, before
//! anything is written, and never as a hole that can't be filled in the middle of a repair.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use redb::StorageBackend;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

/// The store's file. Whoever opens it has the data directory's lock.
#[derive(Debug)]
pub(super) struct StoreFile(File);

impl StoreFile {
    /// Opens the file, or makes it (mode 0600).
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        Ok(Self(file))
    }
}

impl StorageBackend for StoreFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let now = self.0.metadata()?.len();
        if len <= now {
            return self.0.set_len(len);
        }
        match fallocate(&self.0, FallocateFlags::empty(), now, len - now) {
            Ok(()) => Ok(()),
            // Some file systems can't reserve; there the file grows as a hole.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.0.set_len(len),
            Err(error) => {
                // A reservation that failed half-way may have grown the file.
                self.0.set_len(now)?;
                Err(error.into())
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}
