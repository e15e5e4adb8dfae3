//! HTTP: the types both directions speak, and outgoing requests under the egress list.

use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::add_only_http_to_linker_async;

use super::{Capability, ConfigureError, Configured, Prepare, PrepareError, TaskContext};
use crate::guest_state::{GuestState, InstanceParts};
use crate::outgoing::{Egress, OutgoingHooks, Upstream};

mod setters;

#[derive(Debug)]
pub(super) struct OutgoingHttp;

impl Capability for OutgoingHttp {
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        add_only_http_to_linker_async(linker)?;
        setters::link(linker)
    }

    fn configure(&self, task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        let upstream = Upstream::new(
            Egress {
                rules: task.spec.egress.clone().into(),
                reach: task.spec.reach,
            },
            Arc::clone(task.envelope),
            Arc::clone(task.account),
            task.log.clone(),
        );
        Ok(Some(Box::new(Allowed(Arc::new(upstream)))))
    }
}

#[derive(Debug)]
struct Allowed(Arc<Upstream>);

impl Prepare for Allowed {
    fn prepare(&self, instance: &mut InstanceParts) -> Result<(), PrepareError> {
        instance.outgoing = OutgoingHooks::new(Arc::clone(&self.0));
        Ok(())
    }
}
