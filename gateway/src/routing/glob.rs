//! ALB's wildcards: `*` is any run of characters, none included, and `?` exactly one.
//!
//! Most patterns in real rule sets are literals, prefixes or suffixes, so those compile to one comparison; the rest
//! backtrack to the last `*` only, which keeps the worst case at pattern × text, and are counted against the request.

use super::work::Work;

/// Whether wildcards can be meant literally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Every `*` and `?` is a wildcard.
    None,
    /// After a backslash `*`, `?` and another backslash are themselves; before anything else it is itself.
    Backslash,
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) enum Glob {
    /// `*`
    Any,
    /// No wildcard.
    Literal(Box<[u8]>),
    /// `literal*`
    Prefix(Box<[u8]>),
    /// `*literal`
    Suffix(Box<[u8]>),
    /// Anything else.
    Wild(Box<[Token]>),
}

/// One step of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Byte(u8),
    /// `?`
    One,
    /// `*`
    Run,
}

/// Bytes that every match of a pattern has: what it is filed under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Anchors {
    /// Whether the start is all there may be.
    pub(super) whole: bool,
    pub(super) start: Vec<u8>,
    pub(super) end: Vec<u8>,
}

impl Glob {
    pub(super) fn new(pattern: &str, escapes: Escapes) -> Self {
        let tokens = tokens(pattern.as_bytes(), escapes);
        let literal = |tokens: &[Token]| -> Option<Box<[u8]>> { tokens.iter().map(Token::literal).collect() };
        if let Some(text) = literal(&tokens) {
            return Self::Literal(text);
        }
        match tokens.as_slice() {
            [Token::Run] => Self::Any,
            [Token::Run, rest @ ..] if let Some(suffix) = literal(rest) => Self::Suffix(suffix),
            [rest @ .., Token::Run] if let Some(prefix) = literal(rest) => Self::Prefix(prefix),
            _ => Self::Wild(tokens.into()),
        }
    }

    pub(super) fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    pub(super) fn matches(&self, text: &[u8], work: &Work) -> bool {
        match self {
            Self::Any => true,
            Self::Literal(literal) => text == &**literal,
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::Wild(tokens) => matches_wild(tokens, text, work, |byte| byte),
        }
    }

    /// For patterns in lower case.
    pub(super) fn matches_any_case(&self, text: &[u8], work: &Work) -> bool {
        let same =
            |text: Option<&[u8]>, literal: &[u8]| text.is_some_and(|t| t.eq_ignore_ascii_case(literal));
        match self {
            Self::Any => true,
            Self::Literal(literal) => text.eq_ignore_ascii_case(literal),
            Self::Prefix(prefix) => same(text.get(..prefix.len()), prefix),
            Self::Suffix(suffix) => {
                let from = text.len().checked_sub(suffix.len());
                same(from.and_then(|from| text.get(from..)), suffix)
            }
            Self::Wild(tokens) => matches_wild(tokens, text, work, |byte| byte.to_ascii_lowercase()),
        }
    }

    /// What stands before the first wildcard and after the last.
    pub(super) fn anchors(&self) -> Anchors {
        let (whole, start, end) = match self {
            Self::Any => (false, Vec::new(), Vec::new()),
            Self::Literal(literal) => (true, literal.to_vec(), Vec::new()),
            Self::Prefix(prefix) => (false, prefix.to_vec(), Vec::new()),
            Self::Suffix(suffix) => (false, Vec::new(), suffix.to_vec()),
            Self::Wild(tokens) => {
                let start = tokens.iter().map_while(Token::literal).collect();
                let mut end: Vec<u8> = tokens.iter().rev().map_while(Token::literal).collect();
                end.reverse();
                (false, start, end)
            }
        };
        Anchors { whole, start, end }
    }
}

impl Token {
    fn literal(&self) -> Option<u8> {
        match self {
            Self::Byte(byte) => Some(*byte),
            Self::One | Self::Run => None,
        }
    }
}

fn tokens(pattern: &[u8], escapes: Escapes) -> Vec<Token> {
    let mut bytes = pattern.iter().copied().peekable();
    let mut tokens = Vec::with_capacity(pattern.len());
    while let Some(byte) = bytes.next() {
        let escaped = |next: &u8| matches!(next, b'*' | b'?' | b'\\');
        let token = match byte {
            b'\\' if escapes == Escapes::Backslash => Token::Byte(bytes.next_if(escaped).unwrap_or(b'\\')),
            b'*' => Token::Run,
            b'?' => Token::One,
            other => Token::Byte(other),
        };
        // A run of runs is one.
        if token != Token::Run || tokens.last() != Some(&Token::Run) {
            tokens.push(token);
        }
    }
    tokens
}

/// Walks both from the left; on a mismatch the last `*` swallows one character more.
fn matches_wild(mut pattern: &[Token], mut text: &[u8], work: &Work, fold: impl Fn(u8) -> u8) -> bool {
    let takes = |token: &Token, byte: u8| match token {
        Token::Byte(expected) => *expected == fold(byte),
        Token::One => true,
        Token::Run => false,
    };
    let mut retry: Option<(&[Token], &[u8])> = None;
    while work.take(1) {
        match (pattern.split_first(), text.split_first()) {
            (Some((Token::Run, rest)), _) => {
                retry = Some((rest, text));
                pattern = rest;
            }
            (Some((token, pattern_rest)), Some((byte, text_rest))) if takes(token, *byte) => {
                (pattern, text) = (pattern_rest, text_rest);
            }
            (None, None) => return true,
            _ => match retry {
                Some((after_run, swallowed)) if !swallowed.is_empty() => {
                    let rest = swallowed.get(1..).unwrap_or_default();
                    retry = Some((after_run, rest));
                    (pattern, text) = (after_run, rest);
                }
                _ => return false,
            },
        }
    }
    false
}

#[cfg(test)]
mod tests;
