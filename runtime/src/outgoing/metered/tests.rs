use std::time::Duration;

use super::*;
use crate::cpu::{Clock, OverBudget};
use crate::size::CpuUnits;

const WORK: Duration = Duration::from_millis(5);

/// Uses so much CPU.
fn work() {
    let begin = thread_time();
    while Duration::from_nanos(thread_time() - begin) < WORK {}
}

#[tokio::test]
async fn every_poll_is_the_account_s() {
    let units = CpuUnits::new(1024).unwrap();
    let account = Arc::new(CpuAccount::new(units, OverBudget::Pause, Clock::start()));
    let metered = Metered::new(Arc::clone(&account));
    metered
        .meter(async {
            work();
            tokio::task::yield_now().await;
            work();
        })
        .await;
    assert!(account.used() >= 2 * WORK, "{:?}", account.used());

    let (done, has_ended) = tokio::sync::oneshot::channel();
    hyper::rt::Executor::execute(&metered, async move {
        work();
        // The poll is charged when it has returned.
        tokio::task::yield_now().await;
        done.send(()).unwrap();
    });
    has_ended.await.unwrap();
    assert!(account.used() >= 3 * WORK, "{:?}", account.used());
}
