use super::*;
use crate::model::{DesiredStatus, Health, Overrides, TaskStatus, Usage};
use crate::names::{FamilyRevision, Revision};
use jiff::Timestamp;

/// A task of `group` in `namespace`, with its sizes and what it used in the sample.
fn sample(number: u32, namespace: &str, group: &str, (cpu, memory): (u32, u64), cpu_ms: u64) -> Sample {
    let family: crate::names::Family = group.parse().unwrap();
    let definition = FamilyRevision {
        family: family.clone(),
        revision: Revision::FIRST,
    };
    let task = Task {
        id: format!("{number:032x}").parse().unwrap(),
        namespace: namespace.parse().unwrap(),
        group: Group::Service(family),
        definition,
        deployment: None,
        place: None,
        status: TaskStatus::Running,
        desired: DesiredStatus::Running,
        health: Health::Healthy,
        reason: None,
        stopped: None,
        restarts: 0,
        last_reason: None,
        cpu,
        memory,
        overrides: Overrides::default(),
        usage: Usage {
            memory: memory / 2,
            ..Usage::default()
        },
        created_at: Timestamp::UNIX_EPOCH,
        started_at: None,
        stopping_at: None,
        stopped_at: None,
    };
    Sample { task, cpu_ms }
}

fn amount(cpu: u64, memory: u64) -> Amount {
    Amount { cpu, memory }
}

const HALF_A_SECOND: Duration = Duration::from_millis(500);

#[test]
fn tasks_of_a_service_count_together_or_apart() {
    let placed = [
        sample(1, "default", "web", (256, 100), 250),
        sample(2, "default", "web", (256, 100), 125),
        sample(3, "other", "web", (512, 40), 0),
    ];
    let together = holders(placed.iter(), HolderKind::Group, HALF_A_SECOND);
    let figures = |holder: &Holder| (holder.tasks, holder.reserved, holder.used);
    let web = together
        .iter()
        .find(|holder| holder.namespace.is_default())
        .unwrap();
    // 375 of 500 ms of a core.
    assert_eq!(figures(web), (2, amount(512, 200), amount(768, 100)));
    assert_eq!((together.len(), &web.task), (2, &None));
    let apart = holders(placed.iter(), HolderKind::Task, HALF_A_SECOND);
    assert_eq!(apart.len(), 3);
    assert!(
        apart
            .iter()
            .all(|holder| holder.tasks == 1 && holder.task.is_some())
    );
}

#[test]
fn the_larger_share_of_the_two_counts() {
    let limit = amount(1000, 1000);
    assert_eq!(share(amount(100, 900), limit), 0.9);
    assert_eq!(share(amount(500, 0), limit), 0.5);
    assert_eq!(
        share(amount(5, 5), Amount::default()),
        5.0,
        "nothing is divided by nothing"
    );
}
