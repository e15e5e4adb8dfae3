//! Why something wasn't read or stored.

use std::fmt;

/// What the store didn't do. It names the key, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    reason: String,
}

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// It can't be asked that: the key is empty or too long, the value too large or no number, the time too short.
    Invalid,
    /// The service has as much data as it may have. Nothing was written.
    QuotaExceeded,
    /// The store can't be read or written now. Whether a write happened is not known.
    Unavailable,
    /// The value is not of the type that was asked for, or makes no JSON.
    Json,
    /// Others changed the key each time.
    Contended,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, reason: String) -> Self {
        Self { kind, reason }
    }

    pub(super) fn json(key: &str, error: &serde_json::Error) -> Self {
        Self::new(ErrorKind::Json, format!("the value of `{key}`: {error}"))
    }

    pub(super) fn too_large(key: &str, len: usize) -> Self {
        let most = super::MAX_VALUE;
        let reason = format!("the value of `{key}` has {len} bytes; {most} are allowed");
        Self::new(ErrorKind::Invalid, reason)
    }

    pub(super) fn contended(key: &str) -> Self {
        let tries = super::MAX_UPDATE_TRIES;
        let reason = format!("`{key}` was changed by others each of {tries} times");
        Self::new(ErrorKind::Contended, reason)
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kv: {}", self.reason)
    }
}

impl std::error::Error for Error {}
