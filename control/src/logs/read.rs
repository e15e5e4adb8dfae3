//! Reading a log: from a place in its files, in batches, to its end or on and on.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::Stream;
use futures_util::stream;
use jiff::Timestamp;
use tokio::sync::watch;

use super::line::LogRecord;
use super::segments::{self, SEGMENT_SIZE};
use super::{LogError, ServiceLog, Written};
use crate::names::TaskId;

/// How many lines a reader is given at once.
const MAX_LINES: usize = 512;

/// About how many bytes a reader is given at once.
const MAX_BYTES: usize = 512 << 10;

/// Which lines of a log are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Of this task only.
    pub task: Option<TaskId>,
    /// Not those before.
    pub since: Option<Timestamp>,
    /// Of what is there, the last so many.
    pub tail: Option<usize>,
    /// Go on with what comes.
    pub follow: bool,
}

/// A reader: a place in a service's log.
pub struct LogReader {
    folder: PathBuf,
    query: LogQuery,
    place: Option<Place>,
    /// Keeps the log's entry, which wakes us.
    _service: Arc<ServiceLog>,
    written: watch::Receiver<Written>,
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReader")
            .field("folder", &self.folder)
            .field("query", &self.query)
            .finish_non_exhaustive()
    }
}

/// A place in a log's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    segment: u64,
    offset: u64,
}

/// What was found from a place on, and where to go on.
struct Batch {
    records: Vec<LogRecord>,
    place: Option<Place>,
    at_end: bool,
}

impl LogReader {
    pub(super) fn new(folder: PathBuf, service: Arc<ServiceLog>, query: LogQuery) -> Self {
        let written = service.written.subscribe();
        Self {
            folder,
            query,
            place: None,
            _service: service,
            written,
        }
    }

    /// The next lines, at least one; none at the end. One that follows has an end only when the log is
    /// removed. Dropping the future loses nothing.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn next(&mut self) -> Result<Option<Vec<LogRecord>>, LogError> {
        loop {
            // Before reading: what is written from here on wakes us, whether we have read it or not.
            let written = *self.written.borrow_and_update();
            if written == Written::Removed {
                return Ok(None);
            }
            let batch = self.read().await?;
            self.place = batch.place;
            // A tail is of what was there at the first look.
            self.query.tail = None;
            if !batch.records.is_empty() {
                return Ok(Some(batch.records));
            }
            if !batch.at_end {
                continue;
            }
            if !self.query.follow {
                return Ok(None);
            }
            if self.written.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    /// From here on, reads what is there and ends.
    pub fn stop_following(&mut self) {
        self.query.follow = false;
    }

    /// Line by line.
    pub fn into_stream(self) -> impl Stream<Item = Result<LogRecord, LogError>> {
        stream::try_unfold((self, VecDeque::new()), |(mut reader, mut lines)| async move {
            if lines.is_empty() {
                match reader.next().await? {
                    Some(batch) => lines.extend(batch),
                    None => return Ok(None),
                }
            }
            Ok(lines.pop_front().map(|line| (line, (reader, lines))))
        })
    }

    async fn read(&self) -> Result<Batch, LogError> {
        let (folder, query, place) = (self.folder.clone(), self.query.clone(), self.place);
        let read = tokio::task::spawn_blocking(move || {
            let place = match place {
                Some(place) => Some(place),
                None => start(&folder, &query)?,
            };
            read_batch(&folder, &query, place)
        });
        let batch = read.await.map_err(io::Error::other).flatten();
        batch.map_err(LogError::at(&self.folder))
    }
}

/// Where to begin; nowhere, while there is no log.
fn start(folder: &Path, query: &LogQuery) -> io::Result<Option<Place>> {
    let segments = segments::list(folder)?;
    if let Some(tail) = query.tail {
        return start_of_tail(folder, &segments, query, tail);
    }
    // The last segment that begins before: lines are in the order of their times, nearly enough.
    let mut begin = segments.first().copied();
    if let Some(since) = query.since {
        for segment in &segments {
            let first = read_lines(
                folder,
                Place {
                    segment: *segment,
                    offset: 0,
                },
                1,
            )?
            .lines
            .into_iter()
            .next();
            if first.is_some_and(|(_, record)| record.time < since) {
                begin = Some(*segment);
            }
        }
    }
    Ok(begin.map(|segment| Place { segment, offset: 0 }))
}

/// The place of the `tail`-th last line that is wanted, from the newest segment back.
fn start_of_tail(
    folder: &Path,
    segments: &[u64],
    query: &LogQuery,
    tail: usize,
) -> io::Result<Option<Place>> {
    let mut missing = tail;
    let mut begin = None;
    for (position, segment) in segments.iter().rev().enumerate() {
        let found = read_lines(
            folder,
            Place {
                segment: *segment,
                offset: 0,
            },
            usize::MAX,
        )?;
        if position == 0 {
            begin = Some(Place {
                segment: *segment,
                offset: found.end,
            });
        }
        let wanted: Vec<u64> = found
            .lines
            .iter()
            .filter(|(_, record)| query.wants(record))
            .map(|(offset, _)| *offset)
            .collect();
        let take = missing.min(wanted.len());
        if let Some(offset) = wanted
            .len()
            .checked_sub(take)
            .filter(|_| take > 0)
            .and_then(|at| wanted.get(at))
        {
            begin = Some(Place {
                segment: *segment,
                offset: *offset,
            });
        }
        missing -= take;
        if missing == 0 {
            break;
        }
    }
    Ok(begin)
}

impl LogQuery {
    fn wants(&self, record: &LogRecord) -> bool {
        self.task.as_ref().is_none_or(|task| *task == record.task)
            && self.since.is_none_or(|since| record.time >= since)
    }
}

fn read_batch(folder: &Path, query: &LogQuery, place: Option<Place>) -> io::Result<Batch> {
    // The list before the file: a segment that has a later one is whole when we read it after.
    let segments = segments::list(folder)?;
    let oldest = segments.first().copied();
    let Some(mut place) = place.or(oldest.map(|segment| Place { segment, offset: 0 })) else {
        return Ok(Batch {
            records: Vec::new(),
            place: None,
            at_end: true,
        });
    };
    if !segments.contains(&place.segment) {
        // Rotated away before we came to it.
        let next = segments.iter().find(|segment| **segment > place.segment).copied();
        place = Place {
            segment: next.unwrap_or(place.segment),
            offset: 0,
        };
    }
    let found = read_lines(folder, place, MAX_LINES)?;
    let moved = found.end > place.offset;
    place.offset = found.end;
    let later = segments.iter().find(|segment| **segment > place.segment).copied();
    if let (false, Some(segment)) = (moved, later) {
        place = Place { segment, offset: 0 };
    }
    let at_end = !moved && later.is_none();
    let records = found
        .lines
        .into_iter()
        .map(|(_, record)| record)
        .filter(|record| query.wants(record));
    Ok(Batch {
        records: records.collect(),
        place: Some(place),
        at_end,
    })
}

/// Lines with where each begins, and where the next would.
struct Lines {
    lines: Vec<(u64, LogRecord)>,
    end: u64,
}

/// Whole lines of a segment from a place on, at most `max` of them.
fn read_lines(folder: &Path, place: Place, max: usize) -> io::Result<Lines> {
    let mut found = Lines {
        lines: Vec::new(),
        end: place.offset,
    };
    let mut file = match File::open(segments::path(folder, place.segment)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(place.offset))?;
    let mut reader = BufReader::with_capacity(64 << 10, io::Read::take(file, 2 * SEGMENT_SIZE));
    let mut line = Vec::new();
    let mut bytes = 0;
    while found.lines.len() < max && (max == usize::MAX || bytes < MAX_BYTES) {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            // The end, or a line that is being written.
            break;
        }
        // One that can't be read is passed over: the others still can.
        if let Some(record) = LogRecord::decode(&line) {
            found.lines.push((found.end, record));
        }
        found.end += read as u64;
        bytes += read;
    }
    Ok(found)
}
