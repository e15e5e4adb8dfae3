//! A disk for tests, with crashes and failures: a file that forgets what was not synced, in any subset, and that can be
//! full.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

/// What a write did, until it is synced.
#[derive(Debug, Clone)]
pub(crate) enum Unsynced {
    Length(u64),
    Write(u64, Vec<u8>),
}

/// A disk's file as the process sees it, and what of it would survive a crash now.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) seen: Vec<u8>,
    pub(crate) durable: Vec<u8>,
    pub(crate) unsynced: Vec<Unsynced>,
}

/// A disk that can be full, fail to sync, and be pulled out.
#[derive(Debug, Clone)]
pub(crate) struct FaultyDisk {
    pub(crate) disk: Arc<Mutex<Disk>>,
    pub(crate) capacity: Arc<AtomicU64>,
    /// Syncs that succeed from now on, and then how many fail.
    pub(crate) syncs: Arc<Mutex<(u64, u64)>>,
}

fn apply(file: &mut Vec<u8>, change: &Unsynced) {
    match change {
        Unsynced::Length(len) => file.resize(*len as usize, 0),
        Unsynced::Write(offset, data) => {
            let end = *offset as usize + data.len();
            if file.len() < end {
                file.resize(end, 0);
            }
            file[*offset as usize..end].copy_from_slice(data);
        }
    }
}

impl FaultyDisk {
    pub(crate) fn new() -> Self {
        Self {
            disk: Arc::default(),
            capacity: Arc::new(AtomicU64::new(u64::MAX)),
            syncs: Arc::new(Mutex::new((u64::MAX, 0))),
        }
    }

    fn change(&self, change: Unsynced) {
        let mut disk = self.disk.lock().unwrap();
        apply(&mut disk.seen, &change);
        disk.unsynced.push(change);
    }

    /// The disk after the power went: of what was not synced, what `keep` says has reached it.
    pub(crate) fn after_crash(&self, mut keep: impl FnMut(usize) -> bool) -> Self {
        let disk = self.disk.lock().unwrap();
        let mut durable = disk.durable.clone();
        for (index, change) in disk.unsynced.iter().enumerate() {
            if keep(index) {
                apply(&mut durable, change);
            }
        }
        let crashed = Self::new();
        *crashed.disk.lock().unwrap() = Disk {
            seen: durable.clone(),
            durable,
            unsynced: Vec::new(),
        };
        crashed
    }

    /// It grows no further.
    pub(crate) fn fill(&self) {
        let len = self.disk.lock().unwrap().seen.len();
        self.capacity.store(len as u64, Ordering::SeqCst);
    }

    /// It doesn't answer any more.
    pub(crate) fn refuse_everything(&self) {
        *self.syncs.lock().unwrap() = (0, u64::MAX);
    }

    /// It is as it was in the beginning.
    pub(crate) fn free(&self) {
        self.capacity.store(u64::MAX, Ordering::SeqCst);
        *self.syncs.lock().unwrap() = (u64::MAX, 0);
    }
}

impl StorageBackend for FaultyDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.lock().unwrap().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.disk.lock().unwrap();
        let start = offset as usize;
        let found = disk
            .seen
            .get(start..start + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > self.capacity.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.change(Unsynced::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut syncs = self.syncs.lock().unwrap();
        match &mut *syncs {
            (0, 0) => {}
            (0, failing) => {
                *failing -= 1;
                return Err(io::Error::other("the disk does not answer"));
            }
            (succeeding, _) => *succeeding -= 1,
        }
        let mut disk = self.disk.lock().unwrap();
        disk.durable = disk.seen.clone();
        disk.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Unsynced::Write(offset, data.to_vec()));
        Ok(())
    }
}
