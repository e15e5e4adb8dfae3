//! What a guest's key-value store is to the runtime: a trait that whoever has a store implements, and the bounds of what
//! passes through it. The capability stands on it; nothing here stores anything.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 512;

/// The largest value (Deno KV has the same): one call copies 128 KiB out of a guest at most.
pub const MAX_VALUE: usize = 64 * 1024;

/// The most that one call reads, of keys and values together.
pub const MAX_READ: usize = 256 * 1024;

/// The most entries that one call reads or writes.
pub const MAX_ENTRIES: usize = 1000;

/// The longest time to live: ten years. Longer is meant to be for ever, which takes no time to live.
pub const MAX_TTL: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// Counts a store's writes: no two values of a key have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// A value, and the write it is of.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// What was stored.
    pub value: Bytes,
    /// By which write.
    pub version: Version,
}

/// Shows the size: values are not for logs.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes@{}", self.value.len(), self.version.0)
    }
}

/// What a listing is to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Keys that begin so.
    pub prefix: String,
    /// Behind this key.
    pub after: Option<String>,
    /// So many at most, and never more than [`MAX_ENTRIES`].
    pub limit: usize,
    /// What of each.
    pub part: Part,
}

/// What is wanted of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The key; the value is left empty.
    Key,
    /// Both.
    Whole,
}

/// Entries in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys with what is stored under them.
    pub entries: Vec<(String, Item)>,
    /// Where to go on, if there is more. Not always the last entry's key.
    pub next: Option<String>,
}

/// A change of what is under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Which key.
    pub key: String,
    /// What.
    pub change: Change,
}

/// What becomes of a key.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// It has this value.
    Set {
        /// The value.
        value: Bytes,
        /// How long; none: until it is deleted.
        ttl: Option<Duration>,
        /// What it has to be before.
        expected: Expected,
    },
    /// It is absent.
    Delete,
    /// It is this much more, as a number in decimal digits. One that was absent lives as long as `ttl` says.
    Increment {
        /// How much.
        by: i64,
        /// How long; none: until it is deleted.
        ttl: Option<Duration>,
    },
}

/// What a key has to be, for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Anything.
    Any,
    /// Absent.
    Absent,
    /// What this write stored.
    Version(Version),
}

/// Shows sizes: values are not for logs.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { value, .. } => write!(f, "set ({} bytes)", value.len()),
            Self::Delete => f.write_str("delete"),
            Self::Increment { by, .. } => write!(f, "increment by {by}"),
        }
    }
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored, at this version.
    Stored(Version),
    /// It is the number now.
    Number(i64),
    /// It was there, and isn't any more.
    Deleted,
    /// It was absent, and is.
    WasAbsent,
    /// It is not as expected; nothing was written.
    Unexpected,
}

/// Why a store didn't do what it was asked. The words are for the guest's author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyValueError {
    /// It can't be asked that.
    #[error("{0}")]
    Invalid(String),
    /// There is as much data as there may be. Nothing was written.
    #[error("{0}")]
    QuotaExceeded(String),
    /// Not now.
    #[error("{0}")]
    Unavailable(String),
}

/// The data that a task's guest may read and write.
#[wasmtime_wasi::async_trait]
pub trait KeyValue: Send + Sync + fmt::Debug {
    /// What is under a key. Called on the threads that run guests: the look-up is the guest's own time, and waits for
    /// nobody.
    ///
    /// # Errors
    /// As [`KeyValueError`] says.
    fn get(&self, key: &str) -> Result<Option<Item>, KeyValueError>;

    /// A part of what is there. Called as [`KeyValue::get`] is, and bounded: by what the range says, by [`MAX_READ`], and
    /// in how many entries are looked at.
    ///
    /// # Errors
    /// As [`KeyValueError`] says.
    fn list(&self, range: &Range) -> Result<Page, KeyValueError>;

    /// Writes all or, at an error, nothing, and answers when it is durable. Gives an outcome for each.
    ///
    /// # Errors
    /// As [`KeyValueError`] says.
    async fn write(&self, writes: Vec<Write>) -> Result<Vec<Outcome>, KeyValueError>;
}
