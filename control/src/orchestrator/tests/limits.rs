//! What people are told of the bounds is what they are.

use wharf_gateway::Hold;

use super::*;
use crate::blobs::MAX_UPLOADS;
use crate::events::MAX_EVENTS;
use crate::jobs::plan::{MAX_ACTIVE_RUNS, MAX_STOPPED_TASKS};
use crate::manifest::MAX_COUNT;
use crate::model::{MAX_ATTEMPTS, MAX_HISTORY, MAX_JOB_TASKS};
use crate::secrets::{MAX_SECRETS, MAX_VERSIONS};
use crate::tasks::registry::STOPPED_TASKS_KEPT;
use crate::tokens::MAX_TOKENS;

#[test]
fn the_bounds_are_documented() {
    let page = include_str!("../../../../docs/limits.md");
    for (what, bound) in [
        (
            "requests that wait for one service while it sleeps or is recreated",
            Hold::MOST.to_string(),
        ),
        (
            "namespaces; tokens of one, or of none",
            format!("{MAX_NAMESPACES}; {MAX_TOKENS}"),
        ),
        (
            "services; jobs of a namespace",
            format!("{MAX_SERVICES}; {MAX_JOBS}"),
        ),
        (
            "tasks of a service; of a job's run",
            format!("{MAX_COUNT}; {MAX_JOB_TASKS}"),
        ),
        ("uploads at once", MAX_UPLOADS.to_string()),
        (
            "revisions of a family; deployments of a service",
            format!("{REVISIONS_KEPT}; {DEPLOYMENTS_KEPT}"),
        ),
        (
            "runs of a job that go on; that are kept; attempts of a run",
            format!("{MAX_ACTIVE_RUNS}; {MAX_HISTORY}; {MAX_ATTEMPTS}"),
        ),
        (
            "stopped tasks of a service; of a job",
            format!("{STOPPED_TASKS_KEPT}; {MAX_STOPPED_TASKS}"),
        ),
        ("events of a service; one's text", format!("{MAX_EVENTS}; 4 KiB")),
        (
            "secrets of a namespace; versions kept of each",
            format!("{MAX_SECRETS}; {MAX_VERSIONS}"),
        ),
    ] {
        let row = format!("| {what} | {bound} |");
        assert!(
            page.contains(&row),
            "docs/limits.md has no row that begins with {row}"
        );
    }
}
