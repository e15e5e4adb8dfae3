//! The writer thread: takes the writes that wait, commits them together, answers each.

use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::sync::oneshot;
use wharf_runtime::key_value::{KeyValueError, Outcome, Write};

use super::apply::{Batch, Room};
use super::scope::Scope;
use super::sweep::{self, Left};
use super::{DISK_RESERVE, Shared, layout, unavailable};
use crate::store::StoreError;

/// Orders that wait; who comes then waits for a place, and holds no thread.
pub(super) const MAX_WAITING: usize = 256;

/// Orders that one commit takes: enough to share the flush, few enough to answer soon.
const MAX_GROUP: usize = 256;

/// What the writer is told.
#[derive(Debug)]
pub(super) enum Order {
    Write(Pending),
    /// There may be something to do that isn't in line.
    Look,
}

/// A guest's writes, and who waits for them.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) scope: Scope,
    pub(super) writes: Vec<Write>,
    pub(super) answer: oneshot::Sender<Answer>,
}

type Answer = Result<Vec<Outcome>, KeyValueError>;

/// Runs until every sender is gone and everything taken is answered.
pub(super) fn run(shared: &Shared, mut waiting: mpsc::Receiver<Order>) {
    let mut left = Left::Nothing;
    let mut orders = Vec::with_capacity(MAX_GROUP);
    loop {
        match left {
            Left::Nothing if waiting.blocking_recv_many(&mut orders, MAX_GROUP) == 0 => return,
            Left::Nothing => {}
            Left::More => {
                while orders.len() < MAX_GROUP {
                    match waiting.try_recv() {
                        Ok(order) => orders.push(order),
                        Err(TryRecvError::Empty) => break,
                        // What is left to clear away is there at the next start.
                        Err(TryRecvError::Disconnected) if orders.is_empty() => return,
                        Err(TryRecvError::Disconnected) => break,
                    }
                }
            }
        }
        left = turn(shared, orders.drain(..));
    }
}

/// One commit, if there is something to commit.
fn turn(shared: &Shared, orders: impl Iterator<Item = Order>) -> Left {
    let pending = orders.filter_map(|order| match order {
        Order::Write(pending) => Some(pending),
        Order::Look => None,
    });
    let (asked, answers): (Vec<_>, Vec<_>) = pending
        .map(
            |Pending {
                 scope,
                 writes,
                 answer,
             }| ((scope, writes), answer),
        )
        .unzip();
    let waiting = {
        let mut leaving = shared.leaving();
        let mut next = std::mem::take(&mut leaving.next);
        leaving.now.append(&mut next);
        std::mem::take(&mut leaving.waiting)
    };
    let done = commit(shared, asked);
    {
        let mut leaving = shared.leaving();
        let mut now = std::mem::take(&mut leaving.now);
        if done.is_err() {
            leaving.next.append(&mut now);
        }
    }
    // Who waited may be gone; what was written stands.
    match done {
        Ok((outcomes, left)) => {
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                let _ = answer.send(outcome);
            }
            for answer in waiting {
                let _ = answer.send(Ok(()));
            }
            left
        }
        Err(error) => {
            for answer in answers {
                let _ = answer.send(Err(unavailable(error.for_another())));
            }
            for answer in waiting {
                let _ = answer.send(Err(error.for_another()));
            }
            Left::Nothing
        }
    }
}

type Done = (Vec<Answer>, Left);

fn commit(shared: &Shared, asked: Vec<(Scope, Vec<Write>)>) -> Result<Done, StoreError> {
    if !shared.database.is_open() {
        shared.database.reopen(|_| Ok(()))?;
    }
    let now = shared.surroundings.now();
    let is_idle = asked.is_empty() && shared.leaving().now.is_empty();
    if is_idle && !shared.database.read(|snapshot| sweep::is_due(snapshot, now))? {
        return Ok((Vec::new(), Left::Nothing));
    }
    let mut written = Written::default();
    let error = match write(shared, now, asked, &mut written) {
        Ok(()) => return Ok((written.answers, written.left)),
        Err(error) => error,
    };
    tracing::error!(%error, "guests' data could not be committed");
    // A commit that failed in its very last step may have reached the disk.
    match shared.database.reopen(layout::committed_version) {
        Ok(found) if written.version.is_some_and(|version| found == version) => {
            Ok((written.answers, written.left))
        }
        Ok(_) => Err(error),
        Err(again) => {
            tracing::error!(error = %again, "guests' data could not be opened again; the next write tries it");
            Err(error)
        }
    }
}

/// What a commit came to, before it is known to be durable.
struct Written {
    answers: Vec<Answer>,
    left: Left,
    /// Its last version, once all is written.
    version: Option<u64>,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            answers: Vec::new(),
            left: Left::Nothing,
            version: None,
        }
    }
}

fn write(
    shared: &Shared,
    now: u64,
    asked: Vec<(Scope, Vec<Write>)>,
    written: &mut Written,
) -> Result<(), StoreError> {
    let room = match shared.surroundings.free() {
        DISK_RESERVE.. => Room::Enough,
        _ => Room::ReserveOnly,
    };
    let leaving = shared.leaving().now.clone();
    let transaction = shared.database.with(|database| Ok(database.begin_write()?))?;
    let mut batch = Batch::begin(&transaction, now, room)?;
    let before = batch.version();
    for scope in &leaving {
        batch.remove_scope(scope)?;
    }
    // First, so that what is over is in nobody's way.
    written.left = batch.sweep()?;
    for (scope, writes) in asked {
        written.answers.push(batch.apply(&scope, writes)?);
    }
    let version = batch.finish()?;
    if version == before {
        transaction.abort()?;
        return Ok(());
    }
    layout::set_version(&transaction, version)?;
    written.version = Some(version);
    transaction.commit()?;
    Ok(())
}
