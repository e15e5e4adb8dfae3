//! The parts of an outgoing request that are text of any length, with a bound on each.
//!
//! The engine keeps what a guest sets as it is. Servers refuse targets of more than some kilobytes; longer ones would
//! only be the host's memory, held by the guest.

use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{HostOutgoingRequest, Method, OutgoingRequest, Scheme};

use crate::guest_state::GuestState;

/// Bytes of a method, a scheme, an authority or a path with its query (RFC 9110 asks for 8000 at least).
const MAX_PART: usize = 8 * 1024;

/// The interface that makes requests, as the engine's crate names it.
const HTTP_TYPES: &str = "wasi:http/types@0.2.12";

type Request = Resource<OutgoingRequest>;

/// Puts the bound in front of the engine's setters. The guest sees a setter's own refusal.
pub(super) fn link(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(HTTP_TYPES)?;
    types.func_wrap(
        "[method]outgoing-request.set-method",
        |mut store, (request, method): (Request, Method)| {
            if matches!(&method, Method::Other(name) if name.len() > MAX_PART) {
                return Ok((Err(()),));
            }
            Ok((store.data_mut().http().set_method(request, method)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-scheme",
        |mut store, (request, scheme): (Request, Option<Scheme>)| {
            if matches!(&scheme, Some(Scheme::Other(name)) if name.len() > MAX_PART) {
                return Ok((Err(()),));
            }
            Ok((store.data_mut().http().set_scheme(request, scheme)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store, (request, authority): (Request, Option<String>)| {
            if too_long(authority.as_deref()) {
                return Ok((Err(()),));
            }
            Ok((store.data_mut().http().set_authority(request, authority)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-path-with-query",
        |mut store, (request, path): (Request, Option<String>)| {
            if too_long(path.as_deref()) {
                return Ok((Err(()),));
            }
            Ok((store.data_mut().http().set_path_with_query(request, path)?,))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

fn too_long(part: Option<&str>) -> bool {
    part.is_some_and(|part| part.len() > MAX_PART)
}
