//! The query-string condition: parameters by key and value, or by value alone.

use std::fmt;

use super::{ConditionError, check_count};
use crate::routing::{pattern::ValuePattern, work::Work};

/// One of these parameters is in the query.
#[derive(Clone, Debug)]
pub struct QueryCondition {
    values: Vec<QueryMatch>,
}

/// A parameter: its key and its value with wildcards, both regardless of case and as the client encoded them. A
/// parameter without `=` has an empty value.
#[derive(Clone, Debug)]
pub struct QueryMatch {
    key: Option<ValuePattern>,
    value: ValuePattern,
}

impl QueryMatch {
    /// A parameter of that key and value; of any key without one.
    ///
    /// # Errors
    /// When a pattern is none, or there is neither key nor value.
    pub fn new(key: Option<&str>, value: &str) -> Result<Self, ConditionError> {
        if key.unwrap_or_default().is_empty() && value.is_empty() {
            return Err(ConditionError::EmptyQuery);
        }
        Ok(Self {
            key: key.map(|key| ValuePattern::new("query key", key)).transpose()?,
            value: ValuePattern::new("query value", value)?,
        })
    }

    /// What the key is compared with; any key will do without.
    #[must_use]
    pub fn key(&self) -> Option<&ValuePattern> {
        self.key.as_ref()
    }

    /// What the value is compared with.
    #[must_use]
    pub fn value(&self) -> &ValuePattern {
        &self.value
    }

    fn takes(&self, key: &[u8], value: &[u8], work: &Work) -> bool {
        self.key.as_ref().is_none_or(|pattern| pattern.matches(key, work)) && self.value.matches(value, work)
    }
}

impl fmt::Display for QueryMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}={}", self.value),
            None => write!(f, "{}", self.value),
        }
    }
}

impl QueryCondition {
    /// Any of `values`.
    ///
    /// # Errors
    /// When there are none or too many.
    pub fn new(values: Vec<QueryMatch>) -> Result<Self, ConditionError> {
        check_count("query", values.len())?;
        Ok(Self { values })
    }

    /// The parameters it looks for.
    #[must_use]
    pub fn values(&self) -> &[QueryMatch] {
        &self.values
    }

    pub(super) fn holds(&self, query: &[u8], work: &Work) -> bool {
        parameters(query).any(|(key, value)| self.values.iter().any(|wanted| wanted.takes(key, value, work)))
    }
}

fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => {
            let (key, value) = pair.split_at(at);
            (key, value.get(1..).unwrap_or_default())
        }
        None => (pair, &[][..]),
    })
}
