//! Where a request's body ends, found as its bytes pass by. It keeps no bytes, and is stricter than hyper's own decoder:
//! what it lets pass has one reading.

/// The longest size line of a chunk: sixteen digits, and extensions that nobody uses.
const MAX_SIZE_LINE: u32 = 4096;

/// All trailer lines of a body, in bytes.
const MAX_TRAILERS: u32 = 8 * 1024;

/// The body a head announces, or what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// This many bytes.
    Length(u64),
    /// RFC 9112 7.1.
    Chunked(Chunked),
}

/// A chunked body that does not keep to its form. Where it ends cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Where in a chunked body the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunked {
    Size {
        digits: u32,
        size: u64,
    },
    /// Behind the digits, up to the end of the line.
    Extension {
        size: u64,
        length: u32,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// The start of a trailer line, or of the last, which is empty.
    Trailer {
        length: u32,
    },
    TrailerLine {
        length: u32,
    },
    TrailerLf {
        length: u32,
    },
    LastLf,
    Ended,
}

impl Body {
    pub(crate) const CHUNKED: Self = Self::Chunked(Chunked::Size { digits: 0, size: 0 });

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunked::Ended))
    }

    /// How many of these bytes are the body's. Fewer than all when it ends among them.
    ///
    /// # Errors
    /// At the first byte that cannot stand where it does, with the number of those before it.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> (usize, Result<(), Malformed>) {
        match self {
            Self::Length(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= count as u64;
                (count, Ok(()))
            }
            Self::Chunked(state) => {
                let mut at = 0;
                while let Some(rest) = bytes.get(at..)
                    && !rest.is_empty()
                    && *state != Chunked::Ended
                {
                    match state.step(rest) {
                        Some(count) => at += count,
                        None => return (at, Err(Malformed)),
                    }
                }
                (at, Ok(()))
            }
        }
    }
}

impl Chunked {
    /// Takes at least one byte and tells how many; none when the first cannot stand here.
    fn step(&mut self, bytes: &[u8]) -> Option<usize> {
        if let Self::Data { left } = self {
            let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
            *left -= count as u64;
            if *left == 0 {
                *self = Self::DataCr;
            }
            return Some(count);
        }
        *self = self.after(*bytes.first()?)?;
        Some(1)
    }

    fn after(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size { digits, size }, _) if byte.is_ascii_hexdigit() && digits < 15 => {
                let digit = u64::from(char::from(byte).to_digit(16)?);
                Self::Size {
                    digits: digits + 1,
                    size: size * 16 + digit,
                }
            }
            (Self::Size { digits: 1.., size } | Self::Extension { size, .. }, b'\r') => Self::SizeLf { size },
            (Self::Size { digits: 1.., size }, b';' | b' ' | b'\t') => Self::Extension { size, length: 1 },
            (Self::Extension { size, length }, b'\t' | b' '..=b'~' | 0x80..) if length < MAX_SIZE_LINE => {
                Self::Extension {
                    size,
                    length: length + 1,
                }
            }
            (Self::SizeLf { size: 0 }, b'\n') => Self::Trailer { length: 0 },
            (Self::SizeLf { size }, b'\n') => Self::Data { left: size },
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Size { digits: 0, size: 0 },
            (Self::Trailer { .. }, b'\r') => Self::LastLf,
            (Self::TrailerLine { length }, b'\r') => Self::TrailerLf { length },
            // A trailer has a name: it starts with neither a blank nor a colon.
            (Self::Trailer { .. }, b' ' | b'\t' | b':') => return None,
            (Self::Trailer { length } | Self::TrailerLine { length }, b'\t' | b' '..=b'~' | 0x80..)
                if length < MAX_TRAILERS =>
            {
                Self::TrailerLine { length: length + 1 }
            }
            (Self::TrailerLf { length }, b'\n') => Self::Trailer { length },
            (Self::LastLf, b'\n') => Self::Ended,
            _ => return None,
        })
    }
}
