//! What is said of a run on standard error while it goes on: what its tasks wait for, which attempts failed, and why the
//! whole failed. A run that does neither is as silent as any program.

use std::collections::BTreeMap;

use wharf_control::api::types::{Attempt, Run, RunState, StopCode, TaskStatus};

use crate::output;

/// What was said so far, by task.
#[derive(Default)]
pub(super) struct Told {
    attempts: BTreeMap<String, Said>,
}

#[derive(Default)]
struct Said {
    waited: bool,
    last: String,
    failed: bool,
}

impl Told {
    /// Says what is new; the attempts that are.
    #[expect(clippy::print_stderr, reason = "standard output is the job's")]
    pub(super) fn tell(&mut self, run: &Run) -> Vec<Attempt> {
        let mut new = Vec::new();
        for attempt in &run.attempts {
            let said = self.attempts.entry(attempt.task_id.clone()).or_insert_with(|| {
                new.push(attempt.clone());
                Said::default()
            });
            for line in said.of_attempt(run, attempt) {
                eprintln!("{line}");
            }
        }
        if let Some(line) = of_end(run) {
            eprintln!("{line}");
        }
        new
    }
}

impl Said {
    /// Until it runs, each state that has a reason, and then how the wait went on; and that it failed, where there is
    /// more to come.
    fn of_attempt(&mut self, run: &Run, attempt: &Attempt) -> Vec<String> {
        let mut lines = Vec::new();
        let begins = matches!(
            attempt.last_status,
            TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating
        );
        let waits = begins && attempt.reason.is_some();
        let text = state(run, attempt);
        if (waits || self.waited) && text != self.last {
            lines.push(text.clone());
            self.last = text;
        }
        self.waited = begins && (self.waited || waits);
        let succeeded =
            attempt.stop_code == Some(StopCode::EssentialContainerExited) && attempt.exit_code == Some(0);
        let has_failed = attempt.last_status == TaskStatus::Stopped && !succeeded;
        if has_failed && !self.failed && is_followed(run, attempt) {
            self.failed = true;
            lines.push(failure(run, attempt));
        }
        lines
    }
}

/// Whether another attempt follows. One that was over before anybody looked, with all that followed it, did so too.
fn is_followed(run: &Run, attempt: &Attempt) -> bool {
    let later = |other: &Attempt| other.index == attempt.index && other.attempt > attempt.attempt;
    // A run that is being cancelled says why before it has ended.
    let goes_on = run.state == RunState::InProgress && run.reason.is_none();
    let is_to_come = goes_on && attempt.attempt <= run.retries;
    is_to_come || run.attempts.iter().any(later)
}

/// Where there were several tasks or attempts, an exit code says too little.
fn of_end(run: &Run) -> Option<String> {
    let is_plain = run.count == 1 && run.attempts.len() <= 1;
    let reason = run
        .reason
        .as_ref()
        .filter(|_| run.state == RunState::Failed && !is_plain)?;
    Some(format!("run {} failed: {}", run.name, output::harmless(reason)))
}

/// `job report-01234567 is PENDING: there is no secret …`
fn state(run: &Run, attempt: &Attempt) -> String {
    let text = format!(
        "job {}-{} is {}",
        run.job_name,
        attempt.short_id,
        output::name(&attempt.last_status)
    );
    match &attempt.reason {
        Some(reason) => format!("{text}: {}", output::harmless(reason)),
        None => text,
    }
}

fn failure(run: &Run, attempt: &Attempt) -> String {
    let reason = attempt.stopped_reason.as_deref().unwrap_or("it stopped");
    let task = match run.count {
        1 => String::new(),
        _ => format!("task {}, ", attempt.index),
    };
    format!(
        "job {}-{} ({task}attempt {} of {}) failed: {}; another follows",
        run.job_name,
        attempt.short_id,
        attempt.attempt,
        run.retries.saturating_add(1),
        output::harmless(reason)
    )
}
