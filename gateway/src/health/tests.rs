use super::*;

#[test]
fn defaults_are_albs_where_the_target_is_outside() {
    let spec = HealthSpec::outside();
    let seconds = (spec.interval.as_secs(), spec.timeout.as_secs());
    let thresholds = (spec.healthy.get(), spec.unhealthy.get());
    assert_eq!((seconds, thresholds), ((30, 5), (5, 2)));
    assert_eq!((spec.path.as_str(), spec.port), ("/", HealthPort::Traffic));
    assert_eq!(spec.matcher, Matcher::Http("200".parse().unwrap()));
    let grpc = HealthSpec::outside_grpc();
    assert_eq!(grpc.path.as_str(), "/AWS.ALB/healthcheck");
    assert_eq!(grpc.matcher, Matcher::Grpc("12".parse().unwrap()));
}

#[test]
fn tasks_are_checked_every_second_and_one_pass_suffices() {
    let spec = HealthSpec::new("/up".parse().unwrap());
    let seconds = (spec.interval.as_secs_f64(), spec.timeout.as_secs_f64());
    let thresholds = (spec.healthy.get(), spec.unhealthy.get());
    assert_eq!((seconds, thresholds), ((1.0, 1.0), (1, 2)));
    assert_eq!((spec.path.as_str(), spec.port), ("/up", HealthPort::Traffic));
    assert_eq!(spec.matcher, Matcher::Http("200-399".parse().unwrap()));
}

#[test]
fn states_and_reasons_are_albs() {
    let unhealthy = |reason| Health::Unhealthy { reason };
    for (health, state, code, text) in [
        (
            Health::Initial,
            "initial",
            "Elb.InitialHealthChecking",
            "Initial health checks in progress",
        ),
        (
            unhealthy(HealthReason::ResponseCodeMismatch(503)),
            "unhealthy",
            "Target.ResponseCodeMismatch",
            "Health checks failed with these codes: [503]",
        ),
        (
            unhealthy(HealthReason::Timeout),
            "unhealthy",
            "Target.Timeout",
            "Request timed out",
        ),
        (
            unhealthy(HealthReason::FailedHealthChecks("no route".into())),
            "unhealthy",
            "Target.FailedHealthChecks",
            "Health checks failed: no route",
        ),
        (
            Health::Draining,
            "draining",
            "Target.DeregistrationInProgress",
            "Target deregistration is in progress",
        ),
    ] {
        let reason = health.reason().unwrap();
        assert_eq!((health.state(), reason.code()), (state, code));
        assert_eq!(reason.to_string(), text);
    }
    assert_eq!(
        (Health::Healthy.state(), Health::Healthy.reason()),
        ("healthy", None)
    );
}

#[test]
fn what_is_out_of_bounds_is_named() {
    let check = |change: fn(&mut HealthSpec)| {
        let mut spec = HealthSpec::outside();
        change(&mut spec);
        spec.check().map_err(|error| error.field)
    };
    assert_eq!(check(|_| {}), Ok(()));
    assert_eq!(
        check(|spec| spec.interval = Duration::ZERO),
        Err("health.interval")
    );
    assert_eq!(
        check(|spec| spec.timeout = Duration::from_secs(601)),
        Err("health.timeout")
    );
    assert_eq!(
        check(|spec| spec.healthy = 101.try_into().unwrap()),
        Err("health.healthy")
    );
    assert_eq!(
        check(|spec| spec.unhealthy = 101.try_into().unwrap()),
        Err("health.unhealthy")
    );
    assert_eq!(
        check(|spec| spec.port = HealthPort::Number(0)),
        Err("health.port")
    );
}
