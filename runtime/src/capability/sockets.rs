//! Sockets: linked, because language runtimes import them whether or not they connect, and denied. The
//! way out is outgoing HTTP, under the egress list.

use wasmtime::component::Linker;
use wasmtime_wasi::p2::bindings::sockets;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

use super::{Capability, ConfigureError, Configured, Prepare, PrepareError, TaskContext};
use crate::guest_state::{GuestState, InstanceParts};

#[derive(Debug)]
pub(super) struct Sockets;

impl Capability for Sockets {
    fn link(&self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        let l = linker;
        let options = sockets::network::LinkOptions::default();
        sockets::tcp::add_to_linker::<GuestState, WasiSockets>(l, GuestState::sockets)?;
        sockets::tcp_create_socket::add_to_linker::<GuestState, WasiSockets>(l, GuestState::sockets)?;
        sockets::udp::add_to_linker::<GuestState, WasiSockets>(l, GuestState::sockets)?;
        sockets::udp_create_socket::add_to_linker::<GuestState, WasiSockets>(l, GuestState::sockets)?;
        sockets::instance_network::add_to_linker::<GuestState, WasiSockets>(l, GuestState::sockets)?;
        sockets::network::add_to_linker::<GuestState, WasiSockets>(l, &options, GuestState::sockets)?;
        sockets::ip_name_lookup::add_to_linker::<GuestState, WasiSockets>(l, GuestState::sockets)
    }

    fn configure(&self, _task: &TaskContext<'_>) -> Result<Configured, ConfigureError> {
        Ok(Some(Box::new(Denied)))
    }
}

#[derive(Debug)]
struct Denied;

impl Prepare for Denied {
    fn prepare(&self, instance: &mut InstanceParts) -> Result<(), PrepareError> {
        instance
            .wasi
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        Ok(())
    }
}
