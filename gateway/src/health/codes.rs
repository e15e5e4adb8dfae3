//! The codes that pass a health check: `200`, `200-399`, `200,204,301-303`; for gRPC `12`, `0-99`.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use http::StatusCode;

/// A set of statuses, kept as the ranges it was written as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusCodes(Ranges);

/// A text that is no set of statuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no status or range of statuses: write 200, 200-399 or 200,204, each from 100 to 599")]
pub struct StatusCodesError(String);

impl StatusCodes {
    /// What a matcher may contain.
    const ALL: RangeInclusive<u16> = 100..=599;

    /// 200 alone. ALB's default.
    pub const OK: Self = Self(Ranges {
        first: (200, 200),
        more: Vec::new(),
    });

    /// Whether a status is among them.
    #[must_use]
    pub fn contains(&self, status: StatusCode) -> bool {
        self.0.contains(status.as_u16())
    }
}

impl Default for StatusCodes {
    /// 200-399.
    fn default() -> Self {
        Self(Ranges {
            first: (200, 399),
            more: Vec::new(),
        })
    }
}

impl FromStr for StatusCodes {
    type Err = StatusCodesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ranges::parse(text, Self::ALL).map(Self).map_err(StatusCodesError)
    }
}

impl fmt::Display for StatusCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of gRPC codes, kept as the ranges it was written as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcCodes(Ranges);

/// A text that is no set of gRPC codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no gRPC code or range of codes: write 12, 0-99 or 0,12, each from 0 to 99")]
pub struct GrpcCodesError(String);

impl GrpcCodes {
    /// What a matcher may contain. ALB: 0-99.
    const ALL: RangeInclusive<u16> = 0..=99;

    /// Whether a code is among them.
    #[must_use]
    pub fn contains(&self, code: u16) -> bool {
        self.0.contains(code)
    }
}

impl Default for GrpcCodes {
    /// 12, "unimplemented": ALB asks for a method that nobody has.
    fn default() -> Self {
        Self(Ranges {
            first: (12, 12),
            more: Vec::new(),
        })
    }
}

impl FromStr for GrpcCodes {
    type Err = GrpcCodesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ranges::parse(text, Self::ALL).map(Self).map_err(GrpcCodesError)
    }
}

impl fmt::Display for GrpcCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Ranges of numbers, ends included; never none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ranges {
    first: (u16, u16),
    more: Vec<(u16, u16)>,
}

impl Ranges {
    /// The part at fault is the error.
    fn parse(text: &str, allowed: RangeInclusive<u16>) -> Result<Self, String> {
        let read = |part: &str| range(part.trim(), &allowed).ok_or_else(|| part.trim().to_owned());
        let mut parts = text.split(',');
        Ok(Self {
            first: read(parts.next().unwrap_or_default())?,
            more: parts.map(read).collect::<Result<_, _>>()?,
        })
    }

    fn all(&self) -> impl Iterator<Item = (u16, u16)> {
        std::iter::once(self.first).chain(self.more.iter().copied())
    }

    fn contains(&self, code: u16) -> bool {
        self.all().any(|(low, high)| (low..=high).contains(&code))
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (low, high)) in self.all().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            if low == high {
                write!(f, "{comma}{low}")?;
            } else {
                write!(f, "{comma}{low}-{high}")?;
            }
        }
        Ok(())
    }
}

fn range(text: &str, allowed: &RangeInclusive<u16>) -> Option<(u16, u16)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (allowed.contains(&low) && allowed.contains(&high) && low <= high).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_are_read_and_printed() {
        for (text, inside, outside) in [
            ("200", &[200][..], &[199, 201][..]),
            ("200-399", &[200, 301, 399], &[199, 400]),
            ("200, 204,301-303", &[200, 204, 302], &[201, 304]),
        ] {
            let codes: StatusCodes = text.parse().unwrap();
            let has = |code: &u16| codes.contains(StatusCode::from_u16(*code).unwrap());
            assert!(inside.iter().all(has), "{text} lacks one of {inside:?}");
            assert!(!outside.iter().any(has), "{text} has one of {outside:?}");
            assert_eq!(codes.to_string(), text.replace(' ', ""));
        }
        assert_eq!(StatusCodes::default(), "200-399".parse().unwrap());
    }

    #[test]
    fn nonsense_is_refused_naming_the_part() {
        for (text, part) in [
            ("", ""),
            ("ok", "ok"),
            ("200-", "200-"),
            ("399-200", "399-200"),
            ("200,99", "99"),
            ("600", "600"),
        ] {
            assert_eq!(
                text.parse::<StatusCodes>(),
                Err(StatusCodesError(part.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn grpc_has_codes_of_its_own() {
        let codes: GrpcCodes = "0,12-14".parse().unwrap();
        assert!(codes.contains(0) && codes.contains(13) && !codes.contains(1));
        assert_eq!(codes.to_string(), "0,12-14");
        assert_eq!("100".parse::<GrpcCodes>(), Err(GrpcCodesError("100".into())));
        assert_eq!(GrpcCodes::default(), "12".parse().unwrap());
    }
}
