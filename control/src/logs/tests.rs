//! Logs: in order, bounded, readable while they are written, and there after a restart.

use std::fs;
use std::time::Duration;

use futures_util::StreamExt as _;

use super::*;

fn ns() -> NamespaceName {
    NamespaceName::default_namespace()
}

fn api() -> ServiceName {
    "api".parse().unwrap()
}

fn open() -> (Logs, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    (Logs::open(data.path()).unwrap(), data)
}

fn task(logs: &Logs) -> Arc<TaskLog> {
    logs.sink(&ns(), &api(), &TaskId::generate())
}

async fn all(logs: &Logs, query: LogQuery) -> Vec<LogRecord> {
    let mut reader = logs.read(&ns(), &api(), query);
    let mut records = Vec::new();
    while let Some(batch) = within(reader.next()).await.unwrap() {
        records.extend(batch);
    }
    records
}

async fn lines(logs: &Logs, query: LogQuery) -> Vec<String> {
    all(logs, query)
        .await
        .into_iter()
        .map(|record| record.line)
        .collect()
}

/// A deadline, for a test that would wait for ever.
async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("in time")
}

fn size(data: &Path) -> u64 {
    let folder = data.join(LOGS).join("default").join("api");
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum()
}

#[tokio::test]
async fn lines_come_back_as_they_were_written() {
    let (logs, _data) = open();
    let (first, second) = (task(&logs), task(&logs));
    first.write(LogStream::Stdout, "grüße".as_bytes(), false);
    second.write(LogStream::Stderr, b"bad \xff byte\t\"quoted\"", true);
    first.write(LogStream::System, b"", false);
    logs.flush().await.unwrap();
    let records = all(&logs, LogQuery::default()).await;
    let seen: Vec<_> = records
        .iter()
        .map(|r| (r.seq, r.stream, r.line.as_str(), r.cut))
        .collect();
    let wanted = [
        (1, LogStream::Stdout, "grüße", false),
        (2, LogStream::Stderr, "bad \u{fffd} byte\t\"quoted\"", true),
        (3, LogStream::System, "", false),
    ];
    assert_eq!(seen, wanted);
    assert_eq!(records[1].task, second.task);
    assert!(records[0].time <= records[2].time);
}

#[tokio::test]
async fn a_query_narrows() {
    let (logs, _data) = open();
    let (a, b) = (task(&logs), task(&logs));
    for number in 0..10 {
        let log = if number % 2 == 0 { &a } else { &b };
        log.write(LogStream::Stdout, number.to_string().as_bytes(), false);
    }
    logs.flush().await.unwrap();
    let tail = |tail| LogQuery {
        tail: Some(tail),
        ..LogQuery::default()
    };
    assert_eq!(lines(&logs, tail(3)).await, ["7", "8", "9"]);
    assert_eq!(lines(&logs, tail(99)).await.len(), 10);
    assert!(lines(&logs, tail(0)).await.is_empty());
    let of_a = LogQuery {
        task: Some(a.task.clone()),
        tail: Some(2),
        ..LogQuery::default()
    };
    assert_eq!(lines(&logs, of_a).await, ["6", "8"]);
    let since = all(&logs, LogQuery::default()).await[4].time;
    let since = LogQuery {
        since: Some(since),
        ..LogQuery::default()
    };
    assert!(
        lines(&logs, since)
            .await
            .ends_with(&["4", "5", "6", "7", "8", "9"].map(str::to_owned))
    );
    let other = logs
        .read(&ns(), &"other".parse().unwrap(), LogQuery::default())
        .next()
        .await
        .unwrap();
    assert_eq!(other, None);
}

#[tokio::test]
async fn following_shows_what_comes() {
    let (logs, _data) = open();
    let log = task(&logs);
    let query = LogQuery {
        tail: Some(1),
        follow: true,
        ..LogQuery::default()
    };
    let mut reader = logs.read(&ns(), &api(), query.clone());
    // Nothing is there; a wait that is given up loses nothing.
    assert!(
        tokio::time::timeout(Duration::from_millis(10), reader.next())
            .await
            .is_err()
    );
    for line in ["one", "two"] {
        log.write(LogStream::Stdout, line.as_bytes(), false);
    }
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.extend(
            within(reader.next())
                .await
                .unwrap()
                .unwrap()
                .into_iter()
                .map(|record| record.line),
        );
    }
    assert_eq!(seen, ["one", "two"]);

    let mut late = Box::pin(logs.read(&ns(), &api(), query).into_stream());
    assert_eq!(within(late.next()).await.unwrap().unwrap().line, "two");
    log.write(LogStream::Stdout, b"three", false);
    assert_eq!(within(late.next()).await.unwrap().unwrap().line, "three");

    reader.stop_following();
    assert_eq!(within(reader.next()).await.unwrap().unwrap()[0].line, "three");
    assert_eq!(within(reader.next()).await.unwrap(), None);
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let (logs, data) = open();
    task(&logs).write(LogStream::Stdout, b"before", false);
    drop(logs);
    let logs = Logs::open(data.path()).unwrap();
    let log = task(&logs);
    log.write(LogStream::Stdout, b"after", false);
    logs.flush().await.unwrap();
    let seen: Vec<_> = all(&logs, LogQuery::default())
        .await
        .into_iter()
        .map(|record| (record.seq, record.line))
        .collect();
    assert_eq!(seen, [(1, "before".to_owned()), (2, "after".to_owned())]);
}

#[tokio::test]
async fn what_a_crash_left_of_a_line_is_cut_off() {
    let (logs, data) = open();
    task(&logs).write(LogStream::Stdout, b"whole", false);
    drop(logs);
    let segment = segments::path(&data.path().join("logs/default/api"), 1);
    let mut content = fs::read(&segment).unwrap();
    // Longer than the line that comes next.
    content.extend(b"{\"seq\":2,\"line\":\"");
    content.extend([b'x'; 1000]);
    fs::write(&segment, content).unwrap();
    let logs = Logs::open(data.path()).unwrap();
    assert_eq!(lines(&logs, LogQuery::default()).await, ["whole"]);
    task(&logs).write(LogStream::Stdout, b"next", false);
    logs.flush().await.unwrap();
    let seen: Vec<_> = all(&logs, LogQuery::default())
        .await
        .into_iter()
        .map(|record| (record.seq, record.line))
        .collect();
    assert_eq!(seen, [(1, "whole".to_owned()), (2, "next".to_owned())]);
}

#[tokio::test]
async fn a_damaged_line_hides_no_other() {
    let (logs, data) = open();
    task(&logs).write(LogStream::Stdout, b"first", false);
    drop(logs);
    let segment = segments::path(&data.path().join("logs/default/api"), 1);
    let mut content = fs::read(&segment).unwrap();
    content.extend(b"{\"seq\":2,\0\0\0}\n");
    fs::write(&segment, content).unwrap();
    let logs = Logs::open(data.path()).unwrap();
    task(&logs).write(LogStream::Stdout, b"second", false);
    logs.flush().await.unwrap();
    assert_eq!(lines(&logs, LogQuery::default()).await, ["first", "second"]);
}

#[tokio::test]
async fn a_log_is_kept_within_its_bound() {
    let (logs, data) = open();
    let log = task(&logs);
    let text = "x".repeat(16 << 10);
    let count = MAX_LOG_SIZE / (16 << 10) + 700;
    for number in 0..count {
        log.write(LogStream::Stdout, format!("{number} {text}").as_bytes(), false);
        // So that the queue is not what bounds it.
        if number % 32 == 0 {
            logs.flush().await.unwrap();
        }
    }
    logs.flush().await.unwrap();
    let kept = size(data.path());
    assert!(kept <= MAX_LOG_SIZE && kept > MAX_LOG_SIZE * 8 / 10, "{kept}");
    let records = all(&logs, LogQuery::default()).await;
    assert_eq!(records.last().unwrap().seq, count);
    assert!(records.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
    assert!(records[0].seq > 1);
    let tail = all(
        &logs,
        LogQuery {
            tail: Some(1000),
            ..LogQuery::default()
        },
    )
    .await;
    assert_eq!((tail.len(), tail[0].seq), (1000, count - 999));
}

#[tokio::test]
async fn a_slow_reader_goes_on_with_what_is_left() {
    let (logs, _data) = open();
    let log = task(&logs);
    log.write(LogStream::Stdout, b"first", false);
    logs.flush().await.unwrap();
    let mut reader = logs.read(
        &ns(),
        &api(),
        LogQuery {
            follow: true,
            ..LogQuery::default()
        },
    );
    assert_eq!(within(reader.next()).await.unwrap().unwrap().len(), 1);
    let text = "x".repeat(16 << 10);
    for number in 0..MAX_LOG_SIZE / (16 << 10) + 700 {
        log.write(LogStream::Stdout, text.as_bytes(), false);
        if number % 32 == 0 {
            logs.flush().await.unwrap();
        }
    }
    logs.flush().await.unwrap();
    let next = within(reader.next()).await.unwrap().unwrap();
    assert!(next[0].seq > 2);
}

#[tokio::test]
async fn a_flood_is_dropped_counted_and_marked_and_stops_nobody() {
    let (logs, _data) = open();
    let (flood, calm) = (
        task(&logs),
        logs.sink(&ns(), &"calm".parse().unwrap(), &TaskId::generate()),
    );
    let line = vec![b'x'; 16 << 10];
    let sent = 2000;
    for _ in 0..sent {
        flood.write(LogStream::Stdout, &line, false);
    }
    calm.write(LogStream::Stdout, b"still here", false);
    logs.flush().await.unwrap();
    flood.write(LogStream::Stdout, b"afterwards", false);
    logs.flush().await.unwrap();
    let records = all(&logs, LogQuery::default()).await;
    let written = records
        .iter()
        .filter(|record| record.stream == LogStream::Stdout)
        .count()
        - 1;
    let missing = |record: &LogRecord| -> usize {
        let (count, rest) = record.line.split_once(' ').unwrap();
        assert!(
            rest.ends_with("missing here: they came faster than the log could be written"),
            "{rest}"
        );
        count.parse().unwrap()
    };
    let dropped: usize = records
        .iter()
        .filter(|r| r.stream == LogStream::System)
        .map(missing)
        .sum();
    assert_eq!(written + dropped, sent);
    assert!(dropped > 0);
    let mut calm = logs.read(&ns(), &"calm".parse().unwrap(), LogQuery::default());
    assert_eq!(calm.next().await.unwrap().unwrap()[0].line, "still here");
}

#[tokio::test]
async fn a_log_goes_with_its_service() {
    let (logs, data) = open();
    let old = task(&logs);
    old.write(LogStream::Stdout, b"old", false);
    let mut reader = logs.read(
        &ns(),
        &api(),
        LogQuery {
            follow: true,
            ..LogQuery::default()
        },
    );
    within(reader.next()).await.unwrap().unwrap();
    logs.remove(&ns(), &api());
    assert_eq!(within(reader.next()).await.unwrap(), None);
    // A last line of the old service's doesn't begin a new log, and a service of the same name does.
    old.write(LogStream::Stdout, b"too late", false);
    logs.flush().await.unwrap();
    assert!(!data.path().join("logs/default/api").exists());
    task(&logs).write(LogStream::Stdout, b"new", false);
    logs.flush().await.unwrap();
    assert_eq!(lines(&logs, LogQuery::default()).await, ["new"]);

    logs.remove_namespace(&ns());
    logs.flush().await.unwrap();
    assert!(!data.path().join("logs/default").exists());
    assert!(lines(&logs, LogQuery::default()).await.is_empty());
}

#[tokio::test]
async fn a_log_that_can_not_be_written_recovers_and_says_what_is_missing() {
    let (logs, data) = open();
    // A file is where the folder should be.
    let folder = data.path().join("logs/default");
    fs::write(&folder, b"in the way").unwrap();
    let log = task(&logs);
    log.write(LogStream::Stdout, b"lost", false);
    log.write(LogStream::Stdout, b"lost too", false);
    logs.flush().await.unwrap();
    fs::remove_file(&folder).unwrap();
    log.write(LogStream::Stdout, b"back", false);
    logs.flush().await.unwrap();
    let seen = lines(&logs, LogQuery::default()).await;
    assert!(seen[0].starts_with("2 lines are missing here"), "{seen:?}");
    assert_eq!(seen[1], "back");
}

#[tokio::test]
async fn many_services_share_the_open_files() {
    let (logs, _data) = open();
    let services: Vec<ServiceName> = (0..600)
        .map(|number| format!("s{number}").parse().unwrap())
        .collect();
    for round in ["one", "two"] {
        for service in &services {
            logs.sink(&ns(), service, &TaskId::generate())
                .write(LogStream::Stdout, round.as_bytes(), false);
        }
    }
    logs.flush().await.unwrap();
    for service in &services {
        let batch = logs
            .read(&ns(), service, LogQuery::default())
            .next()
            .await
            .unwrap()
            .unwrap();
        let seen: Vec<_> = batch
            .iter()
            .map(|record| (record.seq, record.line.as_str()))
            .collect();
        assert_eq!(seen, [(1, "one"), (2, "two")]);
    }
}
