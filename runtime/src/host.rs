//! What the host has: cores, memory, mappings; and whether it is running out of memory now.
//!
//! Linux tells both in files: `/proc/meminfo` for the machine, the control group's `memory.max` for the part of it
//! that is ours.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::size::Bytes;

/// The host's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostFacts {
    /// Logical CPUs this process may use.
    pub cores: u32,
    /// Physical memory, or the control group's limit where that is smaller.
    pub memory: Bytes,
}

/// Assumed where the kernel doesn't say: enough for a small machine, and small enough not to overpromise.
const UNKNOWN_MEMORY: Bytes = Bytes::gib(1);

/// The files in which the kernel says what the host has: `proc` and `sys` below a root, `/` by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFiles {
    root: PathBuf,
}

impl Default for HostFiles {
    fn default() -> Self {
        Self::below("/")
    }
}

impl HostFiles {
    /// The files below another root.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The host's size.
    pub fn facts(&self) -> HostFacts {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let machine = self.meminfo("MemTotal:").unwrap_or(UNKNOWN_MEMORY);
        let group = self.cgroup_limit().unwrap_or(machine);
        HostFacts {
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
            memory: machine.min(group),
        }
    }

    /// The kernel's limit on memory mappings of one process (`vm.max_map_count`).
    pub(crate) fn max_mappings(&self) -> Option<u64> {
        read_number(&self.root.join("proc/sys/vm/max_map_count"))
    }

    /// Memory that could still be given out: the machine's, or what is left of the control group's limit.
    fn available_memory(&self) -> Option<Bytes> {
        let groups = self.cgroups();
        self.meminfo("MemAvailable:")
            .into_iter()
            .chain(groups.iter().filter_map(|group| left_in(group)))
            .min()
    }

    fn meminfo(&self, field: &str) -> Option<Bytes> {
        parse_meminfo(
            &std::fs::read_to_string(self.root.join("proc/meminfo")).ok()?,
            field,
        )
    }

    /// The strictest limit of this process's control group and those around it.
    fn cgroup_limit(&self) -> Option<Bytes> {
        self.cgroups()
            .iter()
            .filter_map(|group| read_bytes(&group.join("memory.max")))
            .min()
    }

    /// This process's control group, and the ones it is in, up to the root that can be seen.
    fn cgroups(&self) -> Vec<PathBuf> {
        let root = self.root.join("sys/fs/cgroup");
        let own = std::fs::read_to_string(self.root.join("proc/self/cgroup")).unwrap_or_default();
        let own = own
            .lines()
            .find_map(|line| line.strip_prefix("0::/"))
            .unwrap_or_default();
        let groups = root.join(own);
        groups
            .ancestors()
            .take_while(|group| group.starts_with(&root))
            .map(Path::to_owned)
            .collect()
    }
}

/// Raises the soft limit on open files to the hard one. Where that is refused, the soft one has to do.
pub(crate) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, raised);
}

fn parse_meminfo(text: &str, field: &str) -> Option<Bytes> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim()
        .strip_suffix("kB")?
        .trim_end()
        .parse()
        .ok()
        .map(Bytes::kib)
}

/// What is left of a group's limit. Files it has cached and doesn't use are given back when needed.
fn left_in(group: &Path) -> Option<Bytes> {
    let limit = read_bytes(&group.join("memory.max"))?;
    let current = read_bytes(&group.join("memory.current"))?;
    let stat = std::fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let cached = stat.lines().find_map(|line| line.strip_prefix("inactive_file "));
    let cached = cached.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
    Some(Bytes::new(
        limit.get().saturating_sub(current.get().saturating_sub(cached)),
    ))
}

fn read_bytes(path: &Path) -> Option<Bytes> {
    read_number(path).map(Bytes::new)
}

/// The number in a file; none where it says `max`.
fn read_number(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Holds new instances back while the host is nearly out of memory.
///
/// Envelopes may sum to more than the host has (overcommit); this looks at what is really left.
#[derive(Debug)]
pub(crate) struct HostMemory {
    /// New instances wait while less than this is left.
    reserve: Bytes,
    files: HostFiles,
    last: Mutex<Reading>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Option<Instant>,
    has_room: bool,
}

/// How old a reading may be: reading costs tens of microseconds, and memory moves slower than requests.
const READING_LIFETIME: Duration = Duration::from_millis(50);
/// How often whoever waits for it looks again: the kernel tells nobody that memory has become free.
const RECHECK_EVERY: Duration = Duration::from_millis(20);

impl HostMemory {
    /// Keeps a twentieth of the host free, between 64 MiB and 1 GiB.
    pub(crate) fn new(facts: HostFacts, files: HostFiles) -> Self {
        let reserve = (facts.memory.get() / 20).clamp(Bytes::mib(64).get(), Bytes::gib(1).get());
        Self {
            reserve: Bytes::new(reserve),
            files,
            last: Mutex::new(Reading {
                at: None,
                has_room: true,
            }),
        }
    }

    /// Waits until a new instance may be made.
    pub(crate) async fn room(&self) {
        while !self.has_room() {
            tokio::time::sleep(RECHECK_EVERY).await;
        }
    }

    /// Whether a new instance may be made now.
    pub(crate) fn has_room(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if last.at.is_none_or(|at| now.duration_since(at) > READING_LIFETIME) {
            let available = self.files.available_memory();
            let has_room = available.is_none_or(|available| available >= self.reserve);
            *last = Reading {
                at: Some(now),
                has_room,
            };
        }
        last.has_room
    }
}

#[cfg(test)]
mod tests;
