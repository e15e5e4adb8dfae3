//! What one value of a condition is: a pattern or a regular expression, a method, a header.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::{ConditionError, MAX_HEADER_NAME_BYTES, MAX_METHOD_BYTES, check_count};
use crate::routing::{
    glob::{Anchors, Glob},
    pattern::{HostPattern, PathPattern, PatternError, ValuePattern},
    regex::{Case, RegexValue},
    work::Work,
};

/// One value of a condition: with wildcards, or by regular expression.
#[derive(Clone, Debug)]
pub enum Match<P> {
    /// With the wildcards `*` and `?`.
    Pattern(P),
    /// By regular expression, found anywhere unless `^` and `$` say otherwise.
    Regex(RegexValue),
}

/// One value of the host condition. Case does not matter, the port is not looked at.
pub type HostMatch = Match<HostPattern>;

/// One value of the path condition. Case matters, the query is not looked at, nothing is decoded.
pub type PathMatch = Match<PathPattern>;

/// One value of a header condition. Case does not matter.
pub type HeaderMatch = Match<ValuePattern>;

/// What patterns have in common.
pub(in crate::routing) trait Pattern: Sized {
    /// Whether case matters in a regular expression that stands in its place.
    const CASE: Case;

    fn parse(text: &str) -> Result<Self, PatternError>;
    fn text(&self) -> &str;
    fn takes(&self, text: &[u8], work: &Work) -> bool;
    fn glob(&self) -> &Glob;
}

macro_rules! pattern {
    ($type:ident, $case:expr, $parse:expr) => {
        impl Pattern for $type {
            const CASE: Case = $case;

            fn parse(text: &str) -> Result<Self, PatternError> {
                $parse(text)
            }

            fn text(&self) -> &str {
                self.as_str()
            }

            fn takes(&self, text: &[u8], work: &Work) -> bool {
                self.matches(text, work)
            }

            fn glob(&self) -> &Glob {
                self.glob()
            }
        }
    };
}
pattern!(HostPattern, Case::Ignored, HostPattern::new);
pattern!(PathPattern, Case::Matters, PathPattern::new);
pattern!(ValuePattern, Case::Ignored, |text| ValuePattern::new(
    "header", text
));

#[expect(private_bounds, reason = "there are these three patterns and no others")]
impl<P: Pattern> Match<P> {
    /// A value with wildcards.
    ///
    /// # Errors
    /// When it is no pattern of this condition.
    pub fn pattern(text: &str) -> Result<Self, ConditionError> {
        Ok(Self::Pattern(P::parse(text)?))
    }

    /// A regular expression.
    ///
    /// # Errors
    /// When it is malformed or too large.
    pub fn regex(text: &str) -> Result<Self, ConditionError> {
        Ok(Self::Regex(RegexValue::new(text, P::CASE)?))
    }

    /// The text it was made of.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pattern(pattern) => pattern.text(),
            Self::Regex(regex) => regex.as_str(),
        }
    }

    pub(in crate::routing) fn matches(&self, text: &[u8], work: &Work) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.takes(text, work),
            Self::Regex(regex) => regex.matches(text, work),
        }
    }

    /// What it can be filed under.
    pub(in crate::routing) fn anchors(&self) -> Anchors {
        match self {
            Self::Pattern(pattern) => pattern.glob().anchors(),
            Self::Regex(regex) => regex.anchors().clone(),
        }
    }
}

impl<P> Match<P> {
    /// What its automaton takes, in bytes; none for one with wildcards, which has none.
    #[must_use]
    pub fn compiled_bytes(&self) -> Option<usize> {
        match self {
            Self::Pattern(_) => None,
            Self::Regex(regex) => Some(regex.compiled_bytes()),
        }
    }
}

/// A regular expression has a `~` before it.
impl<P: Pattern> fmt::Display for Match<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => f.write_str(pattern.text()),
            Self::Regex(regex) => write!(f, "~{regex}"),
        }
    }
}

impl<P> From<P> for Match<P> {
    fn from(pattern: P) -> Self {
        Self::Pattern(pattern)
    }
}

/// A method a rule applies to. ALB: matched exactly, case included; any verb, not only the known ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodName(Method);

impl MethodName {
    /// Checks and takes a method.
    ///
    /// # Errors
    /// When no request that reaches the rules has it.
    pub fn new(method: &str) -> Result<Self, ConditionError> {
        let valid = |byte: u8| byte.is_ascii_uppercase() || byte == b'-' || byte == b'_';
        let refuse = || ConditionError::Method(method.to_owned());
        if method.len() > MAX_METHOD_BYTES || !method.bytes().all(valid) {
            return Err(refuse());
        }
        match Method::from_bytes(method.as_bytes()).map_err(|_| refuse())? {
            Method::TRACE | Method::CONNECT => Err(ConditionError::RefusedMethod(method.to_owned())),
            method => Ok(Self(method)),
        }
    }

    /// The method as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn matches(&self, method: &Method) -> bool {
        self.0 == *method
    }
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A condition on a header: one of its lines has one of the values.
#[derive(Clone, Debug)]
pub struct HeaderCondition {
    name: HeaderName,
    values: Vec<HeaderMatch>,
}

impl HeaderCondition {
    /// Any of `values` in a header called `name`.
    ///
    /// # Errors
    /// When there are no values or too many, the name is too long, or the header is `Host`, which has a condition of its
    /// own (ALB).
    pub fn new(name: HeaderName, values: Vec<HeaderMatch>) -> Result<Self, ConditionError> {
        if name == header::HOST {
            return Err(ConditionError::HostHeader);
        }
        if name.as_str().len() > MAX_HEADER_NAME_BYTES {
            return Err(ConditionError::HeaderName(name.as_str().len()));
        }
        check_count("header", values.len())?;
        Ok(Self { name, values })
    }

    /// The header's name.
    #[must_use]
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// What it is compared with.
    #[must_use]
    pub fn values(&self) -> &[HeaderMatch] {
        &self.values
    }

    pub(super) fn holds(&self, headers: &HeaderMap, work: &Work) -> bool {
        // ALB: the same header more than once is searched in order until one matches.
        let takes = |line: &HeaderValue| {
            self.values
                .iter()
                .any(|value| value.matches(line.as_bytes(), work))
        };
        headers.get_all(&self.name).iter().any(takes)
    }
}
