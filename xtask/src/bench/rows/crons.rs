//! A thousand jobs that are due in the same minute: how long after it the last of them runs.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::tz::TimeZone;
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};
use serde_json::Value;

use super::{Bench, Row, Stage, component, row};

/// Jobs that are due at once.
const JOBS: usize = 1000;

/// All of them have to run within the minute they are due in, in seconds.
const MOST: f64 = 60.0;

/// How long deploying them takes at most; they are due in the minute after it.
const DEPLOYING: SignedDuration = SignedDuration::from_secs(180);

/// How long after that the last is waited for.
const PATIENCE: SignedDuration = SignedDuration::from_secs(300);

const LOOK: Duration = Duration::from_secs(1);

pub(crate) fn run(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let stage = bench.stage()?;
    let due = (Timestamp::now() + DEPLOYING)
        .round(TimestampRound::new().smallest(Unit::Minute).mode(RoundMode::Ceil))?;
    println!("deploying {JOBS} jobs that are due at {due} …");
    let at = due.to_zoned(TimeZone::UTC);
    let component = component("report");
    for number in 0..JOBS {
        let text = format!(
            "name = \"cron-{number}\"\n[task]\ncomponent = {component:?}\nargs = [\"--help\"]\ncpu = 1\nmemory = \"16MiB\"\n\
             [job]\nschedule = \"{} {} * * *\"\n",
            at.minute(),
            at.hour()
        );
        let path = stage.data.path().join("cron.toml");
        std::fs::write(&path, text)?;
        let output = stage.server.output(&["deploy", &path.display().to_string()])?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cron-{number}: {said}");
    }
    ensure!(
        Timestamp::now() < due,
        "deploying {JOBS} jobs takes longer than {DEPLOYING:#} here"
    );
    let last = loop {
        bench.pause(LOOK)?;
        let started = started(&stage)?;
        if started.len() >= JOBS {
            break started.into_iter().max().unwrap_or(due);
        }
        ensure!(
            Timestamp::now() < due + PATIENCE,
            "{} of {JOBS} have begun after {PATIENCE:#}",
            started.len()
        );
    };
    let late = last.duration_since(due).as_secs_f64();
    Ok(vec![row(
        format!("{JOBS} crons due in the same minute: the last begins after"),
        format!("≤ {MOST:.0} s"),
        format!("{late:.1} s"),
        late <= MOST,
    )])
}

/// When each task came to RUNNING.
fn started(stage: &Stage) -> Result<Vec<Timestamp>> {
    let output = stage.server.output(&["ps", "--all", "-o", "json"])?;
    let all: Value = serde_json::from_slice(&output.stdout).context("`wharf ps` answers with no JSON")?;
    let tasks = all
        .get("tasks")
        .and_then(Value::as_array)
        .context("`wharf ps` has no tasks")?;
    let times = tasks.iter().filter_map(|task| task.get("startedAt")?.as_str());
    times.map(|time| Ok(time.parse()?)).collect()
}
