//! What is in the redb file, and how it is read.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `format`, `version` | a number: this layout's; the last write's |
//! | `scopes` | `<namespace>/<name>` | the number its entries are under |
//! | `usages` | that number | how many keys and bytes its entries are |
//! | `entries` | that number, a key | the write's version, when it ends (0: never), the value |
//! | `ends` | when an entry ends, its number and key | – |
//! | `dead` | numbers whose entries are nobody's any more | – |
//!
//! A deleted service's scope goes at once, and with it the way to its entries; they are cleared away bit by bit. A number
//! is never given again, so what is left of one service is never another's.

use std::ops::Bound;

use bytes::Bytes;
use redb::{Database, ReadTransaction, ReadableTable, TableDefinition};
use wharf_runtime::key_value::{Item, MAX_ENTRIES, MAX_READ, Page, Part, Range, Version};

use super::scope::Scope;
use crate::store::StoreError;

pub(super) type EntryKey<'a> = (u64, &'a str);
pub(super) type EntryRow<'a> = (u64, u64, &'a [u8]);
pub(super) type EndKey<'a> = (u64, u64, &'a str);

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const SCOPES: TableDefinition<'_, &str, u64> = TableDefinition::new("scopes");
pub(super) const USAGES: TableDefinition<'_, u64, (u64, u64)> = TableDefinition::new("usages");
pub(super) const ENTRIES: TableDefinition<'_, EntryKey<'static>, EntryRow<'static>> =
    TableDefinition::new("entries");
pub(super) const ENDS: TableDefinition<'_, EndKey<'static>, ()> = TableDefinition::new("ends");
pub(super) const DEAD: TableDefinition<'_, u64, ()> = TableDefinition::new("dead");

const FORMAT: u32 = 1;
const FORMAT_KEY: &str = "format";
const VERSION_KEY: &str = "version";

/// Entries that a listing looks at: those that have expired are passed over, but not without end.
const MAX_LOOKED_AT: usize = 2 * MAX_ENTRIES;

/// Makes an empty database ours; refuses a newer format.
pub(super) fn prepare(database: &Database) -> Result<(), StoreError> {
    let write = database.begin_write()?;
    {
        let mut meta = write.open_table(META)?;
        let found = meta.get(FORMAT_KEY)?.map(|format| format.value());
        match found {
            None => {
                meta.insert(FORMAT_KEY, u64::from(FORMAT))?;
                meta.insert(VERSION_KEY, 0)?;
                write.open_table(SCOPES)?;
                write.open_table(USAGES)?;
                write.open_table(ENTRIES)?;
                write.open_table(ENDS)?;
                write.open_table(DEAD)?;
            }
            Some(found) if found > u64::from(FORMAT) => {
                return Err(StoreError::NewerFormat {
                    found: u32::try_from(found).unwrap_or(u32::MAX),
                    supported: FORMAT,
                });
            }
            Some(_) => {}
        }
    }
    write.commit()?;
    Ok(())
}

/// The last write's version.
pub(super) fn version(meta: &impl ReadableTable<&'static str, u64>) -> Result<u64, StoreError> {
    let found = meta.get(VERSION_KEY)?.map(|version| version.value());
    found.ok_or_else(|| StoreError::Damaged("it has no version".to_owned()))
}

/// The last write's version, in a database that was opened again.
pub(super) fn committed_version(database: &Database) -> Result<u64, StoreError> {
    let write = database.begin_write()?;
    let found = version(&write.open_table(META)?)?;
    write.abort()?;
    Ok(found)
}

/// Records the last write's version.
pub(super) fn set_version(write: &redb::WriteTransaction, version: u64) -> Result<(), StoreError> {
    write.open_table(META)?.insert(VERSION_KEY, version)?;
    Ok(())
}

/// Everyone who has data.
pub(super) fn scopes(snapshot: &ReadTransaction) -> Result<Vec<Scope>, StoreError> {
    let scopes = snapshot.open_table(SCOPES)?;
    let mut found = Vec::new();
    for row in scopes.iter()? {
        found.push(Scope::stored(row?.0.value()));
    }
    Ok(found)
}

fn number_of(snapshot: &ReadTransaction, scope: &Scope) -> Result<Option<u64>, StoreError> {
    let found = snapshot.open_table(SCOPES)?.get(scope.as_str())?;
    Ok(found.map(|found| found.value()))
}

/// Whether what ends at `end` is over.
pub(super) fn is_over(end: u64, now: u64) -> bool {
    end != 0 && end <= now
}

pub(super) fn get(
    snapshot: &ReadTransaction,
    scope: &Scope,
    key: &str,
    now: u64,
) -> Result<Option<Item>, StoreError> {
    let Some(number) = number_of(snapshot, scope)? else {
        return Ok(None);
    };
    let found = snapshot.open_table(ENTRIES)?.get((number, key))?;
    Ok(found.and_then(|found| item(found.value(), Part::Whole, now)))
}

fn item((version, end, value): EntryRow<'_>, part: Part, now: u64) -> Option<Item> {
    let value = match part {
        Part::Key => Bytes::new(),
        Part::Whole => Bytes::copy_from_slice(value),
    };
    let version = Version(version);
    (!is_over(end, now)).then_some(Item { value, version })
}

pub(super) fn list(
    snapshot: &ReadTransaction,
    scope: &Scope,
    range: &Range,
    now: u64,
) -> Result<Page, StoreError> {
    let mut page = Page::default();
    let Some(number) = number_of(snapshot, scope)? else {
        return Ok(page);
    };
    let prefix = range.prefix.as_str();
    let from = match range.after.as_deref() {
        Some(after) if after >= prefix => Bound::Excluded((number, after)),
        _ => Bound::Included((number, prefix)),
    };
    let limit = range.limit.min(MAX_ENTRIES);
    let entries = snapshot.open_table(ENTRIES)?;
    let rows = entries.range::<EntryKey<'_>>((from, Bound::Unbounded))?;
    let (mut size, mut last) = (0, None);
    for (looked_at, row) in rows.enumerate() {
        let (key, row) = row?;
        let (of, key) = key.value();
        if of != number || !key.starts_with(prefix) {
            return Ok(page);
        }
        let found = item(row.value(), range.part, now);
        size += found.as_ref().map_or(0, |item| key.len() + item.value.len());
        if page.entries.len() == limit || looked_at == MAX_LOOKED_AT || size > MAX_READ {
            page.next = last;
            return Ok(page);
        }
        last = Some(key.to_owned());
        page.entries.extend(found.map(|item| (key.to_owned(), item)));
    }
    Ok(page)
}
