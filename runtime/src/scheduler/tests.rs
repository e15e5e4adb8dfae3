use super::*;
use crate::cpu::thread_time;
use crate::size::CpuUnits;

/// Burns CPU in slices, charging itself, until `stop`.
async fn spin(account: Arc<CpuAccount>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let begin = thread_time();
        while thread_time() - begin < 1_000_000 {
            std::hint::spin_loop();
        }
        account.charge(thread_time() - begin);
        tokio::task::yield_now().await;
    }
}

struct Bench {
    scheduler: Scheduler,
    clock: Clock,
    stop: Arc<AtomicBool>,
    handles: Vec<JobHandle>,
}

impl Bench {
    fn new(threads: usize) -> Self {
        let clock = Clock::start();
        let scheduler = Scheduler::start(threads, clock, &tokio::runtime::Handle::current()).unwrap();
        Self {
            scheduler,
            clock,
            stop: Arc::default(),
            handles: Vec::new(),
        }
    }

    fn spinner(&mut self, units: u32, over: OverBudget, jobs: usize) -> Arc<CpuAccount> {
        let account = Arc::new(CpuAccount::new(CpuUnits::new(units).unwrap(), over, self.clock));
        for _ in 0..jobs {
            let future = Box::pin(spin(Arc::clone(&account), Arc::clone(&self.stop)));
            self.handles.push(self.scheduler.spawn(&account, future));
        }
        account
    }

    async fn until(&self, mut condition: impl FnMut() -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while !condition() {
            assert!(
                tokio::time::Instant::now() < deadline,
                "the condition did not come true"
            );
            tokio::task::yield_now().await;
            tokio::time::timeout(Duration::from_millis(5), std::future::pending::<()>())
                .await
                .unwrap_err();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_machine_is_shared_in_proportion_whatever_the_number_of_jobs() {
    let mut bench = Bench::new(1);
    // 6 vCPUs wanted on one thread; the small one has many jobs, the large one a single one.
    let small = bench.spinner(1024, OverBudget::Pause, 5);
    let large = bench.spinner(4096, OverBudget::Pause, 1);
    bench
        .until(|| small.used() + large.used() > Duration::from_millis(500))
        .await;
    let ratio = large.used().as_secs_f64() / small.used().as_secs_f64();
    assert!((3.5..4.5).contains(&ratio), "{ratio}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_task_over_its_cap_is_paused_although_the_machine_is_idle() {
    let mut bench = Bench::new(2);
    let account = bench.spinner(102, OverBudget::Pause, 3);
    bench
        .until(|| account.throttled() > Duration::from_millis(500))
        .await;
    let wall = bench.clock.now() as f64 / 1e9;
    let share = account.used().as_secs_f64() / wall;
    assert!(share < 0.16, "{share}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bursting_tasks_take_what_is_left_and_only_that() {
    let mut bench = Bench::new(1);
    let burst = bench.spinner(64, OverBudget::RunWhenIdle, 1);
    bench.until(|| burst.used() > Duration::from_millis(100)).await;
    assert_eq!(burst.throttled(), Duration::ZERO);
    let before = burst.used();
    let steady = bench.spinner(1024, OverBudget::Pause, 1);
    bench.until(|| steady.used() > Duration::from_millis(300)).await;
    let gained = (burst.used() - before).as_secs_f64();
    assert!(
        gained < steady.used().as_secs_f64() / 3.0,
        "{gained} s beside {:?}",
        steady.used()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bursting_task_does_not_upset_the_others_shares() {
    let mut bench = Bench::new(1);
    let old = bench.spinner(4096, OverBudget::Pause, 3);
    let burst = bench.spinner(8, OverBudget::RunWhenIdle, 1);
    bench.until(|| old.used() > Duration::from_millis(200)).await;
    let before = old.used();
    let new = bench.spinner(4096, OverBudget::Pause, 1);
    bench.until(|| new.used() > Duration::from_millis(200)).await;
    let ratio = (old.used() - before).as_secs_f64() / new.used().as_secs_f64();
    assert!(
        (0.6..1.7).contains(&ratio),
        "{ratio}; the burst used {:?}",
        burst.used()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_job_wakes_finishes_and_is_cancelled_when_its_handle_goes() {
    let bench = Bench::new(1);
    let account = Arc::new(CpuAccount::new(
        CpuUnits::new(1024).unwrap(),
        OverBudget::Pause,
        bench.clock,
    ));
    let (send, receive) = oneshot::channel::<()>();
    let waits = bench
        .scheduler
        .spawn(&account, Box::pin(async move { receive.await.unwrap() }));
    send.send(()).unwrap();
    waits.await;

    let (guard, mut dropped) = oneshot::channel::<()>();
    let forever = bench.scheduler.spawn(
        &account,
        Box::pin(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        }),
    );
    drop(forever);
    bench
        .until(|| dropped.try_recv() == Err(oneshot::error::TryRecvError::Closed))
        .await;
    bench
        .until(|| account.active_jobs.load(Ordering::Relaxed) == 0)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_running_job_is_cancelled_when_its_slice_ends() {
    let mut bench = Bench::new(1);
    let account = bench.spinner(1024, OverBudget::Pause, 1);
    bench.until(|| account.used() > Duration::from_millis(5)).await;
    bench.handles.clear();
    bench
        .until(|| account.active_jobs.load(Ordering::Relaxed) == 0)
        .await;
}
