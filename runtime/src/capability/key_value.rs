//! The service's data: `wasi:keyvalue` for what is written for any host, `wharf:keyvalue` for what that lacks. Both are
//! the same data.
//!
//! Reads are look-ups on the guest's own time. A write waits for the disk, and holds no thread meanwhile; what it holds
//! of the host's memory until then is charged to the task.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wasmtime::component::{HasData, Linker, ResourceTable};

use super::{Capability, ConfigureError, Configured, Prepare, PrepareError, TaskContext};
use crate::guest_state::{GuestState, InstanceParts};
use crate::key_value::{
    Change, KeyValue, KeyValueError, MAX_ENTRIES, MAX_KEY, MAX_TTL, MAX_VALUE, Outcome, Write,
};
use crate::memory::Envelope;

mod own;
mod standard;

/// The bindings of both interfaces.
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "wharf:host/key-value",
        imports: {
            "wasi:keyvalue/store.[method]bucket.set": async | trappable,
            "wasi:keyvalue/store.[method]bucket.delete": async | trappable,
            "wasi:keyvalue/atomics.increment": async | trappable,
            "wasi:keyvalue/batch.set-many": async | trappable,
            "wasi:keyvalue/batch.delete-many": async | trappable,
            "wharf:keyvalue/store.set": async | trappable,
            "wharf:keyvalue/store.compare-and-swap": async | trappable,
            "wharf:keyvalue/store.delete": async | trappable,
            "wharf:keyvalue/store.increment": async | trappable,
            default: trappable,
        },
        with: { "wasi:keyvalue/store.bucket": crate::capability::key_value::standard::Bucket },
    });
}

#[derive(Debug)]
pub(super) struct KeyValueStore;

impl Capability for KeyValueStore {
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        use bindings::{wasi::keyvalue as standard, wharf::keyvalue as own};
        standard::store::add_to_linker::<GuestState, Data>(linker, GuestState::key_value)?;
        standard::atomics::add_to_linker::<GuestState, Data>(linker, GuestState::key_value)?;
        standard::batch::add_to_linker::<GuestState, Data>(linker, GuestState::key_value)?;
        own::store::add_to_linker::<GuestState, Data>(linker, GuestState::key_value)
    }

    fn configure(&self, task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        Ok(Some(Box::new(Charged {
            store: Arc::clone(&task.spec.key_value),
            envelope: Arc::clone(task.envelope),
        })))
    }
}

/// A task's data, and what the memory is charged to that its writes hold.
#[derive(Clone)]
pub(crate) struct Charged {
    store: Arc<dyn KeyValue>,
    envelope: Arc<Envelope>,
}

impl fmt::Debug for Charged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl Prepare for Charged {
    fn prepare(&self, instance: &mut InstanceParts) -> Result<(), PrepareError> {
        instance.key_value = Some(self.clone());
        Ok(())
    }
}

impl Charged {
    /// Writes, and holds what is written against the task's memory until it is durable.
    async fn write(&self, writes: Vec<Write>) -> Result<Vec<Outcome>, KeyValueError> {
        if writes.len() > MAX_ENTRIES {
            return Err(too_many(writes.len()));
        }
        for write in &writes {
            check(write)?;
        }
        let held: usize = writes.iter().map(size).sum();
        let Some(_charge) = self.envelope.charge(held as u64) else {
            return Err(KeyValueError::Unavailable(format!(
                "writing takes {held} bytes of the task's memory, which has not that much left: give it more with `memory`"
            )));
        };
        self.store.write(writes).await
    }

    /// Writes one thing.
    async fn write_one(&self, key: String, change: Change) -> Result<Outcome, KeyValueError> {
        let outcomes = self.write(vec![Write { key, change }]).await?;
        outcomes
            .first()
            .copied()
            .ok_or_else(|| KeyValueError::Unavailable("the store did not answer".to_owned()))
    }
}

fn size(Write { key, change }: &Write) -> usize {
    let value = match change {
        Change::Set { value, .. } => value.len(),
        Change::Delete | Change::Increment { .. } => 0,
    };
    key.len() + value
}

fn check(Write { key, change }: &Write) -> Result<(), KeyValueError> {
    check_key(key)?;
    match change {
        Change::Set { value, ttl, .. } => {
            check_value(value)?;
            check_ttl(*ttl)
        }
        Change::Increment { ttl, .. } => check_ttl(*ttl),
        Change::Delete => Ok(()),
    }
}

fn check_key(key: &str) -> Result<(), KeyValueError> {
    match key.len() {
        0 => Err(KeyValueError::Invalid("the key is empty".to_owned())),
        1..=MAX_KEY => Ok(()),
        len => Err(KeyValueError::Invalid(format!(
            "the key has {len} bytes; {MAX_KEY} are allowed"
        ))),
    }
}

fn check_value(value: &Bytes) -> Result<(), KeyValueError> {
    if value.len() <= MAX_VALUE {
        return Ok(());
    }
    Err(KeyValueError::Invalid(format!(
        "the value has {} bytes; {MAX_VALUE} are allowed",
        value.len()
    )))
}

fn check_ttl(ttl: Option<Duration>) -> Result<(), KeyValueError> {
    let said = match ttl {
        Some(Duration::ZERO) => "a time to live of 0: delete the key instead".to_owned(),
        Some(ttl) if ttl > MAX_TTL => {
            let days = MAX_TTL.as_secs() / 86_400;
            format!("a time to live of more than {days} days: without one, a value stays")
        }
        _ => return Ok(()),
    };
    Err(KeyValueError::Invalid(said))
}

fn too_many(count: usize) -> KeyValueError {
    KeyValueError::Invalid(format!("{count} keys at once; {MAX_ENTRIES} are allowed"))
}

/// What an instance's host functions need.
pub(crate) struct View<'a> {
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) charged: Option<&'a Charged>,
}

impl View<'_> {
    fn data(&self) -> Result<&Charged, KeyValueError> {
        let absent = || KeyValueError::Unavailable("this instance has no data".to_owned());
        self.charged.ok_or_else(absent)
    }
}

/// Of an instance, its handles and its data.
struct Data;

impl HasData for Data {
    type Data<'a> = View<'a>;
}

#[cfg(test)]
mod tests;
