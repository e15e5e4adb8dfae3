//! Connections to a target that wait for their next request.
//!
//! The last one used is the first to be used again, so that those a load no longer needs grow old and go. They are
//! looked at when they are wanted, and now and then meanwhile: nobody is woken when a target closes one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{runtime::Handle, time::Instant};

use super::http1::Connection;

/// How often to look for those that are too old, or closed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The connections that wait.
pub(super) struct Pool {
    idle: Mutex<Idle>,
    keep_alive: Duration,
    myself: Weak<Self>,
}

#[derive(Default)]
struct Idle {
    #[expect(
        clippy::vec_box,
        reason = "they move in and out with every request, and are large"
    )]
    connections: Vec<Box<Connection>>,
    sweep: Sweep,
}

/// Whether somebody looks for what is too old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sweep {
    #[default]
    Off,
    On,
}

impl Pool {
    pub(super) fn new(keep_alive: Duration) -> Arc<Self> {
        Arc::new_cyclic(|myself| Self {
            idle: Mutex::default(),
            keep_alive,
            myself: myself.clone(),
        })
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.lock().connections.len()).unwrap_or(u32::MAX)
    }

    /// One that can take a request.
    pub(super) fn take(&self) -> Option<Box<Connection>> {
        loop {
            let mut connection = self.lock().connections.pop()?;
            if connection.is_ready() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection, if it can take another request.
    pub(super) fn put(&self, mut connection: Box<Connection>) {
        if !connection.is_ready() {
            return;
        }
        connection.is_idle_since(Instant::now());
        let mut idle = self.lock();
        idle.connections.push(connection);
        if idle.sweep == Sweep::Off
            && let Ok(handle) = Handle::try_current()
        {
            idle.sweep = Sweep::On;
            handle.spawn(sweep(self.myself.clone()));
        }
    }

    /// Closes those that are too old, or closed already; tells whether to go on.
    fn sweep(&self) -> Sweep {
        let mut idle = self.lock();
        let now = Instant::now();
        let keep_alive = self.keep_alive;
        // The oldest are at the front.
        idle.connections
            .retain_mut(|connection| now - connection.idle_since() < keep_alive && connection.is_ready());
        if idle.connections.is_empty() {
            idle.sweep = Sweep::Off;
        }
        idle.sweep
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at a pool now and then, while there is something in it.
async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        let Some(pool) = pool.upgrade() else { return };
        if pool.sweep() == Sweep::Off {
            return;
        }
    }
}
