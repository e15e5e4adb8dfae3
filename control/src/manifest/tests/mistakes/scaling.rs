//! `[scaling]`: what is wrong by itself, and what together.

use super::*;

/// What `[scaling]` says, in lines from 5 on; and what is said about it.
const SCALING: &[(&str, &str)] = &[
    (
        "min = 4\nmax = 2",
        "5:1: `min` in [scaling] is 4, more than `max`, 2: lower it, or raise `max`",
    ),
    (
        "min = 0\nmax = 2",
        "5:1: `min` in [scaling] is 0 without `idle`: say how long without requests until the last task stops: idle = \
         \"5m\"",
    ),
    (
        "min = 1\nidle = \"5m\"",
        "6:1: `idle` in [scaling] is 5m and `min` is 1: it would never sleep: set min = 0, or remove `idle`",
    ),
    ("max = 0", "5:1: `max` in [scaling] is 0: it goes from 1 to 5000"),
    (
        "min = -1\nmax = 3",
        "5:1: `min` in [scaling] is -1: it goes from 0 to 5000",
    ),
    (
        "max = 5001",
        "5:1: `max` in [scaling] is 5001: it goes from 1 to 5000",
    ),
    (
        "max = 3\ncpu = 0",
        "6:1: `cpu` in [scaling] is 0: it goes from 1 to 100",
    ),
    (
        "max = 3\nmemory = 101",
        "6:1: `memory` in [scaling] is 101: it goes from 1 to 100",
    ),
    (
        "max = 3\nrequests = 0",
        "6:1: `requests` in [scaling] is 0: it goes from 1 to 1000000",
    ),
    (
        "max = 3\nconcurrency = 0",
        "6:1: `concurrency` in [scaling] is 0: it goes from 1 to 10000",
    ),
    (
        "max = 3\nqueue = 0",
        "6:1: `queue` in [scaling] is 0: it goes from 1 to 10000",
    ),
    (
        "max = 3\ncooldown_in = \"2h\"",
        "6:1: `cooldown_in` in [scaling] is 2h: it goes from 0s to 1h",
    ),
    (
        "max = 3\ncooldown_out = \"a while\"",
        "6:1: `cooldown_out` in [scaling]: `a while` is not a duration: write a whole number with ms, s, m, h or d, like \
         \"30s\"",
    ),
    (
        "idle = \"10ms\"",
        "5:1: `idle` in [scaling] is 10ms: it goes from 1s to 24h",
    ),
    (
        "idle = \"5m\"\nwait = \"2h\"",
        "6:1: `wait` in [scaling] is 2h: it goes from 1ms to 1h",
    ),
    (
        "max = 3\nwait = \"5s\"",
        "6:1: `wait` in [scaling] without `idle`: only a service that sleeps lets requests wait: remove it, or add idle = \
         \"5m\"",
    ),
    (
        "cpu = 60",
        "4:2: [scaling] has no `max`: say how many tasks there may be at most: max = 10",
    ),
    (
        "min = 2\nmax = 2",
        "4:2: [scaling] leaves nothing to decide: there are always 2 tasks: raise `max`, or remove it and say `count` in \
         [service]",
    ),
    (
        "",
        "4:2: [scaling] leaves nothing to decide: there are always 1 tasks: raise `max`, or remove it and say `count` in \
         [service]",
    ),
    (
        "max = 1\nidle = \"5m\"\ncpu = 60",
        "5:1: [scaling] is to keep `cpu` and has one task at most: raise `max`, or remove the targets",
    ),
    (
        "idle = \"5m\"\ncooldown_in = \"5m\"",
        "6:1: `cooldown_in` in [scaling] without anything to scale by: remove it, or add `max` and a target like cpu = 60",
    ),
    (
        "bogus = 3\nmax = 3",
        "5:1: unknown key `bogus` in [scaling]: the keys are min, max, cpu, memory, requests, concurrency, queue, \
         cooldown_in, cooldown_out, idle, wait",
    ),
    (
        "max = \"3\"",
        "5:1: `max` in [scaling] is a text, it needs to be a whole number: like max = 10",
    ),
];

#[test]
fn mistakes_in_scaling() {
    for (lines, wanted) in SCALING {
        let text = after_task(&format!("[scaling]\n{lines}"));
        let said = said(&text);
        assert!(
            said.contains(&format!("wharf.toml:{wanted}")),
            "{lines}: {said:#?}"
        );
        assert!(
            said.len() == 1 || lines.is_empty() || lines.starts_with("max = \""),
            "{lines}: {said:#?}"
        );
    }
}

#[test]
fn a_job_does_not_scale() {
    let said = said(&after_task("[job]\n[scaling]\nmax = 3"));
    let wanted = "wharf.toml:5:2: [scaling] together with [job]: a job runs to its end and answers no requests: remove one \
                  of the two";
    assert_eq!(said, [wanted]);
}
