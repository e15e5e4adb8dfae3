//! Clearing away what is nobody's any more: entries that have expired, and those of services that are gone. A part of it
//! with each commit, so that it neither makes writers wait long nor falls behind them.

use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata as _};

use super::apply::Batch;
use super::layout::{DEAD, ENDS, EndKey, EntryKey};
use crate::store::StoreError;

/// Entries that one commit clears away, of each kind: more than it writes, where each write is of one.
const MAX_SWEPT: usize = 512;

/// Whether there is anything to clear away.
pub(super) fn is_due(snapshot: &ReadTransaction, now: u64) -> Result<bool, StoreError> {
    if !snapshot.open_table(DEAD)?.is_empty()? {
        return Ok(true);
    }
    let ends = snapshot.open_table(ENDS)?;
    let first = ends.first()?;
    Ok(first.is_some_and(|(end, _)| end.value().0 <= now))
}

/// What is left when a part was cleared away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    More,
}

impl Batch<'_> {
    /// Clears a part away.
    pub(super) fn sweep(&mut self) -> Result<Left, StoreError> {
        let expired = self.sweep_expired()?;
        let dead = self.sweep_dead()?;
        if expired + dead > 0 {
            self.step();
        }
        Ok(match expired < MAX_SWEPT && dead < MAX_SWEPT {
            true => Left::Nothing,
            false => Left::More,
        })
    }

    fn sweep_expired(&mut self) -> Result<usize, StoreError> {
        let mut over = Vec::new();
        for row in self
            .ends
            .range::<EndKey<'_>>(..(self.now + 1, 0, ""))?
            .take(MAX_SWEPT)
        {
            let (end, _) = row?;
            let (_, number, key) = end.value();
            over.push((number, key.to_owned()));
        }
        for (number, key) in &over {
            let usage = self.usage(*number)?;
            // Nobody counts what a service had that is gone.
            let mut counted = usage.unwrap_or_default();
            self.replace((*number, &mut counted), key, None)?;
            if usage.is_some() {
                self.usages.insert(*number, counted);
            }
        }
        Ok(over.len())
    }

    fn sweep_dead(&mut self) -> Result<usize, StoreError> {
        let Some(number) = self.dead.first()?.map(|(number, _)| number.value()) else {
            return Ok(0);
        };
        let mut rows = Vec::new();
        let range: (EntryKey<'_>, EntryKey<'_>) = ((number, ""), (number + 1, ""));
        for row in self.entries.range(range.0..range.1)?.take(MAX_SWEPT) {
            let (key, row) = row?;
            rows.push((key.value().1.to_owned(), row.value().1));
        }
        for (key, end) in &rows {
            self.entries.remove((number, key.as_str()))?;
            self.ends.remove((*end, number, key.as_str()))?;
        }
        if rows.len() < MAX_SWEPT {
            self.dead.remove(number)?;
            // The number itself, so that there may be another.
            return Ok(rows.len().max(1));
        }
        Ok(rows.len())
    }
}
