//! One server per data directory: an advisory lock on `<data>/lock`, which the kernel drops with the
//! process, so nothing is left behind by a crash.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::StoreError;

/// The file that is locked. It holds the process's id, for the message another one prints.
const LOCK_FILE: &str = "lock";

/// The data directory, ours while this lives.
#[derive(Debug)]
pub struct DataLock {
    directory: PathBuf,
    _file: File,
}

impl DataLock {
    /// Takes the data directory, which is made if it is absent (mode 0700).
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another server has it, [`StoreError::Directory`] if it can't be one.
    pub fn take(directory: &Path) -> Result<Self, StoreError> {
        let made = match directory.metadata() {
            // Making it would say that the file exists, which is not what is wrong.
            Ok(there) if !there.is_dir() => Err(io::ErrorKind::NotADirectory.into()),
            _ => crate::files::create_private_dir(directory),
        };
        made.map_err(StoreError::directory(directory))?;
        Self::acquire(directory)
    }

    /// Takes the data directory if it is there, and makes none.
    ///
    /// # Errors
    /// As [`DataLock::take`].
    pub fn take_existing(directory: &Path) -> Result<Option<Self>, StoreError> {
        match directory.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => Self::take(directory).map(Some),
        }
    }

    /// What was taken.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn acquire(directory: &Path) -> Result<Self, StoreError> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join(LOCK_FILE));
        let mut file = opened.map_err(StoreError::directory(directory))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let holder = file
                    .read_to_string(&mut text)
                    .ok()
                    .and_then(|_| text.trim().parse().ok());
                return Err(StoreError::Locked {
                    directory: directory.to_owned(),
                    holder,
                });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::directory(directory)(error)),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self {
            directory: directory.to_owned(),
            _file: file,
        })
    }
}
