//! How many regular expressions there are together, and what they take.

/// The most regular expressions in the rules of one owner.
pub(super) const MAX_EXPRESSIONS: usize = 2000;

/// What the regular expressions of one owner may take compiled, in bytes.
pub(super) const MAX_EXPRESSIONS_BYTES: usize = 32 * 1024 * 1024;

/// The regular expressions of one owner so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expressions {
    count: usize,
    bytes: usize,
}

/// There are more than [`MAX_EXPRESSIONS`], or they take more than [`MAX_EXPRESSIONS_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "with this one there are {count} regular expressions, compiled to {kib} KiB together; up to {MAX_EXPRESSIONS} with \
     {max} KiB are allowed", kib = bytes.div_ceil(1024), max = MAX_EXPRESSIONS_BYTES / 1024
)]
pub struct TooManyExpressions {
    count: usize,
    bytes: usize,
}

impl Expressions {
    /// One more, which takes so many bytes compiled.
    ///
    /// # Errors
    /// When it is one too many, or they take too much together.
    pub fn add(&mut self, compiled_bytes: usize) -> Result<(), TooManyExpressions> {
        self.count += 1;
        self.bytes += compiled_bytes;
        let Self { count, bytes } = *self;
        match self.is_full() {
            true => Err(TooManyExpressions { count, bytes }),
            false => Ok(()),
        }
    }

    /// Whether there were too many.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count > MAX_EXPRESSIONS || self.bytes > MAX_EXPRESSIONS_BYTES
    }
}
