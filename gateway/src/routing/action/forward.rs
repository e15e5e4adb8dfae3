//! Forwarding to target groups by weight.

use std::{collections::HashSet, fmt};

use crate::{group::StickyFor, names::GroupName};

/// The most groups of one action. ALB: 5.
pub const MAX_FORWARD_GROUPS: usize = 100;

/// Target groups and the shares of requests they get.
#[derive(Clone, Debug)]
pub struct Forward {
    groups: Vec<WeightedGroup>,
    stickiness: Option<StickyFor>,
}

/// A group and its weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightedGroup {
    /// The group.
    pub group: GroupName,
    /// Its share, beside the others'.
    pub weight: Weight,
}

/// A share, 0 to 999 as in ALB. A group of weight 0 gets nothing, not even from clients that were with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u16);

/// The highest weight. ALB: 999.
const MAX_WEIGHT: u32 = 999;

/// Why a forward action was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// Nowhere to forward to.
    #[error("there is no target group to forward to: name at least one")]
    NoGroups,
    /// More than [`MAX_FORWARD_GROUPS`].
    #[error("an action forwards to at most {MAX_FORWARD_GROUPS} target groups, this one to {0}")]
    TooManyGroups(usize),
    /// A group more than once.
    #[error("target group `{0}` is there twice: give it one weight")]
    Repeated(GroupName),
    /// A number that is no weight.
    #[error("a weight is a number from 0 to {MAX_WEIGHT}, not {0}")]
    Weight(u32),
    /// Every weight is 0.
    #[error("every weight is 0, so no group would get a request: give one of them a weight")]
    NoWeight,
}

impl Weight {
    /// What a group has that is alone.
    pub const ONE: Self = Self(1);

    /// Checks and takes a weight.
    ///
    /// # Errors
    /// When it is over 999.
    pub fn new(weight: u32) -> Result<Self, ForwardError> {
        match u16::try_from(weight) {
            Ok(value) if weight <= MAX_WEIGHT => Ok(Self(value)),
            _ => Err(ForwardError::Weight(weight)),
        }
    }

    /// The weight as a number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Forward {
    /// All requests to one group.
    #[must_use]
    pub fn to(group: GroupName) -> Self {
        let weight = Weight::ONE;
        Self {
            groups: vec![WeightedGroup { group, weight }],
            stickiness: None,
        }
    }

    /// Requests to several groups by weight. With `stickiness` a client stays for that long with the group it got
    /// first.
    ///
    /// # Errors
    /// When there are no groups, too many, one twice, or no weight at all.
    pub fn weighted(groups: Vec<WeightedGroup>, stickiness: Option<StickyFor>) -> Result<Self, ForwardError> {
        match groups.len() {
            0 => return Err(ForwardError::NoGroups),
            count if count > MAX_FORWARD_GROUPS => return Err(ForwardError::TooManyGroups(count)),
            _ => {}
        }
        let mut seen = HashSet::new();
        if let Some(twice) = groups.iter().find(|group| !seen.insert(&group.group)) {
            return Err(ForwardError::Repeated(twice.group.clone()));
        }
        if groups.iter().all(|group| group.weight.get() == 0) {
            return Err(ForwardError::NoWeight);
        }
        Ok(Self { groups, stickiness })
    }

    /// The groups and their weights.
    #[must_use]
    pub fn groups(&self) -> &[WeightedGroup] {
        &self.groups
    }

    /// How long a client stays with the group it got first, if it does.
    #[must_use]
    pub fn stickiness(&self) -> Option<StickyFor> {
        self.stickiness
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [WeightedGroup { group, .. }] = self.groups.as_slice() {
            return write!(f, "{group}");
        }
        for (index, WeightedGroup { group, weight }) in self.groups.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{group} ({weight})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
