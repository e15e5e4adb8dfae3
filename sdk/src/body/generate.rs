//! A stream of what a function sends. The function runs when the stream is asked for more, and one item at a time is
//! between the two, so that it goes no faster than what it sends is taken.

use crate::body::Cause;
use crate::{Error, Result};
use futures_core::Stream;
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Where a function that makes a body puts its chunks, or its events.
pub struct Sender<T>(Rc<RefCell<Slot<T>>>);

struct Slot<T> {
    item: Option<T>,
    /// Of the function, when it waits for the item to be taken.
    waiting: Option<Waker>,
}

impl<T> Sender<T> {
    /// Sends an item, and waits until it is taken. When the client leaves, this does not return: the function is
    /// dropped where it is.
    pub async fn send(&self, item: impl Into<T>) {
        self.taken().await;
        self.0.borrow_mut().item = Some(item.into());
        self.taken().await;
    }

    async fn taken(&self) {
        poll_fn(|cx| {
            let mut slot = self.0.borrow_mut();
            if slot.item.is_none() {
                return Poll::Ready(());
            }
            slot.waiting = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

type Function = Pin<Box<dyn Future<Output = Result<()>>>>;

pub(crate) struct Generated<T> {
    slot: Rc<RefCell<Slot<T>>>,
    /// None when it has returned.
    function: Option<Function>,
    failed: Option<Cause>,
}

impl<T: 'static> Generated<T> {
    pub(crate) fn new<F>(function: F) -> Self
    where
        F: AsyncFnOnce(Sender<T>) -> Result<()> + 'static,
    {
        let slot = Rc::new(RefCell::new(Slot {
            item: None,
            waiting: None,
        }));
        let sender = Sender(Rc::clone(&slot));
        Self {
            slot,
            function: Some(Box::pin(async move { function(sender).await })),
            failed: None,
        }
    }
}

impl<T> Stream for Generated<T> {
    type Item = Result<T, Cause>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(function) = &mut self.function
            && let Poll::Ready(ended) = function.as_mut().poll(cx)
        {
            self.function = None;
            self.failed = ended.err().map(Error::into_cause);
        }
        let mut slot = self.slot.borrow_mut();
        let (item, waiting) = (slot.item.take(), slot.waiting.take());
        drop(slot);
        if let Some(item) = item {
            waiting.inspect(Waker::wake_by_ref);
            return Poll::Ready(Some(Ok(item)));
        }
        if self.function.is_some() {
            return Poll::Pending;
        }
        Poll::Ready(self.failed.take().map(Err))
    }
}
