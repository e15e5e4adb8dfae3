//! Behaviours on the files a task was given.

use crate::http::{Query, Reply, wait_ms};
use std::{fs, io};
use wasip2::http::types::Fields;

pub fn read(query: &Query, reply: Reply) {
    match fs::read(query.text("path")) {
        Ok(bytes) => reply.with(200, &[("content-type", "application/octet-stream")], &bytes),
        Err(error) => refuse(&error, reply),
    }
}

pub fn list(query: &Query, reply: Reply) {
    match names(query.text("path")) {
        Ok(names) => reply.text(200, &names.join("\n")),
        Err(error) => refuse(&error, reply),
    }
}

/// Opens the file `n` times, says how many came, and keeps them for as long as its answer is read.
pub fn hold(query: &Query, reply: Reply) {
    let path = query.text("path");
    let files: Vec<_> = (0..query.number("n"))
        .map_while(|_| fs::File::open(path).ok())
        .collect();
    let mut body = reply.start(200, Fields::new());
    body.write(files.len().to_string().as_bytes());
    body.flush();
    if query.text("then") == "wait" {
        loop {
            wait_ms(60_000);
        }
    }
    body.finish();
}

fn names(path: &str) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(path)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

pub fn write(query: &Query, reply: Reply) {
    match fs::write(query.text("path"), "written by the guest") {
        Ok(()) => reply.text(200, "written"),
        Err(error) => refuse(&error, reply),
    }
}

fn refuse(error: &io::Error, reply: Reply) {
    reply.text(500, &format!("{:?}: {error}", error.kind()));
}
