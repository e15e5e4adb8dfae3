//! Real guests in real tasks: the crate from outside.
//!
//! (`cfg(test)` tells clippy that these modules hold nothing but tests, their helpers included.)

#[cfg(test)]
mod artifacts;
#[cfg(test)]
mod capabilities;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod cpu;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod host;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod key_value;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod outgoing;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod reuse;
#[cfg(test)]
mod support;
