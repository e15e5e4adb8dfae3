use clap::CommandFactory as _;

use super::*;

fn parse(line: &str) -> Result<Command, clap::Error> {
    let words = std::iter::once("wharf").chain(line.split_whitespace());
    Wharf::try_parse_from(words).map(|parsed| parsed.command)
}

#[test]
fn the_definition_is_sound() {
    Wharf::command().debug_assert();
}

#[test]
fn a_job_gets_what_comes_after_the_dashes() {
    let Ok(Command::Run(run)) = parse("run report --env A=b=c -- --verbose x") else {
        panic!("not parsed")
    };
    assert_eq!(run.job, "report");
    assert_eq!(run.args, ["--verbose", "x"]);
    assert_eq!(run.overrides.env[0].name.as_str(), "A");
    assert_eq!(run.overrides.env[0].value, "b=c");
}

#[test]
fn client_options_go_before_and_after_a_subcommand() {
    for line in ["secret --namespace blue list", "secret list --namespace blue"] {
        let Ok(Command::Secret(secret)) = parse(line) else {
            panic!("not parsed: {line}")
        };
        assert_eq!(secret.client.namespace, "blue");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "deploy --env A",
        "deploy --env =b",
        "deploy --secret A",
        "deploy --cpu 0",
        "deploy --memory 64MB",
        "logs api --since soon",
        "scale api -1",
        "describe pod x",
        "nope",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn since_is_a_duration_or_a_time() {
    assert_eq!("5m".parse(), Ok(Since::Ago(jiff::SignedDuration::from_mins(5))));
    assert!(matches!("2026-01-31T12:00:00Z".parse(), Ok(Since::Time(_))));
    assert!("-5m".parse::<Since>().is_err());
}
