//! The edge's listeners: opened ahead of what needs them, changed, closed, tried again.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use wharf_gateway::{ListenerError, ListenerSpec, NameError};

use super::rules::unusable;
use super::{Edge, Objects, Scene, State};
use crate::manifest::Listener;
use crate::names::ListenerName;
use crate::refusal::Refusal;

/// How long requests on a listener that is taken away may take to finish.
const LISTENER_GRACE: Duration = Duration::from_secs(30);

/// How often a listener that could not be opened is tried again.
pub const LISTENER_RETRY: Duration = Duration::from_secs(5);

/// A listener as it was last tried.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    /// As it is open; none if it isn't.
    open: Option<ListenerSpec>,
    /// Why it isn't as it shall be.
    error: Option<String>,
}

impl Opened {
    /// It is open as it shall be.
    fn as_wanted(spec: ListenerSpec) -> Self {
        Self {
            open: Some(spec),
            error: None,
        }
    }
}

/// A listener that isn't as it shall be.
struct Wanted {
    name: ListenerName,
    before: Option<Opened>,
    spec: ListenerSpec,
}

impl Wanted {
    fn is_open(&self) -> bool {
        self.before.as_ref().is_some_and(|before| before.open.is_some())
    }
}

/// Why a server can't begin to listen.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The name of a listener is none to the gateway.
    #[error(transparent)]
    Name(#[from] NameError),
    /// That of `--http` can't be opened.
    #[error(transparent)]
    Listener(#[from] ListenerError),
}

/// What is known of a listener.
#[derive(Debug, Clone)]
pub struct ListenerState {
    /// Its name.
    pub name: ListenerName,
    /// What was applied; none for that of `--http` with every default.
    pub applied: Option<Arc<Listener>>,
    /// Where it listens, with the port the system chose if it was 0; none if it doesn't.
    pub address: Option<SocketAddr>,
    /// Connections that are open.
    pub connections: usize,
    /// Why it doesn't listen, or not as it shall.
    pub error: Option<String>,
}

/// Listeners that were opened or changed ahead of what needs them. Unless that is [put in force](Self::take_over),
/// everything goes back.
#[derive(Debug)]
#[must_use = "dropped, it takes back what it opened"]
pub struct Ahead {
    edge: Arc<Edge>,
    /// As they were before.
    before: Vec<(ListenerName, Option<Opened>)>,
}

impl Edge {
    /// Opens the listeners, once what requests shall meet is in force. Those that can't be opened are tried again.
    ///
    /// # Errors
    /// If the listener of `--http` can't be opened.
    pub fn begin_to_listen(&self) -> Result<(), BeginError> {
        let mut state = self.lock();
        let Some(socket) = state.waiting.take() else {
            return Ok(());
        };
        let name = ListenerName::http();
        let applied = state.objects.listeners.get(name).cloned();
        let spec = self.spec(name, applied.as_deref())?;
        self.gateway.open_on(socket, spec.clone())?;
        state.listeners.insert(name.clone(), Opened::as_wanted(spec));
        let scene = self.scene_of(state.objects.clone(), Vec::new());
        Ok(self.listen(&mut state, &scene)?)
    }

    /// Opens and changes the listeners of `objects`, so that one that can't be is found before anything is written.
    ///
    /// # Errors
    /// Which listener can't be as it shall; then all are as they were.
    pub fn listen_ahead(self: &Arc<Self>, objects: &Objects) -> Result<Ahead, Refusal> {
        let mut ahead = Ahead {
            edge: self.clone(),
            before: Vec::new(),
        };
        let mut state = self.lock();
        let wanted = self.wanted(&state, objects)?;
        let (open, new): (Vec<_>, Vec<_>) = wanted.into_iter().partition(Wanted::is_open);
        let done = self
            .change_ahead(&mut state, open, &mut ahead)
            .and_then(|()| self.bind_ahead(&mut state, new, &mut ahead));
        let refused = done.map_err(|error| self.unusable(&error));
        drop(state);
        // Dropped, it takes back what was done.
        refused.map(|()| ahead)
    }

    /// The listeners that are not as `objects` has them.
    fn wanted(&self, state: &State, objects: &Objects) -> Result<Vec<Wanted>, Refusal> {
        let mut wanted = Vec::new();
        for (name, listener) in &objects.listeners {
            let spec = self.spec(name, Some(listener)).map_err(unusable)?;
            let before = state.listeners.get(name).cloned();
            let is_so = before
                .as_ref()
                .is_some_and(|before| before.open.as_ref() == Some(&spec));
            // One that couldn't be opened before is not what this is about.
            let was_applied = state.objects.listeners.get(name) == Some(listener);
            if !is_so && !was_applied {
                let name = name.clone();
                wanted.push(Wanted { name, before, spec });
            }
        }
        Ok(wanted)
    }

    /// Why a listener can't be as it shall, and what to do about it.
    fn unusable(&self, error: &ListenerError) -> Refusal {
        let holder = match error {
            ListenerError::Bind {
                listener, address, ..
            } => self.holder(listener, *address),
            _ => None,
        };
        let refusal = Refusal::unprocessable("ListenerUnusable", said(error)).field("listener");
        match holder {
            Some(holder) => refusal.hint(format!(
                "listener `{holder}` listens there: give that one another address first, in an apply of its own"
            )),
            None => refusal,
        }
    }

    /// The listener that keeps another from an address.
    fn holder(
        &self,
        but: &wharf_gateway::ListenerName,
        address: SocketAddr,
    ) -> Option<wharf_gateway::ListenerName> {
        let overlaps = |held: SocketAddr| {
            let everywhere = held.ip().is_unspecified() || address.ip().is_unspecified();
            held.port() == address.port() && (everywhere || held.ip() == address.ip())
        };
        let open = self.gateway.listeners().into_iter();
        let mut others = open.filter(|status| status.name != *but);
        others
            .find(|status| overlaps(status.address))
            .map(|status| status.name)
    }

    /// Changes those that are open, all at once: one may go where another is that goes elsewhere.
    fn change_ahead(
        &self,
        state: &mut State,
        wanted: Vec<Wanted>,
        ahead: &mut Ahead,
    ) -> Result<(), ListenerError> {
        let specs: Vec<ListenerSpec> = wanted.iter().map(|wanted| wanted.spec.clone()).collect();
        self.gateway.reconfigure_all(&specs)?;
        for Wanted { name, before, spec } in wanted {
            state.listeners.insert(name.clone(), Opened::as_wanted(spec));
            state.ahead.insert(name.clone());
            ahead.before.push((name, before));
        }
        Ok(())
    }

    /// Does all that may fail. They let clients in with the rules that are put in force next.
    fn bind_ahead(
        &self,
        state: &mut State,
        wanted: Vec<Wanted>,
        ahead: &mut Ahead,
    ) -> Result<(), ListenerError> {
        for Wanted { name, before, spec } in wanted {
            let bound = self.gateway.bind(spec)?;
            state.bound.insert(name.clone(), bound);
            state.ahead.insert(name.clone());
            ahead.before.push((name, before));
        }
        Ok(())
    }

    /// Tries the listeners again that are not as they shall be. Says what is new: an error that wasn't there before, or
    /// that one listens now.
    pub fn retry_listeners(&self) -> Vec<(ListenerName, Option<String>)> {
        let mut state = self.lock();
        let objects = state.objects.clone();
        let failed: Vec<(ListenerName, Opened)> = state
            .listeners
            .iter()
            .filter(|(name, opened)| opened.error.is_some() && !state.ahead.contains(*name))
            .map(|(name, opened)| (name.clone(), opened.clone()))
            .collect();
        let mut news = Vec::new();
        for (name, before) in failed {
            let Ok(spec) = self.spec(&name, objects.listeners.get(&name).map(|listener| &**listener)) else {
                continue;
            };
            let opened = self.open(Some(&before), spec);
            if opened.error != before.error {
                news.push((name.clone(), opened.error.clone()));
            }
            state.listeners.insert(name, opened);
        }
        news
    }

    /// Every listener there is to be, by name.
    pub fn listeners(&self) -> Vec<ListenerState> {
        let open = self.gateway.listeners();
        let state = self.lock();
        let each = state.listeners.iter().map(|(name, opened)| {
            let status = open.iter().find(|status| status.name.as_str() == name.as_str());
            ListenerState {
                name: name.clone(),
                applied: state.objects.listeners.get(name).cloned(),
                address: status.map(|status| status.address),
                connections: status.map_or(0, |status| status.connections),
                error: opened
                    .error
                    .clone()
                    .or_else(|| status.and_then(|status| status.renewal_error.clone())),
            }
        });
        each.collect()
    }

    /// Opens and changes listeners before rules need them, and begins to close those that are gone.
    pub(super) fn listen(&self, state: &mut State, scene: &Scene) -> Result<(), NameError> {
        let wanted = scene.listeners();
        for (name, listener) in &wanted {
            if state.ahead.contains(*name) {
                continue;
            }
            let spec = self.spec(name, *listener)?;
            let before = state.listeners.get(*name);
            if before.is_some_and(|before| before.open.as_ref() == Some(&spec)) {
                continue;
            }
            let opened = match state.bound.remove(*name) {
                Some(bound) => opened(self.gateway.open_bound(bound), spec, None),
                None => self.open(before, spec),
            };
            state.listeners.insert((*name).clone(), opened);
        }
        let gone = |name: &ListenerName| !wanted.contains_key(name);
        let gone: Vec<ListenerName> = state
            .listeners
            .keys()
            .filter(|name| gone(name))
            .cloned()
            .collect();
        for name in gone {
            if state
                .listeners
                .remove(&name)
                .is_some_and(|opened| opened.open.is_some())
            {
                self.close(&name);
            }
        }
        Ok(())
    }

    /// Opens a listener, or changes the one that is open. One that can't be changed goes on as it was.
    fn open(&self, before: Option<&Opened>, spec: ListenerSpec) -> Opened {
        let open = before.and_then(|before| before.open.clone());
        let done = match open {
            Some(_) => self.gateway.reconfigure(&spec),
            None => self.gateway.open(spec.clone()),
        };
        opened(done, spec, open)
    }

    /// Stops listening at once; what is under way may finish.
    fn close(&self, name: &ListenerName) {
        let gateway = self.gateway.clone();
        let Ok(name) = wharf_gateway::ListenerName::new(name.as_str()) else {
            return;
        };
        let _context = self.control.enter();
        let mut closing: Pin<Box<_>> = Box::pin(async move {
            // There is one: it is open.
            let _ = gateway.close(&name, LISTENER_GRACE).await;
        });
        // Its name is free when this returns: the next of that name may be opened.
        if Future::poll(closing.as_mut(), &mut Context::from_waker(Waker::noop())).is_pending() {
            self.control.spawn(closing);
        }
    }

    fn spec(&self, name: &ListenerName, listener: Option<&Listener>) -> Result<ListenerSpec, NameError> {
        let gateways = wharf_gateway::ListenerName::new(name.as_str())?;
        let Some(listener) = listener else {
            return Ok(ListenerSpec::http(gateways, self.http));
        };
        Ok(ListenerSpec {
            name: gateways,
            address: listener.address.unwrap_or(self.http),
            tls: listener.tls.clone(),
            limits: listener.limits.clone(),
            forwarding: listener.forwarding.clone(),
            desync: listener.desync,
        })
    }
}

impl Ahead {
    /// Puts what was applied in force, and says how long that took. What was opened stays open.
    ///
    /// # Errors
    /// Why not; what was in force before still is.
    pub fn take_over(mut self, objects: Arc<Objects>) -> Result<Duration, Refusal> {
        let since = Instant::now();
        let mut state = self.edge.lock();
        for (name, _) in &self.before {
            state.ahead.remove(name);
        }
        self.edge.take_over_in(&mut state, objects)?;
        drop(state);
        self.before.clear();
        Ok(since.elapsed())
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let before = std::mem::take(&mut self.before);
        let mut state = self.edge.lock();
        let (mut back, mut specs) = (Vec::new(), Vec::new());
        for (name, before) in before.into_iter().rev() {
            state.ahead.remove(&name);
            if state.bound.remove(&name).is_some() {
                continue;
            }
            let Some(now) = state.listeners.remove(&name) else {
                continue;
            };
            match before {
                Some(Opened { open: Some(spec), .. }) => {
                    specs.push(spec.clone());
                    back.push((name, now, spec));
                }
                before => {
                    self.edge.close(&name);
                    state.listeners.extend(before.map(|before| (name, before)));
                }
            }
        }
        let all_at_once = self.edge.gateway.reconfigure_all(&specs).is_ok();
        for (name, now, spec) in back {
            let opened = match all_at_once {
                true => Opened::as_wanted(spec),
                // As many as can be.
                false => self.edge.open(Some(&now), spec),
            };
            state.listeners.insert(name, opened);
        }
    }
}

/// What came of trying; `before` is as it is open else.
fn opened(
    done: Result<SocketAddr, ListenerError>,
    spec: ListenerSpec,
    before: Option<ListenerSpec>,
) -> Opened {
    match done {
        Ok(_) => Opened::as_wanted(spec),
        Err(error) => Opened {
            open: before,
            error: Some(said(&error)),
        },
    }
}

/// The error with its causes, in one line.
fn said(error: &ListenerError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
