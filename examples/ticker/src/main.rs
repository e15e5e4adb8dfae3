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

#[cfg(test)]
mod tests {
    use super::*;
    use wharf::test::Host;

    #[test]
    fn it_ticks_until_it_is_told_to_stop() {
        let host = Host::new()
            .env("TICK_MS", "100")
            .stop_after(Duration::from_secs(1));
        assert_eq!(host.block_on(run()).unwrap(), ExitCode::SUCCESS);
        assert_eq!(host.elapsed(), Duration::from_secs(1));
    }

    #[test]
    fn it_fails_when_it_is_told_to() {
        let host = Host::new().env("FAIL_AFTER", "3");
        assert_eq!(host.block_on(run()).unwrap(), ExitCode::FAILURE);
        assert_eq!(host.elapsed(), Duration::from_secs(3));
    }

    #[test]
    fn a_setting_that_is_no_number_is_refused() {
        let error = Host::new().env("TICK_MS", "soon").block_on(run()).unwrap_err();
        assert_eq!(error.to_string(), "TICK_MS is a number, not `soon`");
    }
}
