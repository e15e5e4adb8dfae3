//! `wharf new`: a project in a directory of its own. What isn't typed is asked for on a terminal, and never elsewhere.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use wharf_control::names::ServiceName;

use crate::args::{self, Template};
use crate::exit::Usage;
use crate::{output, project};

/// Write a project, and say what comes next.
pub(crate) fn new(args: &args::New) -> Result<()> {
    let (name, template) = match &args.name {
        Some(name) => (project::name(name)?, args.template.unwrap_or(Template::HttpRust)),
        None => asked(args.template)?,
    };
    let directory = args.path.clone().unwrap_or_else(|| PathBuf::from(name.as_str()));
    project::create(&directory, &name, template)?;
    let shown = directory.display();
    Ok(output::say(format_args!(
        "{name} is in {shown}: {}\nNext:  cd {shown} && wharf dev",
        about(template)
    ))?)
}

fn asked(template: Option<Template>) -> Result<(ServiceName, Template)> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        let message = "a new project needs a name, as `wharf new api`: it is asked for on a terminal only";
        return Err(Usage(message.into()).into());
    }
    let name = until_good("What is it called? ", project::name)?;
    let template = match template {
        Some(template) => template,
        None => {
            for (at, template) in Template::value_variants().iter().enumerate() {
                output::remark(&format!(
                    "  {}  {:<12} {}",
                    at + 1,
                    template.folder(),
                    about(*template)
                ));
            }
            until_good("What does it begin as? [1] ", chosen)?
        }
    };
    Ok((name, template))
}

/// Ask until the answer is one.
fn until_good<T>(question: &str, read: impl Fn(&str) -> Result<T, Usage>) -> Result<T> {
    loop {
        output::ask(question)?;
        let mut line = String::new();
        let read_bytes = io::stdin()
            .read_line(&mut line)
            .context("cannot read the answer")?;
        if read_bytes == 0 {
            return Err(Usage("nothing was chosen".into()).into());
        }
        match read(line.trim()) {
            Ok(answer) => return Ok(answer),
            Err(usage) => output::remark(&usage.to_string()),
        }
    }
}

/// A template by its number or its name; the first, where nothing is typed.
fn chosen(text: &str) -> Result<Template, Usage> {
    let all = Template::value_variants();
    let by_number = || {
        text.parse::<usize>()
            .ok()
            .and_then(|number| all.get(number.checked_sub(1)?))
    };
    let by_name = || all.iter().find(|template| template.folder() == text);
    let found = match text {
        "" => all.first(),
        _ => by_number().or_else(by_name),
    };
    let unknown = || {
        Usage(format!(
            "`{text}` is none of them: type a number from 1 to {}",
            all.len()
        ))
    };
    found.copied().ok_or_else(unknown)
}

/// What a template is, as `--help` has it.
fn about(template: Template) -> String {
    let value = template.to_possible_value();
    let help = value.and_then(|value| value.get_help().map(ToString::to_string));
    help.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_chosen_by_number_or_name() {
        assert_eq!(chosen("").unwrap(), Template::HttpRust);
        assert_eq!(chosen("2").unwrap(), Template::JobRust);
        assert_eq!(chosen("job-rust").unwrap(), Template::JobRust);
        for text in ["0", "99", "rust"] {
            assert!(chosen(text).unwrap_err().to_string().contains(text));
        }
    }
}
