//! `wharf:keyvalue`: versions, time to live, listing by prefix.

use std::time::Duration;

use super::bindings::wharf::keyvalue::store::{Entry, Error, Host, Item, Page};
use super::{View, check_key};
use crate::key_value::{self, Change, Expected, KeyValueError, MAX_KEY, Outcome, Part, Range, Version};

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl Host for View<'_> {
    fn get(&mut self, key: String) -> Answer<Option<Item>> {
        let found = check_key(&key).and_then(|()| self.data()?.store.get(&key));
        Ok(found.map(|found| found.map(item)).map_err(Error::from))
    }

    async fn set(&mut self, key: String, value: Vec<u8>, ttl: Option<u64>) -> Answer<u64> {
        let stored = self.store(key, value, ttl, Expected::Any).await;
        Ok(stored.and_then(|version| version.ok_or_else(|| odd("set"))))
    }

    async fn compare_and_swap(
        &mut self,
        key: String,
        expected: Option<u64>,
        value: Vec<u8>,
        ttl: Option<u64>,
    ) -> Answer<Option<u64>> {
        let expected = expected.map_or(Expected::Absent, |version| Expected::Version(Version(version)));
        Ok(self.store(key, value, ttl, expected).await)
    }

    async fn delete(&mut self, key: String) -> Answer<bool> {
        Ok(match self.write(key, Change::Delete).await {
            Ok(Outcome::Deleted) => Ok(true),
            Ok(Outcome::WasAbsent) => Ok(false),
            Ok(_) => Err(odd("delete")),
            Err(error) => Err(error.into()),
        })
    }

    async fn increment(&mut self, key: String, by: i64, ttl: Option<u64>) -> Answer<i64> {
        let ttl = ttl.map(Duration::from_millis);
        Ok(match self.write(key, Change::Increment { by, ttl }).await {
            Ok(Outcome::Number(number)) => Ok(number),
            Ok(_) => Err(odd("increment")),
            Err(error) => Err(error.into()),
        })
    }

    fn entries(&mut self, prefix: String, after: Option<String>, limit: u32) -> Answer<Page> {
        let range = Range {
            prefix,
            after,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            part: Part::Whole,
        };
        if limit == 0 {
            return Ok(Err(Error::Invalid("a limit of 0 entries".to_owned())));
        }
        let listed = check_prefix(&range.prefix).and_then(|()| self.data()?.store.list(&range));
        Ok(listed.map(page).map_err(Error::from))
    }
}

impl View<'_> {
    async fn write(&mut self, key: String, change: Change) -> Result<Outcome, KeyValueError> {
        self.data()?.write_one(key, change).await
    }

    /// Gives the version, or none if the key is not as expected.
    async fn store(
        &mut self,
        key: String,
        value: Vec<u8>,
        ttl: Option<u64>,
        expected: Expected,
    ) -> Result<Option<u64>, Error> {
        let change = Change::Set {
            value: value.into(),
            ttl: ttl.map(Duration::from_millis),
            expected,
        };
        match self.write(key, change).await? {
            Outcome::Stored(version) => Ok(Some(version.0)),
            Outcome::Unexpected => Ok(None),
            _ => Err(odd("set")),
        }
    }
}

fn check_prefix(prefix: &str) -> Result<(), KeyValueError> {
    match prefix.len() {
        0..=MAX_KEY => Ok(()),
        len => Err(KeyValueError::Invalid(format!(
            "the prefix has {len} bytes; {MAX_KEY} are allowed"
        ))),
    }
}

fn item(found: key_value::Item) -> Item {
    Item {
        value: found.value.into(),
        version: found.version.0,
    }
}

fn page(listed: key_value::Page) -> Page {
    let entry = |(key, key_value::Item { value, version }): (String, key_value::Item)| Entry {
        key,
        value: value.into(),
        version: version.0,
    };
    Page {
        entries: listed.entries.into_iter().map(entry).collect(),
        next: listed.next,
    }
}

/// A store that answers something else than it was asked.
fn odd(asked: &str) -> Error {
    Error::Unavailable(format!("the store did not answer to `{asked}`"))
}

impl From<KeyValueError> for Error {
    fn from(error: KeyValueError) -> Self {
        match error {
            KeyValueError::Invalid(why) => Self::Invalid(why),
            KeyValueError::QuotaExceeded(why) => Self::QuotaExceeded(why),
            KeyValueError::Unavailable(why) => Self::Unavailable(why),
        }
    }
}
