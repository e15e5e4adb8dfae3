//! The data of a native test: in memory, as long as its host. Time to live goes by the host's clock.

use super::required;
use crate::Bytes;
use crate::kv::{Error, ErrorKind};
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest key, as the server has it.
const MAX_KEY: usize = 512;
/// Entries of a page at most, as the server has it.
const MAX_ENTRIES: u32 = 1000;

/// What is kept.
#[derive(Default)]
pub(crate) struct Kept {
    items: BTreeMap<String, Item>,
    writes: u64,
    /// Every operation fails so.
    pub(crate) failing: Option<ErrorKind>,
}

#[derive(Clone)]
struct Item {
    value: Bytes,
    version: u64,
    end: Option<Duration>,
}

impl Kept {
    fn live(&self, key: &str, now: Duration) -> Option<&Item> {
        let item = self.items.get(key)?;
        item.end.is_none_or(|end| now < end).then_some(item)
    }

    fn put(&mut self, key: &str, value: Bytes, end: Option<Duration>) -> u64 {
        self.writes += 1;
        let version = self.writes;
        self.items.insert(key.to_owned(), Item { value, version, end });
        version
    }

    /// What a test puts there or looks for: none of the host's failures is for it.
    pub(crate) fn preset(&mut self, key: &str, value: Bytes) {
        self.put(key, value, None);
    }

    pub(crate) fn look(&self, key: &str, now: Duration) -> Option<Bytes> {
        Some(self.live(key, now)?.value.clone())
    }
}

fn invalid(reason: &str) -> Error {
    Error::new(ErrorKind::Invalid, reason.to_owned())
}

/// With the data and the time, if the key is one and nothing fails.
fn with<T>(key: &str, work: impl FnOnce(&mut Kept, Duration) -> Result<T, Error>) -> Result<T, Error> {
    let world = required("the service's data");
    let mut kept = world.kept.borrow_mut();
    if let Some(kind) = kept.failing {
        return Err(Error::new(kind, "the test's host fails".to_owned()));
    }
    if key.len() > MAX_KEY {
        return Err(invalid(&format!(
            "the key has {} bytes; {MAX_KEY} are allowed",
            key.len()
        )));
    }
    work(&mut kept, world.clock.get())
}

/// As [`with`], of a key that isn't empty.
fn with_key<T>(key: &str, work: impl FnOnce(&mut Kept, Duration) -> Result<T, Error>) -> Result<T, Error> {
    with(key, |kept, now| match key {
        "" => Err(invalid("the key is empty")),
        _ => work(kept, now),
    })
}

fn end(now: Duration, ttl: Option<Duration>) -> Result<Option<Duration>, Error> {
    match ttl {
        Some(Duration::ZERO) => Err(invalid("a time to live of 0: delete the key instead")),
        ttl => Ok(ttl.map(|ttl| now.saturating_add(ttl))),
    }
}

pub(crate) fn get(key: &str) -> Result<Option<(Bytes, u64)>, Error> {
    with_key(key, |kept, now| {
        let found = kept.live(key, now);
        Ok(found.map(|item| (item.value.clone(), item.version)))
    })
}

pub(crate) fn set(key: &str, value: &[u8], ttl: Option<Duration>) -> Result<u64, Error> {
    with_key(key, |kept, now| {
        Ok(kept.put(key, Bytes::copy_from_slice(value), end(now, ttl)?))
    })
}

pub(crate) fn swap(
    key: &str,
    expected: Option<u64>,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<Option<u64>, Error> {
    with_key(key, |kept, now| {
        let end = end(now, ttl)?;
        let found = kept.live(key, now).map(|item| item.version);
        Ok((found == expected).then(|| kept.put(key, Bytes::copy_from_slice(value), end)))
    })
}

pub(crate) fn increment(key: &str, by: i64, ttl: Option<Duration>) -> Result<i64, Error> {
    with_key(key, |kept, now| {
        let (number, end) = match kept.live(key, now) {
            Some(item) => {
                let number = std::str::from_utf8(&item.value)
                    .ok()
                    .and_then(|text| text.parse().ok());
                let number: i64 = number.ok_or_else(|| invalid("what is stored there is no whole number"))?;
                (number, item.end)
            }
            None => (0, end(now, ttl)?),
        };
        let sum = number
            .checked_add(by)
            .ok_or_else(|| invalid("the result is too large"))?;
        kept.put(key, sum.to_string().into(), end);
        Ok(sum)
    })
}

pub(crate) fn delete(key: &str) -> Result<bool, Error> {
    with_key(key, |kept, now| {
        let was_there = kept.live(key, now).is_some();
        kept.items.remove(key);
        Ok(was_there)
    })
}

/// Keys with values and versions, and where it goes on.
pub(crate) type Entries = (Vec<(String, Bytes, u64)>, Option<String>);

pub(crate) fn entries(prefix: &str, after: Option<&str>, limit: u32) -> Result<Entries, Error> {
    with(prefix, |kept, now| {
        if limit == 0 {
            return Err(invalid("a limit of 0 entries"));
        }
        let wanted = kept.items.iter().filter(|(key, item)| {
            let behind = after.is_none_or(|after| key.as_str() > after);
            key.starts_with(prefix) && behind && item.end.is_none_or(|end| now < end)
        });
        let mut wanted = wanted.map(|(key, item)| (key.clone(), item.value.clone(), item.version));
        let limit = usize::try_from(limit.min(MAX_ENTRIES)).unwrap_or(usize::MAX);
        let entries: Vec<_> = wanted.by_ref().take(limit).collect();
        let next = wanted.next().and(entries.last()).map(|(key, _, _)| key.clone());
        Ok((entries, next))
    })
}
