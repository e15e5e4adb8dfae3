//! What the demo asks of each example, through the gateway and the command line, and what has to come back.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::example;
use super::upstream::Weather;
use crate::http::{self, Answer, Call};
use crate::server::Server;

/// The secret that `examples/weather` names.
pub(crate) const SECRET: &str = "weather-key";
/// How long the worker has to write its first lines.
const FIRST_TICKS: Duration = Duration::from_secs(15);

/// How long it has to end; more than its `stop_timeout`, after which it would be dropped.
const STOP: Duration = Duration::from_secs(15);

type Check = fn(&Demo<'_>) -> Result<String>;

/// Every check: what it shows, and how.
const CHECKS: [(&str, Check); 12] = [
    ("hello answers text", hello_text),
    (
        "hello answers JSON and finds itself in its environment",
        hello_json,
    ),
    ("hello streams a body back", hello_echo),
    ("weather calls an upstream with a secret", weather),
    ("a rotated secret reaches the next request", rotation),
    ("guestbook keeps what is written", guestbook),
    ("crunch computes", crunch),
    (
        "growing past the memory envelope fails, the next request works",
        memory,
    ),
    ("a spinning request is cut off while its neighbour answers", spin),
    ("report runs to its end and exits with its code", report),
    ("ticker works and its log can be read", ticker),
    ("ticker ends by itself when it is stopped", stopped_ticker),
];

struct Demo<'a> {
    server: &'a Server,
    weather: &'a Weather,
}

/// Run all of them; how many failed.
pub(crate) fn run(server: &Server, weather: &Weather) -> Result<usize> {
    let demo = Demo { server, weather };
    println!();
    let mut failed = 0;
    for (title, check) in CHECKS {
        match check(&demo) {
            Ok(seen) => println!("ok      {title}: {seen}"),
            Err(error) => {
                failed += 1;
                println!("FAILED  {title}: {error:#}");
            }
        }
    }
    println!();
    Ok(failed)
}

impl Demo<'_> {
    /// A command's answer in JSON.
    fn json(&self, words: &[&str]) -> Result<serde_json::Value> {
        let output = self.server.output(&[words, &["--output", "json"]].concat())?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "wharf {}: {}",
            words.join(" "),
            said.trim()
        );
        serde_json::from_slice(&output.stdout).context("not JSON")
    }

    /// A request to a service, which has to answer with this status.
    fn ask(&self, status: u16, call: Call<'_>) -> Result<Answer> {
        let url = format!(
            "{} http://{}:{}{}",
            call.method,
            call.host,
            self.server.http.port(),
            call.path
        );
        let answer = http::send(self.server.http, call).with_context(|| url.clone())?;
        ensure!(
            answer.status == status,
            "{url} answered {} and not {status}: {}",
            answer.status,
            answer.body.trim()
        );
        Ok(answer)
    }

    fn get(&self, status: u16, host: &str, path: &str) -> Result<String> {
        Ok(self.ask(status, Call::get(host, path))?.body.trim().to_owned())
    }
}

fn hello_text(demo: &Demo<'_>) -> Result<String> {
    let text = demo.get(200, "hello.localhost", "/")?;
    ensure!(text.contains("hello from Wharf"), "it said {text:?}");
    Ok(text)
}

fn hello_json(demo: &Demo<'_>) -> Result<String> {
    let text = demo.get(200, "hello.localhost", "/json")?;
    ensure!(
        text.contains("\"task\":\"") && text.contains("\"greeting\":\"hello\""),
        "it said {text:?}"
    );
    Ok(text)
}

fn hello_echo(demo: &Demo<'_>) -> Result<String> {
    let body = "a line that comes back\n".repeat(10_000);
    let call = Call {
        method: "POST",
        body: body.as_bytes(),
        ..Call::get("hello.localhost", "/echo")
    };
    ensure!(demo.ask(200, call)?.body == body, "the body came back changed");
    Ok(format!("{} bytes there and back", body.len()))
}

fn weather(demo: &Demo<'_>) -> Result<String> {
    demo.get(404, "weather.localhost", "/?city=Atlantis")?;
    let text = demo.get(200, "weather.localhost", "/?city=Paris")?;
    ensure!(text.starts_with("Paris: sunny"), "it said {text:?}");
    Ok(text)
}

fn rotation(demo: &Demo<'_>) -> Result<String> {
    demo.server
        .wharf_with_input(&["secret", "set", SECRET], "not the key")?;
    let refused = demo.get(502, "weather.localhost", "/?city=Oslo");
    demo.server
        .wharf_with_input(&["secret", "set", SECRET], demo.weather.key())?;
    refused?;
    let text = demo.get(200, "weather.localhost", "/?city=Oslo")?;
    Ok(format!(
        "a wrong key was refused, the right one is back without a deploy: {text}"
    ))
}

fn guestbook(demo: &Demo<'_>) -> Result<String> {
    let host = "guestbook.localhost";
    let form = Call {
        method: "POST",
        body: b"name=Ada&message=hello+there",
        ..Call::get(host, "/")
    };
    let typed = [("content-type", "application/x-www-form-urlencoded")];
    let signed = http::send_with(demo.server.http, form, &typed).context("signing it")?;
    ensure!(
        signed.status == 303,
        "signing it answered {}: {}",
        signed.status,
        signed.body.trim()
    );
    let page = demo.get(200, host, "/")?;
    let entry = "<b>Ada</b>: hello there";
    ensure!(page.contains(entry), "the page is {page:?}");
    Ok(entry.to_owned())
}

fn crunch(demo: &Demo<'_>) -> Result<String> {
    let text = demo.get(200, "crunch.localhost", "/?n=100000")?;
    ensure!(
        text.contains("9592"),
        "there are 9592 primes up to 100000, and it said {text:?}"
    );
    Ok(text)
}

fn memory(demo: &Demo<'_>) -> Result<String> {
    let refused = demo.get(507, "crunch.localhost", "/grow?mib=100")?;
    demo.get(200, "crunch.localhost", "/grow?mib=16")?;
    Ok(format!("100 MiB in an envelope of 64 MiB: {refused}"))
}

fn spin(demo: &Demo<'_>) -> Result<String> {
    let started = Instant::now();
    let (spun, neighbour) = std::thread::scope(|scope| {
        let spun = scope.spawn(|| demo.get(504, "crunch.localhost", "/spin"));
        let mut slowest = Duration::ZERO;
        while !spun.is_finished() {
            let asked = Instant::now();
            if let Err(error) = demo.get(200, "hello.localhost", "/") {
                return (spun.join(), Err(error));
            }
            slowest = slowest.max(asked.elapsed());
        }
        (spun.join(), Ok(slowest))
    });
    spun.ok().context("the request's thread panicked")??;
    Ok(format!(
        "504 after {:.1} s, slowest answer beside it {:.1} ms",
        started.elapsed().as_secs_f32(),
        neighbour?.as_secs_f64() * 1e3
    ))
}

fn report(demo: &Demo<'_>) -> Result<String> {
    let folder = example("report");
    let good = demo.server.output(&["run", &folder])?;
    ensure!(
        good.status.success(),
        "it ended with {}: {}",
        good.status,
        String::from_utf8_lossy(&good.stderr)
    );
    let bad = demo
        .server
        .output(&["run", &folder, "--", "--fail-on-negative"])?;
    ensure!(
        bad.status.code() == Some(3),
        "with --fail-on-negative it ended with {} and not 3",
        bad.status
    );
    let text = String::from_utf8_lossy(&good.stdout).into_owned();
    Ok(format!(
        "{} (and with --fail-on-negative: exit code 3)",
        text.lines().last().unwrap_or_default().trim()
    ))
}

fn ticker(demo: &Demo<'_>) -> Result<String> {
    until(FIRST_TICKS, "tick", || {
        let log = demo.server.output(&["logs", "ticker"])?;
        let text = String::from_utf8_lossy(&log.stdout).into_owned();
        Ok(text
            .lines()
            .find(|line| line.ends_with("tick 1"))
            .map(str::to_owned))
    })
}

fn stopped_ticker(demo: &Demo<'_>) -> Result<String> {
    let tasks = demo.json(&["ps", "ticker"])?;
    let task = tasks
        .pointer("/tasks/0/taskId")
        .and_then(serde_json::Value::as_str);
    let task = task.context("no task runs")?;
    demo.json(&["stop", task])?;
    let stopped = until(STOP, "end", || {
        let task = demo.json(&["describe", "task", task])?;
        let has_stopped = task.get("lastStatus").is_some_and(|status| status == "STOPPED");
        Ok(has_stopped.then_some(task))
    })?;
    let ended_well = stopped.get("exitCode").is_some_and(|code| code == 0);
    ensure!(ended_well, "it did not end by itself: {stopped}");
    Ok("exit code 0".to_owned())
}

/// Ask until there is something.
fn until<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = ask()? {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "no {what} after {limit:?}");
        std::thread::park_timeout(Duration::from_millis(200));
    }
}
