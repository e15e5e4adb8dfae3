//! A service's data in memory, and a door in front of its writes.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Semaphore;
use wharf_runtime::key_value::{
    Change, Expected, Item, KeyValue, KeyValueError, Outcome, Page, Part, Range, Version, Write,
};

#[derive(Debug)]
pub(crate) struct Data {
    kept: Mutex<Kept>,
    /// Closed, writes wait; shut for good, they fail.
    pub(crate) door: Semaphore,
}

#[derive(Debug, Default)]
struct Kept {
    items: BTreeMap<String, (Item, Option<Instant>)>,
    writes: u64,
}

impl Default for Data {
    fn default() -> Self {
        Self::behind(Semaphore::new(Semaphore::MAX_PERMITS))
    }
}

impl Data {
    /// Its writes wait behind this door.
    pub(crate) fn behind(door: Semaphore) -> Self {
        Self {
            kept: Mutex::default(),
            door,
        }
    }
}

impl Kept {
    fn get(&self, key: &str) -> Option<&Item> {
        let (item, end) = self.items.get(key)?;
        end.is_none_or(|end| Instant::now() < end).then_some(item)
    }

    fn put(&mut self, key: String, value: Bytes, ttl: Option<Duration>) -> Version {
        self.writes += 1;
        let version = Version(self.writes);
        let end = ttl.map(|ttl| Instant::now() + ttl);
        self.items.insert(key, (Item { value, version }, end));
        version
    }

    fn write(&mut self, Write { key, change }: Write) -> Outcome {
        let found = self.get(&key);
        match change {
            Change::Set { value, ttl, expected } => {
                let holds = match expected {
                    Expected::Any => true,
                    Expected::Absent => found.is_none(),
                    Expected::Version(version) => found.is_some_and(|item| item.version == version),
                };
                match holds {
                    true => Outcome::Stored(self.put(key, value, ttl)),
                    false => Outcome::Unexpected,
                }
            }
            Change::Delete => match self.items.remove(&key) {
                Some(_) => Outcome::Deleted,
                None => Outcome::WasAbsent,
            },
            Change::Increment { by, ttl } => {
                let number =
                    found.map(|item| std::str::from_utf8(&item.value).unwrap().parse::<i64>().unwrap());
                let number = number.unwrap_or_default() + by;
                self.put(key, number.to_string().into(), ttl);
                Outcome::Number(number)
            }
        }
    }
}

#[wasmtime_wasi::async_trait]
impl KeyValue for Data {
    fn get(&self, key: &str) -> Result<Option<Item>, KeyValueError> {
        Ok(self.kept.lock().unwrap().get(key).cloned())
    }

    fn list(&self, range: &Range) -> Result<Page, KeyValueError> {
        let kept = self.kept.lock().unwrap();
        let behind = |key: &str| range.after.as_deref().is_none_or(|after| key > after);
        let mut wanted = kept
            .items
            .iter()
            .filter(|(key, _)| key.starts_with(&range.prefix) && behind(key));
        let shown = |item: &Item| match range.part {
            Part::Key => Item {
                value: Bytes::new(),
                ..*item
            },
            Part::Whole => item.clone(),
        };
        let entries: Vec<_> = wanted
            .by_ref()
            .take(range.limit)
            .map(|(key, (item, _))| (key.clone(), shown(item)))
            .collect();
        let next = wanted.next().and(entries.last()).map(|(key, _)| key.clone());
        Ok(Page { entries, next })
    }

    async fn write(&self, writes: Vec<Write>) -> Result<Vec<Outcome>, KeyValueError> {
        let Ok(_through) = self.door.acquire().await else {
            return Err(KeyValueError::QuotaExceeded("the door is shut".into()));
        };
        let mut kept = self.kept.lock().unwrap();
        Ok(writes.into_iter().map(|write| kept.write(write)).collect())
    }
}
