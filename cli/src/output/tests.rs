use super::*;

#[test]
fn figures_are_short() {
    assert_eq!(bytes(512), "512B");
    assert_eq!(bytes(64 << 20), "64MiB");
    assert_eq!(bytes((3 << 20) / 2), "1.5MiB");
    assert_eq!(cpu_time(35), "35ms");
    assert_eq!(cpu_time(1_240), "1.24s");
    assert_eq!(cpu_time(200_000), "3m 20s");
    assert_eq!(duration(SignedDuration::from_secs(119)), "119s");
    assert_eq!(duration(SignedDuration::from_hours(5)), "5h");
}

#[test]
fn a_table_has_no_ragged_edges() {
    let text = table(
        ["NAME", "STATE"],
        [
            ["api".to_owned(), "RUNNING".to_owned()],
            ["a-long-name".to_owned(), String::new()],
        ],
    );
    assert_eq!(text, "NAME         STATE\napi          RUNNING\na-long-name");
}

#[test]
fn a_log_line_cannot_drive_the_terminal() {
    assert_eq!(harmless("\u{1b}[2Jgone\ttab"), "\u{fffd}[2Jgone\ttab");
}
