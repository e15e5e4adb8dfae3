//! A machine of one core whose clock is the test's: what each task gets is exact, whatever else the host does.

use std::time::Duration;

use super::*;
use crate::cpu::{Clock, SLICE};
use crate::scheduler::{JobState, Mutex, Phase, Weak};
use crate::size::CpuUnits;

struct Machine {
    clock: Clock,
    lanes: Lanes,
    floor: u64,
    /// How much later than asked for the core wakes from a pause.
    late: Duration,
}

impl Machine {
    fn new() -> Self {
        Self {
            clock: Clock::start(),
            lanes: Lanes::default(),
            floor: 0,
            late: Duration::ZERO,
        }
    }

    /// A task whose jobs want to run for ever.
    fn spinner(&mut self, units: u32, jobs: usize) -> Arc<CpuAccount> {
        let units = CpuUnits::new(units).unwrap();
        let account = Arc::new(CpuAccount::new(units, OverBudget::Pause, self.clock));
        for _ in 0..jobs {
            let job = Arc::new(Job {
                shared: Weak::new(),
                account: Arc::clone(&account),
                state: Mutex::new(JobState {
                    phase: Phase::Queued,
                    future: None,
                    done: None,
                }),
            });
            self.lanes.push(job, self.floor);
        }
        account
    }

    /// Lets a minute pass.
    async fn run(&mut self) {
        while self.clock.now() < MINUTE.as_nanos() as u64 {
            let now = self.clock.now();
            self.lanes.resume(now);
            if let Some((job, time)) = self.lanes.pick(now) {
                self.floor = self.floor.max(time.unwrap_or(0));
                tokio::time::advance(SLICE).await;
                job.account.charge(SLICE.as_nanos() as u64);
                self.lanes.push(job, self.floor);
            } else {
                let pause = Duration::from_nanos(self.lanes.next_resume().unwrap() - now);
                tokio::time::advance(pause + self.late).await;
            }
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// What a task got of the core, in parts of its share of it.
fn got(account: &CpuAccount, units: u32) -> f64 {
    account.used().as_secs_f64() / MINUTE.as_secs_f64() / (f64::from(units) / 1024.0)
}

#[tokio::test(start_paused = true)]
async fn a_task_alone_gets_its_share() {
    for (units, jobs) in [(16, 1), (64, 3), (256, 1), (300, 8), (1024, 2)] {
        let mut machine = Machine::new();
        let account = machine.spinner(units, jobs);
        machine.run().await;
        let got = got(&account, units);
        assert!(
            (0.97..1.03).contains(&got),
            "{units} units got {got} of their share"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_wakes_late_takes_nothing_away() {
    for units in [256, 512] {
        let mut machine = Machine::new();
        machine.late = Duration::from_millis(20);
        let account = machine.spinner(units, 1);
        machine.run().await;
        let got = got(&account, units);
        assert!(
            (0.97..1.03).contains(&got),
            "{units} units got {got} of their share"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_that_fit_beside_each_other_all_get_their_shares() {
    let mut machine = Machine::new();
    let sizes = [(64, 1), (192, 16), (256, 1), (448, 4)];
    let tasks: Vec<_> = sizes
        .iter()
        .map(|(units, jobs)| (*units, machine.spinner(*units, *jobs)))
        .collect();
    machine.run().await;
    for (units, account) in tasks {
        let got = got(&account, units);
        assert!(
            (0.95..1.03).contains(&got),
            "{units} units got {got} of their share"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_machine_cuts_every_share_alike() {
    let mut machine = Machine::new();
    let tasks = [(512, 9), (512, 1), (1024, 1), (2048, 2)].map(|(units, jobs)| {
        let account = machine.spinner(units, jobs);
        (units, account)
    });
    machine.run().await;
    // 4 vCPUs are wanted of one.
    for (units, account) in tasks {
        let got = got(&account, units);
        assert!(
            (0.24..0.26).contains(&got),
            "{units} units got {got} of their share"
        );
    }
}
