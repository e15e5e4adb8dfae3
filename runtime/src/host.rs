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

impl HostFacts {
    /// Reads the host's size from the kernel.
    pub fn read() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let machine = meminfo("MemTotal:").unwrap_or(UNKNOWN_MEMORY);
        let group = cgroup_limit().unwrap_or(machine);
        Self {
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
            memory: machine.min(group),
        }
    }
}

/// The kernel's limit on memory mappings of one process (`vm.max_map_count`).
pub(crate) fn max_mappings() -> Option<u64> {
    std::fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()?
        .trim()
        .parse()
        .ok()
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

fn meminfo(field: &str) -> Option<Bytes> {
    parse_meminfo(&std::fs::read_to_string("/proc/meminfo").ok()?, field)
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

/// The strictest limit of this process's control group and those around it.
fn cgroup_limit() -> Option<Bytes> {
    cgroups()
        .iter()
        .filter_map(|group| read_bytes(&group.join("memory.max")))
        .min()
}

/// This process's control group, and the ones it is in, up to the root that can be seen.
fn cgroups() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .unwrap_or_default();
    let groups = root.join(own);
    groups
        .ancestors()
        .take_while(|group| group.starts_with(root))
        .map(Path::to_owned)
        .collect()
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
    std::fs::read_to_string(path)
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Bytes::new)
}

/// Memory that could still be given out: the machine's, or what is left of the control group's limit.
fn available_memory() -> Option<Bytes> {
    let groups = cgroups();
    meminfo("MemAvailable:")
        .into_iter()
        .chain(groups.iter().filter_map(|group| left_in(group)))
        .min()
}

/// Holds new instances back while the host is nearly out of memory.
///
/// Envelopes may sum to more than the host has (overcommit); this looks at what is really left.
#[derive(Debug)]
pub(crate) struct HostMemory {
    /// New instances wait while less than this is left.
    reserve: Bytes,
    last: Mutex<Reading>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Option<Instant>,
    has_room: bool,
}

/// How old a reading may be: reading costs tens of microseconds, and memory moves slower than requests.
const READING_LIFETIME: Duration = Duration::from_millis(50);
/// How often a waiting request looks again.
pub(crate) const RECHECK_EVERY: Duration = Duration::from_millis(20);

impl HostMemory {
    /// Keeps a twentieth of the host free, between 64 MiB and 1 GiB.
    pub(crate) fn new(facts: HostFacts) -> Self {
        let reserve = (facts.memory.get() / 20).clamp(Bytes::mib(64).get(), Bytes::gib(1).get());
        Self::with_reserve(Bytes::new(reserve))
    }

    pub(crate) fn with_reserve(reserve: Bytes) -> Self {
        Self {
            reserve,
            last: Mutex::new(Reading {
                at: None,
                has_room: true,
            }),
        }
    }

    /// Whether a new instance may be made now.
    pub(crate) fn has_room(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if last.at.is_none_or(|at| now.duration_since(at) > READING_LIFETIME) {
            let has_room = available_memory().is_none_or(|available| available >= self.reserve);
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
