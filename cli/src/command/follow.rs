//! `wharf logs` and `wharf events`: what was written and what happened, and with `-f` what is and does.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Result;
use jiff::Timestamp;
use wharf_control::api::types::{Event, LogLine, LogStream};

use crate::api::{Api, Lines, escape};
use crate::args::{self, Output, Since};
use crate::output;

/// A service's or job's log.
pub(crate) async fn logs(api: &Api, args: &args::Logs) -> Result<()> {
    let mut query = Query::default();
    query.add("task", args.task.as_deref());
    query.add("since", args.since.map(time).as_deref());
    query.add("tail", args.tail.map(|tail| tail.to_string()).as_deref());
    query.add("follow", args.follow.then_some("true"));
    let lines: Lines<LogLine> = api
        .lines(&format!("{}{query}", api.path(&["logs", &args.name])))
        .await?;
    let nothing = format!("no such lines of `{}`: `-f` waits for some", args.name);
    print(lines, args.client.output, log_line, &nothing).await
}

/// A namespace's or a service's events.
pub(crate) async fn events(api: &Api, args: &args::Events) -> Result<()> {
    let mut query = Query::default();
    query.add("service", args.service.as_deref());
    query.add("since", args.since.map(time).as_deref());
    query.add("follow", args.follow.then_some("true"));
    let lines: Lines<Event> = api.lines(&format!("{}{query}", api.path(&["events"]))).await?;
    print(
        lines,
        args.client.output,
        event,
        "no such events: `-f` waits for some",
    )
    .await
}

/// Print values as they come; where none did, say so on standard error. A reader that goes away (`| head`) is the end, not an error.
async fn print<T: serde::de::DeserializeOwned + serde::Serialize>(
    mut lines: Lines<T>,
    format: Output,
    text: fn(&T) -> String,
    nothing: &str,
) -> Result<()> {
    let mut any = false;
    while let Some(value) = lines.next().await? {
        let line = match format {
            Output::Json => output::json_line(&value),
            Output::Table => text(&value),
        };
        match writeln!(io::stdout(), "{line}") {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            written => written?,
        }
        any = true;
    }
    if !any && format == Output::Table {
        output::remark(nothing);
    }
    Ok(())
}

fn log_line(line: &LogLine) -> String {
    let stream = match line.stream {
        LogStream::Stdout => "",
        LogStream::Stderr => "stderr: ",
        LogStream::System => "wharf: ",
    };
    let cut = if line.cut { " [cut]" } else { "" };
    format!(
        "{:.3} {} {stream}{}{cut}",
        line.time,
        line.task_id,
        for_reader(&line.message)
    )
}

fn event(event: &Event) -> String {
    format!("{:.3} {}", event.created_at, for_reader(&event.message))
}

/// A terminal obeys control characters; a file or a pipe gets the text as it was written.
pub(crate) fn for_reader(text: &str) -> String {
    if io::stdout().is_terminal() {
        output::harmless(text)
    } else {
        text.to_owned()
    }
}

fn time(since: Since) -> String {
    match since {
        Since::Time(time) => time,
        Since::Ago(duration) => Timestamp::now()
            .checked_sub(duration)
            .unwrap_or(Timestamp::UNIX_EPOCH),
    }
    .to_string()
}

/// A URL's query, each value escaped.
#[derive(Default)]
struct Query(String);

impl Query {
    fn add(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0.push_str(&format!("{name}={}", escape(value)));
        }
    }
}

impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
