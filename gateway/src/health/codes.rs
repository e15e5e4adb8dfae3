//! The statuses that pass a health check: `200`, `200-399`, `200,204,301-303`.

use std::{fmt, str::FromStr};

use http::StatusCode;

/// A set of statuses, kept as the ranges it was written as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusCodes(Vec<(u16, u16)>);

/// What a matcher may contain.
const STATUSES: std::ops::RangeInclusive<u16> = 100..=599;

/// A text that is no set of statuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no status or range of statuses: write 200, 200-399 or 200,204, each from 100 to 599")]
pub struct StatusCodesError(String);

impl StatusCodes {
    /// Whether a status is among them.
    #[must_use]
    pub fn contains(&self, status: StatusCode) -> bool {
        self.0
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&status.as_u16()))
    }
}

impl Default for StatusCodes {
    /// 200-399.
    fn default() -> Self {
        Self(vec![(200, 399)])
    }
}

impl FromStr for StatusCodes {
    type Err = StatusCodesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',')
            .map(|part| range(part.trim()).ok_or_else(|| StatusCodesError(part.trim().to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (STATUSES.contains(&low) && STATUSES.contains(&high) && low <= high).then_some((low, high))
}

impl fmt::Display for StatusCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (low, high)) in self.0.iter().enumerate() {
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
}
