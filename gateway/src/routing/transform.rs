//! Rewriting host and URL after a rule is found (ALB: transforms). What a rule decides by is never what it rewrites.

use bytes::Bytes;
use http::{HeaderValue, uri::PathAndQuery};

use super::{
    regex::{Case, RegexError, Rewriting},
    work::TooMuchWork,
};

/// The longest replacement, in bytes. ALB: 1024.
pub const MAX_REPLACEMENT_BYTES: usize = 1024;

/// The longest host and the longest URL that a transform may make, in bytes: what clients may send.
const MAX_TRANSFORMED_BYTES: usize = 16 * 1024;

/// What is rewritten on the way to a target. Only beside a forward action.
#[derive(Clone, Debug, Default)]
pub struct Transforms {
    /// The host the target sees. Matched with the host as conditions see it, in lower case and without the port;
    /// the replacement may have a port.
    pub host: Option<Rewrite>,
    /// Path and query the target sees. Matched with both, as they were sent.
    pub url: Option<Rewrite>,
}

/// Replaces the first match of a regular expression; what does not match stays as it is.
#[derive(Clone, Debug)]
pub struct Rewrite {
    regex: Rewriting,
    replacement: String,
}

/// Why a rewrite was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// The regular expression is none.
    #[error(transparent)]
    Regex(#[from] RegexError),
    /// Longer than [`MAX_REPLACEMENT_BYTES`].
    #[error("a replacement has at most {MAX_REPLACEMENT_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// A character that no URL has.
    #[error(
        "the replacement `{replacement}` has a {character:?}, which no URL contains; write it percent-encoded"
    )]
    Character {
        /// The text refused.
        replacement: String,
        /// The offending character.
        character: char,
    },
    /// A group that the regular expression doesn't have; it would always be empty.
    #[error(
        "the replacement names the group `{group}`, which the regular expression `{regex}` does not have"
    )]
    NoSuchGroup {
        /// The group's number or name.
        group: String,
        /// The regular expression.
        regex: String,
    },
}

/// Why a request could not be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransformFailed {
    /// The regular expression matched, but what it makes is no host or no URL. ALB: 500.
    Malformed,
    /// What was to be matched is too long for an expression of this size.
    TooMuchWork,
}

impl From<TooMuchWork> for TransformFailed {
    fn from(_: TooMuchWork) -> Self {
        Self::TooMuchWork
    }
}

impl Rewrite {
    /// For hosts: case does not matter.
    ///
    /// # Errors
    /// When the regular expression or the replacement is none.
    pub fn host(regex: &str, replacement: &str) -> Result<Self, RewriteError> {
        Self::new(Rewriting::new(regex, Case::Ignored)?, replacement)
    }

    /// For path and query: case matters.
    ///
    /// # Errors
    /// When the regular expression or the replacement is none.
    pub fn url(regex: &str, replacement: &str) -> Result<Self, RewriteError> {
        Self::new(Rewriting::new(regex, Case::Matters)?, replacement)
    }

    fn new(regex: Rewriting, replacement: &str) -> Result<Self, RewriteError> {
        if replacement.len() > MAX_REPLACEMENT_BYTES {
            return Err(RewriteError::TooLong(replacement.len()));
        }
        if let Some(character) = replacement.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
            let replacement = replacement.escape_debug().to_string();
            return Err(RewriteError::Character {
                replacement,
                character,
            });
        }
        let replacement = braced(replacement);
        for group in groups(&replacement) {
            if !regex.has_group(group) {
                let (group, regex) = (group.to_owned(), regex.as_str().to_owned());
                return Err(RewriteError::NoSuchGroup { group, regex });
            }
        }
        Ok(Self { regex, replacement })
    }

    /// What its regular expression takes compiled, in bytes.
    #[must_use]
    pub fn compiled_bytes(&self) -> usize {
        self.regex.compiled_bytes()
    }

    fn apply(&self, text: &[u8]) -> Result<Option<Vec<u8>>, TooMuchWork> {
        self.regex.replace(text, &self.replacement)
    }
}

impl Transforms {
    /// Whether nothing is rewritten.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.host.is_none() && self.url.is_none()
    }

    /// What each of the regular expressions takes compiled, in bytes, with the field it is in.
    pub(super) fn expressions(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let rewrites = self.host.iter().chain(&self.url);
        rewrites.map(|rewrite| ("rewrite", rewrite.compiled_bytes()))
    }

    /// The host a target gets instead of `host`; none if it stays.
    pub(crate) fn host(&self, host: &[u8]) -> Result<Option<HeaderValue>, TransformFailed> {
        let Some(rewrite) = &self.host else {
            return Ok(None);
        };
        let Some(made) = rewrite.apply(host)? else {
            return Ok(None);
        };
        if made.len() > MAX_TRANSFORMED_BYTES || !is_authority(&made) {
            return Err(TransformFailed::Malformed);
        }
        HeaderValue::from_maybe_shared(Bytes::from(made))
            .map(Some)
            .map_err(|_| TransformFailed::Malformed)
    }

    /// The path and query a target gets instead of `url`; none if they stay.
    pub(crate) fn url(&self, url: &str) -> Result<Option<PathAndQuery>, TransformFailed> {
        let Some(rewrite) = &self.url else {
            return Ok(None);
        };
        let Some(made) = rewrite.apply(url.as_bytes())? else {
            return Ok(None);
        };
        // The parser drops what follows a `#`.
        if made.len() > MAX_TRANSFORMED_BYTES || !made.starts_with(b"/") || made.contains(&b'#') {
            return Err(TransformFailed::Malformed);
        }
        PathAndQuery::from_maybe_shared(Bytes::from(made))
            .map(Some)
            .map_err(|_| TransformFailed::Malformed)
    }
}

/// A host, and a port or none.
fn is_authority(text: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(byte);
    let text_ok = !text.is_empty() && text.iter().all(plain);
    text_ok && std::str::from_utf8(text).is_ok_and(|text| text.parse::<http::uri::Authority>().is_ok())
}

/// `$1x` means group 1 and an `x`, as in ALB; the crate would look for a group called `1x`.
fn braced(replacement: &str) -> String {
    let mut made = String::with_capacity(replacement.len() + 8);
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        made.push_str(before);
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, following) = after.split_at(digits);
        match (number, following.strip_prefix('{'), following.strip_prefix('$')) {
            ("", Some(_), _) => made.push('$'),
            ("", None, Some(escaped)) => {
                made.push_str("$$");
                rest = escaped;
                continue;
            }
            // A dollar that begins nothing is itself.
            ("", None, None) => made.push_str("$$"),
            (number, ..) => {
                made.push_str("${");
                made.push_str(number);
                made.push('}');
            }
        }
        rest = following;
    }
    made.push_str(rest);
    made
}

/// The groups that a braced replacement names.
fn groups(replacement: &str) -> impl Iterator<Item = &str> {
    let unescaped = replacement.split("$$").flat_map(|part| part.split("${").skip(1));
    unescaped.filter_map(|part| part.split_once('}').map(|(group, _)| group))
}

#[cfg(test)]
mod tests;
