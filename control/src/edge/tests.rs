//! The edge over a gateway that listens nowhere.

use std::sync::Arc;

use tokio::runtime::Handle;
use wharf_gateway::{AccessEntry, AccessLog, Config, Gateway, Socket, Threads};

use super::*;

struct Unread;

impl AccessLog for Unread {
    fn record(&self, _: &AccessEntry<'_>) {}
}

/// An edge with nothing in it.
pub(crate) fn edge() -> Arc<Edge> {
    let threads = Threads {
        control: Handle::current(),
        serve: Handle::current(),
    };
    let gateway = Arc::new(Gateway::build(Config::default(), threads, Arc::new(Unread)).unwrap());
    let address = ([127, 0, 0, 1], 0).into();
    let socket = Socket::bind(address).unwrap();
    let edge = Edge::new(gateway, (socket, address), Arc::default(), Handle::current());
    edge.take_over(Arc::default()).unwrap();
    edge.begin_to_listen().unwrap();
    Arc::new(edge)
}
