use std::sync::mpsc;

use super::*;

fn entry(path: &str) -> AccessEntry<'_> {
    AccessEntry {
        time: jiff::Timestamp::UNIX_EPOCH,
        request_id: "r-1",
        client: [127, 0, 0, 1].into(),
        forwarded_for: None,
        trace_id: crate::access_log::TraceId(10),
        listener: "main",
        method: "GET",
        host: Some("app.test"),
        path,
        protocol: "HTTP/1.1",
        rule: None,
        service: None,
        task: None,
        status: Some(404),
        retries: 0,
        failed_targets: Vec::new(),
        request_bytes: 0,
        response_bytes: 3,
        duration_ms: 0.25,
        head_ms: Some(0.125),
        cpu_us: None,
        peak_memory: None,
        reason: None,
        classification: None,
        classification_reason: None,
        tls: None,
        client_left: false,
    }
}

/// Passes on what it gets, once it may.
struct Sink {
    permits: mpsc::Receiver<io::Result<()>>,
    written: mpsc::Sender<Vec<u8>>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.permits.recv().unwrap()?;
        self.written.send(bytes.to_vec()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn sink() -> (
    mpsc::Sender<io::Result<()>>,
    mpsc::Receiver<Vec<u8>>,
    BufferedAccessLog,
) {
    let (permit, permits) = mpsc::channel();
    let (written, lines) = mpsc::channel();
    (
        permit,
        lines,
        BufferedAccessLog::start(Sink { permits, written }).unwrap(),
    )
}

#[test]
fn every_field_is_documented_and_no_other() {
    let full = AccessEntry {
        forwarded_for: Some([127, 0, 0, 2].into()),
        rule: Some("rule"),
        service: Some("group"),
        task: Some("target"),
        failed_targets: vec!["other"],
        cpu_us: Some(1),
        peak_memory: Some(1),
        reason: Some("why".into()),
        classification: Some("Ambiguous"),
        classification_reason: Some("SuspiciousHeader"),
        tls: Some(crate::access_log::TlsEntry {
            version: "TLSv1.3",
            cipher: "TLS13_AES_128_GCM_SHA256",
            server_name: None,
        }),
        ..entry("/")
    };
    let mut line = Vec::new();
    full.write_line(&mut line);
    let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
    let fields: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    let table = include_str!("../../../../docs/access-log.md").lines();
    let rows = table.skip_while(|row| !row.starts_with("| field")).skip(2);
    let rows = rows.take_while(|row| row.starts_with('|'));
    let mut documented: Vec<&str> = rows.map(|row| row.split('`').nth(1).unwrap()).collect();
    documented.sort_unstable();
    assert_eq!(fields, documented);
}

#[test]
fn lines_are_json_and_none_is_lost_at_the_end() {
    let (permit, lines, log) = sink();
    permit.send(Ok(())).unwrap();
    permit.send(Ok(())).unwrap();
    log.record(&entry("/\"quoted\""));
    log.record(&entry("/b"));
    drop(log);
    let written: Vec<u8> = lines.iter().flatten().collect();
    let written = String::from_utf8(written).unwrap();
    let expected = concat!(
        r#"{"time":"1970-01-01T00:00:00Z","requestId":"r-1","client":"127.0.0.1","#,
        r#""traceId":"0000000000000000000000000000000a","listener":"main","method":"GET","#,
        r#""host":"app.test","path":"/\"quoted\"","protocol":"HTTP/1.1","status":404,"retries":0,"#,
        r#""requestBytes":0,"responseBytes":3,"durationMs":0.25,"headMs":0.125,"clientLeft":false}"#
    );
    assert_eq!(written.lines().next(), Some(expected));
    assert_eq!(written.lines().count(), 2);
}

#[test]
fn a_sink_that_hangs_costs_lines_not_time() {
    let (permit, lines, log) = sink();
    let path = format!("/{}", "x".repeat(10_000));
    // More than may wait, twice over: the writer may hold one batch of that size already.
    let sent = 2 * MAX_WAITING_BYTES / 10_000 + 100;
    for _ in 0..sent {
        log.record(&entry(&path));
    }
    assert!(log.dropped() > 0);
    let dropped = usize::try_from(log.dropped()).unwrap();
    for _ in 0..3 {
        permit.send(Ok(())).unwrap();
    }
    drop(log);
    let kept = lines.iter().flatten().filter(|byte| *byte == b'\n').count();
    assert_eq!(kept + dropped, sent);
}

#[test]
fn lines_a_failing_sink_refuses_are_counted() {
    let (permit, lines, log) = sink();
    log.record(&entry("/a"));
    permit.send(Err(io::Error::other("disk full"))).unwrap();
    let shared = log.shared.clone();
    drop(log);
    assert_eq!(shared.dropped.load(Ordering::Relaxed), 1);
    assert_eq!(lines.iter().count(), 0);
}
