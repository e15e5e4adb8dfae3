//! What tells `wharf run` to end: Ctrl-C, a supervisor's SIGTERM, a terminal that hung up.

use std::future::pending;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that came, from when this is made.
pub(in crate::command) struct Interrupts {
    signals: Vec<Signal>,
    came: u32,
}

impl Interrupts {
    /// Listens for those that are not ignored, as `nohup` has it for SIGHUP.
    pub(in crate::command) fn listen() -> io::Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = ignored(&status);
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let heeded = kinds
            .into_iter()
            .filter(|kind| ignored >> (kind.as_raw_value() - 1) & 1 == 0);
        Ok(Self {
            signals: heeded.map(signal).collect::<io::Result<_>>()?,
            came: 0,
        })
    }

    /// Resolves when one has come, now or before.
    pub(in crate::command) async fn once(&mut self) {
        self.until(1).await;
    }

    /// Resolves when two have come, now or before.
    pub(in crate::command) async fn twice(&mut self) {
        self.until(2).await;
    }

    async fn until(&mut self, count: u32) {
        while self.came < count {
            self.next().await;
            self.came += 1;
        }
    }

    async fn next(&mut self) {
        if self.signals.is_empty() {
            return pending().await;
        }
        let each = self.signals.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures_util::future::select_all(each).await;
    }
}

/// The signals a process was told to ignore by its `/proc/<pid>/status`, a bit each from SIGHUP's. None where the
/// system doesn't tell.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
