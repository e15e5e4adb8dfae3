//! Real guests in real tasks: the crate from outside.

mod artifacts;
mod capabilities;
mod commands;
mod cpu;
mod failures;
mod memory;
mod outgoing;
mod requests;
mod reuse;
mod support;
