//! Where the events of the `tracing` crate go. Its own subscribers are five times as large.

use super::level;
use super::line::{Fields, Line};
use crate::host;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Event, Interest, Metadata, Subscriber};

/// Writes each event as a line.
#[derive(Debug)]
pub(super) struct Lines;

struct Span {
    id: u64,
    metadata: &'static Metadata<'static>,
    json: String,
    handles: usize,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);
/// There are few of them, so they are looked for one by one.
static SPANS: Mutex<Spans> = Mutex::new(Spans(Vec::new()));

struct Spans(Vec<Span>);

impl Spans {
    fn lock() -> MutexGuard<'static, Self> {
        SPANS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&mut self, id: u64) -> Option<&mut Span> {
        self.0.iter_mut().find(|span| span.id == id)
    }
}

thread_local! {
    /// Those that are entered, the innermost last.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl Subscriber for Lines {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= level()
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let span = Span {
            id,
            metadata: attributes.metadata(),
            json: fields.json,
            handles: 1,
        };
        Spans::lock().0.push(span);
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(span) = Spans::lock().get(id.into_u64()) {
            span.json.push_str(&fields.json);
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let mut line = Line::new(&metadata.level().as_str().to_ascii_lowercase());
        line.text("message", &fields.message);
        line.text("target", metadata.target());
        line.request();
        let (names, outer) = entered();
        if !names.is_empty() {
            line.text("span", &names);
        }
        line.fields(&(outer + &fields.json));
        host::log_line(line.finish());
    }

    fn enter(&self, id: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(id.into_u64()));
    }

    fn exit(&self, id: &Id) {
        ENTERED.with_borrow_mut(|entered| {
            if let Some(at) = entered.iter().rposition(|entered| *entered == id.into_u64()) {
                entered.remove(at);
            }
        });
    }

    fn clone_span(&self, id: &Id) -> Id {
        if let Some(span) = Spans::lock().get(id.into_u64()) {
            span.handles += 1;
        }
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut spans = Spans::lock();
        let Some(span) = spans.get(id.into_u64()) else {
            return false;
        };
        span.handles -= 1;
        let last = span.handles == 0;
        spans.0.retain(|span| span.handles > 0);
        last
    }

    fn current_span(&self) -> Current {
        let innermost = ENTERED.with_borrow(|entered| entered.last().copied());
        let known = innermost.and_then(|id| Some((id, Spans::lock().get(id)?.metadata)));
        known.map_or_else(Current::none, |(id, metadata)| {
            Current::new(Id::from_u64(id), metadata)
        })
    }
}

/// The names of the spans that are entered, and their fields, the outermost first.
fn entered() -> (String, String) {
    let ids = ENTERED.with_borrow(Clone::clone);
    let mut spans = Spans::lock();
    let (mut names, mut json) = (String::new(), String::new());
    for id in ids {
        let Some(span) = spans.get(id) else { continue };
        if !names.is_empty() {
            names.push(':');
        }
        names.push_str(span.metadata.name());
        json.push_str(&span.json);
    }
    (names, json)
}
