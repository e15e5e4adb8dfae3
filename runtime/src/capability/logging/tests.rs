use super::*;

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<(LogStream, String, bool)>>);

impl LogSink for Kept {
    fn write(&self, stream: LogStream, line: &[u8], cut: bool) {
        self.0
            .lock()
            .unwrap()
            .push((stream, String::from_utf8_lossy(line).into_owned(), cut));
    }
}

fn log() -> (Arc<Kept>, TaskLog) {
    let kept = Arc::new(Kept::default());
    (Arc::clone(&kept), TaskLog::new(kept))
}

fn lines(kept: &Kept) -> Vec<(String, bool)> {
    kept.0
        .lock()
        .unwrap()
        .iter()
        .map(|(_, line, cut)| (line.clone(), *cut))
        .collect()
}

#[test]
fn writes_become_lines_whatever_their_pieces() {
    let (kept, log) = log();
    let stream = log.stream(LogStream::Stdout);
    let again = stream.clone();
    stream.append(b"one\ntw");
    again.append(b"o\r\n\nlast");
    assert_eq!(lines(&kept).len(), 3);
    drop((stream, again));
    let expected = ["one", "two", "", "last"].map(|line| (line.to_owned(), false));
    assert_eq!(lines(&kept), expected);
}

#[test]
fn long_lines_are_cut_and_marked_and_hold_no_memory() {
    let (kept, log) = log();
    let stream = log.stream(LogStream::Stderr);
    for _ in 0..100 {
        stream.append(&[b'x'; 1000]);
    }
    stream.append(b"\nnext\n");
    stream.append(&[&[b'y'; MAX_LOG_LINE + 1][..], b"\n"].concat());
    let lines = lines(&kept);
    assert_eq!(lines[0], ("x".repeat(MAX_LOG_LINE), true));
    assert_eq!(lines[1], ("next".to_owned(), false));
    assert_eq!(lines[2], ("y".repeat(MAX_LOG_LINE), true));
}

#[test]
fn a_flood_is_dropped_and_counted() {
    let start = Instant::now();
    let mut allowance = Allowance::full(start);
    let mut written = 0;
    while allowance.take(936, start) == Verdict::Write {
        written += 1;
    }
    assert_eq!(written, 4 * 1024 * 1024 / 1000);
    assert_eq!(allowance.take(936, start), Verdict::Drop);
    let later = start + Duration::from_secs(1);
    assert_eq!(
        allowance.take(936, later),
        Verdict::WriteAfterDrops(Dropped {
            lines: 2,
            bytes: 1872
        })
    );
    assert_eq!(allowance.take(936, later), Verdict::Write);
}
