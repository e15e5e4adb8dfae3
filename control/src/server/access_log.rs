//! The access log's files: the one that is written, and a few older ones.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// When a file is full, in bytes: some 200 000 requests.
const MAX_FILE: u64 = 64 << 20;

/// Older files that are kept: `access.log.1` is the newest of them.
const OLDER_FILES: u32 = 3;

/// A file that makes room for a new one when it is full.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    file: File,
    size: u64,
    max: u64,
}

impl RotatingFile {
    /// Goes on where the file at `path` ends.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::open_with(path, MAX_FILE)
    }

    fn open_with(path: &Path, max: u64) -> io::Result<Self> {
        let file = append_to(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            size,
            max,
        })
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..OLDER_FILES).rev() {
            rename_if_there(&self.older(number), &self.older(number + 1))?;
        }
        rename_if_there(&self.path, &self.older(1))?;
        self.file = append_to(&self.path)?;
        self.size = 0;
        Ok(())
    }

    fn older(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

/// Whole lines come in one call, so none is torn by a rotation.
impl Write for RotatingFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if self.size > 0 && self.size.saturating_add(lines.len() as u64) > self.max {
            self.rotate()?;
        }
        self.file.write_all(lines)?;
        self.size = self.size.saturating_add(lines.len() as u64);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_go_when_the_files_are_full() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        for number in 0..12 {
            // Opened anew each time: a restart goes on where it was.
            let mut file = RotatingFile::open_with(&path, 20).unwrap();
            file.write_all(format!("line {number:03}\n").as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(read("access.log"), "line 010\nline 011\n");
        assert_eq!(read("access.log.1"), "line 008\nline 009\n");
        assert_eq!(read("access.log.3"), "line 004\nline 005\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 4);
    }
}
