//! A worker: it counts until it is told to stop.

use std::str::FromStr;
use std::time::Duration;
use wharf::{Error, ExitCode, Pause, Result};

#[wharf::job]
async fn run() -> Result<ExitCode> {
    let tick = Duration::from_millis(setting("TICK_MS")?.unwrap_or(1000));
    let fail_after: Option<u64> = setting("FAIL_AFTER")?;
    let mut count = 0;
    while wharf::pause(tick).await == Pause::Elapsed {
        count += 1;
        println!("tick {count}");
        if fail_after == Some(count) {
            eprintln!("failing after {count} ticks, as FAIL_AFTER asks");
            return Ok(ExitCode::FAILURE);
        }
    }
    println!("asked to stop after {count} ticks");
    Ok(ExitCode::SUCCESS)
}

fn setting<T: FromStr>(name: &str) -> Result<Option<T>> {
    let Some(text) = wharf::env(name) else {
        return Ok(None);
    };
    let value = text
        .parse()
        .map_err(|_| Error::internal(format!("{name} is a number, not `{text}`")))?;
    Ok(Some(value))
}
