//! `wharf`: one binary. `serve` is the server, every other command is a client of its API.
//!
//! The words typed become [`args`] without any I/O, those become a [`command`] that is called, and what comes
//! back becomes an exit code in [`exit`], in one place.

mod api;
mod args;
mod building;
mod bundle;
mod command;
mod exit;
mod logging;
mod oci;
mod output;
mod project;
mod settings;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything can make a TLS connection: two providers in one process would panic.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        return exit::failed(&anyhow::anyhow!("a TLS provider was already installed"));
    }
    match command::call(args::Wharf::parse()) {
        Ok(code) => code,
        Err(error) => exit::failed(&error),
    }
}
