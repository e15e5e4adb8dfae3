//! Whether the client of an HTTP/2 stream takes its response.
//!
//! hyper asks a response's body for its next piece only once the client has room for the one before; until then nobody
//! polls the body, nor any bound that it or its target keeps, and nothing is written that could block. So the body notes when it
//! has something for the client, and the stream's task, which [`Streams`] starts, keeps the time and gives the stream
//! up: it is reset, and all that it held is free. The connection and its other streams go on.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Poll, ready},
    time::Duration,
};

use hyper::rt::Executor;
use tokio::time::{Instant, Sleep, sleep_until};

use super::pace::Mark;

tokio::task_local! {
    static TAKING: Arc<Taking>;
}

/// Since when the client of one stream has had something to take.
#[derive(Debug)]
pub(crate) struct Taking {
    born: Instant,
    offered: Mark,
    given_up: AtomicBool,
}

impl Taking {
    fn new() -> Self {
        Self {
            born: Instant::now(),
            offered: Mark::default(),
            given_up: AtomicBool::new(false),
        }
    }

    /// Of the stream whose task this is; none for HTTP/1.
    pub(crate) fn current() -> Option<Arc<Self>> {
        TAKING.try_with(Arc::clone).ok()
    }

    /// There is something for the client, and it took what was before.
    pub(crate) fn offer(&self) {
        let passed = self.born.elapsed().as_millis();
        self.offered.set(u64::try_from(passed).unwrap_or(u64::MAX - 1));
    }

    /// There is nothing now: the target has to go on, or it was all.
    pub(crate) fn withdraw(&self) {
        self.offered.clear();
    }

    /// Whether the client took too long.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Relaxed)
    }

    fn since(&self) -> Option<Instant> {
        Some(self.born + Duration::from_millis(self.offered.get()?))
    }
}

/// Runs the streams of a connection, each on a task of its own.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    /// The longest time a client may take nothing of what there is for it.
    pub(super) write_timeout: Duration,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let taking = Arc::new(Taking::new());
        let run = run(stream, taking.clone(), self.write_timeout);
        tokio::spawn(TAKING.scope(taking, run));
    }
}

/// Polls a stream to its end, or until its client has taken nothing for too long.
async fn run(stream: impl Future<Output = ()>, taking: Arc<Taking>, allowed: Duration) {
    let mut stream = pin!(stream);
    // Made for who has to wait; set anew when it goes off rather than with every piece.
    let mut alarm: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        loop {
            let Some(since) = taking.since() else {
                return Poll::Pending;
            };
            let due = since + allowed;
            let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
            ready!(alarm.as_mut().poll(cx));
            if Instant::now() >= due {
                taking.given_up.store(true, Relaxed);
                return Poll::Ready(());
            }
            alarm.as_mut().reset(due);
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const ALLOWED: Duration = Duration::from_secs(60);

    /// After how many seconds a stream ends that does this, and whether it was given up.
    async fn ends(stream: impl AsyncFnOnce(&Taking)) -> (u64, bool) {
        let taking = Arc::new(Taking::new());
        let begun = Instant::now();
        run(stream(&taking), taking.clone(), ALLOWED).await;
        (begun.elapsed().as_secs(), taking.is_given_up())
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_client_that_takes_nothing_is_given_up() {
        let target_thinks = ends(async |_| sleep(ALLOWED * 10).await).await;
        assert_eq!(target_thinks, (600, false));
        let client_stops = ends(async |taking| {
            sleep(ALLOWED * 2).await;
            taking.offer();
            std::future::pending().await
        });
        assert_eq!(client_stops.await, (180, true));
        let client_is_slow = ends(async |taking| {
            for _ in 0..5 {
                taking.offer();
                sleep(Duration::from_secs(50)).await;
            }
        });
        assert_eq!(client_is_slow.await, (250, false));
        let target_stops = ends(async |taking| {
            taking.offer();
            sleep(Duration::from_secs(50)).await;
            taking.withdraw();
            sleep(ALLOWED * 2).await;
            taking.offer();
            std::future::pending().await
        });
        assert_eq!(target_stops.await, (50 + 120 + 60, true));
    }
}
