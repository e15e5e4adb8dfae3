//! What hosts, paths and other values of a request are compared with: ALB's wildcards, with each condition's own idea
//! of case, escapes and what can occur at all.

use std::{fmt, str::FromStr};

use super::{
    glob::{Escapes, Glob},
    work::Work,
};

/// The longest pattern, in bytes. ALB allows 128, which long host names under a preview domain exceed.
pub const MAX_PATTERN_BYTES: usize = 512;

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing there.
    #[error("a {kind} pattern cannot be empty; leave the condition out to match any {kind}")]
    Empty {
        /// What it was for, like `host` or `path`.
        kind: &'static str,
    },
    /// Longer than [`MAX_PATTERN_BYTES`].
    #[error("a {kind} pattern has at most {MAX_PATTERN_BYTES} bytes, this one has {length}")]
    TooLong {
        /// What it was for, like `host` or `path`.
        kind: &'static str,
        /// The length found, in bytes.
        length: usize,
    },
    /// A character that cannot occur there.
    #[error("the {kind} pattern `{pattern}` has a {character:?}, which no {kind} contains{hint}")]
    Character {
        /// What it was for, like `host` or `path`.
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
#[derive(Clone)]
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
        let glob = Glob::new(&text, Escapes::None);
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
            (Some(host), _) => other.matches(host.as_bytes(), &Work::default()),
            (None, Some(host)) => self.matches(host.as_bytes(), &Work::default()),
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
        self.glob.is_literal().then_some(&*self.text)
    }

    /// `host` in lower case, without the port.
    pub(crate) fn matches(&self, host: &[u8], work: &Work) -> bool {
        self.glob.matches(host, work)
    }

    pub(super) fn glob(&self) -> &Glob {
        &self.glob
    }
}

/// What a request's path is compared with: case matters, the query is not looked at, nothing is decoded.
#[derive(Clone)]
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
            glob: Glob::new(pattern, Escapes::None),
        })
    }

    /// The pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn matches(&self, path: &[u8], work: &Work) -> bool {
        self.glob.matches(path, work)
    }

    pub(super) fn glob(&self) -> &Glob {
        &self.glob
    }
}

/// What a header's value, or a query parameter's key or value, is compared with: regardless of case. `\*`, `\?` and
/// `\\` stand for the characters themselves (ALB: `\*` and `\?` in query strings); nothing is decoded.
#[derive(Clone)]
pub struct ValuePattern {
    text: String,
    glob: Glob,
}

impl ValuePattern {
    /// Checks and compiles a pattern such as `*Chrome*` or `v\*`; `kind` names in errors what it is for.
    ///
    /// # Errors
    /// When it is too long or has a character that is not visible ASCII; a blank is, inside.
    pub fn new(kind: &'static str, pattern: &str) -> Result<Self, PatternError> {
        if pattern.len() > MAX_PATTERN_BYTES {
            let length = pattern.len();
            return Err(PatternError::TooLong { kind, length });
        }
        // ALB: only visible ASCII is matched.
        if let Some(character) = pattern.chars().find(|c| !c.is_ascii_graphic() && *c != ' ') {
            return Err(PatternError::Character {
                kind,
                pattern: pattern.escape_debug().to_string(),
                character,
                hint: "",
            });
        }
        Ok(Self {
            text: pattern.to_owned(),
            glob: Glob::new(&pattern.to_ascii_lowercase(), Escapes::Backslash),
        })
    }

    /// The pattern, as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn matches(&self, value: &[u8], work: &Work) -> bool {
        self.glob.matches_any_case(value, work)
    }

    pub(super) fn glob(&self) -> &Glob {
        &self.glob
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

        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }

        impl Eq for $type {}
    };
}
textual!(HostPattern);
textual!(PathPattern);
textual!(ValuePattern);

macro_rules! parsed {
    ($type:ident) => {
        impl FromStr for $type {
            type Err = PatternError;

            fn from_str(pattern: &str) -> Result<Self, PatternError> {
                Self::new(pattern)
            }
        }
    };
}
parsed!(HostPattern);
parsed!(PathPattern);

#[cfg(test)]
mod tests;
