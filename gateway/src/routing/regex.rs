//! Regular expressions in rules: one step for each byte of what they are matched with, and bounded in size.
//!
//! ALB has no lookaround, no back-references and no Unicode classes; neither has this, and for the same reason a
//! pattern that somebody else writes cannot stall the gateway. Conditions are compiled whole when they are applied,
//! to automata that build nothing more while they match: what they take, in memory and in time, is known before they
//! are in force. The price is that a few small expressions with large automata (`a.{20}b`) are refused.

mod rewriting;
mod tally;

use std::{fmt, sync::Arc};

use regex_automata::{
    Input,
    dfa::{Automaton, StartKind, dense},
    nfa::thompson::{self, NFA, WhichCaptures},
};
use regex_syntax::{
    ParserBuilder,
    hir::{Class, Hir, HirKind, Look},
};

pub(super) use self::rewriting::Rewriting;
pub use self::tally::{Expressions, TooManyExpressions};
use super::{glob::Anchors, work::Work};

/// The longest regular expression, in bytes. ALB's transforms: 1024.
pub const MAX_REGEX_BYTES: usize = 1024;

/// What a compiled one may take, in bytes: ten times what ordinary ones need.
const MAX_COMPILED_BYTES: usize = 64 * 1024;

/// What compiling one may take meanwhile, in bytes, which bounds its time to some milliseconds, too.
const MAX_COMPILING_BYTES: usize = 256 * 1024;

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
    #[error(
        "the regular expression `{0}` compiles to more than {kib} KiB: lower its repetitions, begin it with `^`, or \
         make several of it", kib = MAX_COMPILED_BYTES / 1024
    )]
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
    pattern: Arc<str>,
    automaton: Arc<dense::DFA<Vec<u32>>>,
    anchors: Arc<Anchors>,
}

impl RegexValue {
    pub(super) fn new(pattern: &str, case: Case) -> Result<Self, RegexError> {
        let hir = parse(pattern, case)?;
        let nfa = nfa(pattern, &hir, WhichCaptures::None, MAX_COMPILING_BYTES)?;
        let limits = dense::Config::new()
            .start_kind(StartKind::Unanchored)
            .dfa_size_limit(Some(MAX_COMPILED_BYTES))
            .determinize_size_limit(Some(MAX_COMPILING_BYTES));
        let automaton = dense::Builder::new()
            .configure(limits)
            .build_from_nfa(&nfa)
            .map_err(|error| unbuilt(pattern, error.is_size_limit_exceeded(), &error))?;
        Ok(Self {
            pattern: pattern.into(),
            automaton: Arc::new(automaton),
            anchors: Arc::new(anchors(&hir, case)),
        })
    }

    /// The expression, as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// What its automaton takes, in bytes.
    #[must_use]
    pub fn compiled_bytes(&self) -> usize {
        self.automaton.memory_usage()
    }

    pub(crate) fn matches(&self, text: &[u8], work: &Work) -> bool {
        // It fails only where it has bytes to quit at, and it has none.
        work.take(text.len())
            && self
                .automaton
                .try_search_fwd(&Input::new(text).earliest(true))
                .is_ok_and(|found| found.is_some())
    }

    /// What every match begins and ends with, in lower case where case is ignored.
    pub(super) fn anchors(&self) -> &Anchors {
        &self.anchors
    }
}

/// What an expression means, if it is one.
fn parse(pattern: &str, case: Case) -> Result<Hir, RegexError> {
    match pattern.len() {
        0 => return Err(RegexError::Empty),
        length if length > MAX_REGEX_BYTES => return Err(RegexError::TooLong(length)),
        _ => {}
    }
    if pattern.contains(|c: char| c.is_ascii_control()) {
        return Err(RegexError::Control(pattern.to_owned()));
    }
    ParserBuilder::new()
        .utf8(false)
        .unicode(false)
        .case_insensitive(case == Case::Ignored)
        .nest_limit(MAX_NESTING)
        .build()
        .parse(pattern)
        .map_err(|error| invalid(pattern, &error))
}

fn nfa(pattern: &str, hir: &Hir, captures: WhichCaptures, bytes: usize) -> Result<NFA, RegexError> {
    let config = thompson::Config::new()
        .utf8(false)
        .which_captures(captures)
        .nfa_size_limit(Some(bytes));
    thompson::Compiler::new()
        .configure(config)
        .build_from_hir(hir)
        .map_err(|error| unbuilt(pattern, error.size_limit().is_some(), &error))
}

fn unbuilt(pattern: &str, is_too_large: bool, error: &dyn fmt::Display) -> RegexError {
    match is_too_large {
        true => RegexError::TooLarge(pattern.to_owned()),
        false => invalid(pattern, error),
    }
}

fn invalid(pattern: &str, error: &dyn fmt::Display) -> RegexError {
    // The crate draws the pattern and an arrow over several lines; the last says what is wrong.
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    RegexError::Invalid {
        pattern: pattern.to_owned(),
        reason: last.trim_start_matches("error: ").to_owned(),
    }
}

/// Nothing is known of an expression that is not bound to start and end, or begins with a choice.
fn anchors(hir: &Hir, case: Case) -> Anchors {
    let properties = hir.properties();
    let (mut start, mut end) = (Vec::new(), Vec::new());
    if properties.look_set_prefix().contains(Look::Start) {
        literals(hir, Side::Front, case, &mut start);
    }
    if properties.look_set_suffix().contains(Look::End) {
        literals(hir, Side::Back, case, &mut end);
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
