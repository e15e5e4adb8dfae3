//! Mistakes in `[deployment]`.

use super::{after_task, said};

/// Below `[deployment]`, whose first key is line 5.
const DEPLOYMENT: &[(&str, &str)] = &[
    (
        "strategy = \"blue-green\"",
        "5:1: `strategy` in [deployment] is `blue-green`: it is one of rolling, canary, linear, recreate",
    ),
    (
        "minimum_healthy = 101",
        "5:1: `minimum_healthy` in [deployment] is 101: it goes from 0 to 100",
    ),
    (
        "maximum = 50",
        "5:1: `maximum` in [deployment] is 50: it goes from 100 to 200",
    ),
    (
        "maximum = 100",
        "5:1: minimum_healthy = 100 lets no task stop and maximum = 100 lets none start: no task could ever be \
         replaced: lower the one, or raise the other",
    ),
    (
        "minimum_healthy = 60\nmaximum = 100\n[service]\ncount = 2",
        "6:1: with 2 tasks, minimum_healthy = 60 lets none stop (2 stay) and maximum = 100 lets none start (2 may be): no \
         task could ever be replaced: lower minimum_healthy, or raise maximum",
    ),
    (
        "strategy = \"canary\"\nstep = 0",
        "6:1: `step` in [deployment] is 0: it goes from 1 to 99",
    ),
    (
        "strategy = \"canary\"\nstep = 100",
        "6:1: `step` in [deployment] is 100: it goes from 1 to 99",
    ),
    (
        "strategy = \"linear\"\nstep = 101",
        "6:1: `step` in [deployment] is 101: it goes from 1 to 100",
    ),
    (
        "step = 10",
        "5:1: `step` in [deployment] together with strategy \"rolling\": canary and linear deployments only take steps: \
         remove one of the two",
    ),
    (
        "strategy = \"linear\"\nmaximum = 150",
        "6:1: `maximum` in [deployment] together with strategy \"linear\": a rolling deployment's tasks only are kept \
         within bounds: remove one of the two",
    ),
    (
        "bake = \"25h\"",
        "5:1: `bake` in [deployment] is 25h: it goes from 0s to 24h",
    ),
    (
        "deadline = \"0s\"",
        "5:1: `deadline` in [deployment] is 0s: it goes from 1s to 24h",
    ),
    (
        "failed_tasks = 0",
        "5:1: `failed_tasks` in [deployment] is 0: it goes from 1 to 10000",
    ),
    (
        "rollback = \"no\"",
        "5:1: `rollback` in [deployment] is a text, it needs to be true or false: like rollback = true",
    ),
    (
        "max_errors = 1",
        "5:1: `max_errors` in [deployment] without a bake: it is during one that answers are judged: set bake, like bake = \
         \"1m\"",
    ),
    (
        "strategy = \"canary\"\nmax_errors = 101",
        "6:1: `max_errors` in [deployment] is 101: it goes from 0 to 100",
    ),
    (
        "strategy = \"canary\"\nmin_requests = 0",
        "6:1: `min_requests` in [deployment] is 0: it goes from 1 to 1000000000",
    ),
    (
        "stragety = \"canary\"",
        "5:1: unknown key `stragety` in [deployment]: did you mean `strategy`?",
    ),
    (
        "rollback = true\n[job]",
        "4:2: [deployment] together with [job]: a job runs to its end and answers no requests: remove one of the two",
    ),
];

#[test]
fn mistakes_in_a_deployment() {
    for (written, expected) in DEPLOYMENT {
        let text = after_task(&format!("[deployment]\n{written}"));
        assert_eq!(said(&text), [format!("wharf.toml:{expected}")], "for `{written}`");
    }
}
