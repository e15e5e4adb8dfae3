//! What can be typed about deployments in progress, and the way back.

use clap::Args;

use super::{Client, Scope};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf rollback hello
  wharf rollback hello --to 3

Requests go back to the old revision as soon as it runs; no share is shifted and nothing is watched for a while, whatever \
strategy the deployment had. (A service with strategy recreate stops what runs first, as it always does.)")]
pub(crate) struct Rollback {
    /// The service
    pub(crate) name: String,
    /// The revision to run again [default: the completed one before the one that runs; while a deployment is in
    /// progress, the one before it]
    #[arg(long, value_name = "REV", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) to: Option<u64>,
    /// Look on for so long; a rollback that has not ended by then goes on without us, and we exit with 1
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf abort hello")]
pub(crate) struct Abort {
    /// The service
    pub(crate) name: String,
    /// Look on for so long; a service that is not back by then goes back without us, and we exit with 1
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf pause hello
  wharf continue hello
  wharf pause report                     no run of the job begins by itself; those that go on do
  wharf continue report                  what was due meanwhile is left out")]
pub(crate) struct Pause {
    /// The service, or the job
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}
