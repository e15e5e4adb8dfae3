//! The service's data, by `wharf:keyvalue`. The host answers a call when it is done, and runs others meanwhile.

use super::bindings::wharf::keyvalue::store;
use crate::Bytes;
use crate::kv::{Error, ErrorKind};
use std::time::Duration;

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let (kind, reason) = match error {
            store::Error::Invalid(reason) => (ErrorKind::Invalid, reason),
            store::Error::QuotaExceeded(reason) => (ErrorKind::QuotaExceeded, reason),
            store::Error::Unavailable(reason) => (ErrorKind::Unavailable, reason),
        };
        Self::new(kind, reason)
    }
}

/// What isn't whole milliseconds lasts one longer.
fn milliseconds(ttl: Option<Duration>) -> Option<u64> {
    let whole = |ttl: Duration| u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    ttl.map(whole)
}

pub(crate) fn get(key: &str) -> Result<Option<(Bytes, u64)>, Error> {
    let found = store::get(key)?;
    Ok(found.map(|item| (item.value.into(), item.version)))
}

pub(crate) fn set(key: &str, value: &[u8], ttl: Option<Duration>) -> Result<u64, Error> {
    Ok(store::set(key, value, milliseconds(ttl))?)
}

pub(crate) fn swap(
    key: &str,
    expected: Option<u64>,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<Option<u64>, Error> {
    Ok(store::compare_and_swap(key, expected, value, milliseconds(ttl))?)
}

pub(crate) fn increment(key: &str, by: i64, ttl: Option<Duration>) -> Result<i64, Error> {
    Ok(store::increment(key, by, milliseconds(ttl))?)
}

pub(crate) fn delete(key: &str) -> Result<bool, Error> {
    Ok(store::delete(key)?)
}

/// Keys with values and versions, and where it goes on.
pub(crate) type Entries = (Vec<(String, Bytes, u64)>, Option<String>);

pub(crate) fn entries(prefix: &str, after: Option<&str>, limit: u32) -> Result<Entries, Error> {
    let page = store::entries(prefix, after, limit)?;
    let entries = page.entries.into_iter();
    let entries = entries.map(|entry| (entry.key, entry.value.into(), entry.version));
    Ok((entries.collect(), page.next))
}
