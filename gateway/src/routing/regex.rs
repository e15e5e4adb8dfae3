//! Regular expressions in rules: linear in the length of what they are matched with, and bounded in size.
//!
//! ALB has no lookaround, no back-references and no Unicode classes; neither has this, and for the same reason a
//! pattern that somebody else writes cannot stall the gateway.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

/// The longest regular expression, in bytes. ALB's transforms: 1024.
pub const MAX_REGEX_BYTES: usize = 1024;

/// What a compiled one may take, in bytes: a hundred times what ordinary ones need, and too little to hurt with
/// `((a{99}){99}){99}`.
const MAX_COMPILED_BYTES: usize = 256 * 1024;

/// What one may keep of its lazily built automaton, in bytes.
const MAX_CACHE_BYTES: usize = 512 * 1024;

/// How deep groups may nest.
const MAX_NESTING: u32 = 50;

/// Why a text is no regular expression here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegexError {
    /// Nothing there.
    #[error("a regular expression cannot be empty; leave the condition out to match anything")]
    Empty,
    /// Longer than [`MAX_REGEX_BYTES`].
    #[error("a regular expression has at most {MAX_REGEX_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// It has a line break or another control character.
    #[error("the regular expression `{}` has a control character, which no request has there", .0.escape_debug())]
    Control(String),
    /// It compiles to more than a rule may take.
    #[error("the regular expression `{0}` compiles to more than 256 KiB: lower its repetitions")]
    TooLarge(String),
    /// It is malformed, or uses what takes more than linear time.
    #[error("the regular expression `{pattern}` is not valid: {reason}")]
    Invalid {
        /// The text refused.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Whether case matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Matters,
    Ignored,
}

/// A compiled regular expression. It matches anywhere in the text unless `^` and `$` say otherwise.
#[derive(Clone)]
pub struct RegexValue {
    compiled: Regex,
}

impl RegexValue {
    pub(super) fn new(pattern: &str, case: Case) -> Result<Self, RegexError> {
        match pattern.len() {
            0 => return Err(RegexError::Empty),
            length if length > MAX_REGEX_BYTES => return Err(RegexError::TooLong(length)),
            _ => {}
        }
        if pattern.contains(|c: char| c.is_ascii_control()) {
            return Err(RegexError::Control(pattern.to_owned()));
        }
        let compiled = RegexBuilder::new(pattern)
            .unicode(false)
            .case_insensitive(case == Case::Ignored)
            .size_limit(MAX_COMPILED_BYTES)
            .dfa_size_limit(MAX_CACHE_BYTES)
            .nest_limit(MAX_NESTING)
            .build()
            .map_err(|error| refuse(pattern, error))?;
        Ok(Self { compiled })
    }

    /// The expression, as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.compiled.as_str()
    }

    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        self.compiled.is_match(text)
    }

    pub(super) fn compiled(&self) -> &Regex {
        &self.compiled
    }
}

fn refuse(pattern: &str, error: regex::Error) -> RegexError {
    let pattern = pattern.to_owned();
    match error {
        regex::Error::CompiledTooBig(_) => RegexError::TooLarge(pattern),
        error => {
            // The crate draws the pattern and an arrow over several lines; the last says what is wrong.
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            let reason = last.trim_start_matches("error: ").to_owned();
            RegexError::Invalid { pattern, reason }
        }
    }
}

impl fmt::Display for RegexValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RegexValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.as_str())
    }
}
