//! The two quantities a task is sized by: CPU units and bytes of memory.
//!
//! They are newtypes so that a share can't be passed where a size is meant, and they parse and print the
//! way people write them in a manifest (`256`, `"64MiB"`).

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// A CPU share in units of 1/1024 vCPU, at least 1 (ECS: `cpu`; its smallest on Fargate is 256).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuUnits(NonZeroU32);

/// One whole vCPU in [`CpuUnits`].
pub const UNITS_PER_VCPU: u32 = 1024;

impl CpuUnits {
    /// The largest share that can be written: 1024 vCPUs.
    pub const MAX: u32 = 1024 * UNITS_PER_VCPU;

    /// A share of `units` / 1024 vCPU, or nothing when it is 0 or above [`CpuUnits::MAX`].
    pub fn new(units: u32) -> Option<Self> {
        NonZeroU32::new(units)
            .filter(|units| units.get() <= Self::MAX)
            .map(Self)
    }

    /// The number of units.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The CPU time this share earns in `wall` time.
    pub fn earned_in(self, wall: Duration) -> Duration {
        let nanos = wall.as_nanos() * u128::from(self.get()) / u128::from(UNITS_PER_VCPU);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for CpuUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CpuUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}cpu", self.0)
    }
}

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(u64);

impl Bytes {
    /// `count` bytes.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// `count` × 1024 bytes.
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// `count` × 1024² bytes.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// `count` × 1024³ bytes.
    pub const fn gib(count: u64) -> Self {
        Self(count << 30)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes as a `usize`, saturating on a 32-bit host.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Unit names from the largest down, with their binary exponent.
const SUFFIXES: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];

impl fmt::Display for Bytes {
    /// The largest unit that divides the count exactly; otherwise one decimal of the largest that fits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (suffix, shift) in SUFFIXES {
            let unit = 1u64 << shift;
            if self.0 >= unit {
                return if self.0.is_multiple_of(unit) {
                    write!(f, "{}{suffix}", self.0 >> shift)
                } else {
                    write!(f, "{:.1}{suffix}", self.0 as f64 / unit as f64)
                };
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A size that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a size: write a whole number with KiB, MiB or GiB, like \"64MiB\"")]
pub struct SizeError {
    text: String,
}

impl FromStr for Bytes {
    type Err = SizeError;

    /// `64MiB`, `1 GiB`, `512KiB`, `1048576`, `100B`. Decimal units (`MB`) are refused: a limit that is
    /// 5 % smaller than it reads surprises people.
    fn from_str(text: &str) -> Result<Self, SizeError> {
        let refuse = || SizeError {
            text: text.to_owned(),
        };
        let (digits, shift) = SUFFIXES
            .iter()
            .find_map(|(suffix, shift)| text.strip_suffix(suffix).map(|digits| (digits, *shift)))
            .unwrap_or_else(|| (text.strip_suffix('B').unwrap_or(text), 0));
        let digits = digits.trim_end();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refuse());
        }
        let count: u64 = digits.parse().map_err(|_| refuse())?;
        count.checked_mul(1 << shift).map(Self).ok_or_else(refuse)
    }
}

#[cfg(test)]
mod tests;
