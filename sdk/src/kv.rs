//! What the service keeps: a key-value store that all its tasks share, and that survives the server.
//!
//! A service has one without being asked, and so has a job. A write is on the disk before it is answered, and every read
//! after that sees it. Values are JSON, or bytes: 64 KiB at most, under keys of at most 512 bytes.
//!
//! ```
//! use std::time::Duration;
//! use wharf::{Json, Path, Result, Router, kv, routing::get};
//!
//! #[derive(serde::Deserialize, serde::Serialize)]
//! struct Note { text: String }
//!
//! async fn write(Path(name): Path<String>, Json(note): Json<Note>) -> Result<String> {
//!     kv::set(&format!("notes/{name}"), &note).await?;
//!     let count = kv::increment("written", 1).await?;
//!     Ok(format!("note {count}"))
//! }
//!
//! async fn read(Path(name): Path<String>) -> Result<Json<Option<Note>>> {
//!     Ok(Json(kv::get(&format!("notes/{name}")).await?))
//! }
//!
//! fn app() -> Router {
//!     Router::new().route("/notes/{name}", get(read).put(write))
//! }
//!
//! // In a test, natively, with a store of the test's own:
//! let host = wharf::test::Host::new();
//! let note = wharf::test::put("/notes/one").json(&Note { text: "hello".into() });
//! assert_eq!(host.call(app(), note).text(), "note 1");
//! assert_eq!(host.call(app(), wharf::test::get("/notes/one")).text(), r#"{"text":"hello"}"#);
//! ```
//!
//! What is to go by itself is written through [`expiring`]; what several may change at once by [`update`], or by [`read`]
//! and [`swap`]; what there is under a prefix tells [`list`].

mod error;
mod list;

pub use error::{Error, ErrorKind};
pub use list::{Entry, List, Page, list};

use crate::{Bytes, host};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The largest value, in bytes. The server's bound, which is told here with the key.
pub const MAX_VALUE: usize = 64 * 1024;

/// How often [`update`] tries where others change the key, too.
pub const MAX_UPDATE_TRIES: u32 = 64;

/// What kept a key at the time it was read: every write makes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub(crate) u64);

/// A value, and the version to [swap](swap) it at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Its version.
    pub version: Version,
}

/// The value under a key, from JSON; none if there is none.
///
/// # Errors
/// If the value is no such JSON, or the store can't be read.
pub async fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    Ok(read(key).await?.map(|found| found.value))
}

/// The value under a key as it is stored; none if there is none.
///
/// # Errors
/// If the store can't be read.
pub async fn get_bytes(key: &str) -> Result<Option<Bytes>, Error> {
    Ok(host::kv::get(key)?.map(|(value, _)| value))
}

/// The value under a key, from JSON, with its version.
///
/// # Errors
/// As [`get`].
pub async fn read<T: DeserializeOwned>(key: &str) -> Result<Option<Versioned<T>>, Error> {
    let Some((value, version)) = host::kv::get(key)? else {
        return Ok(None);
    };
    let value = serde_json::from_slice(&value).map_err(|error| Error::json(key, &error))?;
    let version = Version(version);
    Ok(Some(Versioned { value, version }))
}

/// Stores a value as JSON, until it is deleted.
///
/// # Errors
/// If it is too large, the service has no more room, or the store can't be written.
pub async fn set<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Version, Error> {
    LASTING.set(key, value).await
}

/// Stores bytes as they are, until they are deleted.
///
/// # Errors
/// As [`set`].
pub async fn set_bytes(key: &str, value: impl AsRef<[u8]>) -> Result<Version, Error> {
    LASTING.set_bytes(key, value).await
}

/// Stores a value as JSON if the key is still at this version, or absent if that is none; says which version it is at
/// then. None: it is not, and nothing was written.
///
/// ```
/// # use wharf::kv;
/// # async fn example() -> wharf::Result<()> {
/// // Whoever comes first has it.
/// let is_mine = kv::swap("leader", None, "me").await?.is_some();
/// # assert!(is_mine);
/// # Ok(())
/// # }
/// # wharf::test::Host::new().block_on(example()).unwrap();
/// ```
///
/// # Errors
/// As [`set`].
pub async fn swap<T: Serialize + ?Sized>(
    key: &str,
    expected: Option<Version>,
    value: &T,
) -> Result<Option<Version>, Error> {
    LASTING.swap(key, expected, value).await
}

/// Makes a value another, which others may change at the same time: `change` is called again with what they made of it.
/// Gives what is stored then, until it is deleted.
///
/// ```
/// # use wharf::kv;
/// # async fn example() -> wharf::Result<()> {
/// let names = kv::update("names", |names: Option<Vec<String>>| {
///     let mut names = names.unwrap_or_default();
///     names.push("Ada".into());
///     names
/// });
/// assert_eq!(names.await?, ["Ada"]);
/// # Ok(())
/// # }
/// # wharf::test::Host::new().block_on(example()).unwrap();
/// ```
///
/// # Errors
/// As [`get`] and [`set`]; and if others came first each of [`MAX_UPDATE_TRIES`] times.
pub async fn update<T: DeserializeOwned + Serialize>(
    key: &str,
    mut change: impl FnMut(Option<T>) -> T,
) -> Result<T, Error> {
    for _ in 0..MAX_UPDATE_TRIES {
        let (value, version) = match read(key).await? {
            Some(Versioned { value, version }) => (Some(value), Some(version)),
            None => (None, None),
        };
        let changed = change(value);
        if swap(key, version, &changed).await?.is_some() {
            return Ok(changed);
        }
    }
    Err(Error::contended(key))
}

/// Adds to a number, and gives the sum; an absent one is 0.
///
/// # Errors
/// If what is stored is no whole number or the sum is none of 64 bits, and as [`set`].
pub async fn increment(key: &str, by: i64) -> Result<i64, Error> {
    LASTING.increment(key, by).await
}

/// Removes a key, and says whether it was there.
///
/// # Errors
/// If the store can't be written.
pub async fn delete(key: &str) -> Result<bool, Error> {
    host::kv::delete(key)
}

/// What is written through this goes by itself after that time, of at least a millisecond and at most ten years.
///
/// ```
/// # use std::time::Duration;
/// # use wharf::kv;
/// # async fn example() -> wharf::Result<()> {
/// // Ten requests in a minute, from the first on.
/// let minute = kv::expiring(Duration::from_secs(60));
/// let is_allowed = minute.increment("requests/10.1.2.3", 1).await? <= 10;
/// # assert!(is_allowed);
/// # Ok(())
/// # }
/// # wharf::test::Host::new().block_on(example()).unwrap();
/// ```
pub fn expiring(after: Duration) -> Expiring {
    Expiring { after: Some(after) }
}

const LASTING: Expiring = Expiring { after: None };

/// Writes what goes by itself.
#[derive(Clone, Copy, Debug)]
pub struct Expiring {
    after: Option<Duration>,
}

impl Expiring {
    /// As [`set`].
    ///
    /// # Errors
    /// As that.
    pub async fn set<T: Serialize + ?Sized>(self, key: &str, value: &T) -> Result<Version, Error> {
        self.set_bytes(key, json(key, value)?).await
    }

    /// As [`set_bytes`].
    ///
    /// # Errors
    /// As that.
    pub async fn set_bytes(self, key: &str, value: impl AsRef<[u8]>) -> Result<Version, Error> {
        let value = checked(key, value.as_ref())?;
        host::kv::set(key, value, self.after).map(Version)
    }

    /// As [`swap`].
    ///
    /// # Errors
    /// As that.
    pub async fn swap<T: Serialize + ?Sized>(
        self,
        key: &str,
        expected: Option<Version>,
        value: &T,
    ) -> Result<Option<Version>, Error> {
        let value = json(key, value)?;
        let expected = expected.map(|version| version.0);
        let swapped = host::kv::swap(key, expected, checked(key, &value)?, self.after)?;
        Ok(swapped.map(Version))
    }

    /// As [`increment`]. The time is for a number that was absent; another goes when it would have.
    ///
    /// # Errors
    /// As that.
    pub async fn increment(self, key: &str, by: i64) -> Result<i64, Error> {
        host::kv::increment(key, by, self.after)
    }
}

fn json<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::json(key, &error))
}

/// The server refuses it, too; but much more than that ends the guest.
fn checked<'a>(key: &str, value: &'a [u8]) -> Result<&'a [u8], Error> {
    match value.len() {
        0..=MAX_VALUE => Ok(value),
        len => Err(Error::too_large(key, len)),
    }
}

#[cfg(test)]
mod tests;
