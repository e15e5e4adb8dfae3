//! What there is under a prefix, page by page.

use super::{Error, Version};
use crate::{Bytes, host};
use serde::de::DeserializeOwned;

/// Entries on a page, if nothing else is said; the server gives 1000 at most.
const USUAL_LIMIT: u32 = 100;

/// Asks for the entries whose keys begin so, in the order of their keys.
///
/// ```
/// # use wharf::kv;
/// # async fn example() -> wharf::Result<()> {
/// # for name in ["a", "b", "c"] { kv::set(&format!("notes/{name}"), name).await?; }
/// let mut found = Vec::new();
/// let mut notes = kv::list("notes/").limit(2);
/// loop {
///     let page = notes.page::<String>().await?;
///     found.extend(page.entries.into_iter().map(|entry| entry.value));
///     let Some(last) = page.next else { break };
///     notes = notes.after(last);
/// }
/// assert_eq!(found, ["a", "b", "c"]);
/// # Ok(())
/// # }
/// # wharf::test::Host::new().block_on(example()).unwrap();
/// ```
pub fn list(prefix: impl Into<String>) -> List {
    List {
        prefix: prefix.into(),
        after: None,
        limit: USUAL_LIMIT,
    }
}

/// A listing that is asked for.
#[derive(Clone, Debug)]
#[must_use = "a listing does nothing until a page of it is asked for"]
pub struct List {
    prefix: String,
    after: Option<String>,
    limit: u32,
}

/// A part of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries; fewer than there may be where they are large, or have just expired.
    pub entries: Vec<Entry<T>>,
    /// Where it goes on, for [`List::after`]; none: that was all.
    pub next: Option<String>,
}

/// A key with what is stored under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<T> {
    /// The whole key.
    pub key: String,
    /// The value.
    pub value: T,
    /// Its version.
    pub version: Version,
}

impl List {
    /// Only what comes behind this key.
    pub fn after(mut self, key: impl Into<String>) -> Self {
        self.after = Some(key.into());
        self
    }

    /// So many entries on a page at most: 100 if it isn't said, up to 1000.
    pub fn limit(mut self, entries: u32) -> Self {
        self.limit = entries;
        self
    }

    /// A page, with values from JSON.
    ///
    /// # Errors
    /// If a value is no such JSON, or the store can't be read.
    pub async fn page<T: DeserializeOwned>(&self) -> Result<Page<T>, Error> {
        self.page_by(|key, value| serde_json::from_slice(&value).map_err(|error| Error::json(key, &error)))
    }

    /// A page, with values as they are stored.
    ///
    /// # Errors
    /// If the store can't be read.
    pub async fn page_bytes(&self) -> Result<Page<Bytes>, Error> {
        self.page_by(|_, value| Ok(value))
    }

    fn page_by<T>(&self, value: impl Fn(&str, Bytes) -> Result<T, Error>) -> Result<Page<T>, Error> {
        let (entries, next) = host::kv::entries(&self.prefix, self.after.as_deref(), self.limit)?;
        let entries = entries.into_iter().map(|(key, stored, version)| {
            Ok(Entry {
                value: value(&key, stored)?,
                key,
                version: Version(version),
            })
        });
        let entries = entries.collect::<Result<_, Error>>()?;
        Ok(Page { entries, next })
    }
}
