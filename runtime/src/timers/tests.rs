use super::poll::{Host as _, HostPollable as _};
use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// An instance's table and timers.
struct Instance {
    table: ResourceTable,
    timers: Timers,
    stop: CancellationToken,
}

impl Instance {
    fn new() -> Self {
        let stop = CancellationToken::new();
        Self {
            table: ResourceTable::new(),
            timers: Timers::new(stop.clone()),
            stop,
        }
    }

    fn timer(&mut self, wait: Duration) -> Resource<DynPollable> {
        self.timers.start(&mut self.table, wait).unwrap()
    }

    fn polling(&mut self) -> Polling<'_> {
        let Self { table, timers, .. } = self;
        Polling { table, timers }
    }

    /// Which were ready first, and after how long.
    async fn poll(
        &mut self,
        pollables: impl IntoIterator<Item = &Resource<DynPollable>>,
    ) -> (Vec<u32>, Duration) {
        let begin = Instant::now();
        let pollables = pollables.into_iter().map(same).collect();
        let ready = self.polling().poll(pollables).await.unwrap();
        (ready, begin.elapsed())
    }
}

fn same(pollable: &Resource<DynPollable>) -> Resource<DynPollable> {
    Resource::new_borrow(pollable.rep())
}

struct Never;

#[wasmtime_wasi::async_trait]
impl Pollable for Never {
    async fn ready(&mut self) {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_sleep_that_is_under_way_and_no_later_one() {
    let mut instance = Instance::new();
    let (first, second) = (instance.timer(HOUR), instance.timer(2 * HOUR));
    let stop = instance.stop.clone();
    let (woken, ()) = tokio::join!(instance.poll([&first, &second]), async { stop.cancel() });
    assert_eq!(woken, (vec![0, 1], Duration::ZERO));
    // What woke it stays so: language runtimes ask again.
    assert!(instance.polling().ready(same(&first)).await.unwrap());
    let later = instance.timer(HOUR);
    assert_eq!(instance.poll([&later]).await, (vec![0], HOUR));
}

#[tokio::test(start_paused = true)]
async fn a_stop_between_two_sleeps_ends_the_next_one() {
    let mut instance = Instance::new();
    let over = instance.timer(HOUR);
    assert_eq!(instance.poll([&over]).await, (vec![0], HOUR));
    instance.stop.cancel();
    // It is over by itself: not what the stop is for.
    assert_eq!(instance.poll([&over]).await, (vec![0], Duration::ZERO));
    let (next, begin) = (instance.timer(HOUR), Instant::now());
    instance.polling().block(same(&next)).await.unwrap();
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_timer_beside_something_else_keeps_its_time() {
    let mut instance = Instance::new();
    let never = instance.table.push(Never).unwrap();
    let never = subscribe(&mut instance.table, never).unwrap();
    let limit = instance.timer(HOUR);
    instance.stop.cancel();
    assert_eq!(instance.poll([&never, &limit]).await, (vec![1], HOUR));
}

#[tokio::test(start_paused = true)]
async fn times_too_far_away_never_come_but_end_with_a_stop() {
    let mut instance = Instance::new();
    let far = instance.timer(Duration::MAX);
    let century = tokio::time::timeout(876_000 * HOUR, instance.poll([&far]));
    century.await.unwrap_err();
    instance.stop.cancel();
    assert_eq!(instance.poll([&far]).await, (vec![0], Duration::ZERO));
}

#[test]
fn timers_are_forgotten_with_their_handles() {
    let mut instance = Instance::new();
    let timer = instance.timer(HOUR);
    poll::HostPollable::drop(&mut instance.polling(), timer).unwrap();
    assert!(instance.timers.behind.is_empty());
    assert!(instance.table.is_empty());
}
