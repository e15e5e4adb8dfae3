//! Why a rule does not apply: the condition, what the request has, and what would have done.

use std::fmt;

use super::{Conditions, HeaderCondition, QueryCondition, RequestView};

/// Values of a condition that are shown at most; more are counted.
const MAX_WANTED_SHOWN: usize = 5;

/// A condition that does not hold for a request, with what was seen and what was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// `host`, `path`, `method`, `header x-name`, `query` or `source-ip`.
    condition: String,
    /// What the request has; a header may have several values, and whatever isn't there none.
    seen: Vec<String>,
    /// The first of the values that would have done, any of them.
    wanted: Vec<String>,
    /// How many more there are.
    left_out: usize,
}

impl Unmet {
    fn new<V: fmt::Display>(condition: impl Into<String>, seen: Vec<String>, values: &[V]) -> Self {
        let shown = values.iter().take(MAX_WANTED_SHOWN);
        Self {
            condition: condition.into(),
            seen,
            wanted: shown.map(ToString::to_string).collect(),
            left_out: values.len().saturating_sub(MAX_WANTED_SHOWN),
        }
    }

    pub(super) fn host(of: &Conditions, request: &RequestView<'_>) -> Self {
        Self::new("host", text(request.host), &of.host)
    }

    pub(super) fn path(of: &Conditions, request: &RequestView<'_>) -> Self {
        Self::new("path", text(request.path), &of.path)
    }

    pub(super) fn method(of: &Conditions, request: &RequestView<'_>) -> Self {
        Self::new("method", vec![request.method.to_string()], &of.methods)
    }

    pub(super) fn header(of: &HeaderCondition, request: &RequestView<'_>) -> Self {
        let lines = request.headers.get_all(of.name()).iter();
        let seen = lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
        Self::new(format!("header {}", of.name()), seen.collect(), of.values())
    }

    pub(super) fn query(of: &QueryCondition, request: &RequestView<'_>) -> Self {
        Self::new("query", text(request.query), of.values())
    }

    pub(super) fn source_ip(of: &Conditions, request: &RequestView<'_>) -> Self {
        Self::new("source-ip", vec![request.source.to_string()], &of.source_ip)
    }
}

/// None where there is nothing.
fn text(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    Some(text).filter(|text| !text.is_empty()).into_iter().collect()
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.condition)?;
        match self.seen.as_slice() {
            [] => f.write_str("the request has none")?,
            seen => write!(f, "it is `{}`", seen.join("`, `"))?,
        }
        write!(f, "; wanted is `{}`", self.wanted.join("` or `"))?;
        match self.left_out {
            0 => Ok(()),
            more => write!(f, " or one of {more} more"),
        }
    }
}
