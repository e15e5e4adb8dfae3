//! How a manifest refers to a secret: `secret[:json-key][@version]`.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use crate::names::{NameError, SecretName};

/// The longest json-key, in bytes.
const MAX_JSON_KEY: usize = 255;

/// A secret's version: 1, 2, 3…
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretVersion(NonZeroU64);

impl SecretVersion {
    /// A secret's first version.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// Version `number`, or nothing for 0.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for SecretVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A reference to a secret's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretReference {
    /// Which secret.
    pub name: SecretName,
    /// The value is a JSON object, and this key of it is meant.
    pub json_key: Option<String>,
    /// This version and no other; none: the latest, whenever an instance is prepared.
    pub version: Option<SecretVersion>,
}

/// A text that is not a reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretReferenceError {
    /// The part before `:` and `@`.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The part after `:`.
    #[error("the JSON key after `:` needs to have 1 to {MAX_JSON_KEY} characters, without `@`")]
    JsonKey,
    /// The part after `@`.
    #[error("`@{0}` is not a version: versions are numbers from 1, like `@3`")]
    Version(String),
}

impl FromStr for SecretReference {
    type Err = SecretReferenceError;

    fn from_str(text: &str) -> Result<Self, SecretReferenceError> {
        let (rest, version) = match text.split_once('@') {
            None => (text, None),
            Some((rest, version)) => (rest, Some(parse_version(version)?)),
        };
        let (name, json_key) = match rest.split_once(':') {
            None => (rest, None),
            Some((_, key)) if key.is_empty() || key.len() > MAX_JSON_KEY => {
                return Err(SecretReferenceError::JsonKey);
            }
            Some((name, key)) => (name, Some(key.to_owned())),
        };
        Ok(Self {
            name: name.parse()?,
            json_key,
            version,
        })
    }
}

fn parse_version(text: &str) -> Result<SecretVersion, SecretReferenceError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.and_then(SecretVersion::new).ok_or_else(|| {
        // Someone may have written the value itself: little of it is repeated.
        SecretReferenceError::Version(text.chars().take(20).flat_map(char::escape_debug).collect())
    })
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        if let Some(key) = &self.json_key {
            write!(f, ":{key}")?;
        }
        if let Some(version) = self.version {
            write!(f, "@{version}")?;
        }
        Ok(())
    }
}
