use wasmtime_wasi::filesystem::File as WasiFile;
use wasmtime_wasi::{FsPerms, OpenMode};

use super::*;
use crate::spec::{LogSink, LogStream};

#[derive(Debug, Default)]
struct Silent;

impl LogSink for Silent {
    fn write(&self, _: LogStream, _: &[u8], _: bool) {}
}

fn files() -> OpenFiles {
    OpenFiles::new(TaskLog::new(Arc::new(Silent)))
}

fn descriptor() -> Descriptor {
    let file = tempfile::tempfile().unwrap();
    Descriptor::File(WasiFile::new(file, FsPerms::ReadOnly, OpenMode::READ, true))
}

#[test]
fn a_file_counts_until_the_last_that_reads_it_has_gone() {
    let files = files();
    let open = |descriptor: &Descriptor| files.begin().map(|opening| opening.opened(descriptor));
    let mut held: Vec<_> = std::iter::repeat_with(descriptor).take(MAX_OPEN_FILES).collect();
    for descriptor in &held {
        open(descriptor).unwrap();
    }
    assert!(files.begin().is_none());
    // A stream on it stays.
    let stream = held.pop();
    let stream = stream.clone().into_iter().chain(stream).last();
    assert!(files.begin().is_none());
    drop(stream);
    let last = descriptor();
    open(&last).unwrap();
    assert!(files.begin().is_none());
}

#[test]
fn what_is_being_opened_counts_and_what_was_not_opened_does_not() {
    let files = files();
    let opening: Vec<_> = (0..MAX_OPEN_FILES).map(|_| files.begin().unwrap()).collect();
    assert!(files.begin().is_none());
    drop(opening);
    assert!(files.begin().is_some());
}
