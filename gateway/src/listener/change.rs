//! Changing listeners that are open: first what may fail or take its time, then what is done at once.

use std::{io, net::SocketAddr, sync::Arc};

use super::{Listener, ListenerError, Settings, Socket, bind, lock};
use crate::{
    config::ListenerSpec,
    gateway::{Shared, Threads},
};

/// What becomes of a listener that is open: its settings, and a socket if it is to be somewhere else.
pub(crate) struct Change {
    settings: Settings,
    socket: Option<Socket>,
    address: SocketAddr,
}

/// The sockets of listeners that go elsewhere in one change, for others of the same change to take over: nobody can bind
/// where they are, and who waits there is nobody's to lose.
#[derive(Default)]
pub(crate) struct Left(Vec<Socket>);

impl Left {
    fn take(&mut self, address: SocketAddr) -> Option<Socket> {
        let at = self.0.iter().position(|socket| socket.local == address)?;
        Some(self.0.swap_remove(at))
    }
}

impl Listener {
    /// Leaves its socket to others, if this has it go elsewhere.
    pub(crate) fn leave(&self, spec: &ListenerSpec, left: &mut Left) {
        if let Some(accepting) = &*lock(&self.accepting)
            && ![accepting.asked, accepting.local].contains(&spec.address)
        {
            left.0.push(Socket {
                socket: accepting.socket.clone(),
                local: accepting.local,
            });
        }
    }

    /// Binds at a new address or takes over who listens there, and reads certificates: what may fail, or take its time.
    pub(crate) fn prepare(
        &self,
        spec: &ListenerSpec,
        left: &mut Left,
        threads: &Threads,
    ) -> Result<Change, ListenerError> {
        let here = lock(&self.accepting)
            .as_ref()
            .map(|accepting| (accepting.asked, accepting.local));
        let socket = match here {
            Some((asked, local)) if [asked, local].contains(&spec.address) => None,
            _ => Some(match left.take(spec.address) {
                Some(socket) => socket,
                None => bind(spec, threads).map_err(|error| told_of(error, here.map(|(_, local)| local)))?,
            }),
        };
        let local = match (&socket, here) {
            (Some(socket), _) => socket.local,
            (None, Some((_, local))) => local,
            (None, None) => spec.address,
        };
        Ok(Change {
            settings: Settings::new(spec, local)?,
            socket,
            address: spec.address,
        })
    }

    /// Takes over new settings: connections that come from now on have them, those that are open keep theirs. At a
    /// new address, whoever waits at the old one is still let in: by it, or by who has taken that over.
    pub(crate) fn change(self: &Arc<Self>, change: Change, threads: &Threads, shared: &Arc<Shared>) {
        self.settings.store(Arc::new(change.settings));
        if let Some(socket) = change.socket {
            self.accept_from(socket, change.address, threads, shared);
        }
        self.changed.send_replace(());
    }
}

/// Whether who listens at one takes the other.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && (one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// What keeps a listener from binding may be itself.
fn told_of(error: ListenerError, from: Option<SocketAddr>) -> ListenerError {
    match (error, from) {
        (
            ListenerError::Bind {
                listener,
                address: to,
                source,
            },
            Some(from),
        ) if source.kind() == io::ErrorKind::AddrInUse && overlap(from, to) => {
            ListenerError::Overlap { listener, from, to }
        }
        (error, _) => error,
    }
}
