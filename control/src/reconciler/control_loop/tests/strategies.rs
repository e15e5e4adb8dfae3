//! Strategies over time: what is in force, what is said, and what happens when things go wrong on the way.

mod judging;
mod protecting;
mod room;

use wharf_gateway::Tally;

use super::cluster::key;
use super::*;
use crate::events::rollout;
use crate::manifest::{Bounds, DeploymentSpec, OnFailure, Strategy, Tolerance};
use crate::model::stored::Record as _;
use crate::model::{Deployment, Pace, RolloutState, Stage, keys};
use crate::store::Expect;

const BAKE: Duration = Duration::from_secs(60);

fn spec(strategy: Strategy) -> DeploymentSpec {
    DeploymentSpec {
        strategy,
        bake: BAKE,
        ..DeploymentSpec::default()
    }
}

fn canary() -> DeploymentSpec {
    spec(Strategy::Canary { step: 5 })
}

impl Cluster {
    /// The shares that were put in force since the last time this was asked, without repetitions.
    fn shares(&self) -> Vec<Vec<(u64, u32)>> {
        std::mem::take(&mut *self.fake.shares.lock().unwrap())
    }

    /// Waits until so many deployments of a revision and one more have ended; the last of them.
    async fn ended_after(&self, revision: u64, others: usize) -> Deployment {
        let mut changes = self.registry.changes();
        loop {
            let all = self.deployments(revision).await;
            if let Some(last) = all.get(others)
                && last.state != RolloutState::InProgress
            {
                return last.clone();
            }
            changes.changed().await.unwrap();
        }
    }

    fn count(&self, revision: u64, requests: u64, errors: u64) {
        let mut tallies = self.fake.tallies.lock().unwrap();
        let tally: &mut Tally = tallies.entry(revision).or_default();
        tally.requests += requests;
        tally.errors += errors;
    }

    async fn until_stage(&self, revision: u64, stage: Stage, share: u32) {
        let mut changes = self.registry.changes();
        let reached = async {
            loop {
                let deployment = self.deployment(revision).await;
                if (deployment.stage, deployment.share) == (stage, share) {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        let patience = Duration::from_secs(3600);
        if tokio::time::timeout(patience, reached).await.is_err() {
            panic!(
                "never {stage} with {share}: {:?}",
                self.deployment(revision).await
            );
        }
    }

    /// Changes a deployment's record as an operation would.
    async fn change_deployment(&self, revision: u64, change: impl FnOnce(&mut Deployment)) {
        let was = self.deployment(revision).await;
        let mut deployment = was.clone();
        change(&mut deployment);
        let told = rollout::changed(&was, &deployment);
        let (namespace, name) = key();
        let at = keys::deployment(&namespace, &name, &deployment.id);
        self.store
            .put_if(&at, Expect::Present, deployment.encode())
            .await
            .unwrap();
        if let Some(message) = told {
            self.events.record(&namespace, &name, message);
        }
        self.reconciler.reconcile(key()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_canary_takes_its_share_bakes_and_takes_all() {
    let cluster = Cluster::steady(2).await;
    cluster.shares();
    cluster.roll(2, 2, canary()).await;
    cluster.until_stage(2, Stage::Bake, 5).await;
    cluster.until_picture("1h 1h 2h 2h").await;
    let baking = tokio::time::Instant::now();
    cluster.count(1, 1000, 3);
    cluster.count(2, 50, 0);
    let ended = cluster.ended(2).await;
    assert!(baking.elapsed() >= BAKE);
    assert_eq!((ended.state, ended.share), (RolloutState::Completed, 100));
    assert_eq!((ended.figures.new.requests, ended.figures.old.errors), (50, 3));
    cluster.until_picture("2h 2h").await;
    let shares = cluster.shares();
    let steps = [vec![(1, 100)], vec![(2, 5), (1, 95)], vec![(2, 100)]];
    assert_eq!(shares[..3], steps);
    let said = cluster.said().await;
    let shifted: Vec<_> = said.iter().filter(|text| text.contains("has shifted")).collect();
    assert!(
        shifted[0].ends_with("has shifted 5 % of the requests to api:2."),
        "{said:?}"
    );
    assert!(
        shifted[1].ends_with("has shifted 100 % of the requests to api:2."),
        "{said:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_linear_deployment_shifts_by_equal_steps() {
    let cluster = Cluster::steady(1).await;
    cluster.shares();
    let began = tokio::time::Instant::now();
    cluster.roll(2, 1, spec(Strategy::Linear { step: 40 })).await;
    assert_eq!(cluster.ended(2).await.state, RolloutState::Completed);
    // Two bakes; none after the last step.
    assert!(
        (BAKE * 2..BAKE * 3).contains(&began.elapsed()),
        "{:?}",
        began.elapsed()
    );
    cluster.until_picture("2h").await;
    let shares = cluster.shares();
    let new: Vec<_> = shares.iter().filter_map(|shares| shares.first()).collect();
    assert_eq!(new, [&(1, 100), &(2, 40), &(2, 80), &(2, 100)]);
}

#[tokio::test(start_paused = true)]
async fn recreate_stops_all_before_it_starts_any() {
    let cluster = Cluster::steady(2).await;
    let strategy = DeploymentSpec {
        strategy: Strategy::Recreate,
        ..DeploymentSpec::default()
    };
    cluster.roll(2, 2, strategy.clone()).await;
    let mixed = |picture: &str| picture.contains('1') && picture.contains('2');
    let mut changes = cluster.registry.changes();
    while cluster.picture() != "2h 2h" {
        assert!(!mixed(&cluster.picture()), "{}", cluster.picture());
        changes.changed().await.unwrap();
    }
    assert_eq!(cluster.ended(2).await.state, RolloutState::Completed);
    // Back again no differently.
    cluster.behave(3, Behaviour::Refuses("no such import"));
    cluster.roll(3, 2, strategy).await;
    assert_eq!(cluster.ended(3).await.state, RolloutState::Failed);
    while cluster.picture() != "2h 2h" {
        let picture = cluster.picture();
        assert!(!(picture.contains('2') && picture.contains('3')), "{picture}");
        changes.changed().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn answers_worse_than_the_old_revisions_fail_a_canary_and_bring_the_old_one_back_at_once() {
    let cluster = Cluster::steady(2).await;
    let tolerance = Tolerance {
        max_errors: 5,
        min_requests: 20,
    };
    cluster
        .roll(
            2,
            2,
            DeploymentSpec {
                tolerance,
                ..canary()
            },
        )
        .await;
    cluster.until_stage(2, Stage::Bake, 5).await;
    cluster
        .until("shares", |cluster| {
            cluster.fake.shares.lock().unwrap().last() == Some(&vec![(2, 5), (1, 95)])
        })
        .await;
    // The first look is where counting begins.
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.shares();
    cluster.count(1, 1000, 0);
    cluster.count(2, 40, 3);
    let failed = cluster.ended(2).await;
    assert_eq!(failed.state, RolloutState::Failed);
    assert!(
        failed
            .reason
            .starts_with("7.5 % of 40 requests to the new revision"),
        "{}",
        failed.reason
    );
    // The old tasks never went; they have all the requests again.
    cluster.until_picture("1h 1h").await;
    let back = cluster.ended(1).await;
    assert_eq!(
        (Some(&back.id), back.state),
        (failed.rolled_back_by.as_ref(), RolloutState::Completed)
    );
    assert_eq!(back.rollback_of, Some(failed.id));
    assert_eq!(cluster.shares().first(), Some(&vec![(1, 100)]));
    let service = cluster.service().await.unwrap();
    assert_eq!(
        (service.goal, service.stable),
        (Some(back.revision), Some(back.revision))
    );
    let said = cluster.said().await;
    let why: Vec<_> = said
        .iter()
        .filter(|text| text.contains("deployment failed"))
        .collect();
    assert_eq!(why.len(), 1, "{said:?}");
    assert!(why[0].contains("Rolling back to api:1"), "{}", why[0]);
    assert!(why[0].ends_with("five of api:2 | six of api:2"), "{}", why[0]);
}

#[tokio::test(start_paused = true)]
async fn an_old_revision_that_is_gone_comes_back_before_the_new_one_leaves() {
    let cluster = Cluster::steady(2).await;
    // It runs alone when it is found out.
    cluster
        .roll(2, 2, spec(Strategy::Rolling(Bounds::default())))
        .await;
    cluster.until_stage(2, Stage::Bake, 100).await;
    cluster.until_picture("2h 2h").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.count(2, 100, 50);
    assert_eq!(cluster.ended(2).await.state, RolloutState::Failed);
    let mut changes = cluster.registry.changes();
    while cluster.picture() != "1h 1h" {
        let picture = cluster.picture();
        assert!(picture.matches('h').count() >= 2, "{picture}");
        changes.changed().await.unwrap();
    }
    assert_eq!(cluster.ended(1).await.state, RolloutState::Completed);
}

#[tokio::test(start_paused = true)]
async fn tasks_that_fail_end_any_strategy() {
    let strategies = [
        Strategy::Rolling(Bounds::default()),
        Strategy::Canary { step: 5 },
        Strategy::Linear { step: 50 },
        Strategy::Recreate,
    ];
    for strategy in strategies {
        for behaviour in [
            Behaviour::Refuses("no such import"),
            Behaviour::Unhealthy,
            Behaviour::Exits {
                after: Duration::from_millis(100),
                code: 3,
            },
        ] {
            let cluster = Cluster::steady(2).await;
            cluster.behave(2, behaviour.clone());
            cluster.roll(2, 2, spec(strategy)).await;
            let failed = cluster.ended(2).await;
            assert_eq!(failed.state, RolloutState::Failed, "{strategy:?} {behaviour:?}");
            assert!(failed.failed_tasks >= 3, "{failed:?}");
            assert!(failed.reason.contains("of them; the last: "), "{}", failed.reason);
            cluster.until_picture("1h 1h").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_paused_waits_and_then_goes_on() {
    let cluster = Cluster::steady(1).await;
    cluster.roll(2, 1, canary()).await;
    cluster.until_stage(2, Stage::Bake, 5).await;
    cluster
        .change_deployment(2, |deployment| deployment.pace = Pace::Paused)
        .await;
    cluster.until_said("deployment paused in BAKE_TIME").await;
    tokio::time::sleep(BAKE * 20).await;
    let paused = cluster.deployment(2).await;
    assert_eq!((paused.stage, paused.share), (Stage::Bake, 5));
    cluster
        .change_deployment(2, |deployment| deployment.pace = Pace::Going)
        .await;
    cluster.until_said("deployment continues with BAKE_TIME").await;
    let goes_on = tokio::time::Instant::now();
    assert_eq!(cluster.ended(2).await.state, RolloutState::Completed);
    assert!(
        goes_on.elapsed() >= BAKE - Duration::from_secs(5),
        "{:?}",
        goes_on.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_is_not_to_be_rolled_back_stays_where_it_is() {
    let cluster = Cluster::steady(2).await;
    let halt = DeploymentSpec {
        on_failure: OnFailure::Halt,
        ..DeploymentSpec::default()
    };
    cluster.behave(2, Behaviour::Refuses("no such import"));
    cluster.roll(2, 2, halt).await;
    let failed = cluster.ended(2).await;
    assert_eq!(
        (failed.state, failed.rolled_back_by),
        (RolloutState::Failed, None)
    );
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(cluster.picture(), "1h 1h");
    let service = cluster.service().await.unwrap();
    assert_ne!(service.goal, service.stable);
    assert_eq!(service.runs(), service.stable);
    let tasks = cluster.tasks().len();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(cluster.tasks().len(), tasks, "nothing more is started");
    // The next one goes on from there.
    cluster.deploy(3, 2).await;
    assert_eq!(cluster.ended(3).await.state, RolloutState::Completed);
    cluster.until_picture("3h 3h").await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_the_middle_of_a_bake_keeps_the_share() {
    let cluster = Cluster::steady(1).await;
    cluster.roll(2, 1, canary()).await;
    cluster.until_stage(2, Stage::Bake, 5).await;
    let cluster = cluster.crash().await;
    cluster
        .until("both", |cluster| cluster.picture().matches('h').count() == 2)
        .await;
    assert_eq!(cluster.shares(), [vec![(2, 5), (1, 95)]]);
    let baking = tokio::time::Instant::now();
    assert_eq!(cluster.ended(2).await.state, RolloutState::Completed);
    assert!(baking.elapsed() >= BAKE - Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_delays_a_step_and_loses_none() {
    let cluster = Cluster::steady(1).await;
    cluster.roll(2, 1, canary()).await;
    cluster.until_stage(2, Stage::Bake, 5).await;
    // The store has the stage before the loop goes on and puts the shares in force.
    tokio::time::sleep(Duration::from_secs(1)).await;
    cluster.shares();
    // While it lasts neither the step nor its end can be written; requests keep their shares.
    cluster.faults(|faults| faults.failing = usize::MAX);
    tokio::time::sleep(BAKE + Duration::from_secs(5)).await;
    assert_eq!(cluster.deployment(2).await.stage, Stage::Bake);
    assert!(cluster.shares().is_empty());
    cluster.faults(|faults| faults.failing = 0);
    assert_eq!(cluster.ended(2).await.state, RolloutState::Completed);
    cluster.until_picture("2h").await;
}

#[tokio::test(start_paused = true)]
async fn what_the_loop_was_never_told_of_begins_with_the_next_start() {
    let cluster = Cluster::steady(1).await;
    cluster.write_roll(2, 1, canary()).await;
    let cluster = cluster.crash().await;
    assert_eq!(cluster.ended(2).await.state, RolloutState::Completed);
    cluster.until_picture("2h").await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_guest_has_the_time_of_the_deadline_and_no_more() {
    for (after, state) in [(50, RolloutState::Completed), (70, RolloutState::Failed)] {
        let cluster = Cluster::steady(1).await;
        cluster.behave(
            2,
            Behaviour::Healthy {
                after: Duration::from_secs(after),
            },
        );
        let deadline = Duration::from_secs(60);
        let spec = DeploymentSpec { deadline, ..canary() };
        cluster.roll(2, 1, spec).await;
        let ended = cluster.ended(2).await;
        assert_eq!(ended.state, state, "{}", ended.reason);
        if state == RolloutState::Failed {
            assert_eq!(ended.reason, "0 of 1 tasks became healthy in 1 minute");
        }
    }
}
