//! Headers that a rule adds, sets and removes, of requests or of responses.

use std::collections::HashSet;

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The most edits of one rule in one direction.
pub const MAX_HEADER_EDITS: usize = 100;

/// The longest value, in bytes. ALB: a single header has 16 K.
pub const MAX_HEADER_VALUE_BYTES: usize = 8 * 1024;

/// What is done to the headers of a request on its way to a target, or of a response on its way to the client. First
/// removed, then set, then added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
}

/// Why edits were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderEditError {
    /// The gateway has to have its own way with it, or messages would end in the wrong place.
    #[error("`{0}` is between the gateway and its neighbours: it cannot be edited")]
    Framing(HeaderName),
    /// The host.
    #[error("`host` cannot be edited as a header: rewrite it with a transform")]
    Host,
    /// Edited in ways that contradict each other.
    #[error("`{0}` is set twice, or set and removed: choose one")]
    Contradiction(HeaderName),
    /// More than [`MAX_HEADER_EDITS`].
    #[error("a rule has at most {MAX_HEADER_EDITS} header edits, these are {0}")]
    TooMany(usize),
    /// Longer than [`MAX_HEADER_VALUE_BYTES`].
    #[error("the value of `{name}` has {length} bytes, the most is {MAX_HEADER_VALUE_BYTES}")]
    TooLong {
        /// The header.
        name: HeaderName,
        /// The length found, in bytes.
        length: usize,
    },
}

/// RFC 9110 7.6.1 and 9112 6: a hop's own.
pub(crate) const FRAMING: [HeaderName; 10] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
];

impl HeaderEdits {
    /// Checks and takes edits.
    ///
    /// # Errors
    /// When a header is not to be edited, or edited in ways that contradict each other, or there is too much of it.
    pub fn new(
        set: Vec<(HeaderName, HeaderValue)>,
        add: Vec<(HeaderName, HeaderValue)>,
        remove: Vec<HeaderName>,
    ) -> Result<Self, HeaderEditError> {
        let count = set.len() + add.len() + remove.len();
        if count > MAX_HEADER_EDITS {
            return Err(HeaderEditError::TooMany(count));
        }
        for (name, value) in set.iter().chain(&add) {
            let length = value.len();
            if length > MAX_HEADER_VALUE_BYTES {
                let name = name.clone();
                return Err(HeaderEditError::TooLong { name, length });
            }
        }
        let named =
            |edits: &[(HeaderName, HeaderValue)]| edits.iter().map(|(name, _)| name.clone()).collect();
        let (set_names, added): (Vec<HeaderName>, Vec<HeaderName>) = (named(&set), named(&add));
        for name in set_names.iter().chain(&added).chain(&remove) {
            match name {
                name if FRAMING.contains(name) => return Err(HeaderEditError::Framing(name.clone())),
                name if *name == header::HOST => return Err(HeaderEditError::Host),
                _ => {}
            }
        }
        let mut seen = HashSet::new();
        match set_names.iter().chain(&remove).find(|name| !seen.insert(*name)) {
            Some(twice) => Err(HeaderEditError::Contradiction(twice.clone())),
            None => Ok(Self { set, add, remove }),
        }
    }

    /// Whether nothing is edited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }

    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name.clone(), value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests;
