//! The commands, one module for what belongs together. Each takes what was typed and ends with an exit code.

mod build;
mod capacity;
mod deploy;
mod describe;
mod dev;
mod follow;
mod jobs;
mod lists;
mod new;
mod package;
mod rollouts;
mod routing;
mod run;
mod secret;
mod serve;
mod services;
mod tenancy;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use wharf_control::names::DEFAULT_NAMESPACE;

use crate::api::Api;
use crate::args::{Client, Command, Completions, Scope, Wharf};
use crate::output;
use crate::settings::Settings;

/// Carry out what was typed.
pub(crate) fn call(typed: Wharf) -> Result<ExitCode> {
    match typed.command {
        Command::Compile(_) => Ok(wharf_runtime::compile_child_main()),
        Command::Serve(args) => serve::serve(args),
        Command::Dev(args) => dev::dev(args),
        Command::New(args) => new::new(&args).map(|()| ExitCode::SUCCESS),
        Command::Package(args) => package::package(&args).map(|()| ExitCode::SUCCESS),
        Command::Completions(args) => completions(&args),
        command => talk(command),
    }
}

/// A client command: little I/O at a time, so one thread does.
fn talk(command: Command) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the input/output loop")?;
    let ended = runtime.block_on(talk_within(command));
    // A read of standard input may be under way on a thread of its own; nobody waits for it any more.
    runtime.shutdown_background();
    ended
}

async fn talk_within(command: Command) -> Result<ExitCode> {
    match command {
        Command::Build(args) => build::build(&args).await?,
        Command::Deploy(args) => deploy::deploy(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Run(args) => return run::run(&connect(&args.client, &args.scope)?, &args).await,
        Command::Jobs(args) => jobs::jobs(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Cancel(args) => jobs::cancel(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Ps(args) => lists::ps(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Services(args) => lists::services(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Describe(args) => describe::describe(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Logs(args) => follow::logs(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Events(args) => follow::events(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Capacity(args) => capacity::capacity(&connect_outside(&args.client)?, &args).await?,
        Command::Scale(args) => services::scale(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Rollback(args) => rollouts::rollback(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Abort(args) => rollouts::abort(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Pause(args) => rollouts::pause(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Continue(args) => rollouts::resume(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Stop(args) => services::stop(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Delete(args) => services::delete(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Secret(args) => secret::secret(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Apply(args) => routing::apply(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Route(args) => routing::route(&connect(&args.client, &args.scope)?, &args).await?,
        Command::Listener(args) => routing::listener(&connect_outside(&args.client)?, &args).await?,
        Command::TargetGroup(args) => {
            routing::target_group(&connect(&args.client, &args.scope)?, &args).await?;
        }
        Command::Namespace(args) => tenancy::namespace(&connect_outside(&args.client)?, &args).await?,
        Command::Token(args) => tenancy::token(&connect(&args.client, &args.scope)?, &args).await?,
        // Are no clients: `call` took them.
        Command::Serve(_)
        | Command::Dev(_)
        | Command::New(_)
        | Command::Package(_)
        | Command::Completions(_)
        | Command::Compile(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn completions(args: &Completions) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Wharf::command(), "wharf", &mut script);
    output::say(String::from_utf8_lossy(&script).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn connect(client: &Client, scope: &Scope) -> Result<Api> {
    Api::new(Settings::resolve(client)?, &scope.namespace)
}

/// For what is in no namespace.
fn connect_outside(client: &Client) -> Result<Api> {
    Api::new(Settings::resolve(client)?, DEFAULT_NAMESPACE)
}
