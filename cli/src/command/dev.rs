//! `wharf dev`: a server of its own for one project. Every change is built and takes over from what serves; a build that
//! fails changes nothing. What the project writes and every request it answers is shown.

mod requests;
mod sources;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;
use wharf_control::api::types::{LogLine, LogStream, RolloutState, RunState};
use wharf_control::names::DEFAULT_NAMESPACE;
use wharf_control::server::{ServeConfig, Server};

use super::deploy::{Progress, roll_out, unsteady};
use super::follow::for_reader;
use super::run::interrupts::Interrupts;
use super::{build, run, serve};
use crate::api::Api;
use crate::args::{self, Client, Output, Scope, ServeOptions};
use crate::building::{Project, Show};
use crate::bundle::Bundle;
use crate::settings::{ADMIN_TOKEN_FILE, Settings};
use crate::{exit, logging, output};
use requests::Requests;
use sources::Sources;

/// The server's data, below the project's directory.
const DATA: &str = ".wharf";

/// What the server says of itself: what a person working on a guest has to know.
const LOGGED: &str = "warn";

/// How long a change may take to take over: it waits that long for a secret, too.
const PATIENCE: Duration = Duration::from_secs(600);

/// How soon the log is asked for again where there is none yet.
const LOG_RETRY: Duration = Duration::from_millis(200);

/// Serve a project until told to stop.
pub(crate) fn dev(args: args::Dev) -> Result<ExitCode> {
    // What is wrong with it is said before anything is started.
    let project = Project::open(&args.path)?;
    logging::start(LOGGED)?;
    let options = serve::Options::resolve(args::Serve {
        config: None,
        options: ServeOptions {
            data: Some(project.base.join(DATA)),
            api: Some(args.api.unwrap_or_else(|| free(serve::DEFAULT_API))),
            http: Some(args.http.unwrap_or_else(|| free(serve::DEFAULT_HTTP))),
            ..ServeOptions::default()
        },
    })?;
    serve::within(options, |config| until_told(args, config)).map(|()| ExitCode::SUCCESS)
}

/// The usual address, or any other port if that is taken: by a `wharf serve`, most likely.
fn free(usual: SocketAddr) -> SocketAddr {
    match TcpListener::bind(usual) {
        Ok(_) => usual,
        Err(_) => (Ipv4Addr::LOCALHOST, 0).into(),
    }
}

async fn until_told(args: args::Dev, config: ServeConfig) -> Result<()> {
    let mut interrupts = Interrupts::listen().context("cannot listen for signals")?;
    let data = config.data.clone();
    let server = Server::build(config).await?;
    let session = Session::new(args, &server, data)?;
    let over = CancellationToken::new();
    let serving = tokio::spawn(server.run(over.clone().cancelled_owned()));
    let ended = tokio::select! {
        ended = session.go_on() => ended,
        () = interrupts.once() => Ok(()),
    };
    over.cancel();
    serving.await.context("the server broke down")??;
    ended
}

/// What is worked on, and where it is served.
struct Session {
    args: args::Dev,
    api: Api,
    data: PathBuf,
    begun: Timestamp,
}

impl Session {
    fn new(args: args::Dev, server: &Server, data: PathBuf) -> Result<Self> {
        let token =
            std::fs::read_to_string(data.join(ADMIN_TOKEN_FILE)).context("the server has no token")?;
        let url = format!("http://{}", server.api_addr());
        output::remark(&format!(
            "Ctrl-C ends it. Other commands, in another terminal:  {}wharf ps",
            serve::elsewhere(server.api_addr(), &data)
        ));
        let settings = Settings {
            api: url.parse().context("the server's address is none")?,
            token: token.trim().to_owned(),
        };
        Ok(Self {
            args,
            api: Api::new(settings, DEFAULT_NAMESPACE)?,
            data,
            begun: Timestamp::now(),
        })
    }

    /// Ends only where something is wrong with what it needs itself.
    async fn go_on(&self) -> Result<()> {
        let requests = Requests::from_now_on(&self.data)?;
        tokio::select! {
            ended = self.follow_changes() => ended,
            ended = requests.show() => ended,
            ended = self.show_log() => ended,
        }
    }

    async fn follow_changes(&self) -> Result<()> {
        let mut sources = Sources::of(Project::open(&self.args.path)?.base);
        let mut said = String::new();
        let mut serves = false;
        loop {
            let before = sources.look();
            let built = self.build().await;
            sources.built(&before);
            let done = match built {
                Ok(project) => tokio::select! {
                    done = self.take_over(&project) => done,
                    // The deployment is superseded by the next.
                    () = sources.changed() => continue,
                },
                Err(error) => Err(error),
            };
            serves |= done.is_ok();
            let text = done.err().map(|error| exit::told(&error)).unwrap_or_default();
            // As long as it stays the same, it has been said.
            if !text.is_empty() && text != said {
                let goes_on = if serves {
                    "What ran before goes on; waiting"
                } else {
                    "Waiting"
                };
                output::remark(&format!("error: {text}\n{goes_on} for a change."));
            }
            said = text;
            sources.changed().await;
        }
    }

    async fn build(&self) -> Result<Project> {
        let project = Project::open(&self.args.path)?;
        let progress = Progress::shown();
        progress.say(&format!("{}: building", project.name));
        let since = Instant::now();
        let built = project.build(Show::OnFailure).await;
        progress.end();
        let took = since.elapsed().as_secs_f64();
        output::remark(&format!("built in {took:.1} s: {}", build::told(&built?)));
        Ok(project)
    }

    async fn take_over(&self, project: &Project) -> Result<()> {
        match project.is_job {
            true => self.run_job().await,
            false => self.deploy().await,
        }
    }

    async fn deploy(&self) -> Result<()> {
        let bundle = Bundle::read(&self.args.path, &self.args.overrides)?;
        let progress = Progress::shown();
        let outcome = roll_out(&self.api, &bundle, &progress, PATIENCE).await;
        progress.end();
        let deployment = outcome?;
        if deployment.rollout_state != RolloutState::Completed {
            bail!(unsteady(&deployment));
        }
        if !deployment.unchanged {
            let serves = format!("{} serves", deployment.task_definition);
            output::remark(
                &deployment
                    .urls
                    .iter()
                    .fold(serves, |text, url| format!("{text}  {url}")),
            );
        }
        Ok(())
    }

    async fn run_job(&self) -> Result<()> {
        let job = args::Run {
            job: self.args.path.display().to_string(),
            args: Vec::new(),
            overrides: self.args.overrides.clone(),
            scope: Scope {
                namespace: DEFAULT_NAMESPACE.to_owned(),
            },
            client: Client {
                output: Output::Table,
                api: String::new(),
                data: None,
            },
        };
        let run = run::to_its_end(&self.api, &job).await?;
        let code = run.exit_code.map(|code| format!("exit code {code}"));
        let how = match run.state {
            RunState::Succeeded => "succeeded",
            _ => "failed",
        };
        let why = run.reason.as_deref().map(output::harmless);
        let details: Vec<String> = code.into_iter().chain(why).collect();
        output::remark(&format!("{} {how}: {}", run.name, details.join(", ")));
        Ok(())
    }

    /// What the service writes, from when it has written something. A job's output is its run's.
    async fn show_log(&self) -> Result<()> {
        let project = Project::open(&self.args.path)?;
        if project.is_job {
            return std::future::pending().await;
        }
        let query = format!("follow=true&since={}", self.begun);
        let path = format!("{}?{query}", self.api.path(&["logs", &project.name]));
        loop {
            // There is none until the service is there.
            if let Ok(mut lines) = self.api.lines::<LogLine>(&path).await {
                while let Some(line) = lines.next().await? {
                    output::say(log_line(&line))?;
                }
            }
            tokio::time::sleep(LOG_RETRY).await;
        }
    }
}

fn log_line(line: &LogLine) -> String {
    let stream = match line.stream {
        LogStream::Stdout => "out",
        LogStream::Stderr => "err",
        LogStream::System => "wharf",
    };
    format!("{}  {stream:<6} {}", clock(line.time), for_reader(&line.message))
}

/// The time of day, here.
fn clock(time: Timestamp) -> impl std::fmt::Display {
    time.to_zoned(TimeZone::system()).strftime("%H:%M:%S%.3f")
}
