//! ALB's wildcards: `*` is any run of characters, none included, and `?` exactly one.
//!
//! Most patterns in real rule sets are literals, prefixes or suffixes, so those compile to one comparison; the rest
//! backtrack to the last `*` only, which keeps the worst case at pattern × text.

use std::{fmt, str::FromStr};

/// The longest pattern, in bytes. ALB allows 128, which long host names under a preview domain exceed.
pub const MAX_PATTERN_BYTES: usize = 512;

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing there.
    #[error("a {kind} pattern cannot be empty; leave the condition out to match any {kind}")]
    Empty {
        /// `host` or `path`.
        kind: &'static str,
    },
    /// Longer than [`MAX_PATTERN_BYTES`].
    #[error("a {kind} pattern has at most {MAX_PATTERN_BYTES} bytes, this one has {length}")]
    TooLong {
        /// `host` or `path`.
        kind: &'static str,
        /// The length found, in bytes.
        length: usize,
    },
    /// A character that cannot occur there.
    #[error("the {kind} pattern `{pattern}` has a {character:?}, which no {kind} contains{hint}")]
    Character {
        /// `host` or `path`.
        kind: &'static str,
        /// The text refused.
        pattern: String,
        /// The offending character.
        character: char,
        /// What to do about it; empty when nothing more is to be said.
        hint: &'static str,
    },
    /// A path that could never match.
    #[error("the path pattern `{pattern}` never matches: a path begins with `/`")]
    Unreachable {
        /// The text refused.
        pattern: String,
    },
}

fn check_length(kind: &'static str, pattern: &str) -> Result<(), PatternError> {
    match pattern.len() {
        0 => Err(PatternError::Empty { kind }),
        length if length > MAX_PATTERN_BYTES => Err(PatternError::TooLong { kind, length }),
        _ => Ok(()),
    }
}

/// What a request's host is compared with: regardless of case, without the port.
#[derive(Clone, PartialEq, Eq)]
pub struct HostPattern {
    text: String,
    glob: Glob,
}

impl HostPattern {
    /// Checks and compiles a pattern such as `api.example.com`, `*.example.com` or `[::1]`.
    ///
    /// # Errors
    /// When it is empty, too long, or has a character that no host contains.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        check_length("host", pattern)?;
        let refuse = |character, hint| PatternError::Character {
            kind: "host",
            pattern: pattern.escape_debug().to_string(),
            character,
            hint,
        };
        let literal_v6 = pattern.starts_with('[');
        for character in pattern.chars() {
            match character {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '*' | '?' => {}
                '[' | ']' | ':' if literal_v6 => {}
                ':' => return Err(refuse(':', "; leave the port out, any port matches")),
                '/' => return Err(refuse('/', "; the path has a condition of its own")),
                other => return Err(refuse(other, "")),
            }
        }
        let text = pattern.to_ascii_lowercase();
        let glob = Glob::new(&text);
        Ok(Self { text, glob })
    }

    /// The pattern, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether some host could match both patterns. May say yes for two patterns with wildcards that no host
    /// matches; never no for two that one does.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self.literal(), other.literal()) {
            (Some(host), _) => other.matches(host.as_bytes()),
            (None, Some(host)) => self.matches(host.as_bytes()),
            (None, None) => {
                let ((start, end), (other_start, other_end)) = (self.fixed(), other.fixed());
                (start.starts_with(other_start) || other_start.starts_with(start))
                    && (end.ends_with(other_end) || other_end.ends_with(end))
            }
        }
    }

    /// What stands before the first wildcard and after the last.
    fn fixed(&self) -> (&str, &str) {
        let wild = ['*', '?'];
        let start = self.text.split(wild).next().unwrap_or_default();
        (start, self.text.rsplit(wild).next().unwrap_or_default())
    }

    /// The one host it matches, if it is just one.
    pub(crate) fn literal(&self) -> Option<&str> {
        matches!(self.glob, Glob::Literal(_)).then_some(&*self.text)
    }

    /// `host` in lower case, without the port.
    pub(crate) fn matches(&self, host: &[u8]) -> bool {
        self.glob.matches(host)
    }
}

/// What a request's path is compared with: case matters, the query is not looked at, nothing is decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    glob: Glob,
}

impl PathPattern {
    /// Checks and compiles a pattern such as `/v1/*`.
    ///
    /// # Errors
    /// When it is empty, too long, has a character that no path contains, or could never match.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        check_length("path", pattern)?;
        if let Some(character) = pattern.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
            let hint = if character == '#' {
                ""
            } else {
                "; write it percent-encoded"
            };
            let pattern = pattern.escape_debug().to_string();
            return Err(PatternError::Character {
                kind: "path",
                pattern,
                character,
                hint,
            });
        }
        if !pattern.starts_with(['/', '*', '?']) {
            return Err(PatternError::Unreachable {
                pattern: pattern.to_owned(),
            });
        }
        Ok(Self {
            text: pattern.to_owned(),
            glob: Glob::new(pattern),
        })
    }

    /// The pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn matches(&self, path: &[u8]) -> bool {
        self.glob.matches(path)
    }
}

macro_rules! textual {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.text)
            }
        }

        impl FromStr for $type {
            type Err = PatternError;

            fn from_str(pattern: &str) -> Result<Self, PatternError> {
                Self::new(pattern)
            }
        }
    };
}
textual!(HostPattern);
textual!(PathPattern);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Glob {
    /// `*`
    Any,
    /// No wildcard.
    Literal(Box<[u8]>),
    /// `literal*`
    Prefix(Box<[u8]>),
    /// `*literal`
    Suffix(Box<[u8]>),
    /// Anything else.
    Wild(Box<[u8]>),
}

impl Glob {
    fn new(pattern: &str) -> Self {
        let wild = |text: &str| text.contains(['*', '?']);
        let own = |text: &str| text.as_bytes().into();
        match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            _ if !wild(pattern) => Self::Literal(own(pattern)),
            (Some(""), _) => Self::Any,
            (Some(suffix), _) if !wild(suffix) => Self::Suffix(own(suffix)),
            (_, Some(prefix)) if !wild(prefix) => Self::Prefix(own(prefix)),
            _ => Self::Wild(own(pattern)),
        }
    }

    fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Literal(literal) => text == &**literal,
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::Wild(pattern) => matches_wild(pattern, text),
        }
    }
}

/// Walks both from the left; on a mismatch the last `*` swallows one character more.
fn matches_wild(mut pattern: &[u8], mut text: &[u8]) -> bool {
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (Some((b'*', rest)), _) => {
                retry = Some((rest, text));
                pattern = rest;
            }
            (Some((p, pattern_rest)), Some((t, text_rest))) if *p == b'?' || p == t => {
                (pattern, text) = (pattern_rest, text_rest);
            }
            (None, None) => return true,
            _ => match retry {
                Some((after_star, swallowed)) if !swallowed.is_empty() => {
                    let rest = swallowed.get(1..).unwrap_or_default();
                    retry = Some((after_star, rest));
                    (pattern, text) = (after_star, rest);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests;
