//! The gateway from outside: real sockets, real clients, targets made of closures.
//!
//! (`cfg(test)` tells clippy that these modules hold nothing but tests, their helpers included.)

#[cfg(test)]
mod balancing;
#[cfg(test)]
mod body_limits;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod client_leaves;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod cohorts;
#[cfg(test)]
mod documented;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod forwarding;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod health;
#[cfg(test)]
mod hold;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod listeners;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod outside;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod smuggling;
#[cfg(test)]
mod smuggling_onwards;
#[cfg(test)]
mod sticky;
#[cfg(test)]
mod streaming;
#[cfg(test)]
mod support;
#[cfg(test)]
mod swap;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod upgrades;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod upstream_connections;
#[cfg(test)]
mod upstream_failures;
#[cfg(test)]
mod upstream_http2;
#[cfg(test)]
mod weights;
