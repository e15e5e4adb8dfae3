//! `wharf build`: the manifest's own command, and a look at what it made.

use anyhow::Result;
use wharf_runtime::World;

use crate::args;
use crate::building::{Built, Project, Show};
use crate::output;

/// Build, and say what came of it.
pub(crate) async fn build(args: &args::Build) -> Result<()> {
    let project = Project::open(&args.path)?;
    let built = project.build(Show::AtOnce).await?;
    Ok(output::say(told(&built))?)
}

/// What was built, in a line.
pub(super) fn told(built: &Built) -> String {
    let what = match built.world {
        World::Http => "a service's (it answers requests)",
        World::Command => "a job's or worker's (it runs)",
    };
    format!(
        "{}: {}, {what}",
        built.component.display(),
        output::bytes(built.size)
    )
}
