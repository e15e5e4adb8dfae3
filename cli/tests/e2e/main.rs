//! The built `wharf`, driven from outside over real sockets: what a person types, what a client sends.
//!
//! Every test starts a server of its own on free ports with a temporary data directory. The guests are those of
//! `runtime/tests/guests`; `cargo xtask guests` builds them.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: failing is what they are for"
)]

mod answers;
mod bad_input;
mod bundles;
mod crash;
mod crash_rounds;
mod disk;
mod egress;
mod gate;
#[path = "../../../xtask/src/guest_toolchain.rs"]
mod guest_toolchain;
mod healing;
mod http;
mod inner_loop;
mod jobs;
mod key_value;
mod limits;
mod load;
mod logging;
mod project;
mod rollouts;
mod routing;
mod runs;
mod scaling;
mod sdk;
mod secrets;
mod server;
mod services;
mod shown;
mod starting;
mod templates;
mod tenancy;
mod upstream;
mod wharf;
