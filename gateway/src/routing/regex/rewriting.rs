//! Regular expressions that rewrite: they have to know what each group matched, which no small automaton does.
//!
//! They cost a step for each byte and each of their states. One request meets two of them at most, those of its rule.

use std::{borrow::Cow, fmt};

use regex::bytes::{Regex, RegexBuilder};
use regex_automata::nfa::thompson::WhichCaptures;

use super::{Case, MAX_NESTING, RegexError, nfa, parse, unbuilt};
use crate::routing::work::{MAX_REWRITING_STEPS, TooMuchWork};

/// What the states of one may take, in bytes.
const MAX_STATES_BYTES: usize = 32 * 1024;

/// Places for the ends of groups that one may have, over all its states.
const MAX_PLACES: usize = 16 * 1024;

/// What a place takes on each of two lists, in bytes.
const PLACE_BYTES: usize = 2 * size_of::<usize>();

/// What one may keep of each of its lazily built automata, forwards and backwards, in bytes.
const MAX_CACHE_BYTES: usize = 16 * 1024;

/// How often the states are kept: forwards and backwards, and as they are matched in one pass.
const COPIES: usize = 4;

/// A compiled regular expression that knows its groups.
#[derive(Clone)]
pub(in crate::routing) struct Rewriting {
    compiled: Regex,
    states: usize,
    bytes: usize,
}

impl Rewriting {
    pub(in crate::routing) fn new(pattern: &str, case: Case) -> Result<Self, RegexError> {
        let hir = parse(pattern, case)?;
        let nfa = nfa(pattern, &hir, WhichCaptures::All, MAX_STATES_BYTES)?;
        let states = nfa.states().len();
        let places = states * nfa.group_info().slot_len();
        if places > MAX_PLACES {
            return Err(RegexError::TooLarge(pattern.to_owned()));
        }
        let compiled = RegexBuilder::new(pattern)
            .unicode(false)
            .case_insensitive(case == Case::Ignored)
            .size_limit(MAX_STATES_BYTES)
            .dfa_size_limit(MAX_CACHE_BYTES)
            .nest_limit(MAX_NESTING)
            .build()
            .map_err(|error| unbuilt(pattern, matches!(error, regex::Error::CompiledTooBig(_)), &error))?;
        let bytes = COPIES * nfa.memory_usage() + 2 * MAX_CACHE_BYTES + places * PLACE_BYTES;
        Ok(Self {
            compiled,
            states,
            bytes,
        })
    }

    /// What it takes compiled, in bytes, with what it may build while it matches.
    pub(in crate::routing) fn compiled_bytes(&self) -> usize {
        self.bytes
    }

    pub(in crate::routing) fn as_str(&self) -> &str {
        self.compiled.as_str()
    }

    /// Whether it has a group of that number or name.
    pub(in crate::routing) fn has_group(&self, group: &str) -> bool {
        match group.parse::<usize>() {
            Ok(number) => number < self.compiled.captures_len(),
            Err(_) => self.compiled.capture_names().flatten().any(|name| name == group),
        }
    }

    /// The text with the first match replaced; none if there is no match.
    pub(in crate::routing) fn replace(
        &self,
        text: &[u8],
        replacement: &str,
    ) -> Result<Option<Vec<u8>>, TooMuchWork> {
        if text.len().saturating_mul(self.states) > MAX_REWRITING_STEPS {
            return Err(TooMuchWork);
        }
        Ok(match self.compiled.replace(text, replacement.as_bytes()) {
            Cow::Borrowed(_) => None,
            Cow::Owned(text) => Some(text),
        })
    }
}

impl fmt::Debug for Rewriting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.as_str())
    }
}
