//! The requests that were answered, from the server's access log: a line for each.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::Deserialize;

use super::clock;
use crate::output;

/// How often it is looked at: the server writes at least every 50 ms.
const EVERY: Duration = Duration::from_millis(50);

/// What is read at once.
const CHUNK: u64 = 1 << 20;

/// The access log, from a place in it.
pub(super) struct Requests {
    path: PathBuf,
    file: File,
    /// The beginning of a line whose end isn't there yet.
    rest: Vec<u8>,
}

/// A line of it, as far as it is shown.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    time: Timestamp,
    method: String,
    path: String,
    status: Option<u16>,
    duration_ms: f64,
    cpu_us: Option<u64>,
    peak_memory: Option<u64>,
    reason: Option<String>,
}

impl Requests {
    /// Those that are answered from now on.
    pub(super) fn from_now_on(data: &Path) -> Result<Self> {
        let path = data.join("access.log");
        let mut file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self {
            path,
            file,
            rest: Vec::new(),
        })
    }

    /// Prints a line for each as it comes.
    pub(super) async fn show(mut self) -> Result<()> {
        loop {
            tokio::time::sleep(EVERY).await;
            let lines = self
                .read()
                .with_context(|| format!("cannot read {}", self.path.display()))?;
            for line in lines {
                // One that was cut by a full disk is none.
                if let Ok(entry) = serde_json::from_slice::<Entry>(&line) {
                    output::say(told(&entry))?;
                }
            }
        }
    }

    /// The lines that are new. One file is read to its end before the next, where the server has begun another.
    fn read(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let read = (&self.file).take(CHUNK).read_to_end(&mut self.rest)?;
        if read == 0
            && let Ok(file) = File::open(&self.path)
            && file.metadata()?.ino() != self.file.metadata()?.ino()
        {
            self.file = file;
            self.rest.clear();
        }
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(Vec::new());
        };
        let after = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, after);
        let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.map(<[u8]>::to_vec).collect())
    }
}

fn told(entry: &Entry) -> String {
    let status = entry
        .status
        .map_or_else(|| "---".to_owned(), |status| status.to_string());
    let mut text = format!(
        "{}  {:<6} {}  {status}  {:.1} ms",
        clock(entry.time),
        entry.method,
        output::harmless(&entry.path),
        entry.duration_ms
    );
    if let Some(cpu) = entry.cpu_us {
        text.push_str(&format!("  cpu {cpu} µs"));
    }
    if let Some(memory) = entry.peak_memory {
        text.push_str(&format!("  memory {}", output::bytes(memory)));
    }
    if let Some(reason) = &entry.reason {
        text.push_str(&format!("  {}", output::harmless(reason)));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_are_read_when_they_are_whole_and_over_a_change_of_files() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("access.log");
        let mut log = File::create(&path).unwrap();
        log.write_all(b"before\n").unwrap();
        let mut requests = Requests::from_now_on(home.path()).unwrap();
        let mut read = || -> Vec<String> {
            let lines = requests.read().unwrap().into_iter();
            lines.map(|line| String::from_utf8(line).unwrap()).collect()
        };
        assert!(read().is_empty());
        log.write_all(b"one\ntw").unwrap();
        assert_eq!(read(), ["one"]);
        log.write_all(b"o\n").unwrap();
        std::fs::rename(&path, home.path().join("access.log.1")).unwrap();
        std::fs::write(&path, "three\n").unwrap();
        assert_eq!(read(), ["two"]);
        assert!(read().is_empty(), "the old file has ended");
        assert_eq!(read(), ["three"]);
    }

    #[test]
    fn a_request_is_told_in_a_line() {
        let line = r#"{"time":"2026-01-31T12:00:00.5Z","method":"GET","path":"/x\u001b","status":502,"durationMs":1.84,
            "cpuUs":310,"peakMemory":1435120,"reason":"it trapped","clientLeft":false}"#;
        let text = told(&serde_json::from_str(line).unwrap());
        assert!(
            text.ends_with("502  1.8 ms  cpu 310 µs  memory 1.3MiB  it trapped"),
            "{text}"
        );
        assert!(text.contains("GET    /x") && !text.contains('\u{1b}'), "{text}");
    }
}
