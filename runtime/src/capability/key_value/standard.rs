//! `wasi:keyvalue` 0.2.0-draft: the store, its counters, and several keys at once.
//!
//! There is one bucket, by the two names that are usual for the only one: the empty one and `default`.

use std::collections::VecDeque;

use wasmtime::component::Resource;

use super::bindings::wasi::keyvalue::store::{Error, Host, HostBucket, KeyResponse};
use super::bindings::wasi::keyvalue::{atomics, batch};
use super::{View, check_key, too_many};
use crate::key_value::{Change, Expected, KeyValueError, MAX_ENTRIES, MAX_READ, Outcome, Part, Range, Write};

/// Listings of one bucket that may be under way. The one that was gone on with longest ago is forgotten.
const MAX_LISTINGS: usize = 16;

/// A guest's handle. The standard's cursors are numbers and ours are keys, so it keeps which is which.
#[derive(Debug, Default)]
#[expect(
    unreachable_pub,
    reason = "the bindings re-export it, which takes more than the crate's own"
)]
pub struct Bucket {
    listings: VecDeque<(u64, String)>,
    last_cursor: u64,
}

impl Bucket {
    /// The key behind which a listing goes on. A cursor stays good for going on again.
    fn position(&self, cursor: u64) -> Option<String> {
        let found = self.listings.iter().find(|(known, _)| *known == cursor);
        found.map(|(_, key)| key.clone())
    }

    fn keep(&mut self, key: String) -> u64 {
        if self.listings.len() == MAX_LISTINGS {
            self.listings.pop_front();
        }
        self.last_cursor += 1;
        self.listings.push_back((self.last_cursor, key));
        self.last_cursor
    }
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;
type Handle = Resource<Bucket>;
/// What is under each of several keys.
type Found = Vec<Option<(String, Vec<u8>)>>;

impl Host for View<'_> {
    fn open(&mut self, identifier: String) -> Answer<Handle> {
        match identifier.as_str() {
            "" | "default" => Ok(Ok(self.table.push(Bucket::default())?)),
            _ => Ok(Err(Error::NoSuchStore)),
        }
    }
}

impl HostBucket for View<'_> {
    fn get(&mut self, _: Handle, key: String) -> Answer<Option<Vec<u8>>> {
        let found = check_key(&key).and_then(|()| self.data()?.store.get(&key));
        Ok(found.map(|found| Some(found?.value.into())).map_err(Error::from))
    }

    async fn set(&mut self, _: Handle, key: String, value: Vec<u8>) -> Answer<()> {
        Ok(self.write_all(vec![set(key, value)]).await)
    }

    async fn delete(&mut self, _: Handle, key: String) -> Answer<()> {
        Ok(self.write_all(vec![delete(key)]).await)
    }

    fn exists(&mut self, _: Handle, key: String) -> Answer<bool> {
        let found = check_key(&key).and_then(|()| self.data()?.store.get(&key));
        Ok(found.map(|found| found.is_some()).map_err(Error::from))
    }

    fn list_keys(&mut self, bucket: Handle, cursor: Option<u64>) -> Answer<KeyResponse> {
        let known = self.table.get(&bucket)?;
        let after = cursor
            .map(|cursor| known.position(cursor).ok_or(cursor))
            .transpose();
        let after = match after {
            Ok(after) => after,
            Err(cursor) => {
                return Ok(Err(Error::Other(format!(
                    "{cursor} is no cursor of this bucket's"
                ))));
            }
        };
        let range = Range {
            prefix: String::new(),
            after,
            limit: MAX_ENTRIES,
            part: Part::Key,
        };
        let page = match self.data().and_then(|data| data.store.list(&range)) {
            Ok(page) => page,
            Err(error) => return Ok(Err(error.into())),
        };
        let bucket = self.table.get_mut(&bucket)?;
        Ok(Ok(KeyResponse {
            keys: page.entries.into_iter().map(|(key, _)| key).collect(),
            cursor: page.next.map(|key| bucket.keep(key)),
        }))
    }

    fn drop(&mut self, bucket: Handle) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for View<'_> {
    async fn increment(&mut self, _: Handle, key: String, delta: u64) -> Answer<u64> {
        Ok(self.add(key, delta).await.map_err(Error::from))
    }
}

impl batch::Host for View<'_> {
    fn get_many(&mut self, _: Handle, keys: Vec<String>) -> Answer<Found> {
        Ok(self.read_all(keys).map_err(Error::from))
    }

    async fn set_many(&mut self, _: Handle, values: Vec<(String, Vec<u8>)>) -> Answer<()> {
        let writes = values.into_iter().map(|(key, value)| set(key, value));
        Ok(self.write_all(writes.collect()).await)
    }

    async fn delete_many(&mut self, _: Handle, keys: Vec<String>) -> Answer<()> {
        Ok(self.write_all(keys.into_iter().map(delete).collect()).await)
    }
}

impl View<'_> {
    /// All of them or, beyond what the standard asks for, none.
    async fn write_all(&mut self, writes: Vec<Write>) -> Result<(), Error> {
        self.data()?.write(writes).await?;
        Ok(())
    }

    /// The standard counts from 0 on.
    async fn add(&mut self, key: String, delta: u64) -> Result<u64, KeyValueError> {
        let by = i64::try_from(delta).map_err(|_| out_of_range())?;
        let change = Change::Increment { by, ttl: None };
        match self.data()?.write_one(key, change).await? {
            Outcome::Number(number) => u64::try_from(number).map_err(|_| out_of_range()),
            _ => Err(KeyValueError::Unavailable(
                "the store did not answer to `increment`".to_owned(),
            )),
        }
    }

    fn read_all(&self, keys: Vec<String>) -> Result<Found, KeyValueError> {
        if keys.len() > MAX_ENTRIES {
            return Err(too_many(keys.len()));
        }
        let store = &self.data()?.store;
        let mut found = Vec::with_capacity(keys.len());
        let mut size = 0;
        for key in keys {
            check_key(&key)?;
            let item = store.get(&key)?;
            size += item.as_ref().map_or(0, |item| key.len() + item.value.len());
            if size > MAX_READ {
                return Err(KeyValueError::Invalid(format!(
                    "these keys have more than {MAX_READ} bytes of values together: ask for fewer at once"
                )));
            }
            found.push(item.map(|item| (key, item.value.into())));
        }
        Ok(found)
    }
}

fn set(key: String, value: Vec<u8>) -> Write {
    let change = Change::Set {
        value: value.into(),
        ttl: None,
        expected: Expected::Any,
    };
    Write { key, change }
}

fn delete(key: String) -> Write {
    Write {
        key,
        change: Change::Delete,
    }
}

fn out_of_range() -> KeyValueError {
    KeyValueError::Invalid(format!("the number is not between 0 and {}", i64::MAX))
}

impl From<KeyValueError> for Error {
    fn from(error: KeyValueError) -> Self {
        Self::Other(error.to_string())
    }
}
