//! Task definitions and their revisions.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Family, NameError};

/// A task definition's revision within its family: 1, 2, 3…
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision(NonZeroU64);

impl Revision {
    /// A family's first revision.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// Revision `number`, or nothing for 0.
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

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Revision {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        // `+7` parses as an integer; as a revision it would be a second spelling of `7`.
        let number = if text.starts_with('+') {
            None
        } else {
            text.parse().ok()
        };
        number
            .map(Self)
            .ok_or_else(|| NameError::new(text, "a revision", "revisions are numbers from 1"))
    }
}

/// A task definition: `family:revision`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyRevision {
    /// The family.
    pub family: Family,
    /// Which of its revisions.
    pub revision: Revision,
}

impl fmt::Display for FamilyRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.family, self.revision)
    }
}

impl FromStr for FamilyRevision {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let Some((family, revision)) = text.split_once(':') else {
            return Err(NameError::new(
                text,
                "a task definition",
                "write `family:revision`",
            ));
        };
        Ok(Self {
            family: family.parse()?,
            revision: revision.parse()?,
        })
    }
}
