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
        assert_eq!(secret.scope.namespace, "blue");
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

#[test]
fn a_namespace_is_asked_for_only_where_there_is_one() {
    for line in ["serve", "namespace list", "namespace create blue"] {
        assert!(parse(line).is_ok(), "{line}");
        let within = format!("{line} --namespace blue");
        assert!(parse(&within).is_err(), "{within}");
    }
    assert!(parse("token list -n blue -o json").is_ok());
}

/// The words of a line, of which some are in quotes.
fn words(line: &str) -> Vec<String> {
    line.split('"')
        .enumerate()
        .flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

/// The command in a line of a help text: what is between a pipe or `$(` and another, or an explanation.
fn example(line: &str) -> Option<Vec<String>> {
    let command = line.strip_prefix("  ")?;
    let command = &command[command.find("wharf ")?..];
    let end = ["   ", " |", ")"]
        .iter()
        .filter_map(|end| command.find(end))
        .min();
    Some(words(&command[..end.unwrap_or(command.len())]))
}

#[test]
fn every_example_in_a_help_text_can_be_typed() {
    let mut examples = 0;
    let commands: Vec<_> = Wharf::command().get_subcommands().cloned().collect();
    for command in commands.iter().filter(|command| !command.is_hide_set()) {
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let before = examples;
        for words in help.lines().filter_map(example) {
            if let Err(error) = Wharf::try_parse_from(&words) {
                panic!("{words:?}: {error}");
            }
            examples += 1;
        }
        let has_arguments = command.get_name() != "services";
        assert!(
            examples > before || !has_arguments,
            "{} has no example",
            command.get_name()
        );
    }
}
