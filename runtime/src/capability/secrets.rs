//! Secrets, as environment variables. Resolved for each instance, so that a rotated one reaches the next.

use std::sync::Arc;

use secrecy::ExposeSecret;
use wasmtime::component::Linker;

use super::{Capability, ConfigureError, Configured, Prepare, PrepareError, TaskContext};
use crate::guest_state::{GuestState, InstanceParts};
use crate::spec::SecretSource;

#[derive(Debug)]
pub(super) struct Secrets;

impl Capability for Secrets {
    fn link(&self, _linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        // They arrive through the environment's interface.
        Ok(())
    }

    fn configure(&self, task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        Ok(Some(Box::new(Source(Arc::clone(&task.spec.secrets)))))
    }
}

#[derive(Debug)]
struct Source(Arc<dyn SecretSource>);

impl Prepare for Source {
    fn prepare(&self, instance: &mut InstanceParts) -> Result<(), PrepareError> {
        for (name, value) in self.0.resolve()? {
            instance.wasi.env(name, value.expose_secret());
        }
        Ok(())
    }
}
