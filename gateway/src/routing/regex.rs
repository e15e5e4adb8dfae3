//! Regular expressions in rules: linear in the length of what they are matched with, and bounded in size.
//!
//! ALB has no lookaround, no back-references and no Unicode classes; neither has this, and for the same reason a
//! pattern that somebody else writes cannot stall the gateway.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::{
    ParserBuilder,
    hir::{Class, Hir, HirKind, Look},
};

use super::glob::Anchors;

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
    anchors: Anchors,
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
        let anchors = anchors(pattern, case);
        Ok(Self { compiled, anchors })
    }

    /// The expression, as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.compiled.as_str()
    }

    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        self.compiled.is_match(text)
    }

    /// What every match begins and ends with, in lower case where case is ignored.
    pub(super) fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    pub(super) fn compiled(&self) -> &Regex {
        &self.compiled
    }
}

/// Nothing is known of an expression that is not bound to start and end, or begins with a choice.
fn anchors(pattern: &str, case: Case) -> Anchors {
    let parsed = ParserBuilder::new()
        .utf8(false)
        .unicode(false)
        .case_insensitive(case == Case::Ignored)
        .nest_limit(MAX_NESTING)
        .build()
        .parse(pattern);
    let Ok(hir) = parsed else {
        return Anchors::default();
    };
    let properties = hir.properties();
    let (mut start, mut end) = (Vec::new(), Vec::new());
    if properties.look_set_prefix().contains(Look::Start) {
        literals(&hir, Side::Front, case, &mut start);
    }
    if properties.look_set_suffix().contains(Look::End) {
        literals(&hir, Side::Back, case, &mut end);
        end.reverse();
    }
    Anchors {
        whole: false,
        start,
        end,
    }
}

/// From which side an expression is read.
#[derive(Clone, Copy)]
enum Side {
    Front,
    Back,
}

/// Collects the bytes that have to come first on that side; tells whether the expression ends with them.
fn literals(hir: &Hir, side: Side, case: Case, found: &mut Vec<u8>) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(Look::Start | Look::End) => true,
        HirKind::Literal(literal) => {
            match side {
                Side::Front => found.extend(literal.0.iter()),
                Side::Back => found.extend(literal.0.iter().rev()),
            }
            true
        }
        HirKind::Class(Class::Bytes(class)) if case == Case::Ignored => {
            let mut bytes = class.iter().flat_map(|range| range.start()..=range.end());
            let first = bytes.next().map(|byte| byte.to_ascii_lowercase());
            let same = bytes.all(|byte| Some(byte.to_ascii_lowercase()) == first);
            // One letter regardless of case; the text is in lower case then.
            found.extend(first.filter(|_| same));
            same
        }
        HirKind::Capture(group) => literals(&group.sub, side, case, found),
        HirKind::Concat(parts) => match side {
            Side::Front => parts.iter().all(|part| literals(part, side, case, found)),
            Side::Back => parts.iter().rev().all(|part| literals(part, side, case, found)),
        },
        HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) | HirKind::Alternation(_) => false,
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

#[cfg(test)]
mod tests;
