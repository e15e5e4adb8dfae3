use super::*;

const MS: u64 = 1_000_000;

fn bucket(units: u32) -> Bucket {
    Bucket::full(CpuUnits::new(units).unwrap(), 0)
}

#[test]
fn a_full_bucket_holds_one_period_and_then_pauses_for_a_slice() {
    let mut bucket = bucket(256);
    assert_eq!(bucket.budget(0, 1), Budget::Within);
    bucket.charge(24 * MS, 0);
    assert_eq!(bucket.budget(0, 1), Budget::Within);
    bucket.charge(MS, 0);
    assert_eq!(bucket.budget(0, 1), Budget::Spent { resume_at: 4 * MS });
    assert_eq!(bucket.budget(4 * MS, 1), Budget::Within);
}

#[test]
fn debt_is_paid_back_before_the_task_runs_again() {
    let mut bucket = bucket(512);
    bucket.charge(60 * MS, 0);
    assert_eq!(
        bucket.budget(0, 1),
        Budget::Spent {
            resume_at: 2 * 11 * MS
        }
    );
    assert_eq!(bucket.budget(22 * MS, 1), Budget::Within);
}

#[test]
fn an_idle_task_saves_no_more_than_one_period() {
    let mut bucket = bucket(1024);
    bucket.charge(50 * MS, 0);
    assert_eq!(bucket.credit(0), 0.5);
    assert_eq!(bucket.credit(10_000 * MS), 1.0);
    assert_eq!(bucket.balance, 100 * MS as i64);
}

#[test]
fn the_smallest_share_still_runs_a_slice_at_a_time() {
    let mut bucket = bucket(1);
    bucket.charge(MS, 0);
    let Budget::Spent { resume_at } = bucket.budget(0, 1) else {
        panic!("one slice is all there is")
    };
    assert_eq!(resume_at, 1024 * MS);
    // Looking often must not lose the fractions earned in between.
    for micros in 1..=1_024_000 {
        bucket.refill(micros * 1000);
    }
    assert!(bucket.balance > MS as i64 * 99 / 100, "{}", bucket.balance);
}

#[test]
fn over_a_long_run_a_spinning_task_gets_its_share() {
    for units in [1, 64, 256, 300, 1024] {
        let mut bucket = bucket(units);
        let (mut now, mut used) = (0, 0);
        while now < 60_000 * MS {
            match bucket.budget(now, 1) {
                Budget::Within => {
                    now += MS;
                    used += MS;
                    bucket.charge(MS, now);
                }
                Budget::Spent { resume_at } => now = resume_at,
            }
        }
        let share = used as f64 / now as f64;
        let wanted = f64::from(units) / 1024.0;
        assert!((share / wanted - 1.0).abs() < 0.03, "{units}: {share}");
    }
}

#[test]
fn virtual_time_runs_faster_for_smaller_shares() {
    let clock = Clock::start();
    let small = CpuAccount::new(CpuUnits::new(128).unwrap(), OverBudget::Pause, clock);
    let large = CpuAccount::new(CpuUnits::new(512).unwrap(), OverBudget::Pause, clock);
    small.charge(MS);
    large.charge(4 * MS);
    assert_eq!(small.virtual_time(), large.virtual_time());
    assert_eq!(large.used(), Duration::from_millis(4));
}

#[test]
fn a_bursting_task_builds_no_debt() {
    let account = CpuAccount::new(CpuUnits::new(1).unwrap(), OverBudget::RunWhenIdle, Clock::start());
    account.charge(60_000 * MS);
    if let Budget::Spent { resume_at } = account.budget() {
        assert!(resume_at < 5_000 * MS, "{resume_at}");
    }
}
