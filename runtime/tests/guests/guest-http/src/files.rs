//! Behaviours on the files a task was given.

use crate::http::{Query, Reply};
use std::{fs, io};

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
