//! Which rules a request may meet: filed by what their hosts and paths begin or end with.
//!
//! A rule is filed under every pair of its hosts and its paths. A request looks into the few drawers that its own host
//! and path open, whatever the number of rules; what it finds there it still compares in full. A pattern with both a
//! beginning and an end goes by the one that fewer others have: thousands of `pr-<n>.*.example.com` share their end.

use std::collections::HashMap;

use super::trie::Trie;
use crate::routing::{Conditions, glob::Anchors};

/// Above this many pairs of hosts and paths a rule is filed by its hosts alone.
const MAX_FILED_PAIRS: usize = 256;

/// Ranks of the rules that a request may meet, by host and then by path.
#[derive(Debug, Default)]
pub(super) struct Index {
    hosts: Drawers<Drawers<Vec<usize>>>,
}

/// Values by what a text is, or begins or ends with.
#[derive(Debug)]
struct Drawers<T> {
    whole: HashMap<Box<[u8]>, T>,
    /// The empty start is for what may be anything.
    start: Trie<T>,
    /// Backwards.
    end: Trie<T>,
}

impl<T> Default for Drawers<T> {
    fn default() -> Self {
        Self {
            whole: HashMap::new(),
            start: Trie::default(),
            end: Trie::default(),
        }
    }
}

/// Where a pattern is filed.
enum Key {
    Whole(Vec<u8>),
    Start(Vec<u8>),
    End(Vec<u8>),
}

/// How many patterns have the same start, and the same end.
#[derive(Default)]
struct Census {
    starts: HashMap<Vec<u8>, usize>,
    ends: HashMap<Vec<u8>, usize>,
}

impl Census {
    fn of(all: impl Iterator<Item = Anchors>) -> Self {
        let mut census = Self::default();
        for Anchors { start, end, .. } in all.filter(|anchors| !anchors.whole) {
            *census.starts.entry(start).or_default() += 1;
            *census.ends.entry(end).or_default() += 1;
        }
        census
    }

    fn key(&self, Anchors { whole, start, end }: Anchors) -> Key {
        if whole {
            return Key::Whole(start);
        }
        let like = |counts: &HashMap<Vec<u8>, usize>, text| counts.get(text).copied().unwrap_or(0);
        if end.is_empty() || (!start.is_empty() && like(&self.starts, &start) <= like(&self.ends, &end)) {
            Key::Start(start)
        } else {
            Key::End(end)
        }
    }

    /// One without patterns may be anything.
    fn keys(&self, anchors: impl Iterator<Item = Anchors>) -> Vec<Key> {
        let keys: Vec<Key> = anchors.map(|anchors| self.key(anchors)).collect();
        if keys.is_empty() {
            vec![Key::Start(Vec::new())]
        } else {
            keys
        }
    }
}

impl<T: Default> Drawers<T> {
    fn open(&mut self, key: &Key) -> &mut T {
        match key {
            Key::Whole(text) => self.whole.entry(text.as_slice().into()).or_default(),
            Key::Start(text) => self.start.entry(text),
            Key::End(text) => {
                let backwards: Vec<u8> = text.iter().rev().copied().collect();
                self.end.entry(&backwards)
            }
        }
    }
}

impl<T> Drawers<T> {
    fn each<'t>(&'t self, text: &[u8], visit: &mut impl FnMut(&'t T)) {
        if let Some(value) = self.whole.get(text) {
            visit(value);
        }
        self.start.each(text.iter().copied(), visit);
        self.end.each(text.iter().rev().copied(), visit);
    }
}

impl Index {
    /// Files rules, given in order.
    pub(super) fn of<'c>(rules: impl Iterator<Item = &'c Conditions> + Clone) -> Self {
        let hosts = Census::of(rules.clone().flat_map(host_anchors));
        let paths = Census::of(rules.clone().flat_map(path_anchors));
        let mut index = Self::default();
        for (rank, conditions) in rules.enumerate() {
            let hosts = hosts.keys(host_anchors(conditions));
            let mut paths = paths.keys(path_anchors(conditions));
            if hosts.len() * paths.len() > MAX_FILED_PAIRS {
                paths = vec![Key::Start(Vec::new())];
            }
            for host in &hosts {
                let by_path = index.hosts.open(host);
                for path in &paths {
                    let ranks = by_path.open(path);
                    if ranks.last() != Some(&rank) {
                        ranks.push(rank);
                    }
                }
            }
        }
        index
    }

    /// The lowest rank that `holds`, of the rules that the host and the path may meet.
    pub(super) fn find(&self, host: &[u8], path: &[u8], holds: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best = None;
        self.hosts.each(host, &mut |by_path| {
            by_path.each(path, &mut |ranks: &Vec<usize>| {
                // Ascending, and all from the best on are too late.
                let better = ranks
                    .iter()
                    .copied()
                    .take_while(|rank| best.is_none_or(|best| *rank < best));
                if let Some(found) = better.into_iter().find(|rank| holds(*rank)) {
                    best = Some(found);
                }
            });
        });
        best
    }

    /// The most rules that a request with this host and path is compared with.
    #[cfg(test)]
    pub(super) fn candidates(&self, host: &[u8], path: &[u8]) -> usize {
        let mut count = 0;
        self.hosts.each(host, &mut |by_path| {
            by_path.each(path, &mut |ranks: &Vec<usize>| count += ranks.len());
        });
        count
    }
}

fn host_anchors(conditions: &Conditions) -> impl Iterator<Item = Anchors> {
    conditions.host.iter().map(|host| host.anchors())
}

fn path_anchors(conditions: &Conditions) -> impl Iterator<Item = Anchors> {
    conditions.path.iter().map(|path| path.anchors())
}
