//! What the operating system says a process used.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// CPU time of a process so far, user and system, all threads.
pub(crate) fn cpu_time(process: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("the process is gone")?;
    // The name in parentheses may hold anything; the fields begin after it. utime and stime are the 14th and 15th.
    let (_, fields) = stat.rsplit_once(')').context("no process name")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().context("not a number of ticks"))
        .sum::<Result<u64>>()?;
    Ok(Duration::from_secs_f64(
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
    ))
}

/// CPU time of a process and of the processes it started, so far.
pub(crate) fn cpu_time_with_children(process: u32) -> Result<Duration> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"))
        .context("the process is gone")?;
    let mut sum = cpu_time(process)?;
    for child in children.split_whitespace() {
        sum += cpu_time(child.parse().context("not a process id")?)?;
    }
    Ok(sum)
}

/// Resident memory of a process, in MiB.
pub(crate) fn resident_mib(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the process is gone")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    let kib: f64 = line
        .trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .context("not a size")?;
    Ok(kib / 1024.0)
}

/// CPU time a process uses while `work` runs, as a share of one core, and how long that took.
pub(crate) fn share_during<T>(process: u32, work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let (begin, before) = (std::time::Instant::now(), cpu_time(process)?);
    let done = work()?;
    let used = cpu_time(process)?.saturating_sub(before);
    Ok((used.as_secs_f64() / begin.elapsed().as_secs_f64(), done))
}
