//! The writer thread: takes the writes that wait, commits them together, answers each.
//!
//! Transactions of a group see those before them, as if committed one by one. One whose expectations
//! fail writes nothing and doesn't disturb the others.

use bytes::Bytes;
use redb::{Database, ReadableTable as _, Table, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use super::format::{self, ENTRIES};
use super::redb_store::Shared;
use super::{Change, Entry, Expect, Op, StoreError, StoreRevision, Transaction};

/// How many writes may wait; one more is refused as [`StoreError::Busy`].
pub(super) const MAX_WAITING_WRITES: usize = 4096;

/// How many writes one commit takes: enough to share the flush, few enough to answer soon.
const MAX_GROUP: usize = 256;

type Entries<'txn> = Table<'txn, &'static str, (u64, &'static [u8])>;

/// A transaction, and who waits for it.
#[derive(Debug)]
pub(super) struct PendingWrite {
    pub(super) transaction: Transaction,
    pub(super) answer: oneshot::Sender<Result<StoreRevision, StoreError>>,
}

/// What a group came to, before it is known to be durable.
#[derive(Default)]
struct Group {
    outcomes: Vec<Result<StoreRevision, StoreError>>,
    changes: Vec<Change>,
}

/// Runs until every sender is gone and everything taken is answered.
pub(super) fn run(shared: &Shared, mut waiting: mpsc::Receiver<PendingWrite>) {
    let mut pending = Vec::with_capacity(MAX_GROUP);
    while waiting.blocking_recv_many(&mut pending, MAX_GROUP) > 0 {
        let (transactions, answers): (Vec<_>, Vec<_>) = pending
            .drain(..)
            .map(|write| (write.transaction, write.answer))
            .unzip();
        let outcomes = commit_group(shared, &transactions);
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Who waited may be gone; the write stands.
            let _ = answer.send(outcome);
        }
    }
}

fn commit_group(shared: &Shared, transactions: &[Transaction]) -> Vec<Result<StoreRevision, StoreError>> {
    if let Err(error) = reopen_if_closed(shared) {
        return refuse_all(error, transactions.len());
    }
    let current = shared.history.newest();
    let mut group = Group::default();
    match write_group(shared, current, transactions, &mut group) {
        Ok(newest) => {
            shared.history.append(group.changes, newest);
            group.outcomes
        }
        Err(error) => recover(shared, current, error, transactions.len(), group),
    }
}

/// Writes and commits; on an error nothing of `group` is known to have happened.
fn write_group(
    shared: &Shared,
    current: StoreRevision,
    transactions: &[Transaction],
    group: &mut Group,
) -> Result<StoreRevision, StoreError> {
    let write = shared.database.with(|database| Ok(database.begin_write()?))?;
    let mut newest = current;
    {
        let mut entries = write.open_table(ENTRIES)?;
        for transaction in transactions {
            let outcome = match unmet(&entries, transaction)? {
                Some(conflict) => Err(conflict),
                None => {
                    newest = newest.next();
                    apply(&mut entries, transaction, newest, &mut group.changes)?;
                    Ok(newest)
                }
            };
            group.outcomes.push(outcome);
        }
    }
    if newest == current {
        write.abort()?;
        return Ok(current);
    }
    format::set_revision(&write, newest)?;
    write.commit()?;
    Ok(newest)
}

/// The first expectation that doesn't hold.
fn unmet(entries: &Entries<'_>, transaction: &Transaction) -> Result<Option<StoreError>, StoreError> {
    for (key, expected) in transaction.compares() {
        if *expected == Expect::Any {
            continue;
        }
        let found = entries
            .get(key.as_str())?
            .map(|found| StoreRevision(found.value().0));
        if !expected.holds(found) {
            return Ok(Some(StoreError::Conflict {
                key: key.clone(),
                expected: *expected,
                found,
            }));
        }
    }
    Ok(None)
}

fn apply(
    entries: &mut Entries<'_>,
    transaction: &Transaction,
    revision: StoreRevision,
    changes: &mut Vec<Change>,
) -> Result<(), StoreError> {
    for op in transaction.ops() {
        match op {
            Op::Put { key, value } => put(entries, key, value, revision, changes)?,
            Op::Delete { key } => delete(entries, key, revision, changes)?,
            Op::DeletePrefix { prefix } => {
                for key in keys(entries, prefix)? {
                    delete(entries, &key, revision, changes)?;
                }
            }
        }
    }
    Ok(())
}

fn put(
    entries: &mut Entries<'_>,
    key: &str,
    value: &Bytes,
    revision: StoreRevision,
    changes: &mut Vec<Change>,
) -> Result<(), StoreError> {
    entries.insert(key, (revision.0, value.as_ref()))?;
    changes.push(Change::Put(Entry {
        key: key.to_owned(),
        value: value.clone(),
        revision,
    }));
    Ok(())
}

fn delete(
    entries: &mut Entries<'_>,
    key: &str,
    revision: StoreRevision,
    changes: &mut Vec<Change>,
) -> Result<(), StoreError> {
    if entries.remove(key)?.is_some() {
        changes.push(Change::Delete {
            key: key.to_owned(),
            revision,
        });
    }
    Ok(())
}

fn keys(entries: &Entries<'_>, prefix: &str) -> Result<Vec<String>, StoreError> {
    let mut keys = Vec::new();
    for row in entries.range(prefix..)? {
        let (key, _) = row?;
        if !key.value().starts_with(prefix) {
            break;
        }
        keys.push(key.value().to_owned());
    }
    Ok(keys)
}

/// After a failed commit: opens the database again and finds out whether the group is in it, for a
/// commit that failed in its very last step may have reached the disk.
fn recover(
    shared: &Shared,
    current: StoreRevision,
    error: StoreError,
    waiting: usize,
    group: Group,
) -> Vec<Result<StoreRevision, StoreError>> {
    tracing::error!(%error, "the store could not commit");
    match shared.database.reopen(committed_revision) {
        Ok(found) if found > current => {
            shared.history.append(group.changes, found);
            group.outcomes
        }
        Ok(_) => refuse_all(error, waiting),
        Err(again) => {
            tracing::error!(error = %again, "the store could not be opened again; the next write tries it");
            refuse_all(error, waiting)
        }
    }
}

/// Opens the database if it stayed closed after an error. What that commit was then comes to light: if
/// it is in the store, watchers begin anew.
fn reopen_if_closed(shared: &Shared) -> Result<(), StoreError> {
    if shared.database.is_open() {
        return Ok(());
    }
    let found = shared.database.reopen(committed_revision)?;
    if found > shared.history.newest() {
        shared.history.restart(found);
    }
    Ok(())
}

fn committed_revision(database: &Database) -> Result<StoreRevision, StoreError> {
    let write: WriteTransaction = database.begin_write()?;
    let revision = format::revision(&write)?;
    write.abort()?;
    Ok(revision)
}

/// The same refusal for each who waits; all of them were in the one commit.
fn refuse_all(error: StoreError, waiting: usize) -> Vec<Result<StoreRevision, StoreError>> {
    (0..waiting).map(|_| Err(error.for_another())).collect()
}
