//! Mistakes in `[job]`.

use super::*;

/// What `[job]` says, from line 5 on, and what is answered.
const JOB: &[(&str, &str)] = &[
    ("count = 0", "5:1: `count` in [job] is 0: it goes from 1 to 1000"),
    (
        "parallelism = 0",
        "5:1: `parallelism` in [job] is 0: it goes from 1 to 1000",
    ),
    (
        "count = 3\nparallelism = 5",
        "6:1: `parallelism` in [job] is 5, more than `count`, 3: no more tasks than there are can run at once: lower it, or \
             raise `count`",
    ),
    (
        "retries = -1",
        "5:1: `retries` in [job] is -1: it goes from 0 to 100",
    ),
    (
        "retries = 101",
        "5:1: `retries` in [job] is 101: it goes from 0 to 100",
    ),
    (
        "count = 200\nretries = 5",
        "6:1: `retries` in [job] is 5, which with 200 tasks makes 1200 attempts: a run may have 1000: lower it, or `count`",
    ),
    (
        "deadline = \"0s\"",
        "5:1: `deadline` in [job] is 0s: it goes from 1s to 720h",
    ),
    (
        "deadline = \"soon\"",
        "5:1: `deadline` in [job]: `soon` is not a duration: write a whole number with ms, s, m, h or d, like \"30s\"",
    ),
    (
        "backoff = \"7m\"",
        "5:1: `backoff` in [job] is 7m: it goes from 0s to 6m",
    ),
    (
        "retries = 1\nbackoff = \"2m\"\ndeadline = \"90s\"",
        "6:1: `backoff` in [job] is 2m, and `deadline` 90s: no retry would ever begin: shorten `backoff`, lengthen \
             `deadline`, or set `retries` to 0",
    ),
    (
        "ttl = \"400d\"",
        "5:1: `ttl` in [job] is 400d: it goes from 0s to 8760h",
    ),
    (
        "history = 101",
        "5:1: `history` in [job] is 101: it goes from 0 to 100",
    ),
    (
        "schedule = \"0 0 31 2 *\"",
        "5:1: `schedule` in [job] is `0 0 31 2 *`: it never fires: no month it names has such a day",
    ),
    (
        "schedule = \"0 3 * *\"",
        "5:1: `schedule` in [job] is `0 3 * *`: it has 4 fields, a cron expression has five: minute, hour, day of month, \
             month, day of week: write minute, hour, day of month, month and day of week, like \"0 3 * * *\"",
    ),
    (
        "schedule = \"0 3 * * *\"\ntimezone = \"Europe/Pari\"",
        "6:1: `timezone` in [job]: there is no time zone `Europe/Pari`: did you mean `Europe/Paris`?",
    ),
    (
        "schedule = \"0 3 * * *\"\ntimezone = \"Moon\"",
        "6:1: `timezone` in [job]: there is no time zone `Moon`: write a name of the IANA database, like \"Europe/Paris\"",
    ),
    (
        "schedule = \"0 3 * * *\"\nconcurrency_policy = \"queue\"",
        "6:1: `concurrency_policy` in [job] is `queue`: it is one of allow, forbid, replace",
    ),
    (
        "schedule = \"0 3 * * *\"\nstarting_deadline = \"0s\"",
        "6:1: `starting_deadline` in [job] is 0s: it goes from 1s to 720h",
    ),
    (
        "timezone = \"Europe/Paris\"",
        "5:1: `timezone` in [job] without `schedule`: it is about a schedule: add one, like schedule = \"0 3 * * *\", or \
             remove it",
    ),
    (
        "concurrency_policy = \"forbid\"",
        "5:1: `concurrency_policy` in [job] without `schedule`: it is about a schedule: add one, like \
             schedule = \"0 3 * * *\", or remove it",
    ),
    (
        "starting_deadline = \"1m\"",
        "5:1: `starting_deadline` in [job] without `schedule`: it is about a schedule: add one, like \
             schedule = \"0 3 * * *\", or remove it",
    ),
    (
        "shedule = \"0 3 * * *\"",
        "5:1: unknown key `shedule` in [job]: did you mean `schedule`?",
    ),
    (
        "schedule = 5",
        "5:1: `schedule` in [job] is a whole number, it needs to be a text: like schedule = \"0 3 * * *\"",
    ),
];

#[test]
fn mistakes_in_a_job() {
    for (lines, wanted) in JOB {
        let text = after_task(&format!("[job]\n{lines}"));
        assert_eq!(said(&text), [format!("wharf.toml:{wanted}")], "{lines}");
    }
}

/// The schedule and its zone are each looked at whatever the other is.
#[test]
fn both_halves_of_a_schedule_are_told() {
    let text = after_task("[job]\nschedule = \"0 0 30 2 *\"\ntimezone = \"Moon\"");
    let said = said(&text);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("wharf.toml:5:1: `schedule` in [job] is `0 0 30 2 *`: it never fires"),
        "{said:?}"
    );
    assert!(said[1].starts_with("wharf.toml:6:1: `timezone`"), "{said:?}");
}

#[test]
fn a_schedule_is_no_services() {
    let text = after_task("[service]\n[job]\nschedule = \"0 3 * * *\"");
    assert_eq!(
        said(&text),
        [
            "wharf.toml:4:2: [service] together with [job]: a job runs to its end and answers no requests: remove one of the two"
        ]
    );
}
