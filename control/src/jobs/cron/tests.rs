//! Which times are due, on ordinary days and on those when the clock is set.

use proptest::prelude::*;

use super::*;

fn cron(text: &str, zone: &str) -> Cron {
    Cron::parse(text, Zone::named(zone).unwrap()).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The times due after `from`, as the zone's clocks show them, with their offsets.
fn due(text: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let cron = cron(text, zone);
    let times = std::iter::successors(cron.next_after(time(from)), |time| cron.next_after(*time));
    times
        .take(count)
        .map(|time| cron.local(time).strftime("%m-%d %H:%M %:z").to_string())
        .collect()
}

#[test]
fn ordinary_days() {
    for (text, zone, from, wanted) in [
        (
            "0 3 * * *",
            "Europe/Paris",
            "2026-01-31T12:00:00Z",
            ["02-01 03:00 +01:00", "02-02 03:00 +01:00"],
        ),
        (
            "*/20 9-10 * * MON",
            "UTC",
            "2026-06-01T10:10:00Z",
            ["06-01 10:20 +00:00", "06-01 10:40 +00:00"],
        ),
        (
            "0 0 L * *",
            "UTC",
            "2024-02-01T00:00:00Z",
            ["02-29 00:00 +00:00", "03-31 00:00 +00:00"],
        ),
        (
            "0 0 29 2 *",
            "UTC",
            "2025-01-01T00:00:00Z",
            ["02-29 00:00 +00:00", "02-29 00:00 +00:00"],
        ),
        (
            "@daily",
            "Asia/Kolkata",
            "2026-01-01T00:00:00Z",
            ["01-02 00:00 +05:30", "01-03 00:00 +05:30"],
        ),
        // Either of the two days, as cron has it.
        (
            "0 12 13 * FRI",
            "UTC",
            "2026-02-01T00:00:00Z",
            ["02-06 12:00 +00:00", "02-13 12:00 +00:00"],
        ),
    ] {
        assert_eq!(due(text, zone, from, 2), wanted, "{text} {zone}");
    }
}

/// 2026-03-29 in Paris goes from 02:00 straight to 03:00.
#[test]
fn a_time_of_day_that_is_skipped_is_due_when_the_clock_goes_on() {
    let times = due("30 2 * * *", "Europe/Paris", "2026-03-28T00:00:00Z", 3);
    assert_eq!(
        times,
        ["03-28 02:30 +01:00", "03-29 03:00 +02:00", "03-30 02:30 +02:00"]
    );
    let every = due("*/30 * * * *", "Europe/Paris", "2026-03-29T00:20:00Z", 3);
    assert_eq!(
        every,
        ["03-29 01:30 +01:00", "03-29 03:00 +02:00", "03-29 03:30 +02:00"]
    );
    let some = due("0,30 2 * * *", "Europe/Paris", "2026-03-28T01:10:00Z", 2);
    assert_eq!(some, ["03-28 02:30 +01:00", "03-30 02:00 +02:00"]);
}

/// 2026-10-25 in Paris has the hour from 02:00 twice.
#[test]
fn a_time_of_day_that_comes_twice_is_due_once() {
    let times = due("30 2 * * *", "Europe/Paris", "2026-10-24T12:00:00Z", 2);
    assert_eq!(times, ["10-25 02:30 +02:00", "10-26 02:30 +01:00"]);
    let every = due("30 * * * *", "Europe/Paris", "2026-10-25T00:00:00Z", 3);
    assert_eq!(
        every,
        ["10-25 02:30 +02:00", "10-25 02:30 +01:00", "10-25 03:30 +01:00"]
    );
}

#[test]
fn what_is_no_schedule_is_refused() {
    for (text, wanted) in [
        (
            "",
            "it has 0 fields, a cron expression has five: minute, hour, day of month, month, day of week",
        ),
        (
            "0 3 * *",
            "it has 4 fields, a cron expression has five: minute, hour, day of month, month, day of week",
        ),
        (
            "0 0 3 * * *",
            "it has 6 fields, a cron expression has five: minute, hour, day of month, month, day of week",
        ),
        ("0 0 31 2 *", "it never fires"),
        ("0 0 31 4,6,9,11 *", "it never fires"),
    ] {
        let error = Cron::parse(text, Zone::named("UTC").unwrap()).unwrap_err();
        assert_eq!(error.to_string(), wanted, "{text}");
    }
    for text in [
        "60 * * * *",
        "a b c d e",
        "* * * * 8",
        "@never",
        "5-1 * * * *",
        "*/0 * * * *",
        "@",
        "1 2 3 4 ,",
    ] {
        let error = Cron::parse(text, Zone::named("UTC").unwrap()).unwrap_err();
        assert!(matches!(error, CronError::Field(_)), "{text}: {error:?}");
    }
    let long = format!("{}0 * * * *", "0,".repeat(300));
    assert!(matches!(
        Cron::parse(&long, Zone::named("UTC").unwrap()),
        Err(CronError::TooLong(_))
    ));
}

#[test]
fn an_unknown_zone_is_refused_with_the_likely_one() {
    let error = Zone::named("Europe/Pari").unwrap_err();
    assert_eq!(error.to_string(), "there is no time zone `Europe/Pari`");
    assert_eq!(error.close.as_deref(), Some("Europe/Paris"));
    assert_eq!(Zone::named("Mars/Olympus").unwrap_err().close, None);
    assert!(Zone::named("").is_err());
}

#[test]
fn after_a_year_the_latest_is_found() {
    let minutes = cron("* * * * *", "UTC");
    let (long_ago, now) = (time("2025-01-01T00:00:00Z"), time("2026-01-01T00:00:30Z"));
    assert_eq!(minutes.latest(long_ago, now), Some(time("2026-01-01T00:00:00Z")));
    let yearly = cron("0 0 1 7 *", "UTC");
    assert_eq!(yearly.latest(long_ago, now), Some(time("2025-07-01T00:00:00Z")));
    assert_eq!(yearly.latest(time("2025-07-01T00:00:00Z"), now), None);
    let just = time("2026-01-01T00:00:00Z");
    assert_eq!(
        minutes.latest(time("2025-12-31T23:59:30Z"), just),
        Some(just),
        "a time is due from its first moment"
    );
}

proptest! {
    /// The latest is what stepping through all of them ends at.
    #[test]
    fn the_latest_is_the_last_of_all(
        minute in 0..60u8, hour in 0..24u8, step in 1..7u8, from in 0i64..400 * 86_400, length in 0i64..20 * 86_400,
    ) {
        let texts = [format!("{minute} {hour} * * *"), format!("{minute} */{step} * * *"), format!("{minute} {hour} */{step} * *")];
        for text in texts {
            let cron = cron(&text, "America/New_York");
            let from = Timestamp::from_second(1_760_000_000 + from).unwrap();
            let until = Timestamp::from_second(from.as_second() + length).unwrap();
            let all = std::iter::successors(cron.next_after(from), |time| cron.next_after(*time));
            prop_assert_eq!(cron.latest(from, until), all.take_while(|time| *time <= until).last(), "{}", text);
        }
    }

    /// Whatever the text, parsing and looking for the next time end.
    #[test]
    fn no_text_hangs_or_panics(text in "[-0-9*/,LW#?@+ A-Z]{0,40}", fields in "[0-9*]{1,3} [0-9*]{1,3} [0-9*LW]{1,3} [0-9*]{1,2} [0-9*#L+]{1,4}") {
        for text in [text, fields] {
            if let Ok(cron) = Cron::parse(&text, Zone::named("Europe/Paris").unwrap()) {
                let now = time("2026-03-29T00:00:00Z");
                prop_assert!(cron.next_after(now).is_none_or(|next| next > now));
            }
        }
    }
}
