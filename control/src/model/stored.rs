//! The records' stored forms: JSON with a version, converted by hand from and to the core types.
//!
//! A record of a newer version is refused rather than read in part; fields that came later have
//! defaults, so that an older one reads.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::store::Entry;

mod deployment;
mod desired;
mod job;
mod scaling;
mod task;

/// The version written, and the newest that is read.
pub const RECORD_VERSION: u32 = 1;

/// A stored record that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the record `{key}` of the store can't be read: {reason}")]
pub struct RecordError {
    key: String,
    reason: String,
}

/// A core type with a stored form.
pub trait Record: Sized {
    /// The stored form.
    type Stored: Serialize + DeserializeOwned;

    /// To the stored form.
    fn to_stored(&self) -> Self::Stored;

    /// From the stored form, or what is wrong with it.
    ///
    /// # Errors
    /// A text that is none of an enum's.
    fn from_stored(stored: Self::Stored) -> Result<Self, String>;

    /// The bytes to store.
    fn encode(&self) -> Bytes {
        let versioned = Versioned {
            v: RECORD_VERSION,
            record: self.to_stored(),
        };
        // Structs of texts, numbers and lists of them always serialise.
        serde_json::to_vec(&versioned)
            .map(Bytes::from)
            .unwrap_or_default()
    }

    /// The record under a key.
    ///
    /// # Errors
    /// [`RecordError`] when it is of a newer version or damaged.
    fn decode(entry: &Entry) -> Result<Self, RecordError> {
        let fail = |reason: String| RecordError {
            key: entry.key.clone(),
            reason,
        };
        let version: Version = serde_json::from_slice(&entry.value).map_err(|e| fail(e.to_string()))?;
        if version.v > RECORD_VERSION {
            return Err(fail(format!(
                "it has version {}, this wharf knows up to {RECORD_VERSION}; use a newer wharf",
                version.v
            )));
        }
        let versioned: Versioned<Self::Stored> =
            serde_json::from_slice(&entry.value).map_err(|e| fail(e.to_string()))?;
        Self::from_stored(versioned.record).map_err(fail)
    }
}

/// A record of the store's; none if it is damaged, which must not keep the others down.
pub fn readable<R: Record>(entry: &Entry) -> Option<R> {
    R::decode(entry)
        .inspect_err(
            |error| tracing::error!(key = entry.key, %error, "can't read a record, which is left out"),
        )
        .ok()
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    record: T,
}

/// The value of an enum whose stored text this is.
fn known<T>(text: &str, found: Option<T>) -> Result<T, String> {
    found.ok_or_else(|| format!("`{text}` is not known"))
}
