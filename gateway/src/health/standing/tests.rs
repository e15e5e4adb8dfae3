use super::*;

fn health(health: &Health) -> char {
    match health {
        Health::Initial => 'I',
        Health::Healthy => 'H',
        Health::Unhealthy { .. } => 'U',
        Health::Draining => 'D',
    }
}

/// `+` is a pass, `-` a failure, `|` the end of the grace; the answer is the traffic's verdict after each, with a
/// `!` where a replacement is asked for.
fn run(kind: Kind, outcomes: &str) -> String {
    run_after(&Health::Initial, kind, outcomes)
}

fn run_after(before: &Health, kind: Kind, outcomes: &str) -> String {
    let spec = HealthSpec::new("/".parse().unwrap());
    let mut judge = Judge::new(kind, before);
    let mut grace = if outcomes.contains('|') {
        Grace::Given
    } else {
        Grace::Over
    };
    let mut seen = String::new();
    for outcome in outcomes.chars() {
        let outcome = match outcome {
            '|' => {
                grace = Grace::Over;
                continue;
            }
            '+' => Ok(()),
            _ => Err(HealthReason::Timeout),
        };
        let verdict = judge.record(outcome, &spec, grace);
        seen.push(health(&verdict.health));
        seen.extend(verdict.replace.map(|_| '!'));
    }
    seen
}

#[test]
fn each_kind_takes_what_it_is_for() {
    for (kind, outcomes, expected) in [
        (Kind::Health, "+--+", "HHU!H"),
        (Kind::Readiness, "+--+", "HHUH"),
        (Kind::Readiness, "-----", "IUUUU"),
        (Kind::Liveness, "+--+", "HHH!H"),
        (Kind::Liveness, "--", "HH!"),
        (Kind::Startup, "-+", "IH"),
        (Kind::Startup, "--", "IU!"),
    ] {
        assert_eq!(run(kind, outcomes), expected, "{kind:?} {outcomes}");
    }
}

/// As when its checks are changed.
#[test]
fn who_had_traffic_loses_it_only_when_it_has_failed_often_enough() {
    for (kind, outcomes, expected) in [
        (Kind::Health, "-+--", "HHHU!"),
        (Kind::Readiness, "-+--", "HHHU"),
        (Kind::Liveness, "-+--", "HHHH!"),
    ] {
        assert_eq!(run_after(&Health::Healthy, kind, outcomes), expected, "{kind:?}");
    }
}

#[test]
fn failures_within_the_grace_ask_for_nothing() {
    for (kind, outcomes, expected) in [
        // Who has not passed yet is still awaited; who has loses its traffic, and stays.
        (Kind::Health, "----|--", "IIIIIU!"),
        (Kind::Health, "+--|--", "HHUUU!"),
        (Kind::Health, "---+|-", "IIIHH"),
        (Kind::Startup, "---|--", "IIIIU!"),
        (Kind::Liveness, "---|-+--", "HHHHHHH!"),
        (Kind::Readiness, "+--|", "HHU"),
    ] {
        assert_eq!(run(kind, outcomes), expected, "{kind:?} {outcomes}");
    }
}

#[test]
fn the_worst_verdict_holds() {
    let of = |verdicts: &[(Kind, char, bool)]| {
        let kinds = verdicts.iter().map(|(kind, ..)| *kind);
        let mut standing = Standing::awaiting(kinds, &Health::Initial);
        for (kind, health, replace) in verdicts {
            let reason = HealthReason::FailedHealthChecks(format!("{kind:?}").into());
            let health = match health {
                'I' => Health::Initial,
                'H' => Health::Healthy,
                _ => Health::Unhealthy {
                    reason: reason.clone(),
                },
            };
            let replace = replace.then_some(reason);
            standing.note(*kind, Verdict { health, replace });
        }
        let verdict = standing.verdict();
        let replace = verdict.replace.map(|reason| reason.to_string());
        (health(&verdict.health), replace)
    };
    let (startup, ready, alive) = (Kind::Startup, Kind::Readiness, Kind::Liveness);
    assert_eq!(of(&[]), ('H', None));
    assert_eq!(of(&[(startup, 'I', false), (ready, 'H', false)]), ('I', None));
    assert_eq!(of(&[(ready, 'U', false), (alive, 'H', false)]), ('U', None));
    let dead = Some("Health checks failed: Liveness".to_owned());
    assert_eq!(
        of(&[(ready, 'H', false), (alive, 'H', true)]),
        ('H', dead.clone())
    );
    assert_eq!(of(&[(ready, 'U', false), (alive, 'H', true)]), ('U', dead));
}

#[test]
fn new_checks_leave_traffic_where_it_is() {
    let kinds = || [Kind::Startup, Kind::Health, Kind::Liveness].into_iter();
    let standing = Standing::awaiting(kinds(), &Health::Healthy);
    assert_eq!(standing.verdict().health, Health::Healthy);
    let standing = Standing::awaiting(kinds(), &Health::Initial);
    assert_eq!(standing.verdict().health, Health::Initial);
    let alive = Standing::awaiting([Kind::Liveness].into_iter(), &Health::Initial);
    assert_eq!(
        alive.verdict().health,
        Health::Healthy,
        "it doesn't decide on traffic"
    );
}
