//! What can be typed about jobs and their runs.

use clap::Args;
use wharf_control::names::Family;

use super::{Client, Scope};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf jobs
  wharf jobs -o json | jq '.jobs[].schedule.nextRunAt'
  wharf describe job report              its runs, each with every attempt")]
pub(crate) struct Jobs {
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf cancel report/17                 one run
  wharf cancel report                    all runs of it that go on

`wharf stop TASK` stops a single task of a run, which counts as a failed attempt. `wharf pause report` keeps a \
schedule from beginning runs.")]
pub(crate) struct Cancel {
    /// A run, or a job for all its runs that go on
    #[arg(value_name = "JOB[/RUN]")]
    pub(crate) run: RunName,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

/// `report/17`, or `report`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunName {
    pub(crate) job: Family,
    pub(crate) number: Option<u64>,
}

impl std::str::FromStr for RunName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (job, number) = match text.split_once('/') {
            Some((job, number)) => (job, Some(number)),
            None => (text, None),
        };
        let number = number.map(|number| match number.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!(
                "`{}` is no run's number: write JOB/NUMBER, like report/17",
                number.escape_debug()
            )),
        });
        Ok(Self {
            job: job
                .parse()
                .map_err(|error: wharf_control::names::NameError| error.to_string())?,
            number: number.transpose()?,
        })
    }
}
