//! A service's folder: segments, each named by the number of its first line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::MAX_LOG_SIZE;
use super::line::LogRecord;
use crate::files::create_private_dir;

/// Where one segment ends and the next begins, in bytes.
pub(super) const SEGMENT_SIZE: u64 = MAX_LOG_SIZE / 10;

const SUFFIX: &str = "jsonl";

/// The segment that begins with line `first`.
pub(super) fn path(folder: &Path, first: u64) -> PathBuf {
    // 20 digits hold any u64, so that names sort as numbers.
    folder.join(format!("{first:020}.{SUFFIX}"))
}

/// The first line's number of each segment, in order. None, if the folder isn't there.
pub(super) fn list(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let first = name
            .to_str()
            .and_then(|name| name.strip_suffix(SUFFIX)?.strip_suffix('.')?.parse::<u64>().ok());
        segments.extend(first);
    }
    segments.sort_unstable();
    Ok(segments)
}

/// The end of a service's log that is written to.
#[derive(Debug)]
pub(super) struct Appender {
    folder: PathBuf,
    file: File,
    /// How much of the file is whole lines.
    len: u64,
    /// Earlier segments and their sizes, oldest first.
    earlier: Vec<(u64, u64)>,
    first: u64,
    next: u64,
    /// Lines that are not in the file yet.
    buffer: Vec<u8>,
    /// How many lines would be missing if `buffer` were lost.
    at_stake: u64,
}

impl Appender {
    /// Opens a service's log, or begins it. What a crash left of a last line is cut off.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        create_private_dir(folder)?;
        let mut segments = list(folder)?;
        let first = segments.pop().unwrap_or(1);
        let earlier = segments
            .into_iter()
            .map(|first| Ok((first, path(folder, first).metadata()?.len())));
        let earlier = earlier.collect::<io::Result<Vec<_>>>()?;
        let mut file = open_segment(folder, first)?;
        let (len, last) = whole_lines(&mut file)?;
        file.set_len(len)?;
        file.seek(SeekFrom::Start(len))?;
        let next = last.map_or(first, |last| last + 1);
        Ok(Self {
            folder: folder.to_owned(),
            file,
            len,
            earlier,
            first,
            next,
            buffer: Vec::new(),
            at_stake: 0,
        })
    }

    /// The number the next line gets.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// How many lines would be missing if what waits were lost.
    pub(super) fn at_stake(&self) -> u64 {
        self.at_stake
    }

    /// Adds a line that speaks for so many, with its number. It is in the file after the next
    /// [`Appender::flush`].
    pub(super) fn append(&mut self, mut record: LogRecord, speaks_for: u64) -> io::Result<()> {
        /// Lines are written together, up to this many bytes.
        const BUFFER_SIZE: usize = 256 << 10;
        let start = self.buffer.len();
        record.seq = self.next;
        record.encode(&mut self.buffer);
        let size = self.len + self.buffer.len() as u64;
        if size > SEGMENT_SIZE && (self.len > 0 || start > 0) {
            let line = self.buffer.split_off(start);
            self.flush()?;
            self.buffer = line;
            self.at_stake = speaks_for;
            self.rotate()?;
        } else {
            self.at_stake += speaks_for;
        }
        self.next += 1;
        if self.buffer.len() >= BUFFER_SIZE {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what waits. On an error none of it is in the file, and it is given up.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.buffer);
        if let Err(error) = written {
            self.buffer.clear();
            // Whatever was written of it is cut off, or the next line would be glued to it.
            self.file.set_len(self.len)?;
            self.file.seek(SeekFrom::Start(self.len))?;
            return Err(error);
        }
        self.len += self.buffer.len() as u64;
        self.buffer.clear();
        self.at_stake = 0;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.earlier.push((self.first, self.len));
        let mut kept: u64 = self.earlier.iter().map(|(_, size)| size).sum();
        while kept + SEGMENT_SIZE > MAX_LOG_SIZE && !self.earlier.is_empty() {
            let (first, size) = self.earlier.remove(0);
            fs::remove_file(path(&self.folder, first))?;
            kept -= size;
        }
        self.file = open_segment(&self.folder, self.next)?;
        self.first = self.next;
        self.len = 0;
        Ok(())
    }
}

fn open_segment(folder: &Path, first: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path(folder, first))
}

/// How much of a segment is whole lines, and the number of the last.
fn whole_lines(file: &mut File) -> io::Result<(u64, Option<u64>)> {
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    let len = content
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |newline| newline + 1);
    let mut lines = content
        .get(..len)
        .unwrap_or_default()
        .split(|byte| *byte == b'\n')
        .rev();
    let last = lines.find_map(|line| LogRecord::decode(line).map(|record| record.seq));
    Ok((len as u64, last))
}
