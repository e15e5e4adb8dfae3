//! One guest's writes within a commit: all of them or none, and within what its service may have.

use std::collections::BTreeMap;
use std::time::Duration;

use redb::{ReadableTable as _, Table, WriteTransaction};
use wharf_runtime::key_value::{Change, Expected, KeyValueError, Outcome, Version, Write};

use super::layout::{self, DEAD, ENDS, ENTRIES, EndKey, EntryKey, EntryRow, META, SCOPES, USAGES};
use super::scope::Scope;
use super::{DISK_RESERVE, ENTRY_CHARGE, MAX_BYTES, MAX_KEYS};
use crate::store::StoreError;

type Entries<'txn> = Table<'txn, EntryKey<'static>, EntryRow<'static>>;
type Ends<'txn> = Table<'txn, EndKey<'static>, ()>;

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    version: u64,
    end: u64,
    value: Vec<u8>,
}

/// What a service has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    keys: u64,
    bytes: u64,
}

/// What a commit comes to.
pub(super) struct Batch<'txn> {
    pub(super) entries: Entries<'txn>,
    pub(super) ends: Ends<'txn>,
    scopes: Table<'txn, &'static str, u64>,
    stored_usages: Table<'txn, u64, (u64, u64)>,
    pub(super) dead: Table<'txn, u64, ()>,
    /// By number, of those whose entries change in it.
    pub(super) usages: BTreeMap<u64, Usage>,
    version: u64,
    pub(super) now: u64,
    room: Room,
}

/// Whether the disk has some for guests' data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Enough,
    /// What is left is the server's.
    ReserveOnly,
}

/// Why a guest's writes are not done: for the guest, or for all in the commit.
enum Stopped {
    Refused(KeyValueError),
    Failed(StoreError),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<redb::StorageError> for Stopped {
    fn from(error: redb::StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<KeyValueError> for Stopped {
    fn from(error: KeyValueError) -> Self {
        Self::Refused(error)
    }
}

impl<'txn> Batch<'txn> {
    pub(super) fn begin(write: &'txn WriteTransaction, now: u64, room: Room) -> Result<Self, StoreError> {
        Ok(Self {
            version: layout::version(&write.open_table(META)?)?,
            entries: write.open_table(ENTRIES)?,
            ends: write.open_table(ENDS)?,
            scopes: write.open_table(SCOPES)?,
            stored_usages: write.open_table(USAGES)?,
            dead: write.open_table(DEAD)?,
            usages: BTreeMap::new(),
            now,
            room,
        })
    }

    /// The last version that was given.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Marks that the commit changes something.
    pub(super) fn step(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Cuts the way to a scope's entries.
    pub(super) fn remove_scope(&mut self, scope: &Scope) -> Result<(), StoreError> {
        let removed = self.scopes.remove(scope.as_str())?.map(|row| row.value());
        if let Some(number) = removed {
            self.stored_usages.remove(number)?;
            self.dead.insert(number, ())?;
            self.step();
        }
        Ok(())
    }

    /// Does all of a guest's writes, or says why none of them.
    ///
    /// # Errors
    /// If the file can't be read or written.
    pub(super) fn apply(
        &mut self,
        scope: &Scope,
        writes: Vec<Write>,
    ) -> Result<Result<Vec<Outcome>, KeyValueError>, StoreError> {
        let number = self.number(scope)?;
        let mut usage = self.usage(number)?.unwrap_or_default();
        let mut undo = Vec::new();
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            match self.apply_one((number, &mut usage), write, &mut undo) {
                Ok(outcome) => outcomes.push(outcome),
                Err(Stopped::Failed(error)) => return Err(error),
                Err(Stopped::Refused(error)) => {
                    for (key, row) in undo.into_iter().rev() {
                        self.replace((number, &mut usage), &key, row)?;
                    }
                    return Ok(Err(error));
                }
            }
        }
        self.usages.insert(number, usage);
        Ok(Ok(outcomes))
    }

    /// What a scope's entries are under, from now on if they weren't under anything.
    fn number(&mut self, scope: &Scope) -> Result<u64, StoreError> {
        let found = self.scopes.get(scope.as_str())?.map(|row| row.value());
        if let Some(number) = found {
            return Ok(number);
        }
        // Versions are never given again, so neither are numbers.
        let number = self.step();
        self.scopes.insert(scope.as_str(), number)?;
        self.stored_usages.insert(number, (0, 0))?;
        Ok(number)
    }

    /// None of a number that is nobody's any more.
    pub(super) fn usage(&self, number: u64) -> Result<Option<Usage>, StoreError> {
        if let Some(known) = self.usages.get(&number) {
            return Ok(Some(*known));
        }
        let found = self.stored_usages.get(number)?.map(|row| row.value());
        Ok(found.map(|(keys, bytes)| Usage { keys, bytes }))
    }

    fn apply_one(
        &mut self,
        (number, usage): (u64, &mut Usage),
        Write { key, change }: Write,
        undo: &mut Vec<(String, Option<Row>)>,
    ) -> Result<Outcome, Stopped> {
        let found = self.row(number, &key)?;
        let live = found.as_ref().filter(|row| !layout::is_over(row.end, self.now));
        let (row, outcome) = match change {
            Change::Delete if live.is_none() => return Ok(Outcome::WasAbsent),
            Change::Delete => {
                self.step();
                (None, Outcome::Deleted)
            }
            Change::Set { expected, .. } if !holds(expected, live) => return Ok(Outcome::Unexpected),
            Change::Set { value, ttl, .. } => {
                let end = self.end(ttl);
                let version = self.step();
                let value = value.into();
                (
                    Some(Row { version, end, value }),
                    Outcome::Stored(Version(version)),
                )
            }
            Change::Increment { by, ttl } => {
                let (sum, end) = match live {
                    Some(row) => (add(&row.value, by)?, row.end),
                    None => (by, self.end(ttl)),
                };
                let version = self.step();
                let value = sum.to_string().into();
                (Some(Row { version, end, value }), Outcome::Number(sum))
            }
        };
        self.check(*usage, &key, found.as_ref(), row.as_ref())?;
        self.replace((number, usage), &key, row)?;
        undo.push((key, found));
        Ok(outcome)
    }

    fn end(&self, ttl: Option<Duration>) -> u64 {
        let milliseconds = |ttl: Duration| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        ttl.map_or(0, |ttl| self.now.saturating_add(milliseconds(ttl).max(1)))
    }

    fn row(&self, number: u64, key: &str) -> Result<Option<Row>, StoreError> {
        let found = self.entries.get((number, key))?;
        Ok(found.map(|found| {
            let (version, end, value) = found.value();
            let value = value.to_vec();
            Row { version, end, value }
        }))
    }

    /// Refuses what grows beyond a bound. What shrinks may be beyond it still.
    fn check(
        &self,
        usage: Usage,
        key: &str,
        found: Option<&Row>,
        row: Option<&Row>,
    ) -> Result<(), KeyValueError> {
        let (before, after) = (charge(key, found), charge(key, row));
        if after <= before {
            return Ok(());
        }
        let bytes = usage.bytes - before + after;
        if found.is_none() && usage.keys >= MAX_KEYS {
            return Err(KeyValueError::QuotaExceeded(format!(
                "the service has {MAX_KEYS} keys, which is all it may have: delete some, or give them a time to live"
            )));
        }
        if bytes > MAX_BYTES {
            return Err(KeyValueError::QuotaExceeded(format!(
                "the service's data would have {bytes} bytes with this, {MAX_BYTES} are allowed: delete some, or give it a \
                 time to live"
            )));
        }
        match self.room {
            Room::Enough => Ok(()),
            Room::ReserveOnly => Err(KeyValueError::Unavailable(format!(
                "the server's disk is nearly full: the last {} MiB are not for data",
                DISK_RESERVE >> 20
            ))),
        }
    }

    /// Puts a row in the place of what is there, in every table and in the usage.
    pub(super) fn replace(
        &mut self,
        (number, usage): (u64, &mut Usage),
        key: &str,
        row: Option<Row>,
    ) -> Result<(), StoreError> {
        let before = self.row(number, key)?;
        if let Some(before) = before.as_ref().filter(|row| row.end != 0) {
            self.ends.remove((before.end, number, key))?;
        }
        match &row {
            Some(Row { version, end, value }) => {
                self.entries
                    .insert((number, key), (*version, *end, value.as_slice()))?;
                if *end != 0 {
                    self.ends.insert((*end, number, key), ())?;
                }
            }
            None => {
                self.entries.remove((number, key))?;
            }
        }
        usage.keys = usage.keys + u64::from(row.is_some()) - u64::from(before.is_some());
        usage.bytes = usage.bytes + charge(key, row.as_ref()) - charge(key, before.as_ref());
        Ok(())
    }

    /// Writes down what each has, after everything else.
    pub(super) fn finish(mut self) -> Result<u64, StoreError> {
        for (number, Usage { keys, bytes }) in std::mem::take(&mut self.usages) {
            self.stored_usages.insert(number, (keys, bytes))?;
        }
        Ok(self.version)
    }
}

fn holds(expected: Expected, live: Option<&Row>) -> bool {
    match expected {
        Expected::Any => true,
        Expected::Absent => live.is_none(),
        Expected::Version(version) => live.is_some_and(|row| row.version == version.0),
    }
}

fn charge(key: &str, row: Option<&Row>) -> u64 {
    row.map_or(0, |row| (key.len() + row.value.len()) as u64 + ENTRY_CHARGE)
}

fn add(value: &[u8], by: i64) -> Result<i64, KeyValueError> {
    let number = std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse::<i64>().ok());
    let Some(number) = number else {
        let why = "what is stored there is no whole number, and can't be incremented";
        return Err(KeyValueError::Invalid(why.to_owned()));
    };
    number.checked_add(by).ok_or_else(|| {
        KeyValueError::Invalid(format!(
            "{number} can't be incremented by {by}: the result is too large"
        ))
    })
}
