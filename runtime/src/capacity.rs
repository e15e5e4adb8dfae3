//! What the host has been promised to: admission of tasks by their CPU and memory reservations.
//!
//! A task is admitted while the sums of the reservations stay within the host's size times an overcommit
//! factor. Reservations are counted, not measured: what tasks really use is guarded elsewhere.

use std::sync::{Arc, Mutex, PoisonError};

use crate::size::{Bytes, CpuUnits, UNITS_PER_VCPU};

/// Limits on reservations, and their sums.
#[derive(Debug, Clone)]
pub struct Capacity {
    ledger: Arc<Ledger>,
}

#[derive(Debug)]
struct Ledger {
    host: Amount,
    limit: Amount,
    reserved: Mutex<Amount>,
}

/// An amount of both resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// CPU in units of 1/1024 vCPU.
    pub cpu: u64,
    /// Memory in bytes.
    pub memory: u64,
}

/// Why a task was not admitted. `Display` names the figures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Shortfall {
    /// More CPU than the whole host has: it can never run here.
    #[error("cpu {wanted} is more than this host has: {host} units ({} vCPU)", .host / u64::from(UNITS_PER_VCPU))]
    CpuAboveHost {
        /// Units asked for.
        wanted: u64,
        /// Units the host has.
        host: u64,
    },
    /// More memory than the whole host has: it can never run here.
    #[error("memory {wanted} is more than this host has: {host}")]
    MemoryAboveHost {
        /// Size asked for.
        wanted: Bytes,
        /// What the host has.
        host: Bytes,
    },
    /// Other tasks hold the CPU.
    #[error("not enough cpu: {wanted} units wanted, {free} of {limit} free")]
    Cpu {
        /// Units asked for.
        wanted: u64,
        /// Units not reserved.
        free: u64,
        /// Units that can be reserved in all.
        limit: u64,
    },
    /// Other tasks hold the memory.
    #[error("not enough memory: {wanted} wanted, {free} of {limit} free")]
    Memory {
        /// Size asked for.
        wanted: Bytes,
        /// Bytes not reserved.
        free: Bytes,
        /// Bytes that can be reserved in all.
        limit: Bytes,
    },
}

impl Shortfall {
    /// Whether waiting for other tasks to end can help.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Cpu { .. } | Self::Memory { .. })
    }
}

/// A task's share of the capacity, given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    ledger: Arc<Ledger>,
    amount: Amount,
}

impl Capacity {
    /// Capacity of a host with `cores` and `memory`, each multiplied by its overcommit factor (1 = strict, as
    /// Fargate).
    pub fn new(cores: u32, memory: Bytes, cpu_overcommit: f64, memory_overcommit: f64) -> Self {
        let host = Amount {
            cpu: u64::from(cores) * u64::from(UNITS_PER_VCPU),
            memory: memory.get(),
        };
        let limit = Amount {
            cpu: (host.cpu as f64 * cpu_overcommit) as u64,
            memory: (host.memory as f64 * memory_overcommit) as u64,
        };
        Self {
            ledger: Arc::new(Ledger {
                host,
                limit,
                reserved: Mutex::default(),
            }),
        }
    }

    /// Reserves a task's size until the reservation is dropped.
    ///
    /// # Errors
    /// A [`Shortfall`] that says what is missing.
    pub fn reserve(&self, cpu: CpuUnits, memory: Bytes) -> Result<Reservation, Shortfall> {
        self.could_ever_fit(cpu, memory)?;
        let amount = Amount {
            cpu: cpu.get().into(),
            memory: memory.get(),
        };
        let mut reserved = self
            .ledger
            .reserved
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *reserved = add_within(*reserved, amount, self.ledger.limit)?;
        Ok(Reservation {
            ledger: Arc::clone(&self.ledger),
            amount,
        })
    }

    /// Whether a task of this size could run on this host if it were alone.
    ///
    /// # Errors
    /// A [`Shortfall`] that is not temporary.
    pub fn could_ever_fit(&self, cpu: CpuUnits, memory: Bytes) -> Result<(), Shortfall> {
        let host = self.ledger.host;
        if u64::from(cpu.get()) > host.cpu {
            return Err(Shortfall::CpuAboveHost {
                wanted: cpu.get().into(),
                host: host.cpu,
            });
        }
        if memory.get() > host.memory {
            return Err(Shortfall::MemoryAboveHost {
                wanted: memory,
                host: Bytes::new(host.memory),
            });
        }
        Ok(())
    }

    /// What the host has.
    pub fn host(&self) -> Amount {
        self.ledger.host
    }

    /// What can be reserved in all.
    pub fn limit(&self) -> Amount {
        self.ledger.limit
    }

    /// What is reserved now.
    pub fn reserved(&self) -> Amount {
        *self
            .ledger
            .reserved
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn add_within(reserved: Amount, wanted: Amount, limit: Amount) -> Result<Amount, Shortfall> {
    let free = Amount {
        cpu: limit.cpu.saturating_sub(reserved.cpu),
        memory: limit.memory.saturating_sub(reserved.memory),
    };
    if wanted.cpu > free.cpu {
        return Err(Shortfall::Cpu {
            wanted: wanted.cpu,
            free: free.cpu,
            limit: limit.cpu,
        });
    }
    if wanted.memory > free.memory {
        return Err(Shortfall::Memory {
            wanted: Bytes::new(wanted.memory),
            free: Bytes::new(free.memory),
            limit: Bytes::new(limit.memory),
        });
    }
    Ok(Amount {
        cpu: reserved.cpu + wanted.cpu,
        memory: reserved.memory + wanted.memory,
    })
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut reserved = self
            .ledger
            .reserved
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        reserved.cpu = reserved.cpu.saturating_sub(self.amount.cpu);
        reserved.memory = reserved.memory.saturating_sub(self.amount.memory);
    }
}

#[cfg(test)]
mod tests;
